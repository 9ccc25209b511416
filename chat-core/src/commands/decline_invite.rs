//! `decline_invite`: say no to an invitation.

use super::{Outcome, Ruling};
use crate::event::{Event, InviteDeclined};
use crate::judge::Case;

wish! {
    /// Says no to an invitation. Allowed to whoever was invited. Becomes [`InviteDeclined`].
    DeclineInvite {}
}

impl DeclineInvite {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.in_good_standing()?;
        case.exists()?;
        if case.room.is_invited(case.actor.id, case.at) {
            return Ok(InviteDeclined {}.into());
        }
        match case.effective(case.actor.id)? {
            Some(_) => Ok(Outcome::Already(case.room.head_seq)),
            None => Err(case.not_a_member()?.into()),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::InviteDeclined(_))
    }
}
