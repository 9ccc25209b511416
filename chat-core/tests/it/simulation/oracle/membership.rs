//! The rules of coming, going and being removed.

use chat_core::commands::{Ban, Invite, Join, Kick, Mute, Visit};
use chat_core::event::{
    Banned, InviteDeclined, InviteRevoked, Invited, Joined, Kicked, Left, Muted, Unbanned, Unmuted,
};
use chat_core::{
    Access, Counted, Event, Field, Kind, Password, Permission, Record, Rejection, Role, Rule,
    Signal, UserId, Way,
};

use super::rules::{bad, fact, too_many};
use super::{Question, Ruled, Verdict, making};
use crate::check::shell::hash_of;

impl Question<'_> {
    fn places(&self) -> u64 {
        let max = making::members_max(self.past.kind(), &self.oracle.limits);
        self.past.capacity().unwrap_or(max)
    }

    /// Who may know of the room at all, whether he may enter it or not.
    fn approach(&self) -> Result<(), Rejection> {
        if self.actor.suspended {
            return Err(Rejection::Suspended);
        }
        if self.past.deleted() {
            return Err(Rejection::RoomNotFound);
        }
        if let Some(until) = self.past.ban(self.actor.id, self.at) {
            return Err(self.hidden(Rejection::Banned { until }));
        }
        let stranger = self.standing(self.actor.id).is_none();
        if stranger && self.outsider() == Rejection::RoomNotFound {
            return Err(Rejection::RoomNotFound);
        }
        Ok(())
    }

    fn enter(&self, password: Option<&Password>) -> Result<Way, Rejection> {
        self.approach()?;
        if self.past.archived() {
            return Err(Rejection::Archived);
        }
        match self.standing(self.actor.id) {
            Some((Role::Owner, _)) => return Ok(Way::Owner),
            Some((_, Some(via))) => return Ok(Way::Group { group: via.group }),
            Some((_, None)) | None => {}
        }
        if self.past.invite(self.actor.id, self.at).is_some() {
            return Ok(Way::Invite);
        }
        match self.past.access() {
            Access::Open => Ok(Way::Open),
            Access::Invite => Err(Rejection::InviteRequired),
            Access::Groups { .. } => {
                let group = self.entering_group().ok_or(Rejection::InviteRequired)?;
                Ok(Way::Group { group })
            }
            Access::Password { hash } => match password {
                None => Err(Rejection::WrongPassword),
                Some(password) if password.expose().is_empty() => Err(bad(Field::Password)),
                Some(password) if hash_of(password) == hash => Ok(Way::Password),
                Some(_) => Err(Rejection::WrongPassword),
            },
        }
    }

    pub(super) fn join(&self, it: &Join) -> Ruled {
        let user = self.actor.id;
        if let (Some(since), false) = (self.past.since(user), self.actor.suspended) {
            let gone = self.past.deleted();
            return if gone {
                Err(Rejection::RoomNotFound)
            } else {
                Ok(Verdict::Already(since))
            };
        }
        let way = self.enter(it.password.as_ref())?;
        self.oracle.may_join_one_more(user)?;
        if self.past.members().len() as u64 >= self.places() {
            return Err(Rejection::RoomFull);
        }
        let role = match way {
            Way::Owner => Role::Admin,
            Way::Open | Way::Password | Way::Invite | Way::Group { .. } if user.is_guest() => {
                Role::Guest
            }
            Way::Open | Way::Password | Way::Invite | Way::Group { .. } => Role::Member,
        };
        fact(Joined { way, role })
    }

    pub(super) fn visit(&self, it: &Visit) -> Ruled {
        self.approach()?;
        let user = self.actor.id;
        if !user.is_guest() {
            let permission = Permission::Read;
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            });
        }
        self.enter(it.password.as_ref())?;
        let visitors = self
            .oracle
            .visitors
            .iter()
            .filter(|(room, _)| *room == self.room);
        let present = self.past.members().len() + visitors.count();
        let here =
            self.past.since(user).is_some() || self.oracle.visitors.contains(&(self.room, user));
        if !here && present as u64 >= self.places() {
            return Err(Rejection::RoomFull);
        }
        Ok(Verdict::Signal(Signal::Visited))
    }

    fn in_good_standing(&self) -> Result<(), Rejection> {
        if self.actor.suspended {
            return Err(Rejection::Suspended);
        }
        if self.past.deleted() {
            Err(Rejection::RoomNotFound)
        } else {
            Ok(())
        }
    }

    pub(super) fn leave(&self) -> Ruled {
        self.in_good_standing()?;
        if self.past.since(self.actor.id).is_none() {
            let known = self.standing(self.actor.id).is_some();
            return Err(if known {
                Rejection::NotAMember
            } else {
                self.outsider()
            });
        }
        if self.past.kind() == Kind::Direct {
            let permission = Permission::Read;
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Direct,
            });
        }
        if self.past.owner() == self.actor.id {
            return Err(Rejection::LastOwner);
        }
        fact(Left {})
    }

    pub(super) fn decline(&self) -> Ruled {
        self.in_good_standing()?;
        if self.past.invite(self.actor.id, self.at).is_some() {
            return fact(InviteDeclined {});
        }
        match self.standing(self.actor.id) {
            Some(_) => Ok(Verdict::Already(self.past.head())),
            None => Err(self.outsider()),
        }
    }

    /// How many others than this one something is in force for.
    fn others(&self, user: UserId, in_force: impl Fn(UserId) -> bool) -> usize {
        let mut named: Vec<UserId> = self.past.records().filter_map(named).collect();
        named.sort_unstable();
        named.dedup();
        named
            .into_iter()
            .filter(|other| *other != user && in_force(*other))
            .count()
    }

    pub(super) fn invite(&self, it: &Invite) -> Ruled {
        let permission = Permission::Invite;
        self.may(permission)?;
        let (past, at) = (self.past, self.at);
        if let Some(since) = past.since(it.user) {
            return Ok(Verdict::Already(since));
        }
        if past.kind() == Kind::Direct {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Direct,
            });
        }
        if it.user == UserId::HOUSE {
            return Err(Rejection::UserNotFound);
        }
        if it.until.is_some_and(|until| until <= at) {
            return Err(bad(Field::Until));
        }
        if past.ban(it.user, at).is_some() {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::TargetBanned,
            });
        }
        if past.invite(it.user, at) == Some(it.until) {
            return Ok(Verdict::Already(past.head()));
        }
        let max = self.oracle.limits.invites_max;
        if self.others(it.user, |user| past.invite(user, at).is_some()) >= max {
            return Err(too_many(Counted::Invites, max));
        }
        if self.oracle.blocks.contains(&(it.user, self.actor.id)) {
            return Err(Rejection::Blocked);
        }
        fact(Invited {
            user: it.user,
            until: it.until,
        })
    }

    pub(super) fn ban(&self, it: &Ban) -> Ruled {
        let role = self.may(Permission::Ban)?;
        if it.user == UserId::HOUSE {
            return Err(Rejection::UserNotFound);
        }
        self.outranks(role, it.user)?;
        if it.until.is_some_and(|until| until <= self.at) {
            return Err(bad(Field::Until));
        }
        let max = self.oracle.limits.bans_max;
        if self.others(it.user, |user| self.past.ban(user, self.at).is_some()) >= max {
            return Err(too_many(Counted::Bans, max));
        }
        fact(Banned {
            user: it.user,
            until: it.until,
            reason: it.reason.clone(),
        })
    }

    pub(super) fn mute(&self, it: &Mute) -> Ruled {
        let role = self.may(Permission::Mute)?;
        self.outranks(role, it.user)?;
        if self.standing(it.user).is_none() && !it.user.is_guest() {
            return Err(Rejection::UserNotFound);
        }
        if it.until <= self.at {
            return Err(bad(Field::Until));
        }
        let max = self.oracle.limits.bans_max;
        if self.others(it.user, |user| self.past.mute(user, self.at).is_some()) >= max {
            return Err(too_many(Counted::Mutes, max));
        }
        fact(Muted {
            user: it.user,
            until: it.until,
        })
    }

    pub(super) fn revoke(&self, user: UserId) -> Ruled {
        self.may(Permission::Invite)?;
        let invited = self.past.invite(user, self.at).is_some();
        self.unless(!invited, InviteRevoked { user })
    }

    pub(super) fn kick(&self, it: &Kick) -> Ruled {
        let role = self.may(Permission::Kick)?;
        self.outranks(role, it.user)?;
        if self.past.since(it.user).is_none() && !it.user.is_guest() {
            return Err(Rejection::UserNotFound);
        }
        let reason = it.reason.clone();
        fact(Kicked {
            user: it.user,
            reason,
        })
    }

    pub(super) fn unban(&self, user: UserId) -> Ruled {
        self.may(Permission::Ban)?;
        let banned = self.past.ban(user, self.at).is_some();
        self.unless(!banned, Unbanned { user })
    }

    pub(super) fn unmute(&self, user: UserId) -> Ruled {
        let role = self.may(Permission::Mute)?;
        self.outranks(role, user)?;
        let muted = self.past.mute(user, self.at).is_some();
        self.unless(!muted, Unmuted { user })
    }
}

/// Whom a record invited, muted or banned.
fn named(record: &Record) -> Option<UserId> {
    if let Event::Invited(it) = &record.event {
        Some(it.user)
    } else if let Event::Muted(it) = &record.event {
        Some(it.user)
    } else if let Event::Banned(it) = &record.event {
        Some(it.user)
    } else {
        None
    }
}
