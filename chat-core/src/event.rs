//! Facts: what happened in a room, one line of its log at a time.

use alloc::collections::{BTreeMap, BTreeSet};
#[cfg(feature = "schema")]
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::content::{Content, Reaction, SecretHash, Text};
use crate::id::{Cid, Idx, RoomId, Seq, Timestamp, UserId};
use crate::name::Name;
use crate::policy::{Overrides, Role};

/// One line of a room's log: a fact, when it became one, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The room whose log this is a line of.
    pub room: RoomId,
    /// The line's position, dense from 1.
    pub seq: Seq,
    /// When it was decided; never before the line before it.
    pub at: Timestamp,
    /// Who wished it.
    pub by: Author,
    /// The grant that the actor's permission leaned on, so that the log proves itself alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The client's own id of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<Cid>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Who did it, under the name that was his in the room at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Author {
    /// The user.
    pub id: UserId,
    /// The nickname in the room, else the user's name; absent once the user was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

/// A role held through a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Via {
    /// The group.
    pub group: RoomId,
    /// The role that the room grants to its members.
    pub role: Role,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A fact of a room. Exhaustive: a new one is a breaking release.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(tag = "ev", content = "d")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $word)] $name($name),)*
        }

        impl Event {
            /// All events' names, as disk and wire spell them.
            pub const NAMES: &'static [&'static str] = &[$($word,)*];

            /// The event's name, as disk and wire spell it.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $word,)* }
            }

            /// Deserializes the event of this name from what the wire says beside the name; none
            /// if there is no such event.
            ///
            /// # Errors
            ///
            /// What the deserializer says.
            pub fn deserialize_payload<'de, D: Deserializer<'de>>(
                name: &str,
                deserializer: D,
            ) -> Result<Option<Self>, D::Error> {
                match name {
                    $($word => $name::deserialize(deserializer).map(|it| Some(Self::$name(it))),)*
                    _ => Ok(None),
                }
            }

            /// The schema of each event without its name, in the order of [`Event::NAMES`].
            #[cfg(feature = "schema")]
            pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
                alloc::vec![$(($word, generator.subschema_for::<$name>()),)*]
            }

            /// Serializes the event without its name.
            ///
            /// # Errors
            ///
            /// What the serializer says.
            pub fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(it) => it.serialize(serializer),)* }
            }
        }

        $(impl From<$name> for Event {
            fn from(it: $name) -> Self {
                Self::$name(it)
            }
        })*
    };
}

events! {
    /// The first record of every room.
    RoomCreated = "room_created",
    /// Name, alias, topic, features, limits or overrides are others.
    RoomUpdated = "room_updated",
    /// Who enters how, or who sees what, is another.
    AccessChanged = "access_changed",
    /// A group holds another role, or none.
    GrantChanged = "grant_changed",
    /// The room is read only.
    RoomArchived = "room_archived",
    /// The room is no more read only.
    RoomUnarchived = "room_unarchived",
    /// The last record of a room.
    RoomDeleted = "room_deleted",
    /// The room belongs to another.
    OwnershipTransferred = "ownership_transferred",
    /// The author is a member.
    Joined = "joined",
    /// The author is no more a member.
    Left = "left",
    /// Somebody may join.
    Invited = "invited",
    /// An invitation was taken back.
    InviteRevoked = "invite_revoked",
    /// An invitation was declined.
    InviteDeclined = "invite_declined",
    /// Somebody was removed.
    Kicked = "kicked",
    /// Somebody was removed and is kept out.
    Banned = "banned",
    /// Somebody may come again.
    Unbanned = "unbanned",
    /// Somebody may only read.
    Muted = "muted",
    /// Somebody may speak again.
    Unmuted = "unmuted",
    /// A member has another role.
    RoleChanged = "role_changed",
    /// The author has another name in this room.
    NicknameChanged = "nickname_changed",
    /// A message.
    Posted = "posted",
    /// A message says something else.
    Edited = "edited",
    /// A message is gone.
    Deleted = "deleted",
    /// The author reacted to a message.
    Reacted = "reacted",
    /// The author took a reaction back.
    Unreacted = "unreacted",
    /// A message is pinned.
    Pinned = "pinned",
    /// A message is pinned no more.
    Unpinned = "unpinned",
}

/// What sort of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The ordinary room.
    #[default]
    Channel,
    /// A room whose membership is a principal: other rooms may grant a role to it.
    Group,
    /// Two members for life.
    Direct,
}

/// Who may enter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Access {
    /// Anybody.
    #[default]
    Open,
    /// Whoever knows the password. Its version is the position of the record that set it.
    Password {
        /// Taken out before a record leaves for a client.
        #[serde(default, skip_serializing_if = "SecretHash::is_empty")]
        hash: SecretHash,
    },
    /// Whoever was invited.
    Invite,
    /// Members of these groups, and whoever was invited.
    Groups {
        /// The groups.
        groups: BTreeSet<RoomId>,
    },
}

impl Access {
    /// The same without what no client may see.
    #[must_use]
    pub fn public(&self) -> Self {
        match self {
            Self::Open => Self::Open,
            Self::Password { hash: _ } => Self::Password {
                hash: SecretHash::default(),
            },
            Self::Invite => Self::Invite,
            Self::Groups { groups } => Self::Groups {
                groups: groups.clone(),
            },
        }
    }
}

/// What a member may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Everything.
    #[default]
    All,
    /// What came after he joined.
    SinceJoin,
}

/// What a room may switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// Signals that somebody is typing.
    pub typing: bool,
    /// Showing others how far one has read.
    pub receipts: bool,
    /// Reactions.
    pub reactions: bool,
    /// Threads.
    pub threads: bool,
    /// Edits.
    pub edits: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            typing: true,
            receipts: true,
            reactions: true,
            threads: true,
            edits: true,
        }
    }
}

/// How long bodies and records are kept; without a bound, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Records, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

/// The first record of every room. One fact says everything, its owner included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomCreated {
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
    /// Who may enter.
    pub access: Access,
    /// Whether others than members see that it exists.
    pub listed: bool,
    /// What a member may read.
    pub history: History,
    /// What is switched on.
    #[serde(default)]
    pub features: Features,
    /// Most members; the engine's limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member; 0 is none.
    #[serde(default)]
    pub slow_mode_s: u64,
    /// How long messages are kept.
    #[serde(default)]
    pub retention: Retention,
    /// What roles may do beside the table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: Overrides,
    /// Who owns it: the maker, or the house where he is a guest. A direct room is the house's.
    pub owner: UserId,
    /// Whether the maker is a member from the start.
    pub joined: bool,
    /// The two of a direct room, the smaller number first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<[UserId; 2]>,
}

/// What changed of a room's profile and settings; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RoomUpdated {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its unique name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    /// What it is about; blank takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text>,
    /// What is switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Most members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u64>,
    /// How long messages are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// All overrides of the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

/// Who enters how, who sees the room, and what members may read; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AccessChanged {
    /// Who may enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Whether others than members see that it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// What a member may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// A group's role in this room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GrantChanged {
    /// The group.
    pub group: RoomId,
    /// The role of its members; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// How somebody came to be a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// He made the room, or it was given to him.
    Owner,
    /// The room is open.
    Open,
    /// He knew the password.
    Password,
    /// He was invited.
    Invite,
    /// He is a member of a group that may enter, or that holds a role here.
    Group {
        /// The group.
        group: RoomId,
    },
}

/// The author is a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Joined {
    /// How he came in.
    #[serde(flatten)]
    pub way: Way,
    /// The role he has.
    pub role: Role,
}

/// Somebody may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invited {
    /// Who.
    pub user: UserId,
    /// When the invitation ends; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Somebody was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kicked {
    /// Who.
    pub user: UserId,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

/// Somebody was removed and is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Banned {
    /// Who.
    pub user: UserId,
    /// When the ban ends; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

/// Somebody may only read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Muted {
    /// Who.
    pub user: UserId,
    /// When he may speak again.
    pub until: Timestamp,
}

/// A member has another role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleChanged {
    /// Who.
    pub user: UserId,
    /// The role he has.
    pub role: Role,
}

/// The author has another name in this room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NicknameChanged {
    /// The name; the user's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Name>,
}

/// A message. Its name is `(room, seq)` of this record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Posted {
    /// Its position among the room's messages.
    pub idx: Idx,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The first message of the thread it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Whom it mentions, sorted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mentions: BTreeSet<UserId>,
    /// Whether it mentions everybody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mention_all: bool,
    /// What it says; absent once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A message says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edited {
    /// The message.
    pub message: Seq,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mentions: BTreeSet<UserId>,
    /// What it says; absent once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A reaction of the author's to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reacted {
    /// The message.
    pub message: Seq,
    /// The reaction.
    pub reaction: Reaction,
}

macro_rules! alike {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }
        )*
    };
}

alike! {
    /// The room is read only.
    RoomArchived {}
    /// The room is no more read only.
    RoomUnarchived {}
    /// The last record of a room.
    RoomDeleted {}
    /// The room belongs to another; the former owner, if a member, is an admin.
    OwnershipTransferred {
        /// The owner.
        to: UserId,
    }
    /// The author is no more a member.
    Left {}
    /// An invitation was taken back.
    InviteRevoked {
        /// Whose.
        user: UserId,
    }
    /// The author declined his invitation.
    InviteDeclined {}
    /// Somebody may come again.
    Unbanned {
        /// Who.
        user: UserId,
    }
    /// Somebody may speak again.
    Unmuted {
        /// Who.
        user: UserId,
    }
    /// A message is gone; its content is erased from disk.
    Deleted {
        /// The message.
        message: Seq,
    }
    /// The author took a reaction back.
    Unreacted {
        /// The message.
        message: Seq,
        /// The reaction.
        reaction: Reaction,
    }
    /// A message is pinned.
    Pinned {
        /// The message.
        message: Seq,
    }
    /// A message is pinned no more.
    Unpinned {
        /// The message.
        message: Seq,
    }
}

fn is_false(it: &bool) -> bool {
    !it
}
