//! The rules, one wish after the other.

use chat_core::commands::{SetAccess, SetGrant, SetNickname, SetRole, UpdateRoom};
use chat_core::event::{
    AccessChanged, GrantChanged, NicknameChanged, OwnershipTransferred, RoleChanged, RoomArchived,
    RoomDeleted, RoomTrimmed, RoomUnarchived, RoomUpdated,
};
use chat_core::{
    Command, Counted, Event, Field, Overrides, Permission, Rejection, Role, Rule, Seq, Signal,
    UserId,
};

use super::past::Message;
use super::{Question, Ruled, Verdict, making, people};

pub(super) fn fact(event: impl Into<Event>) -> Ruled {
    Ok(Verdict::Fact(event.into()))
}

pub(super) fn bad(field: Field) -> Rejection {
    Rejection::BadArgument { field }
}

pub(super) fn too_many(what: Counted, max: usize) -> Rejection {
    Rejection::TooMany {
        what,
        max: max as u64,
    }
}

impl Question<'_> {
    /// Judges a wish in a room that exists.
    pub(super) fn rule(&self, command: &Command) -> Ruled {
        match command {
            Command::CreateRoom(_) | Command::OpenDirect(_) => {
                unreachable!("a creation comes with a number of its own")
            }
            Command::UpdateRoom(it) => self.update(it),
            Command::SetAccess(it) => self.set_access(it),
            Command::SetGrant(it) => self.set_grant(it),
            Command::Archive(_) => {
                self.may(Permission::Archive)?;
                self.unless(self.past.archived(), RoomArchived {})
            }
            Command::Unarchive(_) => {
                self.may(Permission::Archive)?;
                self.unless(!self.past.archived(), RoomUnarchived {})
            }
            Command::Trim(it) => self.trim(it.from),
            Command::DeleteRoom(_) => {
                self.may(Permission::DeleteRoom)?;
                fact(RoomDeleted {})
            }
            Command::TransferOwnership(it) => self.transfer(it.to),
            Command::Join(it) => self.join(it),
            Command::Leave(_) => self.leave(),
            Command::Visit(it) => self.visit(it),
            Command::Invite(it) => self.invite(it),
            Command::RevokeInvite(it) => self.revoke(it.user),
            Command::DeclineInvite(_) => self.decline(),
            Command::Kick(it) => self.kick(it),
            Command::Ban(it) => self.ban(it),
            Command::Unban(it) => self.unban(it.user),
            Command::Mute(it) => self.mute(it),
            Command::Unmute(it) => self.unmute(it.user),
            Command::SetRole(it) => self.set_role(it),
            Command::SetNickname(it) => self.set_nickname(it),
            Command::Post(it) => self.post(it),
            Command::Edit(it) => self.edit(it),
            Command::Delete(it) => self.delete(it.message),
            Command::React(it) => self.react(it.message, &it.reaction),
            Command::Unreact(it) => self.unreact(it.message, &it.reaction),
            Command::Pin(it) => self.pin(it.message),
            Command::Unpin(it) => self.unpin(it.message),
            Command::MarkRead(it) => self.mark_read(it.idx),
            Command::Typing(it) => {
                self.may(Permission::Type)?;
                Ok(Verdict::Signal(Signal::Typing { on: it.on }))
            }
        }
    }

    fn trim(&self, from: Seq) -> Ruled {
        if self.actor.id == UserId::HOUSE {
            if self.past.deleted() {
                return Err(Rejection::RoomNotFound);
            }
        } else {
            self.may(Permission::UpdateRoom)?;
        }
        if from > self.past.head().next() {
            return Err(bad(Field::From));
        }
        self.unless(from <= self.past.kept_from(), RoomTrimmed { from })
    }

    /// The fact, unless it is one already.
    pub(super) fn unless(&self, already: bool, event: impl Into<Event>) -> Ruled {
        if already {
            Ok(Verdict::Already(self.past.head()))
        } else {
            fact(event)
        }
    }

    pub(super) fn member(&self) -> Result<Seq, Rejection> {
        self.past.since(self.actor.id).ok_or(Rejection::NotAMember)
    }

    pub(super) fn outranks(&self, role: Role, user: UserId) -> Result<(), Rejection> {
        if self.rank(user) < role.rank() {
            Ok(())
        } else {
            Err(Rejection::Outranked)
        }
    }

    fn may_give(&self, giver: Role, role: Role) -> Result<(), Rejection> {
        if role == Role::Owner {
            return Err(bad(Field::Role));
        }
        if role >= giver {
            return Err(Rejection::Outranked);
        }
        let mut all = Permission::ALL.iter().copied();
        match all.find(|it| self.holds(role, *it) && !self.holds(giver, *it)) {
            Some(permission) => Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::NotHeld,
            }),
            None => Ok(()),
        }
    }

    pub(super) fn living(&self, message: Seq) -> Result<Message, Rejection> {
        let found = self.past.message(message).filter(|_| self.reads(message));
        let found = found.ok_or(Rejection::MessageNotFound)?;
        if found.deleted.is_some() {
            Err(Rejection::MessageDeleted)
        } else {
            Ok(found)
        }
    }

    fn update(&self, it: &UpdateRoom) -> Ruled {
        let role = self.may(Permission::UpdateRoom)?;
        let limits = &self.oracle.limits;
        making::settings(self.past.kind(), it.capacity, it.slow_mode_s, limits)?;
        let members = self.past.members().len() as u64;
        if it.capacity.is_some_and(|capacity| capacity < members) {
            return Err(bad(Field::Capacity));
        }
        if let Some(overrides) = &it.overrides {
            making::overrides(overrides, role)?;
            self.gives_what_he_holds(role, overrides)?;
        }
        let event = RoomUpdated {
            name: it.name.clone(),
            alias: it.alias.clone(),
            topic: it.topic.clone(),
            features: it.features,
            capacity: it.capacity,
            slow_mode_s: it.slow_mode_s,
            retention: it.retention,
            overrides: it.overrides.clone(),
        };
        self.unless(event == RoomUpdated::default(), event)
    }

    /// Nobody changes what his own rank or a higher one may do, nor gives what he doesn't hold.
    fn gives_what_he_holds(&self, giver: Role, after: &Overrides) -> Result<(), Rejection> {
        for role in Role::ALL {
            let said = after.get(&role).copied().unwrap_or_default();
            let has = |it: Permission| {
                let given = people::by_table(role, it) || said.allow.contains(it);
                given && !said.deny.contains(it)
            };
            let mut all = Permission::ALL.iter().copied();
            if role >= giver && all.clone().any(|it| has(it) != self.holds(role, it)) {
                return Err(Rejection::Outranked);
            }
            let gained = |it: &Permission| has(*it) && !self.holds(role, *it);
            if let Some(permission) = all.find(|it| gained(it) && !self.holds(giver, *it)) {
                return Err(Rejection::PermissionDenied {
                    permission,
                    rule: Rule::NotHeld,
                });
            }
        }
        Ok(())
    }

    fn set_access(&self, it: &SetAccess) -> Ruled {
        self.may(Permission::SetAccess)?;
        let access = it
            .access
            .as_ref()
            .map(|it| self.oracle.access(self.actor.id, it));
        let access = access.transpose()?;
        let event = AccessChanged {
            access,
            listed: it.listed,
            history: it.history,
        };
        self.unless(event == AccessChanged::default(), event)
    }

    fn set_grant(&self, it: &SetGrant) -> Ruled {
        let role = self.may(Permission::SetGrants)?;
        if it.group == self.room {
            return Err(bad(Field::Group));
        }
        let grants = self.past.grants();
        let held = grants.get(&it.group).copied();
        if held == it.role {
            return Ok(Verdict::Already(self.past.head()));
        }
        if held.is_some_and(|held| held >= role) {
            return Err(Rejection::Outranked);
        }
        if let Some(given) = it.role {
            if !self.oracle.in_group(it.group, self.actor.id) {
                return Err(bad(Field::Group));
            }
            self.may_give(role, given)?;
            let max = self.oracle.limits.grants_max;
            if held.is_none() && grants.len() >= max {
                return Err(too_many(Counted::Grants, max));
            }
        }
        fact(GrantChanged {
            group: it.group,
            role: it.role,
        })
    }

    fn transfer(&self, to: UserId) -> Ruled {
        let permission = Permission::TransferOwnership;
        self.may(permission)?;
        if to == self.past.owner() {
            return Ok(Verdict::Already(self.past.head()));
        }
        if to != UserId::HOUSE && self.past.since(to).is_none() {
            return Err(Rejection::UserNotFound);
        }
        if to.is_guest() {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            });
        }
        fact(OwnershipTransferred { to })
    }

    fn set_role(&self, it: &SetRole) -> Ruled {
        let permission = Permission::SetRoles;
        let role = self.may(permission)?;
        if self.past.since(it.user).is_none() {
            return Err(Rejection::UserNotFound);
        }
        self.outranks(role, it.user)?;
        self.may_give(role, it.role)?;
        if it.user.is_guest() && it.role != Role::Guest {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            });
        }
        let same = self.past.own_role(it.user) == Some(it.role);
        self.unless(
            same,
            RoleChanged {
                user: it.user,
                role: it.role,
            },
        )
    }

    fn set_nickname(&self, it: &SetNickname) -> Ruled {
        self.may(Permission::SetNickname)?;
        self.member()?;
        let nickname = it.nickname.clone();
        let same = self.past.nickname(self.actor.id) == nickname;
        self.unless(same, NicknameChanged { nickname })
    }
}
