//! Spelling a message for its hearers, and reading what its author sent.

use std::hint::black_box;

use chat_benches::crowd::{Posts, act, body, engine, fill};
use chat_core::commands::Post;
use chat_core::{Command, Record, RoomId};
use chat_protocol::{Dialect, Face, Form, Hearer, Voice};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const DEN: RoomId = RoomId::new(1);

criterion_main!(benches);
criterion_group!(benches, encode, decode);

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dialects/encode");
    for bytes in [64, 1_000] {
        let record = posted(bytes);
        let spellings = [
            ("native", Dialect::Native, Face::First, Hearer::Other),
            ("native own", Dialect::Native, Face::First, Hearer::Author),
            ("rooms", Dialect::Rooms, Face::First, Hearer::Other),
            ("socketio", Dialect::Socketio, Face::First, Hearer::Other),
            (
                "socketio second",
                Dialect::Socketio,
                Face::Second,
                Hearer::Other,
            ),
            ("rest", Dialect::Rest, Face::First, Hearer::Other),
            ("actions", Dialect::Actions, Face::First, Hearer::Other),
            (
                "actions second",
                Dialect::Actions,
                Face::Second,
                Hearer::Other,
            ),
            ("groups", Dialect::Groups, Face::First, Hearer::Other),
        ];
        for (name, dialect, face, hearer) in spellings {
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
        let text = body(bytes).as_str().replace('"', "\\\"");
        for (name, dialect, frame) in frames(&text) {
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

/// A message in the words of every dialect, and of each of its faces.
fn frames(text: &str) -> [(&'static str, Dialect, String); 8] {
    [
        (
            "native",
            Dialect::Native,
            format!(
                r#"{{"id":7,"op":"post","d":{{"room":1,"cid":"5d2c1e0f9a8b7c6d","body":"{text}"}}}}"#
            ),
        ),
        (
            "rooms",
            Dialect::Rooms,
            format!(r#"{{"type":"chat","payload":{{"roomId":"1","msg":"{text}"}}}}"#),
        ),
        (
            "socketio",
            Dialect::Socketio,
            format!(r#"42["message",{{"roomId":"den","message":"{text}","sender":"ann"}}]"#),
        ),
        (
            "socketio second",
            Dialect::Socketio,
            format!(r#"42["send_message",{{"roomId":"den","message":"{text}"}}]"#),
        ),
        (
            "rest",
            Dialect::Rest,
            format!(r#"{{"chatRoomId":1,"chatMessage":"{text}"}}"#),
        ),
        (
            "actions",
            Dialect::Actions,
            format!(r#"{{"action":"send-message","roomId":"room_1","message":"{text}"}}"#),
        ),
        (
            "actions second",
            Dialect::Actions,
            format!(r#"{{"type":"chat","roomName":"den","username":"ann","message":"{text}"}}"#),
        ),
        (
            "groups",
            Dialect::Groups,
            format!(r#"{{"type":"message","name":"ann","group":"den","Text":"{text}"}}"#),
        ),
    ]
}

/// A message of this many bytes, posted with a cid.
fn posted(bytes: usize) -> Record {
    let mut engine = engine();
    fill(&mut engine, DEN, 10);
    let mut request = Posts::new(DEN, 10).with_cids().post();
    request.command = Command::from(Post::plain(body(bytes)));
    act(&mut engine, &request)
}
