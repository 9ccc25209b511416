//! Rooms over HTTP below `/api`, and a WebSocket of `{"action":..}` frames.
//!
//! Two front ends of it are in use. The first face says `action` and names rooms by id, the second
//! says `type` and names them by name; a socket may say either, and hears each room in the face by
//! which it came in. The routes are in [`http`].

pub(crate) mod http;

mod socket;

use crate::code::{Code, Refusal};
use crate::room_ref::RoomRef;
use crate::spelling::Spelling;

pub(crate) use self::socket::Ticket;
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
