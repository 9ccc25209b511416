//! `mute`: let somebody only read.

use super::Ruling;
use crate::event::{Event, Muted};
use crate::id::{Timestamp, UserId};
use crate::judge::{Case, at_most};
use crate::policy::Permission;
use crate::rejection::{Counted, Field, Rejection};

wish! {
    /// Lets a member, or a visitor by his guest id, only read until a moment. It outlives leaving.
    ///
    /// Allowed to moderators, against lower ranks. Becomes [`Muted`].
    Mute {
        /// Who.
        user: UserId,
        /// When he may speak again.
        until: Timestamp,
    }
}

impl Mute {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Mute)?;
        case.outranks(actor, self.user)?;
        if case.effective(self.user)?.is_none() && !self.user.is_guest() {
            return Err(Rejection::UserNotFound.into());
        }
        if self.until <= case.at {
            return Err(Rejection::bad(Field::Until).into());
        }
        let room = case.room;
        let others = room.mutes.keys().filter(|user| **user != self.user);
        let in_force = others.filter(|user| room.mute(**user, case.at).is_some());
        let mutes = in_force.count() as u64 + 1;
        at_most(Counted::Mutes, mutes, case.limits.bans_max as u64)?;
        Ok(Muted {
            user: self.user,
            until: self.until,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Muted(it) if it.user == self.user && it.until == self.until)
    }
}
