//! `unmute`: let somebody speak again.

use super::{Outcome, Ruling};
use crate::event::{Event, Unmuted};
use crate::id::UserId;
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Lets somebody speak again. Allowed to moderators, against lower ranks. Becomes [`Unmuted`].
    Unmute {
        /// Who.
        user: UserId,
    }
}

impl Unmute {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Mute)?;
        case.outranks(actor, self.user)?;
        if case.room.mute(self.user, case.at).is_none() {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(Unmuted { user: self.user }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Unmuted(it) if it.user == self.user)
    }
}
