//! `invite`: let somebody join.

use super::{Outcome, Ruling};
use crate::event::{Event, Invited, Kind};
use crate::id::{Timestamp, UserId};
use crate::judge::{Case, at_most};
use crate::policy::{Permission, Rule};
use crate::rejection::{Counted, Field, Rejection};
use crate::request::Need;

wish! {
    /// Lets somebody join, whatever the room's access. It doesn't lift a ban.
    ///
    /// Allowed to members, unless the room or the invited one says otherwise. Becomes [`Invited`].
    Invite {
        /// Who may join.
        user: UserId,
        /// When the invitation ends; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }
}

impl Invite {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let permission = Permission::Invite;
        case.may(permission)?;
        let denied = |rule| Rejection::PermissionDenied { permission, rule };
        let room = case.room;
        if let Some(member) = room.members.get(&self.user) {
            return Ok(Outcome::Already(member.since));
        }
        if room.kind == Kind::Direct {
            return Err(denied(Rule::Direct).into());
        }
        if self.user == UserId::HOUSE {
            return Err(Rejection::UserNotFound.into());
        }
        if self.until.is_some_and(|until| until <= case.at) {
            return Err(Rejection::bad(Field::Until).into());
        }
        if room.is_banned(self.user, case.at) {
            return Err(denied(Rule::TargetBanned).into());
        }
        let invited = room.is_invited(self.user, case.at);
        if invited && room.invites.get(&self.user) == Some(&self.until) {
            return Ok(Outcome::Already(room.head_seq));
        }
        if !invited {
            let open = room.invites.keys();
            let open = open.filter(|user| room.is_invited(**user, case.at));
            let invites = open.count() as u64 + 1;
            at_most(Counted::Invites, invites, case.limits.invites_max as u64)?;
        }
        match case.facts.blocked {
            None => Err(Need::Blocked(self.user).into()),
            Some(true) => Err(Rejection::Blocked.into()),
            Some(false) => Ok(Invited {
                user: self.user,
                until: self.until,
            }
            .into()),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Invited(it) if it.user == self.user && it.until == self.until)
    }
}
