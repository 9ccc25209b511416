//! `revoke_invite`: take an invitation back.

use super::{Outcome, Ruling};
use crate::event::{Event, InviteRevoked};
use crate::id::UserId;
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Takes an invitation back. Allowed to whoever may invite. Becomes [`InviteRevoked`].
    RevokeInvite {
        /// Whose.
        user: UserId,
    }
}

impl RevokeInvite {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Invite)?;
        if !case.room.is_invited(self.user, case.at) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(InviteRevoked { user: self.user }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::InviteRevoked(it) if it.user == self.user)
    }
}
