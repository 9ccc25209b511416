//! The handshake of the `rest` dialect: its query says who comes and into which room.

use std::net::IpAddr;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use chat_core::{RoomId, Seq};
use chat_protocol::code::Refusal;
use chat_protocol::command::{Enter, Token};
use chat_protocol::http::Proof;
use chat_protocol::room_ref::RoomRef;
use chat_protocol::spelling::Spelling;

use crate::auth::limiter::Whence;
use crate::http::older::{Counter, authorization};
use crate::node::Node;

/// What a query says; the first of several counts.
#[derive(Default)]
struct Wanted {
    room: Option<String>,
    token: Option<String>,
}

impl Wanted {
    fn of(uri: &Uri) -> Self {
        let mut wanted = Self::default();
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
        for (name, value) in query.map(|Query(it)| it).unwrap_or_default() {
            let slot = match name.as_str() {
                "room_id" => &mut wanted.room,
                "jwt" => &mut wanted.token,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        wanted
    }
}

/// Whether a handshake says what only this dialect says there.
pub(super) fn is_meant(uri: &Uri) -> bool {
    let wanted = Wanted::of(uri);
    wanted.room.is_some() || wanted.token.is_some()
}

/// Lets somebody into the room that he asks for, before the handshake is answered: an account
/// becomes a member of it. Gives the token, the room, and the record after which he hears it.
pub(super) async fn admit(
    node: &Node,
    uri: &Uri,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<(Token, (RoomId, Seq)), Refusal> {
    let wanted = Wanted::of(uri);
    let proof = match wanted.token {
        Some(token) => Proof::Token(Token::new(token)),
        None => Proof::of(authorization(headers)),
    };
    let counter = Counter {
        node,
        whence: Whence::of(address),
    };
    let actor = counter.who(&proof).await?.actor();
    let room = wanted.room.filter(|room| !room.is_empty());
    let room = room.ok_or_else(|| Refusal::bad_frame("a room is needed"))?;
    let room = RoomRef::read(Spelling::Number, &room);
    let room = counter.let_in(&actor, &Enter::new(room, "")).await?;
    match proof {
        Proof::Token(token) => Ok((token, (room.id, room.head_seq))),
        Proof::Missing | Proof::Unasked => Err(chat_protocol::Code::Unauthenticated.into()),
    }
}
