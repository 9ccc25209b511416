//! What a client is told to do, and to show.

use chat_core::{RoomId, Seq, Timestamp};
use serde_json::Value;

use super::PENDING_MAX;
use crate::answer::ResetReason;
use crate::event::Heard;
use crate::server_frame::Refused;
use crate::signal::Signal;

/// An instruction to whoever holds the socket, or news for whoever shows them.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this frame.
    Send(String),
    /// The server knows the user; the answer to hello as it stands.
    Welcome(Value),
    /// The server doesn't. It closes the socket after a while; the client may do so at once.
    Unwelcome(Refused),
    /// A record, in order, without gap or repeat within its room.
    Event(Heard),
    /// Something that passes.
    Signal(Signal),
    /// The reply to a command or question.
    Reply {
        /// Which one.
        id: u64,
        /// The answer, or the refusal.
        result: Result<Value, Refused>,
    },
    /// Everything that was missed in a room has been shown.
    Synced {
        /// The room.
        room: RoomId,
        /// The last record of the past.
        seq: Seq,
    },
    /// What is shown of a room is out of date: ask for its `snapshot`.
    Reset {
        /// The room.
        room: RoomId,
        /// Why, if the server said so.
        why: Option<ResetReason>,
    },
    /// There is no such room for this user any more.
    Gone {
        /// The room.
        room: RoomId,
    },
    /// The token ends soon: get a fresh one and [`Client::refresh`](super::Client::refresh).
    TokenExpiring {
        /// When it ends.
        at: Timestamp,
    },
    /// Connect again after so many milliseconds.
    Reconnect {
        /// The wait.
        after_ms: u64,
    },
    /// Don't connect again.
    Stop {
        /// The close code that says why.
        code: u16,
    },
}

/// There are as many commands without reply as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {PENDING_MAX} commands wait for a reply")]
pub struct TooManyPending;
