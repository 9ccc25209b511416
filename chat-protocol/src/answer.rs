//! What queries are answered with, in any dialect: plain values that a store fills in.

mod card;

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::{
    Author, Explanation, Features, History, Name, Overrides, Record, Retention, Role, RoomId, Seq,
    Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event;

pub use self::card::{
    BanCard, FoundCard, InviteCard, LobbyRoom, MarkerCard, Me, MemberCard, Message, Mode, MyRoom,
    Page, PresenceCard, RoomCard, SignedInCard, Tally, Transcript,
};

/// What a granted wish, or a question, is answered with. It serializes as the `ok` of the native
/// dialect.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Answer {
    /// The wish is a fact.
    Done {
        /// The record that it became.
        seq: Seq,
        /// Whether it had become one before: the same cid came twice.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dup: bool,
    },
    /// The room is made.
    Created {
        /// Its number.
        room: RoomId,
        /// Its first record.
        seq: Seq,
        /// Whether it had been made before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dup: bool,
    },
    /// The wish is granted and leaves no record.
    Accepted {},
    /// Hello.
    Welcome(Box<Welcome>),
    /// What became of rooms to attach.
    Subscribed {
        /// Each room's state.
        rooms: BTreeMap<RoomId, ResumeState>,
    },
    /// A room as it is.
    Snapshot(Box<Snapshot>),
    /// Records to fill a gap.
    Records(Records),
    /// A room.
    Room(Box<RoomCard>),
    /// The rooms that one is a member of.
    Rooms(Page<MyRoom>),
    /// Listed rooms.
    Directory(Page<RoomCard>),
    /// A room's members. `next` is the `after` of the next part.
    Members(Page<MemberCard>),
    /// Who is banned.
    Bans(Page<BanCard>),
    /// Who is invited.
    Invites(Page<InviteCard>),
    /// Messages, oldest first.
    History(Page<Message>),
    /// Messages that were found, room after room, the newest of each first. Where there is a `next`
    /// there may be more, even if nothing was found so far.
    Search(Page<FoundCard>),
    /// One message.
    Message(Box<Message>),
    /// The pinned messages.
    Pins(Page<Message>),
    /// How far the members have read.
    Markers(Page<MarkerCard>),
    /// Who is present.
    Presence(Page<PresenceCard>),
    /// What one is and may do.
    Permissions(Me),
    /// Why somebody may or may not do something.
    Explain(Explanation),
    /// An account.
    User(Author),
    /// Every bound.
    Limits(Box<PublishedLimits>),
    /// There is a room of that name. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Founded {
        /// The room.
        room: Box<RoomCard>,
        /// Whether there was one before.
        already: bool,
    },
    /// This socket is in the room. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Entered {
        /// The room.
        room: Box<RoomCard>,
        /// The name one has there.
        name: Name,
        /// Whether the socket was in it before.
        already: bool,
    },
    /// This socket is in the room no longer. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Exited {
        /// The room.
        room: RoomId,
        /// The name one had there.
        name: Name,
    },
    /// This socket is in no room any more. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    ExitedAll {},
    /// Whether this socket is in the room. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Inside(bool),
    /// The listed rooms and who is in them, in the order of their creation. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Lobby(Vec<LobbyRoom>),
    /// A room and its last messages. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Transcript(Box<Transcript>),
    /// The socket is somebody. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    Connected {
        /// The session's name.
        session: String,
    },
    /// Somebody is logged in. Older dialects only.
    #[cfg_attr(feature = "schema", schemars(skip))]
    SignedIn(Box<SignedInCard>),
}

/// The answer to hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// The session's name, for logs.
    pub session: String,
    /// Who one is.
    pub user: Author,
    /// The server's time.
    pub time: Timestamp,
    /// How often the server pings.
    pub ping_ms: u64,
    /// Every bound.
    pub limits: PublishedLimits,
    /// What became of each room that was to be resumed or attached.
    pub rooms: BTreeMap<RoomId, ResumeState>,
    /// The epoch of rooms that are attached later.
    pub epoch: String,
    /// What a guest may come back with as himself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_token: Option<String>,
}

/// What became of a room that was to be resumed or attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "st", rename_all = "snake_case")]
pub enum ResumeState {
    /// Everything after `from` follows, up to `to`, then whatever happens.
    Ok {
        /// The position that was asked for.
        from: Seq,
        /// The room's head.
        to: Seq,
    },
    /// The position is of no use: to be loaded afresh. What happens from the head on follows.
    Reset {
        /// Why.
        why: ResetReason,
        /// The room's epoch.
        epoch: String,
        /// The room's head.
        head: Seq,
    },
    /// Attached without a position. What happens from the head on follows.
    New {
        /// The room's epoch.
        epoch: String,
        /// The room's head.
        head: Seq,
    },
    /// There is no such room for this user.
    Gone,
}

/// Why a position is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The log is no continuation of the one that the position is in.
    EpochChanged,
    /// The records after it were trimmed away.
    Trimmed,
    /// It lies after the head.
    Ahead,
    /// It lies too far back.
    TooFar,
}

/// A room as it is at one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// The room.
    pub room: RoomCard,
    /// What admins have set.
    pub settings: Settings,
    /// What one is and may do there.
    pub me: Me,
    /// Its first members.
    pub members: Page<MemberCard>,
    /// Its newest messages, oldest first.
    pub messages: Vec<Message>,
    /// Its pinned messages.
    pub pins: Vec<Seq>,
    /// Where to go on.
    pub position: Position,
}

/// What a room's admins have set, as its members may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// Who owns it; the house (0) where a guest made it.
    pub owner: UserId,
    /// What a member may read.
    pub history: History,
    /// What is switched on.
    pub features: Features,
    /// Most members; the engine's limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member.
    pub slow_mode_s: u64,
    /// How long messages are kept.
    pub retention: Retention,
    /// What roles may do beside the table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: Overrides,
    /// The roles that groups hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<RoomId, Role>,
}

/// A place in a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    /// Which log.
    pub epoch: String,
    /// The last record.
    pub seq: Seq,
}

/// Records that fill a gap, as one who reads them may see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The record before the first one, as asked for.
    pub since: Seq,
    /// The records in order; those that the reader may not see are left out.
    pub events: Vec<Arc<Record>>,
    /// The position up to which nothing is missing.
    pub upto: Seq,
    /// The room's head; over `upto` if there is more to ask for.
    pub head: Seq,
    /// Who reads: his own records show their cids.
    pub reader: UserId,
}

impl Serialize for Records {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        event::serialize_records(self, serializer)
    }
}

/// Every bound of engine and server, side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublishedLimits {
    /// The engine's.
    #[serde(flatten)]
    pub engine: chat_core::Limits,
    /// The server's.
    #[serde(flatten)]
    pub server: Map<String, Value>,
}
