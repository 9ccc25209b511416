//! Whatever a stranger sends: nothing panics, and every answer is one.

use chat_core::{Author, Cid, RoomId, Seq, Timestamp, UserId};
use chat_protocol::http::{Request, Site};
use chat_protocol::{Dialect, Voice};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::golden::{frames, said};
use crate::hostile::properties;

/// Events of the `socketio` dialect.
const EVENTS: [&str; 9] = [
    "joinRoom",
    "message",
    "leaveRoom",
    "typing",
    "create_room",
    "join_room",
    "leave_room",
    "send_message",
    "",
];

/// Any JSON that is not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["create", "rooms", "mine", "room_1", "AAAAA", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = select(vec![
        "id", "op", "d", "room", "cid", "body", "type", "payload", "name", "roomId", "msg", "pass",
        "query", "group", "Text", "pwrd", "re", "ok", "err", "ev", "seq", "prev", "by", "at",
        "sys", "heads", "rooms", "st",
    ]);
    prop_oneof![known.prop_map(str::to_owned), any::<String>()]
}

/// A frame of a transcript with one value, anywhere, replaced.
fn bent_frame() -> impl Strategy<Value = String> {
    let older = [
        Dialect::Rooms,
        Dialect::Socketio,
        Dialect::Rest,
        Dialect::Actions,
        Dialect::Groups,
    ];
    let all: Vec<String> = older
        .into_iter()
        .chain([Dialect::Native])
        .flat_map(|dialect| [frames(dialect, "C"), frames(dialect, "S")].concat())
        .collect();
    (
        select(all),
        any::<Index>(),
        any_json(),
        any::<Index>(),
        any::<char>(),
    )
        .prop_map(|(frame, place, other, cut, c)| {
            match serde_json::from_str::<Value>(&frame) {
                Ok(mut value) => {
                    let mut left = place.index(count(&value));
                    replace(&mut value, &mut left, &other);
                    value.to_string()
                }
                Err(_) => {
                    let mut chars: Vec<char> = frame.chars().collect();
                    chars.insert(cut.index(chars.len() + 1), c);
                    chars.into_iter().collect()
                }
            }
        })
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn replace(value: &mut Value, left: &mut usize, other: &Value) {
    if *left == 0 {
        *value = other.clone();
        *left = usize::MAX;
        return;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|it| replace(it, left, other)),
        Value::Object(fields) => fields.values_mut().for_each(|it| replace(it, left, other)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Hands a text to everybody who reads texts of strangers.
fn hear(text: &str) {
    properties::first_message(text);
    properties::server_frame(text);
    properties::word(text);
    properties::payload(text);
    properties::packets_and_attachments([text.as_bytes()]);
    properties::rows(text.as_bytes(), text.as_bytes());
    for site in Site::ALL {
        for (method, path) in ROUTES.into_iter().chain([("GET", text)]) {
            let request = Request {
                method,
                path,
                authorization: Some(text),
                body: text.as_bytes(),
            };
            properties::request(site, &request);
        }
    }
}

const ROUTES: [(&str, &str); 9] = [
    ("POST", "/v1/api/auth/signup"),
    ("POST", "/v1/api/auth/login"),
    ("POST", "/v1/api/chat/create"),
    ("POST", "/v1/api/chat/rooms"),
    ("POST", "/v1/api/chat/room-messages"),
    ("POST", "/api/login"),
    ("POST", "/api/create-room"),
    ("GET", "/api/rooms"),
    ("POST", "/api/join-room"),
];

proptest! {
    #[test]
    fn any_bytes_are_heard(bytes in vec(any::<u8>(), 0..200)) {
        hear(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_is_heard(text in "\\PC*") {
        hear(&text);
    }

    #[test]
    fn any_json_is_heard(json in any_json()) {
        hear(&json.to_string());
    }

    #[test]
    fn any_payload_is_heard(d in any_json(), op in select([chat_core::Command::NAMES, chat_protocol::Op::NAMES].concat())) {
        hear(&json!({ "id": 1, "op": op, "d": d }).to_string());
    }

    #[test]
    fn any_event_is_heard(name in select(EVENTS.to_vec()), args in vec(any_json(), 0..3), id in "[0-9]{0,3}") {
        let mut event = vec![Value::from(name)];
        event.extend(args);
        hear(&format!("42{id}{}", Value::from(event)));
    }

    #[test]
    fn any_number_is_spelled(number in any::<u64>()) {
        properties::number(number);
    }

    #[test]
    fn any_messages_are_put_together(messages in vec(vec(any::<u8>(), 0..40), 0..12), count in 0..12_usize) {
        let first = format!(r#"45{count}-["message",{{"_placeholder":true,"num":0}}]"#);
        let messages = messages.iter().map(Vec::as_slice);
        properties::packets_and_attachments(std::iter::once(first.as_bytes()).chain(messages));
    }

    #[test]
    fn bent_frames_are_heard(frame in bent_frame()) {
        hear(&frame);
    }
}

#[test]
fn deep_frames_are_refused_not_followed() {
    for depth in [100, 1_000, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        hear(&format!("{open}{close}"));
        hear(&format!(
            r#"{{"id":1,"op":"post","d":{{"room":1,"body":{open}{close}}}}}"#
        ));
        hear(&format!(
            r#"{{"type":"chat","payload":{{"roomId":"AAAAA","msg":{open}{close}}}}}"#
        ));
        hear(&format!(r#"{{"type":"create","action":{open}{close}}}"#));
        hear(&format!(
            r#"421["message",{{"roomId":"den","message":{open}{close}}}]"#
        ));
        hear(&format!(r#"421["join_room",{open}{close}]"#));
        hear(&format!(r#"40{{"token":{open}{close}}}"#));
    }
}

#[test]
fn no_secret_is_told() {
    use chat_core::event::{AccessChanged, RoomCreated};
    use chat_core::{Access, Record, SecretHash};

    let access = Access::Password {
        hash: SecretHash::new("$argon2id$secret"),
    };
    let created: RoomCreated = serde_json::from_value(json!({
        "kind": "channel", "name": "den", "access": {"mode": "open"}, "listed": true,
        "history": "all", "owner": 1, "joined": true,
    }))
    .unwrap();
    let changed = AccessChanged {
        access: Some(access.clone()),
        ..AccessChanged::default()
    };
    for event in [RoomCreated { access, ..created }.into(), changed.into()] {
        let record = Record {
            room: RoomId::new(1),
            seq: Seq::new(1),
            at: Timestamp::new(1),
            by: Author {
                id: UserId::new(1),
                name: None,
            },
            via: None,
            cid: Some(Cid::new("mine").unwrap()),
            event,
        };
        for dialect in Dialect::ALL {
            let told =
                said(|say| Voice::of(dialect).event(&record, chat_protocol::Hearer::Other, say))
                    .concat();
            assert!(
                !told.contains("argon2id") && !told.contains("mine"),
                "{told}"
            );
        }
    }
}
