//! What happens to a room itself.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::content::{SecretHash, Text};
use crate::id::{RoomId, Seq, UserId};
use crate::name::Name;
use crate::policy::{Overrides, Role};

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

/// How long what was said is kept; without a bound, for ever. What is past that is forgotten when the
/// house, or whoever may, wishes [`Trim`](crate::commands::Trim).
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

/// The room is read only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomArchived {}

/// The room is no more read only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomUnarchived {}

/// What was said before a record is kept no longer: nobody reads it, and the store takes its words
/// away. The record is there still; it may be this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomTrimmed {
    /// The first record that is kept.
    pub from: Seq,
}

/// The last record of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomDeleted {}

/// The room belongs to another; the former owner, if a member, is an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnershipTransferred {
    /// The owner.
    pub to: UserId,
}
