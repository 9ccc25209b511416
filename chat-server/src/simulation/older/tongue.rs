//! What older clients say, and what they hear.

use chat_core::RoomId;
use chat_protocol::spelling::Spelling;
use serde_json::{Value, json};

/// What an older client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Tongue {
    /// The `rooms` dialect: nobody hears himself.
    Rooms,
    /// The `actions` dialect: everybody does.
    Actions,
    /// The `groups` dialect: nobody hears himself.
    Groups,
    /// The `socketio` dialect: nobody hears himself.
    Events,
}

/// What a client makes of a frame.
#[derive(Debug)]
pub(super) enum Heard {
    Line {
        body: Option<String>,
        sender: Option<String>,
    },
    /// It is in the room that it asked for.
    Came,
    /// It isn't in there, or no more.
    Out,
    /// Nothing of interest.
    Other,
    Unreadable,
}

/// Acknowledgements that are asked for, by what for.
const ENTERS: &str = "1";
const SAYS: &str = "2";

impl Tongue {
    pub(super) const ALL: [Self; 5] = [
        Self::Rooms,
        Self::Actions,
        Self::Groups,
        Self::Events,
        Self::Events,
    ];

    /// Whether whoever says something hears it.
    pub(super) const fn echoes(self) -> bool {
        matches!(self, Self::Actions)
    }

    pub(super) fn enter(self, room: RoomId, name: &str, pass: &str) -> String {
        let room = self.spell(room);
        match self {
            Self::Rooms => {
                json!({"type": "join", "payload": {"name": name, "roomId": room, "pass": pass}})
                    .to_string()
            }
            Self::Actions => {
                json!({"action": "join", "username": name, "roomId": room}).to_string()
            }
            Self::Groups => {
                json!({"type": "first-connect", "name": name, "group": room}).to_string()
            }
            Self::Events => {
                let event = json!(["joinRoom", {"roomId": room, "username": name}]);
                format!("2{ENTERS}{event}")
            }
        }
    }

    pub(super) fn say(self, room: RoomId, name: &str, body: &str) -> String {
        let room = self.spell(room);
        match self {
            Self::Rooms => {
                json!({"type": "chat", "payload": {"roomId": room, "msg": body}}).to_string()
            }
            Self::Actions => {
                json!({"action": "send-message", "roomId": room, "message": body}).to_string()
            }
            Self::Groups => {
                json!({"type": "message", "name": name, "group": room, "Text": body}).to_string()
            }
            Self::Events => {
                let said = json!({"roomId": room, "message": body, "sender": name});
                format!("2{SAYS}{}", json!(["message", said]))
            }
        }
    }

    /// The word for going, where there is one with an answer.
    pub(super) fn leave(self, room: RoomId) -> Option<String> {
        let room = self.spell(room);
        (self == Self::Rooms)
            .then(|| json!({"type": "leave", "payload": {"roomId": room}}).to_string())
    }

    fn spell(self, room: RoomId) -> String {
        match self {
            Self::Rooms => Spelling::Code.write(room),
            Self::Actions | Self::Groups | Self::Events => Spelling::Prefixed.write(room),
        }
    }

    pub(super) fn read(self, text: &str) -> Heard {
        match self {
            Self::Events => read_packet(text),
            Self::Rooms | Self::Actions | Self::Groups => {
                let plain = text
                    .strip_prefix("message: ")
                    .filter(|_| self == Self::Rooms);
                let Ok(frame) = serde_json::from_str::<Value>(plain.unwrap_or(text)) else {
                    return Heard::Unreadable;
                };
                match self {
                    Self::Rooms if plain.is_some() => line(&frame, "msg", "user"),
                    Self::Rooms => read_reply(&frame),
                    Self::Groups => read_group(&frame),
                    Self::Actions | Self::Events => read_action(&frame),
                }
            }
        }
    }
}

fn line(frame: &Value, body: &str, sender: &str) -> Heard {
    let text = |name: &str| frame[name].as_str().map(str::to_owned);
    Heard::Line {
        body: text(body),
        sender: text(sender),
    }
}

fn read_reply(frame: &Value) -> Heard {
    let words = frame["message"].as_str().unwrap_or_default();
    if words.starts_with("Successfully joined") {
        Heard::Came
    } else if words.contains(" left the Room ") || words.contains("not in the Room") {
        Heard::Out
    } else {
        Heard::Other
    }
}

fn read_action(frame: &Value) -> Heard {
    match frame["action"].as_str() {
        Some("joined") => Heard::Came,
        Some("new-message") => line(frame, "message", "sender"),
        Some("error") if frame["message"] == "You are not in this room" => Heard::Out,
        Some(_) | None => Heard::Other,
    }
}

fn read_group(frame: &Value) -> Heard {
    match frame["type"].as_str() {
        Some("acknowledge-connect") => Heard::Came,
        Some("message") => line(frame, "Text", "name"),
        Some("err") if frame["err"] == "Join the group first" => Heard::Out,
        Some(_) | None => Heard::Other,
    }
}

/// A packet of Socket.IO: a digit, the number of an acknowledgement, and JSON.
fn read_packet(text: &str) -> Heard {
    let (kind, rest) = text.split_at_checked(1).unwrap_or_default();
    let start = rest.find(|it: char| !it.is_ascii_digit());
    let (id, json) = rest.split_at(start.unwrap_or(rest.len()));
    let Ok(args) = serde_json::from_str::<Value>(json) else {
        return Heard::Unreadable;
    };
    let words = args[0]["error"].as_str().unwrap_or_default();
    match (kind, id) {
        ("2", "") if args[0] == "message" => line(&args[1], "message", "sender"),
        ("3", ENTERS) if args[0]["success"] == true => Heard::Came,
        ("3", SAYS) if words.starts_with("not a member") => Heard::Out,
        ("0" | "2" | "3" | "4", _) => Heard::Other,
        (_, _) => Heard::Unreadable,
    }
}
