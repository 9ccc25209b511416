//! `set_grant`: give a group a role in this room, or take it.

use super::set_access::is_member_of;
use super::{Outcome, Ruling};
use crate::event::{Event, GrantChanged};
use crate::id::RoomId;
use crate::judge::{Case, at_most};
use crate::policy::{Permission, Role};
use crate::rejection::{Counted, Field, Rejection};

wish! {
    /// Lets whoever is a member of a group hold a role here, for as long as he is; no role takes
    /// that away.
    ///
    /// Allowed to admins who are members of the group, for roles below their own. Becomes
    /// [`GrantChanged`].
    SetGrant {
        /// The group.
        group: RoomId,
        /// The role; none if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    }
}

impl SetGrant {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::SetGrants)?;
        if self.group == case.room.id {
            return Err(Rejection::bad(Field::Group).into());
        }
        let granted = case.room.grants.get(&self.group).copied();
        if granted == self.role {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        if granted.is_some_and(|role| role.rank() >= actor.role.rank()) {
            return Err(Rejection::Outranked.into());
        }
        if let Some(role) = self.role {
            is_member_of(case.directory, self.group, case.actor.id)?;
            case.may_give(actor, role)?;
            if granted.is_none() {
                let grants = case.room.grants.len() as u64 + 1;
                at_most(Counted::Grants, grants, case.limits.grants_max as u64)?;
            }
        }
        Ok(GrantChanged {
            group: self.group,
            role: self.role,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::GrantChanged(it) if it.group == self.group && it.role == self.role)
    }
}
