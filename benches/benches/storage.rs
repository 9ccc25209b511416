//! Appending messages durably, beside SQLite alone inserting the same rows.

use std::path::Path;
use std::time::Duration;

use chat_benches::batches::{Batches, keep};
use chat_benches::plain::{Chains, Plain, Rows};
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Rooms over which records are spread.
const ROOMS: u64 = 100;

criterion_main!(benches);
criterion_group!(benches, one_room, many_rooms);

fn one_room(criterion: &mut Criterion) {
    append(criterion, "one room", 1);
}

fn many_rooms(criterion: &mut Criterion) {
    append(criterion, "many rooms", ROOMS);
}

fn append(criterion: &mut Criterion, layout: &str, rooms: u64) {
    let mut group = criterion.benchmark_group(format!("storage/{layout}"));
    group.sampling_mode(SamplingMode::Flat).sample_size(30);
    for records in [1, 10, 100] {
        group.throughput(Throughput::Elements(records as u64));

        let dir = tempdir();
        let store = Sqlite::open(dir.path().join("chat.db")).expect("the folder is there");
        measure(
            &mut group,
            &format!("sqlite/{records}"),
            &store,
            rooms,
            records,
        );

        for (name, rows) in [
            ("plain, all rows", Rows::All),
            ("plain, log alone", Rows::Log),
        ] {
            let dir = tempdir();
            let name = format!("{name}/{records}");
            measure_plain(
                &mut group,
                &name,
                &dir.path().join("plain.db"),
                rooms,
                records,
                rows,
            );
        }
    }
    // Everything that is appended stays in memory: a short while is enough of it.
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    for records in [1, 10, 100] {
        group.throughput(Throughput::Elements(records as u64));
        let store = Memory::new().expect("the system has random numbers");
        measure(
            &mut group,
            &format!("memory/{records}"),
            &store,
            rooms,
            records,
        );
    }
    group.finish();
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    store: &dyn Store,
    rooms: u64,
    records: usize,
) {
    let runtime = runtime();
    let mut batches = Batches::of_rooms(rooms);
    runtime.block_on(keep(store, batches.founding()));
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || batches.batch(records),
            |batch| runtime.block_on(keep(store, batch)),
            BatchSize::NumIterations(10),
        );
    });
}

fn measure_plain(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    path: &Path,
    rooms: u64,
    records: usize,
    rows: Rows,
) {
    let mut batches = Batches::of_rooms(rooms);
    let mut chains = Chains::default();
    let plain = Plain::create(path, rooms, rows).expect("the folder is there");
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut posts = batches.posts(records);
                posts.sort_by_key(|record| (record.room, record.seq));
                chains.rows(&posts)
            },
            |rows| plain.insert(rows).expect("the disk is well"),
            BatchSize::NumIterations(10),
        );
    });
}

/// A folder on the disk that builds are on: a temporary one of the system may lie in memory, where
/// synchronisation costs nothing.
fn tempdir() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written to")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .build()
        .expect("the system has an event queue")
}
