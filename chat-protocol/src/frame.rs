//! The native dialect's client frame: `{"id":7,"op":"post","d":{...}}`.
//!
//! It is read in passes: first the envelope, with the payload left as raw text; then the payload, by
//! its op. So an error names what is wrong, and a `post` meets neither a tree of values nor a buffer.
//! A common frame, with which nothing is wrong, is read in one pass before that.

mod quick;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use chat_core::{Cid, Command, NUMBER_MAX};
use serde::de::value::MapDeserializer;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::code::Refusal;
use crate::command::Op;
use crate::room_ref::RoomRef;

/// A frame read, as far as it could be: whom to answer, and what is wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The client's number of the frame; none if it wants no reply, or none could be read.
    pub id: Option<u64>,
    /// What it wishes.
    pub op: Result<Op, Refusal>,
}

impl Frame {
    /// Reads one frame.
    #[must_use]
    pub fn decode(text: &str) -> Self {
        quick::decode(text).unwrap_or_else(|| Self::decode_thoroughly(text))
    }

    fn decode_thoroughly(text: &str) -> Self {
        // A list of the fields' values would do for serde, but is no frame.
        if text.trim_ascii_start().starts_with('[') {
            return Self {
                id: None,
                op: Err(Refusal::bad_frame("a frame is an object")),
            };
        }
        match serde_json::from_str::<Envelope<'_>>(text) {
            Err(error) => Self {
                id: readable_id(text),
                op: Err(bad_envelope(&error)),
            },
            Ok(envelope) => match envelope.id {
                Some(id) if id > NUMBER_MAX => Self {
                    id: None,
                    op: Err(Refusal::bad_frame("id is over 2^53 - 1")),
                },
                id => Self {
                    id,
                    op: envelope.op(),
                },
            },
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

/// The fields that a command's payload has beside the command's own.
#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    room: Option<RoomRef>,
    #[serde(default)]
    cid: Option<Cid>,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

impl Envelope<'_> {
    fn op(&self) -> Result<Op, Refusal> {
        let text = self.d.map_or("{}", RawValue::get);
        let name = &*self.op;
        if !text.starts_with('{') {
            return Err(Refusal::bad_frame("d is not an object"));
        }
        if let Some(op) = read::<Op>(name, text)? {
            return Ok(op);
        }
        let Some(command) = read::<Command>(name, text)? else {
            return Err(Refusal::unknown_command(name));
        };
        let target = read::<Target>(name, text)?.unwrap_or_default();
        target.op(command)
    }
}

impl Target {
    fn op(self, command: Command) -> Result<Op, Refusal> {
        if self.room.is_none() && !command.creates() {
            return Err(Refusal::bad_argument("room").with_words("room is missing"));
        }
        Ok(Op::InRoom {
            room: self.room.filter(|_| !command.creates()),
            cid: self.cid,
            command,
        })
    }
}

/// Something that an op's name and payload say; none if they say nothing of the kind.
trait Payload: Sized {
    fn read<'de, D: Deserializer<'de>>(name: &str, json: D) -> Result<Option<Self>, D::Error>;
}

impl Payload for Op {
    fn read<'de, D: Deserializer<'de>>(name: &str, json: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize_payload(name, json)
    }
}

impl Payload for Command {
    fn read<'de, D: Deserializer<'de>>(name: &str, json: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize_payload(name, json)
    }
}

impl Payload for Target {
    fn read<'de, D: Deserializer<'de>>(_: &str, json: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(json).map(Some)
    }
}

fn read<T: Payload>(name: &str, text: &str) -> Result<Option<T>, Refusal> {
    let mut json = serde_json::Deserializer::from_str(text);
    T::read(name, &mut json).map_err(|error| blame::<T>(name, text, &error))
}

/// Finds out which field an error is about, by reading the payload again field by field. Only
/// refused frames pay for it.
fn blame<T: Payload>(name: &str, text: &str, first: &serde_json::Error) -> Refusal {
    let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
        return Refusal::bad_frame(first.to_string());
    };
    let at = Cell::new(None);
    let steps = fields.iter().map(|(field, value)| {
        at.set(Some(field.as_str()));
        (field.as_str(), *value)
    });
    let end = std::iter::from_fn(|| {
        at.set(None);
        None
    });
    let json = MapDeserializer::<_, serde_json::Error>::new(steps.chain(end));
    match T::read(name, json) {
        // Each field alone is well: then one came twice.
        Ok(_) => Refusal::bad_frame(without_place(first)),
        Err(error) => {
            let words = without_place(&error);
            let quoted = words.split('`').nth(1).unwrap_or_default();
            Refusal::bad_argument(at.get().unwrap_or(quoted)).with_words(match at.get() {
                Some(field) => format!("{field}: {words}"),
                None => words.clone(),
            })
        }
    }
}

fn bad_envelope(error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => Refusal::bad_frame(without_place(error)),
        Category::Syntax | Category::Eof | Category::Io => Refusal::bad_frame("this is not JSON"),
    }
}

/// The error's words; line and column say nothing to somebody who wrote no file.
fn without_place(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rfind(" at line ") {
        Some(end) => words.get(..end).unwrap_or_default().to_owned(),
        None => words,
    }
}

/// The number of a frame that can't be read otherwise, so that its sender hears which one it was.
fn readable_id(text: &str) -> Option<u64> {
    serde_json::from_str::<Id>(text)
        .ok()
        .map(|it| it.id)
        .filter(|id| *id <= NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    /// Whether a frame was read in one pass, and what of; the thorough way has to read the same.
    fn quick(text: &str) -> Option<Frame> {
        let quick = quick::decode(text);
        if let Some(quick) = &quick {
            assert_eq!(*quick, Frame::decode_thoroughly(text), "{text}");
        }
        quick
    }

    #[test]
    fn a_common_frame_is_read_in_one_pass() {
        for text in [
            r#"{"id":7,"op":"post","d":{"room":12,"cid":"c1","body":"say \"hi\""}}"#,
            r#"{"op":"post","d":{"body":"hi","room":"den","ext":{"a":"b"}},"id":7}"#,
            r#" {"id":null,"op":"react","d":{"room":1,"message":3,"reaction":"+1","more":[{}]}} "#,
            r#"{"op":"create_room","d":{"name":"den","room":5},"trace":{"id":1}}"#,
            r#"{"op":"leave","d":{"room":12,"cid":null}}"#,
        ] {
            assert!(quick(text).is_some_and(|it| it.op.is_ok()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_or_unusual_is_left_to_the_thorough_way() {
        for text in [
            r#"{"id":7,"d":{"room":12,"body":"hi"},"op":"post"}"#,
            r#"{"op":"post","d":{"room":12,"room":13,"body":"hi"}}"#,
            r#"{"op":"post","d":{"room":12,"body":"hi","body":"ho"}}"#,
            r#"{"op":"post","op":"post","d":{"room":12,"body":"hi"}}"#,
            r#"{"id":7,"id":7,"op":"post","d":{"room":12,"body":"hi"}}"#,
            r#"{"id":9007199254740992,"op":"post","d":{"room":12,"body":"hi"}}"#,
            r#"{"op":"post","d":{"ro\u006fm":12,"body":"hi"}}"#,
            r#"{"op":"post","d":{"body":"hi"}}"#,
            r#"{"op":"post","d":{"room":12,"body":7}}"#,
            r#"{"op":"post","d":{"room":12,"body":"hi","cid":""}}"#,
            r#"{"op":"post","d":["hi"]}"#,
            r#"{"op":"post","d":null}"#,
            r#"{"op":"leave"}"#,
            r#"{"op":"hello","d":{}}"#,
            r#"{"op":"shout","d":{"room":12}}"#,
            r#"{"op":"leave","d":{"room":12}},"#,
            r#"[7,"leave",{"room":12}]"#,
        ] {
            assert_eq!(quick(text), None, "{text}");
        }
    }

    #[test]
    fn no_command_has_a_name_that_another_op_has() {
        for name in Command::NAMES {
            assert!(!Op::NAMES.contains(name), "{name}");
        }
    }

    /// A frame that is nearly one: fields in any order, some of them twice or amiss.
    fn nearly() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("7"),
            Just("\"den\""),
            Just("\"\""),
            Just("null"),
            Just("[]"),
            Just("\"a\\u0000\""),
            Just("\"\\ud800\""),
            Just("{\"a\":\"b\"}"),
        ];
        const NAMES: &[&str] = &["room", "cid", "body", "message", "ext", "mentions", "name"];
        let field = (proptest::sample::select(NAMES), value);
        let field = field.prop_map(|(name, value)| format!("{name:?}:{value}"));
        let payload = proptest::collection::vec(field, 0..5);
        let op = proptest::sample::select(Command::NAMES);
        let parts = (
            any::<bool>(),
            op,
            payload,
            proptest::sample::subsequence(vec![0, 1, 2], 0..=3),
        );
        parts.prop_map(|(turned, op, payload, which)| {
            let payload = payload.join(",");
            let parts = [
                "\"id\":7".to_owned(),
                format!("\"op\":{op:?}"),
                format!("\"d\":{{{payload}}}"),
            ];
            let mut said: Vec<_> = which.into_iter().map(|part| parts[part].as_str()).collect();
            if turned {
                said.reverse();
            }
            format!("{{{}}}", said.join(","))
        })
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(text in nearly()) {
            let thorough = Frame::decode_thoroughly(&text);
            quick(&text);
            prop_assert_eq!(Frame::decode(&text), thorough);
        }
    }
}
