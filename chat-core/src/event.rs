//! Facts: what happened in a room, one line of its log at a time.

mod membership;
mod message;
mod room;

#[cfg(feature = "schema")]
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Cid, RoomId, Seq, Timestamp, UserId};
use crate::name::Name;
use crate::policy::Role;

pub use self::membership::{
    Banned, InviteDeclined, InviteRevoked, Invited, Joined, Kicked, Left, Muted, NicknameChanged,
    RoleChanged, Unbanned, Unmuted, Way,
};
pub use self::message::{Deleted, Edited, Pinned, Posted, Reacted, Unpinned, Unreacted};
pub use self::room::{
    Access, AccessChanged, Features, GrantChanged, History, Kind, OwnershipTransferred, Retention,
    RoomArchived, RoomCreated, RoomDeleted, RoomTrimmed, RoomUnarchived, RoomUpdated,
};

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
    /// What was said before a record is kept no longer.
    RoomTrimmed = "room_trimmed",
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

impl Event {
    /// Whether this changes the room itself: its profile, its settings, its owner, its end; not who
    /// is in it or what is said.
    #[must_use]
    pub const fn changes_room(&self) -> bool {
        match self {
            Self::RoomCreated(_)
            | Self::RoomUpdated(_)
            | Self::AccessChanged(_)
            | Self::GrantChanged(_)
            | Self::RoomArchived(_)
            | Self::RoomUnarchived(_)
            | Self::RoomDeleted(_)
            | Self::OwnershipTransferred(_) => true,
            Self::RoomTrimmed(_)
            | Self::Joined(_)
            | Self::Left(_)
            | Self::Invited(_)
            | Self::InviteRevoked(_)
            | Self::InviteDeclined(_)
            | Self::Kicked(_)
            | Self::Banned(_)
            | Self::Unbanned(_)
            | Self::Muted(_)
            | Self::Unmuted(_)
            | Self::RoleChanged(_)
            | Self::NicknameChanged(_)
            | Self::Posted(_)
            | Self::Edited(_)
            | Self::Deleted(_)
            | Self::Reacted(_)
            | Self::Unreacted(_)
            | Self::Pinned(_)
            | Self::Unpinned(_) => false,
        }
    }
}
