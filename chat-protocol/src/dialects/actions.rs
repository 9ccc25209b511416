//! The dialect of `003_10331393eb4d24c0.txt`: rooms over HTTP, and a WebSocket of actions.
//!
//! Two front ends of it are in use. The first face says `action` and names rooms by id, the second
//! says `type` and names them by name; a socket may say either, and hears each room in the face by
//! which it came in. The routes are in [`http`].

pub mod http;

mod socket;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::{Code, Refusal};
use crate::room_ref::RoomRef;
use crate::spelling::Spelling;

pub use self::socket::Ticket;
pub(crate) use self::socket::{answer, decode, event, recognises, signal};

/// The room that a client calls so.
fn room(spelled: &str) -> RoomRef {
    RoomRef::read(Spelling::Prefixed, spelled)
}

/// Why a wish is refused, in the dialect's own words where it has some.
fn words<'a>(refusal: &'a Refusal, unreadable: &'a str) -> &'a str {
    match (refusal.class, refusal.code) {
        (_, Code::BadFrame) => unreadable,
        (_, Code::RoomNotFound) => "Room does not exist",
        (_, Code::NotAMember) => "You are not in this room",
        (_, Code::TokenInvalid | Code::TokenExpired) => "Invalid or expired token",
        (_, _) => &refusal.msg,
    }
}

/// Reads an object; a list of its fields' values would do for serde.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

/// A value as text: a string says what it says, anything else its JSON, so a number its digits;
/// null says nothing.
fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Said<'a>(#[serde(borrow)] Cow<'a, str>);

    let json = value?.get();
    match serde_json::from_str::<Said<'_>>(json) {
        Ok(Said(text)) => Some(text),
        // A string that holds no text, such as half a surrogate pair.
        Err(_) if json.starts_with('"') || json == "null" => None,
        Err(_) => Some(Cow::Borrowed(json)),
    }
}
