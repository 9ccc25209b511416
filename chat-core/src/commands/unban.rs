//! `unban`: let somebody come again.

use super::{Outcome, Ruling};
use crate::event::{Event, Unbanned};
use crate::id::UserId;
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Lets somebody come again, if access allows. Allowed to admins. Becomes [`Unbanned`].
    Unban {
        /// Who.
        user: UserId,
    }
}

impl Unban {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Ban)?;
        if !case.room.is_banned(self.user, case.at) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(Unbanned { user: self.user }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Unbanned(it) if it.user == self.user)
    }
}
