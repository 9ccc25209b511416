//! What queries are answered with, in any dialect: plain values that a store fills in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::{
    Author, Content, Created, Explanation, Features, History, Idx, Kind, Lifecycle, Name,
    Overrides, Permission, Reaction, Record, Retention, Role, Room, RoomId, Seq, Text, Timestamp,
    UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::Status;
use crate::event;

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

/// Somebody who may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InviteCard {
    /// Who.
    pub user: UserId,
    /// When the invitation ends; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How far a member has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MarkerCard {
    /// The member.
    pub user: UserId,
    /// The last message that he has read.
    pub idx: Idx,
}

/// Somebody who is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PresenceCard {
    /// Who.
    pub user: Author,
    /// How he is.
    pub status: Status,
    /// In his own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// A listed room and who is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LobbyRoom {
    /// The room.
    pub card: RoomCard,
    /// Who is in it.
    pub people: Vec<Name>,
}

/// What anybody may know of a room that he may know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomCard {
    /// Its number.
    pub id: RoomId,
    /// What sort of room.
    pub kind: Kind,
    /// Its name; a direct room has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its unique name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text>,
    /// How one enters.
    pub access: Mode,
    /// Whether others than members see that it exists.
    pub listed: bool,
    /// Whether it can be written to.
    pub lifecycle: Lifecycle,
    /// How many members it has.
    pub members: u64,
    /// Who made it, and when.
    pub created: Created,
    /// When its name, topic, access or another setting changed last.
    pub updated_at: Timestamp,
    /// Its last record.
    pub head_seq: Seq,
    /// Its last message.
    pub head_idx: Idx,
}

impl From<&Room> for RoomCard {
    fn from(room: &Room) -> Self {
        Self {
            id: room.id,
            kind: room.kind,
            name: room.name.clone(),
            alias: room.alias.clone(),
            topic: room.topic.clone(),
            access: Mode::from(&room.access),
            listed: room.listed,
            lifecycle: room.lifecycle,
            members: room.members.len() as u64,
            created: room.created,
            updated_at: room.updated_at,
            head_seq: room.head_seq,
            head_idx: room.head_idx,
        }
    }
}

/// How one enters a room, without the particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Anybody does.
    Open,
    /// By password.
    Password,
    /// By invitation.
    Invite,
    /// Through groups.
    Groups,
}

impl From<&chat_core::Access> for Mode {
    fn from(access: &chat_core::Access) -> Self {
        match access {
            chat_core::Access::Open => Self::Open,
            chat_core::Access::Password { hash: _ } => Self::Password,
            chat_core::Access::Invite => Self::Invite,
            chat_core::Access::Groups { groups: _ } => Self::Groups,
        }
    }
}

/// A room that somebody is a member of, and how far he has read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyRoom {
    /// The room.
    pub room: RoomCard,
    /// His role there.
    pub role: Role,
    /// The last message that he has read.
    pub read: Idx,
    /// Messages after that which are neither his own nor deleted.
    pub unread: u64,
    /// Those of them that mention him.
    pub mentions: u64,
    /// The other one, if the room is a direct one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Author>,
}

/// One member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberCard {
    /// Who, under his name in this room.
    pub user: Author,
    /// His role.
    pub role: Role,
    /// The record by which he joined.
    pub since: Seq,
}

/// A message as it reads today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Its name within the room: the position of the record that made it.
    pub seq: Seq,
    /// Its position among the room's messages.
    pub idx: Idx,
    /// When it was posted.
    pub at: Timestamp,
    /// Who posted it, under the name he had.
    pub by: Author,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The first message of the thread it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mentions: BTreeSet<UserId>,
    /// Whether it mentions everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mention_all: bool,
    /// What it says; absent once it was deleted or erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// When it was edited last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// How people reacted, in the order in which each reaction came first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Tally>,
}

/// How often a message got a reaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tally {
    /// The reaction.
    pub reaction: Reaction,
    /// How many users.
    pub count: u64,
    /// Whether the one who asks is among them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
}

/// What somebody is and may do in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Me {
    /// His role; none if he has none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What he may do.
    pub permissions: Vec<Permission>,
    /// The last message that he has read.
    pub read: Idx,
    /// Messages after that which are neither his own nor deleted.
    pub unread: u64,
    /// Those of them that mention him.
    pub mentions: u64,
}

/// Somebody who is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BanCard {
    /// Who.
    pub user: UserId,
    /// When it ends; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A part of a list, and where the next part begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// What to ask the next part with; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
