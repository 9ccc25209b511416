//! How the nodes on one store hear of each other: one trait, several adapters, one conformance
//! suite.
//!
//! A bus carries hints, never truth. Each of them may be lost, late, twice or out of order: what a
//! record is missing from is read from the store, and a slow poll of the heads finds what was lost
//! altogether.

mod attendance;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod local;
#[cfg(feature = "nats")]
pub mod nats;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Effect, Record, RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::signal::Signal;

pub(crate) use self::attendance::PART_PEOPLE_MAX;
pub use self::attendance::{Attendance, Attendant, NodeMark, Said, Sum, Tidings};

/// One node's end of what connects it with the others.
#[async_trait]
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Whether no other node takes part: there is nobody to tell anything.
    fn is_alone(&self) -> bool {
        false
    }

    /// Tells the others: those who subscribed to a hint's room, or all if it concerns all. It never
    /// waits: what can't be taken is lost. The node itself doesn't hear it.
    fn publish(&self, hints: Vec<Hint>);

    /// Begins to hear what concerns a room.
    fn subscribe(&self, room: RoomId);

    /// Hears no more of a room.
    fn unsubscribe(&self, room: RoomId);

    /// Waits for what the others tell; none once there is nothing to be heard for ever. One task
    /// listens at a time; one that gives up waiting misses nothing by that.
    async fn hear(&self) -> Option<Vec<Hint>>;
}

/// What one node tells the others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hint {
    /// This record is durable.
    Appended(Arc<Record>),
    /// A room's log goes at least this far.
    Head(RoomId, Seq),
    /// Something passes in a room.
    Passing(Arc<Signal>),
    /// Who is present in a room.
    Present(Arc<Attendance>),
    /// Log-ins of a user have ended.
    Ended {
        /// The user.
        user: UserId,
        /// The log-in; all of them if absent.
        grant: Option<Arc<str>>,
        /// What his sessions are told.
        close: Close,
    },
    /// Somebody was erased: records that are remembered have words that are gone.
    Erased(UserId),
}

impl Hint {
    /// The room whose subscribers hear this; all nodes do if there is none.
    #[must_use]
    pub fn room(&self) -> Option<RoomId> {
        match self {
            Self::Appended(record) => (!is_for_all(record)).then_some(record.room),
            Self::Head(room, _) => Some(*room),
            Self::Passing(signal) => Some(signal.room),
            Self::Present(attendance) => Some(attendance.room),
            Self::Ended { .. } | Self::Erased(_) => None,
        }
    }
}

/// Why a bus can't be opened. That nobody can be reached is no reason.
#[derive(Debug, thiserror::Error)]
#[error("the bus can't be opened: {0}")]
pub struct BusError(Box<dyn std::error::Error + Send + Sync>);

impl BusError {
    /// What the library says that speaks to the bus.
    #[must_use]
    pub fn new(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(why.into())
    }
}

/// Whether a record concerns users who may not hear its room.
pub(crate) fn is_for_all(record: &Record) -> bool {
    let effects = record.effects();
    effects.iter().any(|effect| effect != Effect::Broadcast)
}
