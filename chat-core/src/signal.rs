//! What is judged and delivered but never stored.

use serde::{Deserialize, Serialize};

use crate::id::{Idx, Seq};

/// A permitted wish that leaves no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The actor is typing, or stopped.
    Typing {
        /// Whether he still is.
        on: bool,
    },
    /// The actor, a guest, may be present without being a member.
    Visited,
    /// The actor has read up to this message. The shell keeps the marker.
    Read {
        /// The position among messages, within the room's range.
        idx: Idx,
        /// The room's head when this was judged.
        as_of: Seq,
    },
}
