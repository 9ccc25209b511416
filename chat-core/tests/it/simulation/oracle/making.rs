//! The rules of making rooms.

use std::collections::BTreeMap;

use chat_core::commands::{CreateRoom, Entry, OpenDirect, Preset};
use chat_core::event::RoomCreated;
use chat_core::{
    Access, Actor, Command, Counted, Event, Features, Field, History, Kind, Limits, Override,
    Overrides, Permission, Permissions, Rejection, Retention, Role, RoomId, Rule, Timestamp,
    UserId,
};

use super::rules::{bad, fact, too_many};
use super::{Oracle, Ruled, people};
use crate::check::shell::hash_of;

pub(super) fn members_max(kind: Kind, limits: &Limits) -> u64 {
    match kind {
        Kind::Channel => limits.channel_members_max,
        Kind::Group => limits.group_members_max,
        Kind::Direct => 2,
    }
}

pub(super) fn settings(
    kind: Kind,
    capacity: Option<u64>,
    slow_mode_s: Option<u64>,
    limits: &Limits,
) -> Result<(), Rejection> {
    let max = members_max(kind, limits);
    if capacity == Some(0) {
        return Err(bad(Field::Capacity));
    }
    if capacity.is_some_and(|capacity| capacity > max) {
        return Err(Rejection::TooLarge {
            field: Field::Capacity,
            max,
        });
    }
    let max = limits.slow_mode_s_max;
    if slow_mode_s.is_some_and(|seconds| seconds > max) {
        return Err(Rejection::TooLarge {
            field: Field::SlowMode,
            max,
        });
    }
    Ok(())
}

/// Nobody overrides his own rank or a higher one, nor what can't be overridden.
pub(super) fn overrides(overrides: &Overrides, giver: Role) -> Result<(), Rejection> {
    for (role, said) in overrides {
        if *role >= giver {
            return Err(Rejection::Outranked);
        }
        let named = |it: &Permission| said.allow.contains(*it) || said.deny.contains(*it);
        let mut all = Permission::ALL.iter();
        if all.any(|it| named(it) && !people::may_be_overridden(*it)) {
            return Err(bad(Field::Overrides));
        }
    }
    Ok(())
}

impl Oracle {
    /// The direct room that a pair has already, if it is what is wished and may be opened.
    pub(super) fn pair_room(
        &self,
        actor: &Actor,
        command: &Command,
    ) -> Result<Option<RoomId>, Rejection> {
        let Command::OpenDirect(it) = command else {
            return Ok(None);
        };
        let permission = Permission::Post;
        if actor.suspended {
            return Err(Rejection::Suspended);
        }
        if actor.id.is_guest() || it.user.is_guest() {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            });
        }
        if it.user == actor.id || it.user == UserId::HOUSE {
            return Err(bad(Field::User));
        }
        if self.blocks.contains(&(it.user, actor.id)) {
            return Err(Rejection::Blocked);
        }
        let pair = Some(sorted(actor.id, it.user));
        Ok(self
            .rooms
            .iter()
            .find(|(_, past)| past.pair() == pair)
            .map(|(room, _)| *room))
    }

    pub(super) fn create(&self, actor: &Actor, at: Timestamp, command: &Command) -> Ruled {
        if let Command::OpenDirect(it) = command {
            return fact(direct(actor.id, it));
        }
        let Command::CreateRoom(it) = command else {
            unreachable!("not a creation")
        };
        if actor.suspended {
            return Err(Rejection::Suspended);
        }
        let group = it.preset == Some(Preset::PrivateGroup);
        let kind = it
            .kind
            .unwrap_or(if group { Kind::Group } else { Kind::Channel });
        if kind == Kind::Direct {
            return Err(bad(Field::Kind));
        }
        if it.preset == Some(Preset::PasswordChannel) && it.access.is_none() {
            return Err(bad(Field::Password));
        }
        settings(kind, it.capacity, it.slow_mode_s, &self.limits)?;
        overrides(
            it.overrides.as_ref().unwrap_or(&BTreeMap::new()),
            Role::Owner,
        )?;
        let access = it
            .access
            .as_ref()
            .map(|it| self.access(actor.id, it))
            .transpose()?;
        self.may_make_one_more(actor.id, at)?;
        if it.join {
            self.may_join_one_more(actor.id)?;
        }
        fact(self.made(actor.id, kind, access, it))
    }

    fn made(&self, by: UserId, kind: Kind, access: Option<Access>, it: &CreateRoom) -> RoomCreated {
        let private = it.preset == Some(Preset::PrivateGroup);
        let quiet = it.preset == Some(Preset::Livestream);
        let features = Features {
            typing: !quiet,
            receipts: !quiet,
            ..Features::default()
        };
        let closed = if private {
            Access::Invite
        } else {
            Access::Open
        };
        let history = if private {
            History::SinceJoin
        } else {
            History::All
        };
        let announced = it.preset == Some(Preset::Announcement);
        let said = if announced {
            announcement()
        } else {
            Overrides::new()
        };
        RoomCreated {
            kind,
            name: Some(it.name.clone()),
            alias: it.alias.clone(),
            topic: it.topic.clone(),
            access: access.unwrap_or(closed),
            listed: it.listed.unwrap_or(!private),
            history: it.history.unwrap_or(history),
            features: it.features.unwrap_or(features),
            capacity: it.capacity,
            slow_mode_s: it.slow_mode_s.unwrap_or(0),
            retention: it.retention.unwrap_or_default(),
            overrides: it.overrides.clone().unwrap_or(said),
            owner: if by.is_guest() { UserId::HOUSE } else { by },
            joined: it.join,
            pair: None,
        }
    }

    /// The access that is wished, for somebody who is in all the groups it names.
    pub(super) fn access(&self, user: UserId, entry: &Entry) -> Result<Access, Rejection> {
        match entry {
            Entry::Open => Ok(Access::Open),
            Entry::Invite => Ok(Access::Invite),
            Entry::Password { password } if password.expose().is_empty() => {
                Err(bad(Field::Password))
            }
            Entry::Password { password } => Ok(Access::Password {
                hash: hash_of(password),
            }),
            Entry::Groups { groups } => {
                let max = self.limits.grants_max;
                if groups.len() > max {
                    return Err(too_many(Counted::Grants, max));
                }
                let all = groups.iter().all(|group| self.in_group(*group, user));
                if groups.is_empty() || !all {
                    return Err(bad(Field::Group));
                }
                Ok(Access::Groups {
                    groups: groups.clone(),
                })
            }
        }
    }

    fn may_make_one_more(&self, user: UserId, at: Timestamp) -> Result<(), Rejection> {
        let firsts = self.rooms.values().filter_map(|past| past.records().next());
        let made = firsts.filter(|it| it.by.id == user && at.ms_since(it.at) < 86_400_000);
        let max = self.limits.rooms_created_a_day_max;
        if made.count() as u64 >= max {
            return Err(Rejection::TooMany {
                what: Counted::RoomsCreated,
                max,
            });
        }
        Ok(())
    }

    pub(super) fn may_join_one_more(&self, user: UserId) -> Result<(), Rejection> {
        let live = self.rooms.values().filter(|past| !past.deleted());
        let max = self.limits.rooms_joined_max;
        if live.filter(|past| past.since(user).is_some()).count() as u64 >= max {
            return Err(Rejection::TooMany {
                what: Counted::RoomsJoined,
                max,
            });
        }
        Ok(())
    }
}

fn direct(by: UserId, it: &OpenDirect) -> Event {
    RoomCreated {
        kind: Kind::Direct,
        name: None,
        alias: None,
        topic: None,
        access: Access::Invite,
        listed: false,
        history: History::All,
        features: Features::default(),
        capacity: None,
        slow_mode_s: 0,
        retention: Retention::default(),
        overrides: Overrides::new(),
        owner: UserId::HOUSE,
        joined: false,
        pair: Some(sorted(by, it.user)),
    }
    .into()
}

fn announcement() -> Overrides {
    let deny = Permissions::NONE
        .with(Permission::Post)
        .with(Permission::Invite);
    let quiet = Override {
        allow: Permissions::NONE,
        deny,
    };
    [(Role::Member, quiet), (Role::Guest, quiet)].into()
}

fn sorted(one: UserId, other: UserId) -> [UserId; 2] {
    if one < other {
        [one, other]
    } else {
        [other, one]
    }
}
