//! What a turn asks of whoever drives it, and what it is answered with.

use std::sync::Arc;

use chat_core::{
    Key, MessageFact, Password, Proof, Record, Room, RoomId, SecretHash, Seq, Standing, UserId,
};

use crate::mail::Refused;
use crate::store::{Epoch, Holder};

/// What a turn can't know by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Load the room; if it was loaded before, also what was appended since.
    Load {
        /// The room.
        room: RoomId,
        /// The last record that its listeners have heard.
        heard: Option<Seq>,
        /// The continuation of the logs in which they have; none if nobody knows.
        epoch: Option<Epoch>,
    },
    /// What was appended to a room after this record.
    Since {
        /// The room.
        room: RoomId,
        /// The last record that is known.
        after: Seq,
        /// The continuation of the logs in which it is; none if nobody knows.
        epoch: Option<Epoch>,
    },
    /// How far the logs of these rooms go.
    Heads(Vec<RoomId>),
    /// The room as a group: its head and its members.
    Group(RoomId),
    /// A message that memory doesn't hold.
    Message(RoomId, Seq),
    /// Whether the password fits the hash.
    Proof {
        /// What the client wrote.
        password: Password,
        /// What it is compared with.
        hash: SecretHash,
        /// The version that the proof has to name.
        version: Seq,
    },
    /// The hash of a password.
    Hash(Password),
    /// How many rooms the user is in and made today.
    Standing(UserId),
    /// Whether `by` wants to hear nothing from `user`.
    Blocked {
        /// Who may have blocked.
        by: UserId,
        /// Whom.
        user: UserId,
    },
    /// A record by its position.
    Record(RoomId, Seq),
    /// Who holds a key: whether a command that would be refused was carried out before.
    Holder(Key),
}

/// What an answer stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The record that was named in the question.
    pub after: Option<Seq>,
    /// Whether the log still has it, instead of being one from which it was lost. If it hasn't, the
    /// answer names no records.
    pub holds: bool,
    /// The continuation of the logs in which the answer was read.
    pub epoch: Epoch,
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Supply {
    /// The room, and the records that its listeners haven't heard; none if there is no such room.
    Room(Option<Box<Room>>, Vec<Arc<Record>>, Ground),
    /// What was appended.
    Since {
        /// The records, dense and oldest first.
        records: Vec<Arc<Record>>,
        /// Whether these are all.
        whole: bool,
        /// What they follow.
        ground: Ground,
    },
    /// The last record of each of the rooms that there are.
    Heads(Vec<(RoomId, Seq)>),
    /// The group's room; none if there is no such group.
    Group(Option<Box<Room>>),
    /// The message.
    Message(MessageFact),
    /// Whether the password fits.
    Proof(Proof),
    /// The hash.
    Hash(SecretHash),
    /// What the user has of rooms.
    Standing(Standing),
    /// Whether he is blocked.
    Blocked(bool),
    /// The record, if it is still there.
    Record(Seq, Option<Arc<Record>>),
    /// Who holds the key.
    Holder(Option<Holder>),
    /// It can't be answered.
    Failed(Refused),
}
