//! `ban`: remove somebody and keep him out.

use super::Ruling;
use super::kick::check_reason;
use crate::content::Text;
use crate::event::{Banned, Event};
use crate::id::{Timestamp, UserId};
use crate::judge::{Case, at_most};
use crate::policy::Permission;
use crate::rejection::{Counted, Field, Rejection};

wish! {
    /// Removes somebody, member or not, and keeps him out; it outlives leaving, invitations and
    /// grants.
    ///
    /// Allowed to admins, against lower ranks. Becomes [`Banned`].
    Ban {
        /// Who.
        user: UserId,
        /// When the ban ends; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text>,
    }
}

impl Ban {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Ban)?;
        if self.user == UserId::HOUSE {
            return Err(Rejection::UserNotFound.into());
        }
        case.outranks(actor, self.user)?;
        if self.until.is_some_and(|until| until <= case.at) {
            return Err(Rejection::bad(Field::Until).into());
        }
        check_reason(case, self.reason.as_ref())?;
        let room = case.room;
        let others = room.bans.keys().filter(|user| **user != self.user);
        let in_force = others.filter(|user| room.is_banned(**user, case.at));
        let bans = in_force.count() as u64 + 1;
        at_most(Counted::Bans, bans, case.limits.bans_max as u64)?;
        Ok(Banned {
            user: self.user,
            until: self.until,
            reason: self.reason.clone(),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Banned(it) if it.user == self.user && it.until == self.until)
    }
}
