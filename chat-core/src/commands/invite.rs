//! `invite`: let somebody join.

use super::{Outcome, Ruling};
use crate::event::{Event, Invited, Kind};
use crate::id::{Timestamp, UserId};
use crate::judge::Case;
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
            return Err(Rejection::BadArgument {
                field: Field::Until,
            }
            .into());
        }
        if room.ban(self.user, case.at).is_some() {
            return Err(denied(Rule::TargetBanned).into());
        }
        let invited = room.is_invited(self.user, case.at);
        if invited && room.invites.get(&self.user) == Some(&self.until) {
            return Ok(Outcome::Already(room.head_seq));
        }
        let open = room
            .invites
            .keys()
            .filter(|user| room.is_invited(**user, case.at))
            .count();
        if !invited && open >= case.limits.invites_max {
            let max = case.limits.invites_max as u64;
            return Err(Rejection::TooMany {
                what: Counted::Invites,
                max,
            }
            .into());
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
