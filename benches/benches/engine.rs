//! `decide` and `evolve` of a post, in rooms of all sizes.

use chat_benches::crowd::{Posts, act, engine, fill, grant};
use chat_core::{Engine, RoomId};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};

const DEN: RoomId = RoomId::new(1);

criterion_main!(benches);
criterion_group!(benches, posts);

fn posts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine/post");
    for members in [10, 1_000, 100_000] {
        let mut engine = engine();
        fill(&mut engine, DEN, members);
        let posts = Posts::new(DEN, members);
        measure(
            &mut group,
            &format!("members/{members}"),
            engine.clone(),
            posts.clone(),
        );
        measure(
            &mut group,
            &format!("with cid/{members}"),
            engine,
            posts.with_cids(),
        );
    }

    let mut visited = engine();
    fill(&mut visited, DEN, 1_000);
    measure(
        &mut group,
        "visitors/1000",
        visited,
        Posts::new(DEN, 1_000).of_visitors(),
    );

    let mut granted = engine();
    grant(&mut granted, DEN, 1_000);
    measure(&mut group, "by grant/1000", granted, Posts::new(DEN, 1_000));
    group.finish();
}

/// Times the decision, its application and the end of the record; the request is made and dropped
/// outside.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut engine: Engine,
    mut posts: Posts,
) {
    posts.warm(&mut engine);
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || posts.post(),
            |request| drop(act(&mut engine, request)),
            BatchSize::NumIterations(1_000),
        );
    });
}
