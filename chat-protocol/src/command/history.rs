//! Where in a room's messages somebody wants to read.

use chat_core::Seq;
use serde::{Deserialize, Serialize};

use crate::room_ref::RoomRef;

/// A question for a room's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct History {
    /// The room.
    pub room: RoomRef,
    /// Where to read.
    pub place: Place,
    /// Only the thread that begins with this message.
    pub thread: Option<Seq>,
    /// Most messages of the answer.
    pub limit: Option<u64>,
}

/// Where to read in a room's messages. On the wire: `before`, `after`, `around`, or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The newest ones.
    Newest,
    /// Those before this one.
    Before(Seq),
    /// Those after this one.
    After(Seq),
    /// This one, with those before and after it.
    Around(Seq),
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Fields {
    room: RoomRef,
    #[serde(default)]
    before: Option<Seq>,
    #[serde(default)]
    after: Option<Seq>,
    #[serde(default)]
    around: Option<Seq>,
    #[serde(default)]
    thread: Option<Seq>,
    #[serde(default)]
    limit: Option<u64>,
}

impl From<History> for Fields {
    fn from(it: History) -> Self {
        let (before, after, around) = match it.place {
            Place::Newest => (None, None, None),
            Place::Before(seq) => (Some(seq), None, None),
            Place::After(seq) => (None, Some(seq), None),
            Place::Around(seq) => (None, None, Some(seq)),
        };
        Self {
            room: it.room,
            before,
            after,
            around,
            thread: it.thread,
            limit: it.limit,
        }
    }
}

impl TryFrom<Fields> for History {
    type Error = &'static str;

    fn try_from(it: Fields) -> Result<Self, Self::Error> {
        let place = match (it.before, it.after, it.around) {
            (None, None, None) => Place::Newest,
            (Some(seq), None, None) => Place::Before(seq),
            (None, Some(seq), None) => Place::After(seq),
            (None, None, Some(seq)) => Place::Around(seq),
            (Some(_), Some(_), _) => return Err("conflicting field `after`"),
            (_, _, Some(_)) => return Err("conflicting field `around`"),
        };
        Ok(Self {
            room: it.room,
            place,
            thread: it.thread,
            limit: it.limit,
        })
    }
}
