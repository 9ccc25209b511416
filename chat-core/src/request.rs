//! Wishes, the facts that come with them, and what becomes of them.

use alloc::boxed::Box;

use crate::commands::Command;
use crate::content::{Password, SecretHash};
use crate::event::Record;
use crate::id::{Cid, RoomId, Seq, Timestamp, UserId};
use crate::name::Name;
use crate::rejection::Rejection;
use crate::room::Head;
use crate::signal::Signal;

/// Who wishes what, where, and when the shell heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The room; for a creation, a number that the store reserved for it.
    pub room: RoomId,
    /// Who wishes it.
    pub actor: Actor,
    /// When the shell heard it.
    pub at: Timestamp,
    /// The client's own id of the command.
    pub cid: Option<Cid>,
    /// The wish.
    pub command: Command,
    /// What the shell knows and the engine doesn't.
    pub facts: Facts,
}

impl Request {
    /// A wish without a cid, of which the shell has said nothing yet.
    #[must_use]
    pub fn new(room: RoomId, actor: Actor, at: Timestamp, command: impl Into<Command>) -> Self {
        Self {
            room,
            actor,
            at,
            cid: None,
            command: command.into(),
            facts: Facts::default(),
        }
    }
}

/// Who acts. The shell has made sure of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub id: UserId,
    /// What he is called where he has no nickname.
    pub name: Name,
    /// Whether his account is suspended.
    pub suspended: bool,
}

impl Actor {
    /// An actor in good standing.
    #[must_use]
    pub const fn new(id: UserId, name: Name) -> Self {
        Self {
            id,
            name,
            suspended: false,
        }
    }
}

/// What the engine cannot know by itself. Each is absent until the engine asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the actor is present in the room as a visitor.
    pub visiting: bool,
    /// How many visitors are present in the room; only a visit needs it.
    pub visitors: u64,
    /// How many guests are in the room, beside the actor, who came from where he comes from; only a
    /// guest who enters needs it.
    pub neighbours: u64,
    /// An old message, as the store has it.
    pub message: Option<MessageFact>,
    /// Whether the password of the wish fits the room's hash.
    pub proof: Option<Proof>,
    /// The hash of the password that the wish sets.
    pub hash: Option<SecretHash>,
    /// How many rooms the actor is in and made today.
    pub standing: Option<Standing>,
    /// Whether the other user wants to hear nothing from the actor.
    pub blocked: Option<bool>,
    /// The record in which the actor used this cid before, as the store has it.
    pub used: Option<Box<Used>>,
}

/// An old message, and how far the log was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFact {
    /// The message.
    pub message: Seq,
    /// The room's head when the store was read.
    pub as_of: Seq,
    /// What was read; none if there is no such message.
    pub head: Option<Head>,
}

/// The outcome of comparing a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The version of the hash it was compared with.
    pub version: Seq,
    /// Whether it fits.
    pub fits: bool,
}

/// What a user has of rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The rooms he is a member of.
    pub rooms_joined: u64,
    /// The rooms he made in the last 24 hours.
    pub rooms_created: u64,
}

/// The first use of a cid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The position of the record that used it.
    pub seq: Seq,
    /// The record itself; none if it was trimmed away.
    pub record: Option<Record>,
}

/// What becomes of a wish that isn't refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and an allocation costs more than the move"
)]
pub enum Decision {
    /// It is a fact: to be evolved, stored, and followed.
    New(Record),
    /// It is a fact already, at the latest since this record. Nothing is to be done.
    Repeat {
        /// The record that made it one.
        seq: Seq,
    },
    /// It is permitted and leaves no record.
    Signal(Signal),
    /// The engine cannot say before the shell adds this to the facts and asks again.
    Need(Need),
}

/// What a decision waits for: the shell adds it to the [`Facts`] and decides again.
///
/// ```
/// # use chat_core::{Decision, Engine, Need, Rejection, Request, Standing};
/// fn decide(engine: &Engine, request: &mut Request) -> Result<Decision, Rejection> {
///     loop {
///         match engine.decide(request)? {
///             Decision::Need(need) if supply(request, &need) => {}
///             decision => return Ok(decision),
///         }
///     }
/// }
///
/// fn supply(request: &mut Request, need: &Need) -> bool {
///     match need {
///         Need::Standing => request.facts.standing = Some(Standing::default()),
///         Need::Blocked(_) => request.facts.blocked = Some(false),
///         _ => return false, // and so on, from the store
///     }
///     true
/// }
/// ```
///
/// The example `hello` supplies every one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The room is not loaded.
    Room(RoomId),
    /// Another number for the room that is to be made: there is a room of this one. A store reserves
    /// each number once, so whoever meets this asked for the same creation twice.
    NewRoom,
    /// The members of this group, for the directory.
    Group(RoomId),
    /// This message, which is older than those that memory holds.
    Message(Seq),
    /// Whether the password fits this hash.
    Proof {
        /// What the client wrote.
        password: Password,
        /// What it is compared with.
        hash: SecretHash,
        /// The version that the proof has to name.
        version: Seq,
    },
    /// The hash of this password.
    Hash(Password),
    /// The actor's [`Standing`].
    Standing,
    /// Whether this user has blocked the actor.
    Blocked(UserId),
    /// The record of this room at this position, which used the cid first.
    Used(Seq),
}

/// Why a rule stops short of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Refuse(Rejection),
    Ask(Need),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refuse(rejection)
    }
}

impl From<Need> for Stop {
    fn from(need: Need) -> Self {
        Self::Ask(need)
    }
}
