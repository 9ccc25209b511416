//! Rooms, people and messages as lists show them: plain values that a store fills in.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chat_core::{
    Author, Content, Created, Idx, Kind, Lifecycle, Name, Permission, Reaction, Role, Room, RoomId,
    Seq, Text, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::command::{Status, Token};
use crate::spelling::Spelling;

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

/// A message that was found, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundCard {
    /// The room.
    pub room: RoomId,
    /// The message as it reads today.
    #[serde(flatten)]
    pub message: Message,
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

/// A room and its last messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The room.
    pub room: RoomCard,
    /// The messages.
    pub messages: Vec<Message>,
}

/// An account that somebody has logged in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedInCard {
    /// Number and name.
    pub user: Author,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its handle.
    pub handle: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password, name or standing changed last.
    pub updated_at: Timestamp,
    /// What to act with.
    pub token: Token,
    /// The rooms that it is a member of, in the order of their numbers.
    pub rooms: Vec<RoomCard>,
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

impl RoomCard {
    /// A word by which a client of any dialect finds the room: its unique name, or `room_12` if it
    /// has none.
    #[must_use]
    pub fn word(&self) -> Cow<'_, str> {
        match &self.alias {
            Some(alias) => Cow::Borrowed(alias.as_str()),
            None => Cow::Owned(Spelling::Prefixed.write(self.id)),
        }
    }
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
