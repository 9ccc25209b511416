//! What workers tell each other: wishes on their way to a room, and what became of them on the way
//! back.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chat_core::commands::Command;
use chat_core::{
    Actor, Cid, Effective, Explanation, Name, Permission, Record, Rejection, RoomId, Seq, UserId,
};
use chat_protocol::answer::{Answer, BanCard, Me, RoomCard, Settings};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::signal::Signal;

use crate::bus::Attendant;

/// What is kept of rooms, found by their numbers in a few instructions. The numbers are the server's
/// own, and of those that strangers make up none stays; the hash is seeded by lot all the same.
pub(crate) type ByRoom<T> = HashMap<RoomId, T, foldhash::fast::RandomState>;

/// One connection of a user, named across workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The worker that owns it.
    pub worker: usize,
    /// Its number there, never used twice.
    pub number: u64,
}

/// Something for a room, read in the order of arrival. `R` is where the answer goes. It passes through
/// many hands, and is boxed: it is large.
#[derive(Debug)]
pub struct Mail<R> {
    /// The room.
    pub room: RoomId,
    /// Who wishes it.
    pub actor: Actor,
    /// The session it came from; requests of one session are decided in order.
    pub from: Option<SessionKey>,
    /// What is wished.
    pub wish: Wish,
    /// Where the answer goes.
    pub reply: R,
}

/// What may be wished of a room.
#[derive(Debug)]
pub enum Wish {
    /// A command.
    Command {
        /// The command.
        command: Command,
        /// The client's own id of it.
        cid: Option<Cid>,
        /// The record that used this cid first, if that is known already.
        used: Option<Seq>,
        /// Where a guest comes from who enters.
        near: Option<Near>,
    },
    /// The session wants to hear the room.
    Attach,
    /// The session wants to hear it no more.
    Detach,
    /// The session knows of this record, perhaps from another node: what follows is judged by a
    /// state that does, too.
    Reach(Seq),
    /// A question about the room's state.
    Look(Look),
}

/// What guests who come from one address have in common. It tells nothing of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Near(u64);

impl Near {
    /// A number that stands for an address.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// A question that is answered from the engine's state, after everything decided before it is
/// durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The room as this actor may see it.
    View,
    /// Whether he may do this.
    May(Permission),
    /// Why somebody may or may not do this.
    Explain {
        /// What he would do.
        permission: Permission,
        /// Who, if not the actor.
        user: Option<UserId>,
    },
    /// Who is kept out.
    Bans,
    /// Who may join.
    Invites,
    /// Who is present, for a member: so many, by their numbers.
    Presence {
        /// Those after this one.
        after: Option<UserId>,
        /// How many at most.
        most: usize,
    },
    /// Who is present, for anybody, if the room is listed: so many of those who came first.
    People {
        /// How many at most.
        most: usize,
    },
    /// The same, of those alone whose names may look like one: by [`NameMark`].
    Namesakes(NameMark),
}

/// What names have in common that one may take for each other. Others may have it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameMark(u64);

impl NameMark {
    /// That of a name.
    #[must_use]
    pub fn of(name: &Name) -> Self {
        let mut hasher = DefaultHasher::new();
        name.skeleton().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What becomes of a wish that isn't refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A command is fact, and on disk.
    Done {
        /// The room.
        room: RoomId,
        /// The record.
        seq: Seq,
        /// Whether it was fact before.
        dup: bool,
    },
    /// A command is permitted and leaves no record.
    Accepted,
    /// The session hears the room from this position on.
    Attached {
        /// The last record before.
        head: Seq,
        /// What he may read begins here.
        readable_from: Seq,
    },
    /// A question is answered.
    Seen(Box<Sight>),
}

/// The answer to a [`Look`].
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// The room as the actor may see it.
    View(Box<View>),
    /// He may, in this role.
    May {
        /// The role.
        effective: Effective,
        /// What he may read begins here.
        readable_from: Seq,
        /// The room's last record.
        head: Seq,
    },
    /// Why.
    Explained(Explanation),
    /// Who is kept out.
    Bans(Vec<BanCard>),
    /// Who may join.
    Invites(Vec<BanCard>),
    /// Who is present.
    Presence(Vec<Attendant>),
    /// Who is present in a room that anybody may see.
    People(Vec<chat_core::Author>),
}

/// A room at one position of its log.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What anybody may know of it.
    pub card: RoomCard,
    /// What admins have set.
    pub settings: Settings,
    /// What the actor is and may do; his counts are the store's to fill in.
    pub me: Me,
    /// The pinned messages.
    pub pins: Vec<Seq>,
    /// What the actor may read begins here.
    pub readable_from: Seq,
}

/// Why a wish comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The engine says so.
    Rejected(Rejection),
    /// The unique name is another room's.
    NameTaken,
    /// The store can't be written to or read from at the moment.
    StorageUnavailable,
    /// Too much waits to be done already.
    Overloaded,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(rejection) => rejection.into(),
            Refused::NameTaken => Self::new(Code::NameTaken),
            Refused::StorageUnavailable => Self::new(Code::StorageUnavailable).with_retry(RETRY_MS),
            Refused::Overloaded => Self::new(Code::Unavailable).with_retry(RETRY_MS),
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Done { seq, dup, .. } => Self::Done { seq, dup },
            Reply::Accepted | Reply::Attached { .. } | Reply::Seen(_) => Self::Accepted {},
        }
    }
}

/// After which a client may try again what failed by no fault of its own.
const RETRY_MS: u64 = 1_000;

/// A durable record on its way to those who may hear it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The record.
    pub record: Arc<Record>,
    /// The session that wished it: some dialects don't echo to it.
    pub origin: Option<SessionKey>,
}

/// What a worker's rooms tell a worker's sessions.
#[derive(Debug)]
pub enum Parcel<R> {
    /// An answer.
    Reply {
        /// Where it goes.
        to: R,
        /// What it says.
        outcome: Result<Reply, Refused>,
    },
    /// A durable record.
    Deliver(Delivery),
    /// Something ephemeral.
    Signal {
        /// What.
        signal: Arc<Signal>,
        /// The session that caused it, which doesn't hear it.
        origin: Option<SessionKey>,
    },
    /// A user hears this room no more, since he lost the right to.
    Expel {
        /// The room.
        room: RoomId,
        /// The user.
        user: UserId,
    },
    /// What was heard of this room is no part of its log any more: whoever hears it comes again.
    TakenBack(RoomId),
}
