//! `set_access`: change who enters how, who sees the room, and what members may read.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Outcome, Ruling};
use crate::content::{Password, SecretHash};
use crate::directory::Directory;
use crate::event::{Access, AccessChanged, Event, History};
use crate::id::{RoomId, UserId};
use crate::judge::{Case, at_most};
use crate::limits::Limits;
use crate::policy::Permission;
use crate::rejection::{Counted, Field, Rejection};
use crate::request::{Facts, Need, Stop};

/// Changes who may enter, whether outsiders see the room, and what members may read; what is
/// absent stays.
///
/// Allowed to admins. Becomes [`AccessChanged`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SetAccess {
    /// Who may enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Entry>,
    /// Whether others than members see that it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// What a member may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// Who shall be able to enter: as [`Access`], with the password itself in place of its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Entry {
    /// Anybody.
    Open,
    /// Whoever knows the password.
    Password {
        /// The password, 1 to 1 024 bytes.
        password: Password,
    },
    /// Whoever was invited.
    Invite,
    /// Members of these groups, and whoever was invited. The actor has to be a member of each, so
    /// that nobody finds out which groups there are.
    Groups {
        /// The groups, at least one.
        groups: BTreeSet<RoomId>,
    },
}

impl Entry {
    /// Refuses a password out of bounds, and groups that the actor isn't in.
    pub(crate) fn check(
        &self,
        limits: &Limits,
        directory: &Directory,
        actor: UserId,
    ) -> Result<(), Stop> {
        match self {
            Self::Open | Self::Invite => Ok(()),
            Self::Password { password } => Ok(check_password(password)?),
            Self::Groups { groups } if groups.is_empty() => {
                Err(Rejection::bad(Field::Group).into())
            }
            Self::Groups { groups } => {
                let (count, max) = (groups.len() as u64, limits.grants_max as u64);
                at_most(Counted::Grants, count, max)?;
                groups
                    .iter()
                    .try_for_each(|group| is_member_of(directory, *group, actor))
            }
        }
    }

    /// The hash of the password, if there is one; asks for it if the facts don't have it.
    pub(crate) fn hash(&self, facts: &Facts) -> Result<SecretHash, Stop> {
        match self {
            Self::Password { password } => facts
                .hash
                .clone()
                .ok_or_else(|| Need::Hash(password.clone()).into()),
            Self::Open | Self::Invite | Self::Groups { .. } => Ok(SecretHash::default()),
        }
    }

    /// The access that this becomes.
    pub(crate) fn access(&self, hash: SecretHash) -> Access {
        match self {
            Self::Open => Access::Open,
            Self::Password { password: _ } => Access::Password { hash },
            Self::Invite => Access::Invite,
            Self::Groups { groups } => Access::Groups {
                groups: groups.clone(),
            },
        }
    }
}

/// Refuses an empty password and one that is too long to be hashed.
pub(super) fn check_password(password: &Password) -> Result<(), Rejection> {
    if password.expose().is_empty() {
        return Err(Rejection::bad(Field::Password));
    }
    crate::judge::within(
        Field::Password,
        password.expose().len(),
        Password::BYTES_MAX,
    )
}

/// Refuses a group that the actor isn't a member of, as if there were none.
pub(super) fn is_member_of(
    directory: &Directory,
    group: RoomId,
    actor: UserId,
) -> Result<(), Stop> {
    if !directory.knows(group) {
        return Err(Need::Group(group).into());
    }
    if directory.is_member(group, actor) {
        Ok(())
    } else {
        Err(Rejection::bad(Field::Group).into())
    }
}

impl SetAccess {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::SetAccess)?;
        let mut fact = AccessChanged {
            access: None,
            listed: self.listed,
            history: self.history,
        };
        if let Some(entry) = &self.access {
            entry.check(case.limits, case.directory, case.actor.id)?;
            fact.access = Some(entry.access(entry.hash(case.facts)?));
        }
        if fact == AccessChanged::default() {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(fact.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        let Event::AccessChanged(it) = event else {
            return false;
        };
        // The hash of a password can't be compared with the password here: the mode has to do.
        let wished = self
            .access
            .as_ref()
            .map(|entry| entry.access(SecretHash::default()));
        it.access.as_ref().map(Access::public) == wished
            && it.listed == self.listed
            && it.history == self.history
    }
}
