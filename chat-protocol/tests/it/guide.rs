//! The guide for those who write a client tells of everything that there is.

use chat_core::Command;
use chat_core::event::Event;
use chat_protocol::signal::What;
use chat_protocol::{Close, Code, Op};

const GUIDE: &str = include_str!("../../../docs/protocol.md");

#[test]
fn the_guide_names_all_ops_events_signals_and_codes() {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let words = Op::NAMES.iter().chain(Command::NAMES).copied();
    let words = words.chain(Event::NAMES.iter().copied());
    for word in words.chain(What::NAMES).chain(codes) {
        let known = [format!("`{word}`"), format!("\"{word}\"")];
        assert!(known.iter().any(|it| GUIDE.contains(it)), "{word}");
    }
    for close in Close::ALL {
        let row = format!("| {} |", close.code());
        assert!(GUIDE.contains(&row), "{row}");
    }
}

#[test]
fn the_frames_of_the_guide_are_read() {
    for frame in GUIDE.lines().filter(|line| line.starts_with(r#"{"id""#)) {
        let mut calls = Vec::new();
        chat_protocol::Dialect::Native.decode(frame, chat_protocol::Form::Text, &mut calls);
        let [call] = calls.as_slice() else {
            panic!("one call: {frame}")
        };
        assert!(call.op.is_ok(), "{frame}: {:?}", call.op);
    }
}
