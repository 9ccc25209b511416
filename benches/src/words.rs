//! A message in the words of every dialect.

use chat_core::commands::Post;
use chat_core::{Command, Record, RoomId};
use chat_protocol::{Dialect, Face, Hearer};

use crate::crowd::{Posts, act, body, engine, fill};

/// How a message is heard: a name, the dialect, its face, and by whom.
pub const VOICES: [(&str, Dialect, Face, Hearer); 9] = [
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

/// A record of a message of this many bytes, posted with a cid.
#[must_use]
pub fn posted(bytes: usize) -> Record {
    let den = RoomId::new(1);
    let mut engine = engine();
    fill(&mut engine, den, 10);
    let mut request = Posts::new(den, 10).with_cids().post();
    request.command = Command::from(Post::plain(body(bytes)));
    act(&mut engine, &request)
}

/// What clients send to have a message of this many bytes posted, in every dialect and each of its
/// faces.
#[must_use]
pub fn frames(bytes: usize) -> [(&'static str, Dialect, String); 8] {
    let text = body(bytes).as_str().replace('"', "\\\"");
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
