//! `set_role`: change a member's role.

use super::{Outcome, Ruling};
use crate::event::{Event, RoleChanged};
use crate::id::UserId;
use crate::judge::Case;
use crate::policy::{Permission, Role, Rule};
use crate::rejection::Rejection;

wish! {
    /// Changes a member's role, below the actor's own. A guest stays a guest.
    ///
    /// Allowed to admins, against lower ranks. Becomes [`RoleChanged`].
    SetRole {
        /// Who.
        user: UserId,
        /// The role he shall have; owners are made by `transfer_ownership`.
        role: Role,
    }
}

impl SetRole {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let permission = Permission::SetRoles;
        let actor = case.may(permission)?;
        let Some(member) = case.room.members.get(&self.user) else {
            return Err(Rejection::UserNotFound.into());
        };
        case.outranks(actor, self.user)?;
        case.may_give(actor, self.role)?;
        if self.user.is_guest() && self.role != Role::Guest {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            }
            .into());
        }
        if member.role == self.role {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(RoleChanged {
            user: self.user,
            role: self.role,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoleChanged(it) if it.user == self.user && it.role == self.role)
    }
}
