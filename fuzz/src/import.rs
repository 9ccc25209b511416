//! The reader of foreign lines alone, without the server around it: that would take minutes to
//! build.

#[expect(dead_code, reason = "what is read goes nowhere here")]
#[rustfmt::skip]
#[path = "../../chat-server/src/import/line.rs"]
mod line;
#[path = "../../chat-server/src/import/moment.rs"]
mod moment;

use chat_core::NUMBER_MAX;

/// Whose words a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Rooms,
    Socketio,
    Rest,
    Actions,
    Groups,
}

/// Reads a line in the words of each server.
pub(crate) fn read(text: &str) {
    for from in [
        Source::Rooms,
        Source::Socketio,
        Source::Rest,
        Source::Actions,
        Source::Groups,
    ] {
        match line::read(from, text) {
            Ok(read) => {
                assert!(read.unknown.len() <= text.len());
                if let line::Line::Message(message) = read.line {
                    assert!(message.at.number() <= NUMBER_MAX && message.room.len() <= text.len());
                }
            }
            Err((_, words)) => assert!(!words.is_empty() && words.len() <= 256 + 8 * text.len()),
        }
    }
    if let Ok(value) = serde_json::from_str(text) {
        let at = moment::read(&value);
        assert!(at.is_none_or(|at| at.number() <= NUMBER_MAX));
    }
}
