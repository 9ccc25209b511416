//! JSON as clients of the older dialects write it: a number where a text is meant, and no two alike.

use std::borrow::Cow;
use std::fmt;

use chat_core::commands::Post;
use chat_core::{Name, Text};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::code::Refusal;
use crate::command::Op;
use crate::room_ref::RoomRef;

/// Reads an object; a list of its fields' values would do for serde.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

/// A value as text: a string says what it says, anything else its JSON, so a number its digits;
/// null says nothing.
pub(super) fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let value = value?;
    let json = value.get();
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("deep_json_recursion") {
        followed(json.as_bytes());
    }
    match string(value) {
        Some(text) => Some(text),
        // A string that holds no text, such as half a surrogate pair.
        None if json.starts_with('"') || json == "null" => None,
        None => Some(Cow::Borrowed(json)),
    }
}

/// A field of a frame. Most have strings and numbers in them: of [`Plain`] fields a frame is read in one
/// pass. Raw values take a second one and may be anything.
pub(super) trait Field {
    /// The value as text, as [`text`] takes it.
    fn text(&self) -> Option<Cow<'_, str>>;
}

impl Field for &RawValue {
    fn text(&self) -> Option<Cow<'_, str>> {
        text(Some(self))
    }
}

/// A field with a string or a number in it; a frame with anything else is none of such fields.
pub(super) struct Plain<'a>(Cow<'a, str>);

impl Field for Plain<'_> {
    fn text(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// What a field says, if there is one.
pub(super) fn said(field: &Option<impl Field>) -> Option<Cow<'_, str>> {
    field.as_ref().and_then(Field::text)
}

impl<'de> Deserialize<'de> for Plain<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Plain<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Plain<'de>, E> {
                Ok(Plain(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Plain<'de>, E> {
                Ok(Plain(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Plain<'de>, E> {
                Ok(Plain(Cow::Owned(number.to_string())))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

/// What a string says.
#[derive(serde::Deserialize)]
pub(super) struct Quoted<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// What a string says; none if the value is no string, or holds no text.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.as_bytes().contains(&b'\\') {
        // Nothing is escaped, and that it is JSON is known.
        return Some(Cow::Borrowed(inner));
    }
    let said = serde_json::from_str(value.get()).ok();
    said.map(|Quoted(text)| text)
}

/// Follows brackets as deep as they go.
#[cfg(sabotage)]
fn followed(json: &[u8]) -> usize {
    let inner = json.strip_prefix(b"[").map(followed);
    1 + std::hint::black_box([inner.unwrap_or(0); 64]).len()
}

/// The name that a field says.
pub(super) fn name(field: &str, text: &str) -> Result<Name, Refusal> {
    Name::new(text).map_err(|error| Refusal::bad_argument(field).with_words(error.to_string()))
}

/// The wish to say in a room what a field says.
pub(super) fn line(room: RoomRef, field: &str, text: &str) -> Result<Op, Refusal> {
    let body = Text::new(text);
    let body = body.map_err(|error| Refusal::bad_argument(field).with_words(error.to_string()))?;
    Ok(Op::InRoom {
        room: Some(room),
        cid: None,
        command: Post::plain(body).into(),
    })
}
