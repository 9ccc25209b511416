//! What is looked for: messages of a room, and rooms of the list.

use chat_core::{RoomId, Seq, UserId};

use super::Place;

/// Which messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageQuery {
    /// The room.
    pub room: RoomId,
    /// Who asks, for whether a reaction is his.
    pub viewer: UserId,
    /// Where to look.
    pub place: Place,
    /// Nothing from before this record.
    pub from: Seq,
    /// Nothing from after this record.
    pub to: Seq,
    /// Only the messages of this thread, its first one included.
    pub thread: Option<Seq>,
    /// How many at most.
    pub limit: usize,
}

impl MessageQuery {
    /// The newest messages of a room, for somebody who may read all of it.
    #[must_use]
    pub const fn newest(room: RoomId, viewer: UserId, limit: usize) -> Self {
        Self {
            room,
            viewer,
            place: Place::Newest,
            from: Seq::new(1),
            to: Seq::MAX,
            thread: None,
            limit,
        }
    }
}

/// Which listed rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryQuery {
    /// Part of a name or alias, without regard to case; all rooms if absent.
    pub search: Option<String>,
    /// In which order.
    pub order: Order,
    /// Where the last part ended: the `next` of its page.
    pub cursor: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// How many are looked at, at most, to find as many: a page may have fewer, or none, and go on.
    pub looked_at_max: usize,
}

impl DirectoryQuery {
    /// The first rooms of an order, whatever they are called and however long they are looked for.
    #[must_use]
    pub const fn first(order: Order, limit: usize) -> Self {
        Self {
            search: None,
            order,
            cursor: None,
            limit,
            looked_at_max: usize::MAX,
        }
    }
}

/// The order of a list of rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By number, oldest first.
    Oldest,
    /// By number, newest first.
    Newest,
}
