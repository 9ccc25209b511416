//! What the older dialects wish and ask for in ways of their own.

use chat_core::commands::CreateRoom;
use chat_core::{Name, Password};

use super::Token;
use crate::room_ref::RoomRef;
use crate::voice::Face;

/// A wish to be in a room with a socket of an older dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enter {
    /// The room.
    pub room: RoomRef,
    /// The client's word for it.
    pub called: String,
    /// The face by which one comes in.
    pub face: Face,
    /// The name one wants to have there; the socket's own if absent.
    pub name: Option<Name>,
    /// The room's password.
    pub password: Option<Password>,
    /// Proof of who one is.
    pub token: Option<Token>,
    /// What the name is worth.
    pub rule: NameRule,
    /// The room to make if there is none; its name becomes its alias if that is free.
    pub make: Option<CreateRoom>,
    /// Whether nobody else who is present there may have the name.
    pub unique: bool,
}

impl Enter {
    /// A wish to be in a room that a client calls so, as whoever the socket is.
    #[must_use]
    pub fn new(room: RoomRef, called: impl Into<String>) -> Self {
        Self {
            room,
            called: called.into(),
            face: Face::First,
            name: None,
            password: None,
            token: None,
            rule: NameRule::Guest,
            make: None,
            unique: false,
        }
    }
}

/// What a name is worth that somebody wants to have in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Whoever is signed in goes by his own name instead; others are guests, and may not use a
    /// name that is registered.
    Guest,
    /// Whoever is signed in has to use his own name; others may use a registered one where the
    /// server vouches for them by their address.
    Address,
}

/// A question for listed rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lobby {
    /// Whether the answer says who is present in each.
    pub people: bool,
    /// Whether the newest come first, else the oldest.
    pub newest: bool,
    /// Most rooms of the answer.
    pub limit: usize,
}

/// A wish for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignUp {
    /// Its name.
    pub name: String,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its handle.
    pub handle: Option<String>,
    /// Its password.
    pub password: Password,
    /// Rooms to join at once, those of them that are open to anybody.
    pub rooms: Vec<RoomRef>,
}
