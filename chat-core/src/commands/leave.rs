//! `leave`: cease to be a member.

use super::Ruling;
use crate::event::{Event, Kind, Left};
use crate::judge::Case;
use crate::policy::{Permission, Rule};
use crate::rejection::Rejection;

wish! {
    /// Ceases to be a member; also of an archived room. The owner can't, and nobody leaves a direct
    /// room.
    ///
    /// Allowed to members. Becomes [`Left`].
    Leave {}
}

impl Leave {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let (room, user) = (case.room, case.actor.id);
        case.in_good_standing()?;
        case.exists()?;
        if !room.members.contains_key(&user) {
            let refusal = match case.effective(user)? {
                Some(_) => Rejection::NotAMember,
                None => case.not_a_member()?,
            };
            return Err(refusal.into());
        }
        if room.kind == Kind::Direct {
            let (permission, rule) = (Permission::Read, Rule::Direct);
            return Err(Rejection::PermissionDenied { permission, rule }.into());
        }
        if room.owner == user {
            return Err(Rejection::LastOwner.into());
        }
        Ok(Left {}.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Left(_))
    }
}
