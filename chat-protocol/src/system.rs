//! What a server says about the connection itself.

use std::collections::BTreeMap;

use chat_core::{RoomId, Seq, Timestamp};
use serde::Serialize;

use crate::close::Close;

/// A word about the connection. It serializes as a native frame: `{"sys":"ping",...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "sys", rename_all = "snake_case")]
pub enum System {
    /// Still there; and the heads of rooms that moved, so that a lost tail is noticed.
    Ping {
        /// The last record of each room that moved since the last ping.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        heads: BTreeMap<RoomId, Seq>,
    },
    /// A resumed room has caught up.
    Synced {
        /// The room.
        room: RoomId,
        /// The last record of the past.
        seq: Seq,
    },
    /// This reader is too slow; the socket closes, and resuming loses nothing.
    Lagged {},
    /// The token ends soon: `refresh` brings a fresh one.
    TokenExpiring {
        /// When it ends.
        at: Timestamp,
    },
    /// The socket closes.
    Bye {
        /// The close code.
        code: u16,
        /// Why, in words.
        why: String,
        /// Milliseconds to stay away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
}

impl System {
    /// The word before closing.
    #[must_use]
    pub fn bye(close: Close, retry_ms: Option<u64>) -> Self {
        Self::Bye {
            code: close.code(),
            why: close.why().to_owned(),
            retry_ms,
        }
    }
}
