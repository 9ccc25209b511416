//! Spelling a message for its hearers, and reading what its author sent.

use std::hint::black_box;

use chat_benches::crowd::{Posts, act, body, engine, fill};
use chat_core::commands::Post;
use chat_core::{Command, Record, RoomId};
use chat_protocol::{Dialect, Form, Voice};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const DEN: RoomId = RoomId::new(1);

criterion_main!(benches);
criterion_group!(benches, encode, decode);

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dialects/encode");
    for bytes in [64, 1_000] {
        let record = posted(bytes);
        let spellings = [
            ("native", Dialect::Native, false),
            ("native own", Dialect::Native, true),
            ("rooms", Dialect::Rooms, false),
        ];
        for (name, dialect, own) in spellings {
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(format!("{name}/{bytes}"), |bencher| {
                let voice = Voice::of(dialect);
                bencher.iter(|| {
                    voice.event(black_box(&record), own, &mut |text| {
                        black_box(text);
                    });
                });
            });
        }
    }
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dialects/decode");
    for bytes in [64, 1_000] {
        let text = body(bytes).as_str().replace('"', "\\\"");
        let native = format!(
            r#"{{"id":7,"op":"post","d":{{"room":1,"cid":"5d2c1e0f9a8b7c6d","body":"{text}"}}}}"#
        );
        let rooms = format!(r#"{{"type":"chat","payload":{{"roomId":"1","msg":"{text}"}}}}"#);
        for (name, dialect, frame) in [
            ("native", Dialect::Native, native),
            ("rooms", Dialect::Rooms, rooms),
        ] {
            let mut calls = Vec::new();
            dialect.decode(&frame, Form::Text, &mut calls);
            let call = calls.first().expect("a frame with a message is a call");
            assert!(call.op.is_ok(), "{call:?}");
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(format!("{name}/{bytes}"), |bencher| {
                bencher.iter(|| {
                    calls.clear();
                    dialect.decode(black_box(&frame), Form::Text, &mut calls);
                });
            });
        }
    }
    group.finish();
}

/// A message of this many bytes, posted with a cid.
fn posted(bytes: usize) -> Record {
    let mut engine = engine();
    fill(&mut engine, DEN, 10);
    let mut request = Posts::new(DEN, 10).with_cids().post();
    request.command = Command::from(Post::plain(body(bytes)));
    act(&mut engine, &request)
}
