//! Hostile names, at every door of the dialects that takes one.

pub(crate) mod table;

use chat_core::commands::{CreateRoom, SetNickname, UpdateRoom};
use chat_core::{Command, Name};
use chat_protocol::http::{Request, Site};
use chat_protocol::{Code, Dialect, Form, Op, Refusal};
use serde_json::{Value, json};

use self::table::{LIKE_ALICE, NAMES};

/// A frame that brings a name, and the name that it was read as.
struct Door {
    dialect: Dialect,
    frame: fn(&str) -> Value,
    /// The event's name of a Socket.IO packet.
    event: Option<&'static str>,
    read: fn(Op) -> Option<Name>,
}

fn native(op: &str, d: &Value) -> Value {
    json!({ "id": 1, "op": op, "d": d })
}

fn made(op: Op) -> Option<CreateRoom> {
    match op {
        Op::InRoom {
            command: Command::CreateRoom(it),
            ..
        } => Some(it),
        Op::Create { command, .. } | Op::Found { command } => Some(command),
        Op::Enter(it) => it.make,
        _ => None,
    }
}

fn changed(op: Op) -> Option<UpdateRoom> {
    match op {
        Op::InRoom {
            command: Command::UpdateRoom(it),
            ..
        } => Some(it),
        _ => None,
    }
}

fn entered(op: Op) -> Option<Name> {
    match op {
        Op::Enter(it) => it.name,
        _ => None,
    }
}

const NATIVE: Door = Door {
    dialect: Dialect::Native,
    frame: |name| native("create_room", &json!({ "name": name })),
    event: None,
    read: |op| made(op).map(|it| it.name),
};

const DOORS: [Door; 15] = [
    NATIVE,
    Door {
        frame: |name| native("create_room", &json!({ "name": "den", "alias": name })),
        read: |op| made(op)?.alias,
        ..NATIVE
    },
    Door {
        frame: |name| native("update_room", &json!({ "room": 1, "name": name })),
        read: |op| changed(op)?.name,
        ..NATIVE
    },
    Door {
        frame: |name| native("update_room", &json!({ "room": 1, "alias": name })),
        read: |op| changed(op)?.alias,
        ..NATIVE
    },
    Door {
        frame: |name| native("set_nickname", &json!({ "room": 1, "nickname": name })),
        read: |op| match op {
            Op::InRoom {
                command: Command::SetNickname(SetNickname { nickname }),
                ..
            } => nickname,
            _ => None,
        },
        ..NATIVE
    },
    Door {
        frame: |name| native("hello", &json!({ "guest": { "name": name } })),
        read: |op| match op {
            Op::Hello(it) => Some(it.guest?.name),
            _ => None,
        },
        ..NATIVE
    },
    Door {
        frame: |name| native("user", &json!({ "name": name })),
        read: |op| match op {
            Op::User { name } => Some(name),
            _ => None,
        },
        ..NATIVE
    },
    Door {
        dialect: Dialect::Rooms,
        frame: |name| json!({ "type": "create", "payload": { "name": name } }),
        ..NATIVE
    },
    Door {
        dialect: Dialect::Rooms,
        frame: |name| json!({ "type": "join", "payload": { "roomId": "AAAAA", "name": name } }),
        read: entered,
        ..NATIVE
    },
    Door {
        dialect: Dialect::Socketio,
        event: Some("create_room"),
        frame: |name| json!(name),
        ..NATIVE
    },
    Door {
        dialect: Dialect::Socketio,
        event: Some("joinRoom"),
        frame: |name| json!({ "roomId": name }),
        ..NATIVE
    },
    Door {
        dialect: Dialect::Socketio,
        event: Some("joinRoom"),
        frame: |name| json!({ "roomId": "den", "username": format!("-{name}-") }),
        read: entered,
    },
    Door {
        dialect: Dialect::Actions,
        frame: |name| json!({ "action": "join", "roomId": "den", "username": name }),
        read: entered,
        ..NATIVE
    },
    Door {
        dialect: Dialect::Groups,
        frame: |name| json!({ "type": "make_group", "group_name": name, "name": "bob" }),
        ..NATIVE
    },
    Door {
        dialect: Dialect::Groups,
        frame: |name| json!({ "type": "first-connect", "group": "Plg", "name": format!("-{name}-") }),
        read: entered,
        ..NATIVE
    },
];

impl Door {
    fn try_name(&self, text: &str) -> Result<Option<Name>, Refusal> {
        let frame = (self.frame)(text);
        let frame = match self.event {
            Some(event) => format!("42{}", json!([event, frame])),
            None => frame.to_string(),
        };
        let mut calls = Vec::new();
        self.dialect.decode(&frame, Form::Text, &mut calls);
        let call = calls.pop().unwrap_or_else(|| panic!("{frame}"));
        call.op.map(self.read)
    }

    /// What it has to be read as. Where a blank name is as good as none, it is tried between dashes.
    fn expected(&self, text: &str) -> Option<Name> {
        let is_dashed = (self.frame)("x").to_string().contains("-x-");
        Name::new(&if is_dashed {
            format!("-{text}-")
        } else {
            text.to_owned()
        })
        .ok()
    }
}

#[test]
fn a_name_is_taken_for_what_a_person_sees_or_refused() {
    for (what, text, taken) in NAMES {
        let name = Name::new(text);
        assert_eq!(name.as_ref().map(Name::as_str).ok(), taken, "{what}");
    }
}

#[test]
fn every_door_of_the_dialects_judges_names_alike() {
    for (what, text, _) in NAMES {
        for door in &DOORS {
            let name = door.try_name(text);
            let expected = door.expected(text);
            let shown = format!("{what}: {}", (door.frame)(text));
            match (name, expected) {
                (Ok(Some(name)), Some(expected)) => assert_eq!(name, expected, "{shown}"),
                (Err(refusal), None) => assert_eq!(refusal.code, Code::BadArgument, "{shown}"),
                (other, _) => panic!("{shown}: {other:?}"),
            }
        }
    }
}

#[test]
fn doors_over_http_judge_names_alike() {
    for (what, text, taken) in NAMES {
        for (site, path, body) in [
            (Site::Rest, "/v1/api/chat/create", json!({ "name": text })),
            (
                Site::Actions,
                "/api/create-room",
                json!({ "roomName": text }),
            ),
        ] {
            let body = body.to_string();
            let asked = site.ask(&Request {
                method: "POST",
                path,
                authorization: Some("Bearer t"),
                body: body.as_bytes(),
            });
            let name = asked.unwrap().op.ok().and_then(made).map(|it| it.name);
            assert_eq!(name.as_ref().map(Name::as_str), taken, "{what}: {path}");
        }
    }
}

#[test]
fn whatever_looks_like_a_name_shares_its_skeleton() {
    let skeleton = |text: &str| Name::new(text).unwrap().skeleton();
    for text in LIKE_ALICE {
        assert_eq!(skeleton(text), skeleton("Alice"), "{text}");
    }
    for text in ["Alicia", "Alice 2", "Malice", "\u{c5}lice"] {
        assert_ne!(skeleton(text), skeleton("Alice"), "{text}");
    }
}

#[test]
fn a_name_has_as_many_bytes_as_any_limit_may_allow() {
    let longest = Name::BYTES_MAX;
    for (text, fits) in [
        ("x".repeat(longest), true),
        ("x".repeat(longest + 1), false),
        ("\u{e9}".repeat(longest / 2), true),
        (format!("{}x", "\u{e9}".repeat(longest / 2)), false),
        // It is the text that is bounded, and the name that it becomes: U+0958 is two characters.
        ("\u{958}".repeat(longest / 6), true),
        ("\u{958}".repeat(longest / 6 + 1), false),
    ] {
        for door in &DOORS[..2] {
            assert_eq!(door.try_name(&text).is_ok(), fits, "{} bytes", text.len());
        }
    }
}

#[test]
fn whatever_is_said_may_hold_all_but_nul() {
    for (what, text, _) in NAMES {
        for frame in [
            native("post", &json!({ "room": 1, "body": text })),
            native("update_room", &json!({ "room": 1, "topic": text })),
            native("kick", &json!({ "room": 1, "user": 2, "reason": text })),
        ] {
            let mut calls = Vec::new();
            Dialect::Native.decode(&frame.to_string(), Form::Text, &mut calls);
            assert_eq!(calls[0].op.is_ok(), !text.contains('\0'), "{what}: {frame}");
        }
    }
}
