//! Who may do what: one table, and one function that reads it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A member's standing in a room. Only higher ranks act on lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A name without an account, or a member who should do little.
    Guest,
    /// The ordinary member.
    Member,
    /// Keeps order.
    Moderator,
    /// Runs the room.
    Admin,
    /// Holds the room; exactly one.
    Owner,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Guest,
        Self::Member,
        Self::Moderator,
        Self::Admin,
        Self::Owner,
    ];

    /// The rank, 20 to 100; somebody without a role has rank 0.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Guest => 20,
            Self::Member => 40,
            Self::Moderator => 60,
            Self::Admin => 80,
            Self::Owner => 100,
        }
    }

    /// What this role may do where the room says nothing else.
    #[must_use]
    pub const fn permissions(self) -> Permissions {
        // Summed up when compiled: every wish asks for it several times.
        match self {
            Self::Owner => const { column(0) },
            Self::Admin => const { column(1) },
            Self::Moderator => const { column(2) },
            Self::Member => const { column(3) },
            Self::Guest => const { column(4) },
        }
    }
}

/// The permissions in one column of the table.
#[expect(
    clippy::indexing_slicing,
    reason = "both bounds are constants, checked when compiled"
)]
const fn column(number: usize) -> Permissions {
    let mut set = Permissions::NONE;
    let mut row = 0;
    while row < TABLE.len() {
        let (permission, who) = TABLE[row];
        if who[number] {
            set = set.with(permission);
        }
        row += 1;
    }
    set
}

const YES: bool = true;
const NO: bool = false;

/// Who may do what by default: owner, admin, moderator, member, guest.
const TABLE: [(Permission, [bool; 5]); Permission::ALL.len()] = [
    (Permission::Read, [YES, YES, YES, YES, YES]),
    (Permission::ListMembers, [YES, YES, YES, YES, YES]),
    (Permission::Post, [YES, YES, YES, YES, YES]),
    (Permission::React, [YES, YES, YES, YES, YES]),
    (Permission::Type, [YES, YES, YES, YES, YES]),
    (Permission::EditOwn, [YES, YES, YES, YES, YES]),
    (Permission::DeleteOwn, [YES, YES, YES, YES, YES]),
    (Permission::SetNickname, [YES, YES, YES, YES, YES]),
    (Permission::Invite, [YES, YES, YES, YES, NO]),
    (Permission::MentionAll, [YES, YES, YES, NO, NO]),
    (Permission::Pin, [YES, YES, YES, NO, NO]),
    (Permission::DeleteAny, [YES, YES, YES, NO, NO]),
    (Permission::BypassSlowMode, [YES, YES, YES, NO, NO]),
    (Permission::Kick, [YES, YES, YES, NO, NO]),
    (Permission::Mute, [YES, YES, YES, NO, NO]),
    (Permission::Ban, [YES, YES, NO, NO, NO]),
    (Permission::UpdateRoom, [YES, YES, NO, NO, NO]),
    (Permission::SetAccess, [YES, YES, NO, NO, NO]),
    (Permission::SetRoles, [YES, YES, NO, NO, NO]),
    (Permission::SetGrants, [YES, YES, NO, NO, NO]),
    (Permission::Archive, [YES, YES, NO, NO, NO]),
    (Permission::DeleteRoom, [YES, NO, NO, NO, NO]),
    (Permission::TransferOwnership, [YES, NO, NO, NO, NO]),
];

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Something that a role may allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl Permission {
            /// All permissions, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        impl fmt::Display for Permission {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $word,)* })
            }
        }
    };
}

permissions! {
    /// Hear and read the room.
    Read = "read",
    /// See who is in the room.
    ListMembers = "list_members",
    /// Post messages.
    Post = "post",
    /// React to messages, and take reactions back.
    React = "react",
    /// Show that one is typing.
    Type = "typing",
    /// Edit one's own messages.
    EditOwn = "edit_own",
    /// Delete one's own messages.
    DeleteOwn = "delete_own",
    /// Choose one's own name within the room.
    SetNickname = "set_nickname",
    /// Invite others.
    Invite = "invite",
    /// Mention everybody at once.
    MentionAll = "mention_all",
    /// Pin messages.
    Pin = "pin",
    /// Delete the messages of lower ranks.
    DeleteAny = "delete_any",
    /// Post without waiting in slow mode.
    BypassSlowMode = "bypass_slow_mode",
    /// Remove lower ranks.
    Kick = "kick",
    /// Silence lower ranks.
    Mute = "mute",
    /// Keep lower ranks out.
    Ban = "ban",
    /// Change name, topic, features, limits and overrides.
    UpdateRoom = "update_room",
    /// Change who enters how, and who sees the room.
    SetAccess = "set_access",
    /// Change the roles of lower ranks.
    SetRoles = "set_roles",
    /// Grant roles to groups.
    SetGrants = "set_grants",
    /// Make the room read only, and undo that.
    Archive = "archive",
    /// Delete the room.
    DeleteRoom = "delete_room",
    /// Give the room to another member.
    TransferOwnership = "transfer_ownership",
}

impl Permission {
    /// Whether a room may take this from a role, or give it, by an override.
    #[must_use]
    pub const fn is_overridable(self) -> bool {
        match self {
            Self::ListMembers
            | Self::Post
            | Self::React
            | Self::Type
            | Self::EditOwn
            | Self::DeleteOwn
            | Self::SetNickname
            | Self::Invite
            | Self::MentionAll
            | Self::Pin
            | Self::DeleteAny
            | Self::BypassSlowMode
            | Self::Kick
            | Self::Mute => true,
            Self::Read
            | Self::Ban
            | Self::UpdateRoom
            | Self::SetAccess
            | Self::SetRoles
            | Self::SetGrants
            | Self::Archive
            | Self::DeleteRoom
            | Self::TransferOwnership => false,
        }
    }

    /// Whether somebody who is muted keeps this.
    #[must_use]
    pub const fn survives_mute(self) -> bool {
        matches!(self, Self::Read | Self::ListMembers)
    }

    /// Whether this still holds in an archived room.
    #[must_use]
    pub const fn survives_archive(self) -> bool {
        matches!(
            self,
            Self::Read | Self::ListMembers | Self::Archive | Self::DeleteRoom
        )
    }
}

/// A set of permissions. On the wire it is a list of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
#[cfg_attr(feature = "schema", schemars(with = "Vec<Permission>"))]
pub struct Permissions(u32);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);

    const fn bit(permission: Permission) -> u32 {
        1 << permission as u32
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | Self::bit(permission))
    }

    /// Whether the set has this one.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// What either set has.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What this set has and the other hasn't.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The permissions, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(permissions: Vec<Permission>) -> Self {
        permissions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(set: Permissions) -> Self {
        set.iter().collect()
    }
}

/// What a room gives to a role, or takes from it, beside the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    /// Given.
    #[serde(skip_serializing_if = "Permissions::is_empty")]
    pub allow: Permissions,
    /// Taken. Wins over `allow`.
    #[serde(skip_serializing_if = "Permissions::is_empty")]
    pub deny: Permissions,
}

impl Override {
    /// What is left of a role's permissions under this override.
    #[must_use]
    pub const fn apply(self, permissions: Permissions) -> Permissions {
        permissions.union(self.allow).without(self.deny)
    }
}

/// A room's overrides, by role.
pub type Overrides = BTreeMap<Role, Override>;

/// The rule that decided a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The actor's account is suspended, or isn't.
    Suspended,
    /// The actor is banned from the room, or isn't.
    Banned,
    /// The effective role: the higher of membership and grants.
    Role,
    /// What the role may do, by the table.
    Table,
    /// What the room gives to the role or takes from it.
    Override,
    /// The actor is muted, or isn't.
    Muted,
    /// The room is archived or deleted, or isn't.
    Lifecycle,
    /// The room switched the feature off, or didn't.
    Feature,
    /// The other's rank against the actor's.
    Rank,
    /// The room is a direct one: its two members stay as they are.
    Direct,
    /// Guests can't do or be this.
    Guest,
    /// The message is another's.
    NotTheAuthor,
    /// The other user is banned.
    TargetBanned,
    /// Nobody gives what he doesn't hold.
    NotHeld,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "suspended",
            Self::Banned => "banned",
            Self::Role => "role",
            Self::Table => "table",
            Self::Override => "override",
            Self::Muted => "muted",
            Self::Lifecycle => "lifecycle",
            Self::Feature => "feature",
            Self::Rank => "rank",
            Self::Direct => "direct",
            Self::Guest => "guest",
            Self::NotTheAuthor => "not_the_author",
            Self::TargetBanned => "target_banned",
            Self::NotHeld => "not_held",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_permission_once_in_order() {
        let rows: Vec<Permission> = TABLE.iter().map(|(permission, _)| *permission).collect();
        assert_eq!(rows, Permission::ALL);
    }

    #[test]
    fn a_higher_role_may_do_all_that_a_lower_one_may() {
        for pair in Role::ALL.windows(2) {
            assert!(
                pair[0]
                    .permissions()
                    .without(pair[1].permissions())
                    .is_empty(),
                "{pair:?}"
            );
            assert!(pair[0].rank() < pair[1].rank());
        }
    }

    #[test]
    fn denying_wins_over_allowing() {
        let both = Permissions::NONE.with(Permission::Pin);
        let it = Override {
            allow: both,
            deny: both,
        };
        assert!(
            !it.apply(Role::Member.permissions())
                .contains(Permission::Pin)
        );
    }

    #[test]
    fn a_permission_is_held_once_however_often_it_is_given() {
        let once = Permissions::NONE.with(Permission::Pin);
        assert_eq!(once.with(Permission::Pin), once);
        assert!(once.contains(Permission::Pin) && !once.contains(Permission::Kick));
    }
}
