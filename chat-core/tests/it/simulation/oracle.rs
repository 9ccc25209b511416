//! A naive model of the rules: it keeps what was said and answers every question by reading all
//! of it again.

mod making;
mod membership;
mod messages;
mod past;
mod people;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use chat_core::event::{Author, Record};
use chat_core::{
    Access, Actor, Cid, Command, Event, History, Kind, Limits, Permission, Rejection, Role, RoomId,
    Rule, Seq, Timestamp, UserId, Via,
};

use self::past::Past;
pub(crate) use self::people::somebody;
use crate::check::shell::Answer;

/// What was said in all rooms, and what lies outside of them.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    pub(crate) rooms: BTreeMap<RoomId, Past>,
    pub(crate) blocks: BTreeSet<(UserId, UserId)>,
    pub(crate) visitors: BTreeSet<(RoomId, UserId)>,
    pub(crate) limits: Limits,
}

/// A wish in its room, at the moment that counts there.
pub(crate) struct Question<'a> {
    oracle: &'a Oracle,
    room: RoomId,
    past: &'a Past,
    actor: &'a Actor,
    /// The time of day, which may have been set back.
    now: Timestamp,
    /// The room's time.
    at: Timestamp,
}

/// What a rule says of a wish: a fact, or that there is none to be.
enum Verdict {
    Fact(Event),
    Already(Seq),
    Signal(chat_core::Signal),
}

type Ruled = Result<Verdict, Rejection>;

/// A role that counts, and the group it comes from.
type Standing = (Role, Option<Via>);

impl Oracle {
    /// What the engine and its shell have to answer.
    pub(crate) fn predict(
        &self,
        room: RoomId,
        actor: &Actor,
        at: Timestamp,
        cid: Option<&Cid>,
        command: &Command,
    ) -> Answer {
        if let Some(answer) = self.first_answer(room, actor.id, cid, command) {
            return answer;
        }
        let (room, at, ruled, via) = if command.creates() {
            match self.pair_room(actor, command) {
                Ok(Some(room)) => return Answer::Repeat(room, Seq::new(1)),
                Ok(None) => (room, at, self.create(actor, at, command), None),
                Err(rejection) => return Answer::Refused(rejection),
            }
        } else {
            let Some(past) = self.rooms.get(&room) else {
                return Answer::Refused(Rejection::RoomNotFound);
            };
            let (now, at) = (at, at.max(past.head_at()));
            let question = Question {
                oracle: self,
                room,
                past,
                actor,
                now,
                at,
            };
            let through = question.standing(actor.id).and_then(|(_, via)| via);
            // Entering and declining are no permissions: nothing is leant on.
            let entering = matches!(command, Command::Join(_) | Command::DeclineInvite(_));
            let leaving = matches!(command, Command::Leave(_));
            let via = through.filter(|_| !entering && !leaving);
            (room, at, question.rule(command), via)
        };
        let event = match ruled {
            Err(rejection) => return Answer::Refused(rejection),
            Ok(Verdict::Already(seq)) => return Answer::Repeat(room, seq),
            Ok(Verdict::Signal(signal)) => return Answer::Signal(signal),
            Ok(Verdict::Fact(event)) => event,
        };
        if self.alias_is_taken(room, command) {
            return Answer::NameTaken;
        }
        let past = self.rooms.get(&room);
        let nickname = past.and_then(|past| past.nickname(actor.id));
        Answer::Fact(Record {
            room,
            seq: past.map_or(Seq::new(1), |past| past.head().next()),
            at,
            by: Author {
                id: actor.id,
                name: Some(nickname.unwrap_or(actor.name.clone())),
            },
            via,
            cid: cid.cloned(),
            event,
        })
    }

    /// Notes what came of a wish.
    pub(crate) fn note(&mut self, record: Record, command: Command) {
        let (room, by) = (record.room, record.by.id);
        let gone = if let Event::Kicked(it) = &record.event {
            Some(it.user)
        } else if let Event::Banned(it) = &record.event {
            Some(it.user)
        } else {
            // A member is no visitor, nor is somebody who ceased to be one.
            matches!(record.event, Event::Joined(_) | Event::Left(_)).then_some(by)
        };
        let deleted = matches!(record.event, Event::RoomDeleted(_));
        self.visitors
            .retain(|(at, who)| *at != room || !(deleted || gone == Some(*who)));
        self.rooms
            .entry(record.room)
            .or_default()
            .0
            .push((record, command));
    }

    /// The answer to a cid that was used before: in this room, or, for a creation, in any.
    fn first_answer(
        &self,
        room: RoomId,
        user: UserId,
        cid: Option<&Cid>,
        command: &Command,
    ) -> Option<Answer> {
        let cid = cid?;
        let lines = self.rooms.values().flat_map(|past| &past.0);
        let mut used = lines.filter(|(record, _)| {
            let scope = if command.creates() {
                matches!(record.event, Event::RoomCreated(_))
            } else {
                record.room == room
            };
            scope && record.by.id == user && record.cid.as_ref() == Some(cid)
        });
        let (record, first) = used.next()?;
        assert!(used.next().is_none(), "a cid had two effects");
        Some(if people::same_wish(first, command) {
            Answer::Repeat(record.room, record.seq)
        } else {
            Answer::Refused(Rejection::CidConflict)
        })
    }

    fn alias_is_taken(&self, room: RoomId, command: &Command) -> bool {
        let wished = if let Command::CreateRoom(it) = command {
            it.alias.as_ref()
        } else if let Command::UpdateRoom(it) = command {
            it.alias.as_ref()
        } else {
            None
        };
        let Some(wished) = wished.map(|alias| alias.as_str().to_lowercase()) else {
            return false;
        };
        let mut others = self
            .rooms
            .iter()
            .filter(|(id, past)| **id != room && !past.deleted());
        others.any(|(_, past)| past.alias() == Some(wished.clone()))
    }

    /// Whether somebody is in a group at this moment. Channels and deleted groups are none.
    fn in_group(&self, group: RoomId, user: UserId) -> bool {
        self.rooms.get(&group).is_some_and(|past| {
            past.kind() == Kind::Group && !past.deleted() && past.since(user).is_some()
        })
    }

    /// Whether somebody may only read.
    pub(crate) fn is_muted(&self, room: RoomId, user: UserId, at: Timestamp) -> bool {
        self.rooms
            .get(&room)
            .is_some_and(|past| past.mute(user, at).is_some())
    }

    /// Whether the room gives a role to this group.
    pub(crate) fn grants_to(&self, room: RoomId, group: RoomId) -> bool {
        self.rooms
            .get(&room)
            .is_some_and(|past| past.grants().contains_key(&group))
    }

    /// Whether somebody could hear what is said in a room at this moment.
    pub(crate) fn hears(&self, room: RoomId, user: UserId, at: Timestamp) -> bool {
        let actor = somebody(user);
        self.rooms.get(&room).is_some_and(|past| {
            let (now, at) = (at, at.max(past.head_at()));
            Question {
                oracle: self,
                room,
                past,
                actor: &actor,
                now,
                at,
            }
            .may(Permission::Read)
            .is_ok()
        })
    }
}

impl Question<'_> {
    /// The higher of what somebody is himself and what groups give him.
    fn standing(&self, user: UserId) -> Option<Standing> {
        let visiting = user == self.actor.id
            && user.is_guest()
            && self.oracle.visitors.contains(&(self.room, user));
        let own = self.past.own_role(user).or(visiting.then_some(Role::Guest));
        let mut best: Option<Standing> = own.map(|role| (role, None));
        for (group, role) in self.past.grants() {
            let higher = best.is_none_or(|(held, _)| held < role);
            if higher && self.oracle.in_group(group, user) {
                best = Some((role, Some(Via { group, role })));
            }
        }
        best
    }

    /// Who walks the chain of rules: suspended? banned? role? table and overrides? muted?
    /// archived? switched off?
    fn may(&self, permission: Permission) -> Result<Role, Rejection> {
        let (past, user) = (self.past, self.actor.id);
        if self.actor.suspended {
            return Err(Rejection::Suspended);
        }
        if past.deleted() {
            return Err(Rejection::RoomNotFound);
        }
        if let Some(until) = past.ban(user, self.at) {
            return Err(self.hidden(Rejection::Banned { until }));
        }
        let Some((role, _)) = self.standing(user) else {
            return Err(self.outsider());
        };
        if !self.holds(role, permission) {
            let rule = if people::by_table(role, permission) {
                Rule::Override
            } else {
                Rule::Table
            };
            return Err(Rejection::PermissionDenied { permission, rule });
        }
        let reads = matches!(permission, Permission::Read | Permission::ListMembers);
        if let (Some(until), false) = (past.mute(user, self.at), reads) {
            return Err(Rejection::Muted { until });
        }
        let keeps = matches!(permission, Permission::Archive | Permission::DeleteRoom);
        if past.archived() && !reads && !keeps {
            return Err(Rejection::Archived);
        }
        let features = past.features();
        let off = (permission == Permission::Type && !features.typing)
            || (permission == Permission::React && !features.reactions)
            || (permission == Permission::EditOwn && !features.edits);
        if off {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Feature,
            });
        }
        Ok(role)
    }

    /// What a role may do in this room.
    fn holds(&self, role: Role, permission: Permission) -> bool {
        let said = self
            .past
            .overrides()
            .get(&role)
            .copied()
            .unwrap_or_default();
        let given = people::by_table(role, permission) || said.allow.contains(permission);
        given && !said.deny.contains(permission)
    }

    fn rank(&self, user: UserId) -> u8 {
        self.standing(user).map_or(0, |(role, _)| role.rank())
    }

    /// What somebody without a role hears: existence is not leaked.
    fn outsider(&self) -> Rejection {
        let user = self.actor.id;
        let invited = self.past.invite(user, self.at).is_some();
        if self.past.listed() || invited || self.entering_group().is_some() {
            Rejection::NotAMember
        } else {
            Rejection::RoomNotFound
        }
    }

    fn hidden(&self, rejection: Rejection) -> Rejection {
        if self.past.listed() {
            rejection
        } else {
            Rejection::RoomNotFound
        }
    }

    fn entering_group(&self) -> Option<RoomId> {
        let Access::Groups { groups } = self.past.access() else {
            return None;
        };
        groups
            .into_iter()
            .find(|group| self.oracle.in_group(*group, self.actor.id))
    }

    /// Whether a member may read what was said at a position.
    fn reads(&self, seq: Seq) -> bool {
        let user = self.actor.id;
        let may = self.past.history() == History::All
            || self.past.own_role(user) == Some(Role::Owner)
            || self.past.since(user).is_some_and(|since| since <= seq);
        may && seq >= self.past.kept_from()
    }
}
