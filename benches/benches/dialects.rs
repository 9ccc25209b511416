//! Spelling a message for its hearers, and reading what its author sent.

use std::hint::black_box;

use chat_benches::words::{VOICES, frames, posted};
use chat_protocol::{Form, Voice};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

criterion_main!(benches);
criterion_group!(benches, encode, decode);

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dialects/encode");
    for bytes in [64, 1_000] {
        let record = posted(bytes);
        for (name, dialect, face, hearer) in VOICES {
            let voice = Voice::for_seat(dialect, face, "den");
            let mut words = 0;
            voice.event(&record, hearer, &mut |text| words += text.len());
            assert!(words > bytes, "{name} has words for a message");
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(format!("{name}/{bytes}"), |bencher| {
                bencher.iter(|| {
                    voice.event(black_box(&record), hearer, &mut |text| {
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
        for (name, dialect, frame) in frames(bytes) {
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
