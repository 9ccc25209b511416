//! The parts of the way that a message takes, each by itself.

use std::hint::black_box;

use chat_benches::crowd::{Posts, act, engine, fill};
use chat_benches::words::{VOICES, frames, posted};
use chat_core::RoomId;
use chat_protocol::log::{Sum, WordsKey, decode, encode};
use chat_protocol::{Form, Voice};

use crate::within::case;

const DEN: RoomId = RoomId::new(1);

/// A post is decided and applied.
pub(crate) fn engine_posts() {
    for members in [10, 1_000, 100_000] {
        let mut room = engine();
        fill(&mut room, DEN, members);
        let mut posts = Posts::new(DEN, members);
        posts.warm(&mut room);
        let name = format!("engine: a post, {members} members");
        case(&name, || posts.post(), |post| drop(act(&mut room, &post)));
        let mut posts = posts.with_cids();
        let name = format!("engine: a post with a cid, {members} members");
        case(&name, || posts.post(), |post| drop(act(&mut room, &post)));
    }
}

/// A message is spelled for its hearers.
pub(crate) fn encodes() {
    for bytes in SIZES {
        let record = posted(bytes);
        for (name, dialect, face, hearer) in VOICES {
            let voice = Voice::for_seat(dialect, face, "den");
            let mut heard = 0;
            voice.event(&record, hearer, &mut |text| heard += text.len());
            assert!(heard > bytes, "{name} has words for a message");
            let name = format!("encode: {name}, {bytes} bytes");
            let spell = |()| {
                voice.event(black_box(&record), hearer, &mut |text| {
                    black_box(text);
                });
            };
            case(&name, || (), spell);
        }
    }
}

/// What an author sent is read.
pub(crate) fn decodes() {
    for bytes in SIZES {
        for (name, dialect, frame) in frames(bytes) {
            let mut calls = Vec::new();
            dialect.decode(&frame, Form::Text, &mut calls);
            let call = calls.first().expect("a frame with a message is a call");
            assert!(call.op.is_ok(), "{call:?}");
            let read = |()| {
                calls.clear();
                dialect.decode(black_box(&frame), Form::Text, &mut calls);
            };
            case(&format!("decode: {name}, {bytes} bytes"), || (), read);
        }
    }
}

/// A record goes to the log, checksums and all, and comes back.
pub(crate) fn log_entries() {
    for bytes in SIZES {
        let record = posted(bytes);
        let key = WordsKey([7; 16]);
        let entry = encode(&record, key, &Sum::START);
        assert_eq!(decode(&entry, &Sum::START).as_ref(), Ok(&record));
        case(
            &format!("log: encode a record, {bytes} bytes"),
            || (),
            |()| drop(black_box(encode(black_box(&record), key, &Sum::START))),
        );
        case(
            &format!("log: decode a record, {bytes} bytes"),
            || (),
            |()| drop(black_box(decode(black_box(&entry), &Sum::START))),
        );
    }
}

/// Bytes of a short message, and of a long one.
const SIZES: [usize; 2] = [64, 1_000];
