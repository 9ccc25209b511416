//! The one function that says who may do what, and the chain of rules that it walks.

use alloc::vec::Vec;
use core::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::event::{Access, Via};
use crate::id::{Seq, Timestamp, UserId};
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::{Permission, Role, Rule};
use crate::rejection::{Counted, Field, Rejection};
use crate::request::{Actor, Facts, Need, Stop};
use crate::room::{Head, Lifecycle, Member, Room};

/// The role that counts: the higher of what somebody is himself and what groups give him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Effective {
    /// The role.
    pub role: Role,
    /// The grant it comes from, if it isn't his own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// One rule of the chain, and whether the question passed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The rule.
    pub rule: Rule,
    /// Whether it let the question pass.
    pub passed: bool,
}

/// Who listens while the chain is walked: nobody when a command is decided, a list when somebody
/// asks why.
pub(crate) trait Trace {
    fn step(&mut self, rule: Rule, passed: bool);
}

impl Trace for () {
    fn step(&mut self, _: Rule, _: bool) {}
}

impl Trace for Vec<Step> {
    fn step(&mut self, rule: Rule, passed: bool) {
        self.push(Step { rule, passed });
    }
}

/// Everything that a rule may look at.
pub(crate) struct Case<'a> {
    pub(crate) room: &'a Room,
    pub(crate) directory: &'a Directory,
    pub(crate) limits: &'a Limits,
    pub(crate) actor: &'a Actor,
    /// The actor's membership. Every rule asks for it, and in a large room it is far away.
    pub(crate) member: Option<&'a Member>,
    /// The room's time, which never goes back.
    pub(crate) at: Timestamp,
    /// The time of day, which may have been set back.
    pub(crate) now: Timestamp,
    pub(crate) facts: &'a Facts,
    /// The grant that the answer leaned on, for the record.
    pub(crate) via: Cell<Option<Via>>,
}

impl Case<'_> {
    /// What the actor is called in this room.
    pub(crate) fn actor_name(&self) -> &Name {
        let nickname = self.member.and_then(|member| member.nickname.as_ref());
        nickname.unwrap_or(&self.actor.name)
    }

    /// The actor's role if it allows this, else the reason why not.
    pub(crate) fn may(&self, permission: Permission) -> Result<Effective, Stop> {
        self.walk(permission, &mut ())
    }

    /// Walks the chain. The order of the rules is part of the promise: it decides which reason
    /// somebody hears.
    pub(crate) fn walk(
        &self,
        permission: Permission,
        trace: &mut impl Trace,
    ) -> Result<Effective, Stop> {
        let mut pass = |rule, holds: bool, otherwise: Rejection| {
            trace.step(rule, holds);
            if holds {
                Ok(())
            } else {
                Err(Stop::Refuse(otherwise))
            }
        };
        let denied = |rule| Rejection::PermissionDenied { permission, rule };

        pass(Rule::Suspended, !self.actor.suspended, Rejection::Suspended)?;
        if self.room.lifecycle == Lifecycle::Deleted {
            pass(Rule::Lifecycle, false, Rejection::RoomNotFound)?;
        }
        let ban = self.room.ban(self.actor.id, self.at);
        pass(
            Rule::Banned,
            ban.is_none(),
            self.to_outsider(Rejection::Banned {
                until: ban.flatten(),
            }),
        )?;
        let effective = self.effective(self.actor.id)?;
        let unknown = if effective.is_none() {
            self.not_a_member()?
        } else {
            Rejection::NotAMember
        };
        pass(Rule::Role, effective.is_some(), unknown)?;
        let effective = effective.ok_or(Rejection::NotAMember)?;

        let by_table = effective.role.permissions().contains(permission);
        let by_room = self.room.permissions(effective.role).contains(permission);
        if by_table == by_room {
            pass(Rule::Table, by_room, denied(Rule::Table))?;
        } else {
            pass(Rule::Override, by_room, denied(Rule::Override))?;
        }
        let mute = self
            .room
            .mute(self.actor.id, self.at)
            .filter(|_| !permission.survives_mute());
        pass(
            Rule::Muted,
            mute.is_none(),
            Rejection::Muted {
                until: mute.unwrap_or_default(),
            },
        )?;
        let open = self.room.lifecycle == Lifecycle::Active || permission.survives_archive();
        pass(Rule::Lifecycle, open, Rejection::Archived)?;
        pass(
            Rule::Feature,
            self.has_feature_for(permission),
            denied(Rule::Feature),
        )?;
        self.via.set(effective.via);
        Ok(effective)
    }

    /// The role that counts for this user: his own, the visitor's, or the best that a group gives.
    pub(crate) fn effective(&self, user: UserId) -> Result<Option<Effective>, Stop> {
        let own = if user == self.actor.id {
            let visiting = user.is_guest() && self.facts.visiting;
            let own = self.room.role_of(user, self.member);
            own.or(visiting.then_some(Role::Guest))
        } else {
            self.room.own_role(user)
        };
        let mut best = own.map(|role| Effective { role, via: None });
        for (&group, &role) in &self.room.grants {
            if !self.directory.knows(group) {
                return Err(Need::Group(group).into());
            }
            let better = best.is_none_or(|best| best.role < role);
            if better && self.directory.is_member(group, user) {
                best = Some(Effective {
                    role,
                    via: Some(Via { group, role }),
                });
            }
        }
        Ok(best)
    }

    /// Refuses to act on an equal or a higher rank.
    pub(crate) fn outranks(&self, actor: Effective, user: UserId) -> Result<(), Stop> {
        let target = self
            .effective(user)?
            .map_or(0, |effective| effective.role.rank());
        if actor.role.rank() > target {
            Ok(())
        } else {
            Err(Rejection::Outranked.into())
        }
    }

    /// Refuses to give a role that has what the giver hasn't, or his own rank or more.
    pub(crate) fn may_give(&self, actor: Effective, role: Role) -> Result<(), Stop> {
        if role == Role::Owner {
            return Err(Rejection::bad(Field::Role).into());
        }
        if role.rank() >= actor.role.rank() {
            return Err(Rejection::Outranked.into());
        }
        let held = self.room.permissions(actor.role);
        match self.room.permissions(role).without(held).iter().next() {
            Some(permission) => Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::NotHeld,
            }
            .into()),
            None => Ok(()),
        }
    }

    /// Refuses whatever a suspended account wishes.
    pub(crate) fn in_good_standing(&self) -> Result<(), Stop> {
        if self.actor.suspended {
            Err(Rejection::Suspended.into())
        } else {
            Ok(())
        }
    }

    /// Refuses whatever concerns a room that is deleted.
    pub(crate) fn exists(&self) -> Result<(), Stop> {
        match self.room.lifecycle {
            Lifecycle::Active | Lifecycle::Archived => Ok(()),
            Lifecycle::Deleted => Err(Rejection::RoomNotFound.into()),
        }
    }

    /// What somebody hears who has no role here: that he is no member, or, where he may not even
    /// know of the room, that there is none.
    pub(crate) fn not_a_member(&self) -> Result<Rejection, Stop> {
        #[cfg(sabotage)]
        if crate::sabotage::planted("hidden_room_told") {
            return Ok(Rejection::NotAMember);
        }
        let known = self.room.listed
            || self.room.is_invited(self.actor.id, self.at)
            || self.entering_group()?.is_some();
        Ok(if known {
            Rejection::NotAMember
        } else {
            Rejection::RoomNotFound
        })
    }

    /// A group of the actor's that may enter the room by its access.
    pub(crate) fn entering_group(&self) -> Result<Option<crate::id::RoomId>, Stop> {
        let Access::Groups { groups } = &self.room.access else {
            return Ok(None);
        };
        for &group in groups {
            if !self.directory.knows(group) {
                return Err(Need::Group(group).into());
            }
            if self.directory.is_member(group, self.actor.id) {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    /// The refusal, or where the room is hidden from outsiders, that there is none.
    pub(crate) fn to_outsider(&self, rejection: Rejection) -> Rejection {
        if self.room.listed {
            rejection
        } else {
            Rejection::RoomNotFound
        }
    }

    /// The head of a message, from memory or from the facts; asks if neither has it.
    pub(crate) fn message(&self, message: Seq) -> Result<&Head, Stop> {
        if let Some(head) = self.room.head(message) {
            return Ok(head);
        }
        if message == Seq::default() || message > self.room.head_seq {
            return Err(Rejection::MessageNotFound.into());
        }
        match &self.facts.message {
            Some(fact)
                if fact.message == message && self.room.heads.is_fresh(message, fact.as_of) =>
            {
                fact.head
                    .as_ref()
                    .ok_or(Stop::Refuse(Rejection::MessageNotFound))
            }
            Some(_) | None => Err(Need::Message(message).into()),
        }
    }

    /// The head of a message that the actor may see and that was not deleted.
    pub(crate) fn living_message(&self, message: Seq) -> Result<&Head, Stop> {
        if message < self.room.readable_from(self.actor.id) {
            return Err(Rejection::MessageNotFound.into());
        }
        let head = self.message(message)?;
        if head.deleted.is_some() {
            Err(Rejection::MessageDeleted.into())
        } else {
            Ok(head)
        }
    }

    fn has_feature_for(&self, permission: Permission) -> bool {
        match permission {
            Permission::Type => self.room.features.typing,
            Permission::React => self.room.features.reactions,
            Permission::EditOwn => self.room.features.edits,
            Permission::Read
            | Permission::ListMembers
            | Permission::Post
            | Permission::DeleteOwn
            | Permission::SetNickname
            | Permission::Invite
            | Permission::MentionAll
            | Permission::Pin
            | Permission::DeleteAny
            | Permission::BypassSlowMode
            | Permission::Kick
            | Permission::Mute
            | Permission::Ban
            | Permission::UpdateRoom
            | Permission::SetAccess
            | Permission::SetRoles
            | Permission::SetGrants
            | Permission::Archive
            | Permission::DeleteRoom
            | Permission::TransferOwnership => true,
        }
    }
}

/// Refuses one more of something than there may be.
pub(crate) const fn at_most(what: Counted, count: u64, max: u64) -> Result<(), Rejection> {
    if count > max {
        Err(Rejection::TooMany { what, max })
    } else {
        Ok(())
    }
}

/// Refuses a text that is over its limit.
pub(crate) fn within(field: Field, length: usize, max: usize) -> Result<(), Rejection> {
    #[cfg(sabotage)]
    let max = max + usize::from(crate::sabotage::planted("limit_one_longer"));
    if length > max {
        Err(Rejection::TooLarge {
            field,
            max: max as u64,
        })
    } else {
        Ok(())
    }
}
