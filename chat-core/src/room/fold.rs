//! How a fact changes a room.

use alloc::vec::Vec;

use super::{Head, Lifecycle, Member, Room};
use crate::event::{AccessChanged, Banned, Event, Invited, Joined, Posted, Record, RoomUpdated};
use crate::id::{Seq, Timestamp, UserId};
use crate::policy::Role;

impl Room {
    /// The room that a log's first record founds; none if the record is no such one.
    #[must_use]
    pub fn founded(record: &Record) -> Option<Self> {
        let Event::RoomCreated(it) = &record.event else {
            return None;
        };
        let mut room = Self::new(record.room, record.by.id, record.at, it);
        room.evolve(record);
        Some(room)
    }

    /// Folds a log, from its first record, into the room that it made; none if the log is empty or
    /// has a hole.
    #[must_use]
    pub fn replayed<'a>(log: impl IntoIterator<Item = &'a Record>) -> Option<Self> {
        let mut log = log.into_iter();
        let mut room = Self::founded(log.next()?)?;
        for record in log {
            room.follow(record)?;
        }
        Some(room)
    }

    /// Applies the next record of this room's log; none, and no change, if it is not the next.
    pub fn follow(&mut self, record: &Record) -> Option<()> {
        (record.room == self.id && record.seq == self.head_seq.next()).then(|| self.evolve(record))
    }

    /// Applies the next record of this room's log.
    pub(crate) fn evolve(&mut self, record: &Record) {
        let (seq, by) = (record.seq, record.by.id);
        match &record.event {
            Event::RoomCreated(_) => {}
            Event::RoomUpdated(it) => self.update(it),
            Event::AccessChanged(it) => self.change_access(seq, it),
            Event::GrantChanged(it) => match it.role {
                Some(role) => drop(self.grants.insert(it.group, role)),
                None => drop(self.grants.remove(&it.group)),
            },
            Event::RoomArchived(_) => self.lifecycle = Lifecycle::Archived,
            Event::RoomUnarchived(_) => self.lifecycle = Lifecycle::Active,
            Event::RoomTrimmed(it) => {
                self.kept_from = it.from;
                self.pins.retain(|pin| *pin >= it.from);
            }
            Event::RoomDeleted(_) => self.lifecycle = Lifecycle::Deleted,
            Event::OwnershipTransferred(it) => self.transfer(it.to),
            Event::Joined(it) => self.join(seq, by, it),
            Event::Left(_) => self.remove(by),
            Event::Invited(it) => self.invite(record.at, it),
            Event::InviteRevoked(it) => drop(self.invites.remove(&it.user)),
            Event::InviteDeclined(_) => drop(self.invites.remove(&by)),
            Event::Kicked(it) => self.remove(it.user),
            Event::Banned(it) => self.keep_out(record.at, it),
            Event::Unbanned(it) => drop(self.bans.remove(&it.user)),
            Event::Muted(it) => {
                self.mutes.retain(|_, until| record.at < *until);
                self.mutes.insert(it.user, it.until);
            }
            Event::Unmuted(it) => drop(self.mutes.remove(&it.user)),
            Event::RoleChanged(it) => {
                if let Some(member) = self.members.get_mut(&it.user) {
                    member.role = it.role;
                }
            }
            Event::NicknameChanged(it) => {
                if let Some(member) = self.members.get_mut(&by) {
                    member.nickname.clone_from(&it.nickname);
                }
            }
            Event::Posted(it) => self.post(record, it),
            Event::Edited(it) => self.heads.change(seq, it.message, |_| {}),
            Event::Deleted(it) => {
                self.pins.retain(|pin| *pin != it.message);
                self.heads.change(seq, it.message, |head| {
                    head.deleted = Some(seq);
                    head.reactions.clear();
                });
            }
            Event::Reacted(it) => {
                self.heads.change(seq, it.message, |head| {
                    head.set_reaction(&it.reaction, by, true)
                });
            }
            Event::Unreacted(it) => {
                self.heads.change(seq, it.message, |head| {
                    head.set_reaction(&it.reaction, by, false)
                });
            }
            Event::Pinned(it) => self.pins.push(it.message),
            Event::Unpinned(it) => self.pins.retain(|pin| *pin != it.message),
        }
        if let Some(cid) = &record.cid {
            self.cids.remember(by, cid.clone(), seq, record.at);
        }
        if record.event.changes_room() {
            self.updated_at = record.at;
        }
        self.head_seq = seq;
        self.head_at = record.at;
    }

    fn update(&mut self, it: &RoomUpdated) {
        if it.name.is_some() {
            self.name.clone_from(&it.name);
        }
        if it.alias.is_some() {
            self.alias.clone_from(&it.alias);
        }
        if let Some(topic) = &it.topic {
            self.topic = Some(topic.clone()).filter(|topic| !topic.is_blank());
        }
        self.features = it.features.unwrap_or(self.features);
        self.capacity = it.capacity.or(self.capacity);
        self.slow_mode_s = it.slow_mode_s.unwrap_or(self.slow_mode_s);
        self.retention = it.retention.unwrap_or(self.retention);
        if let Some(overrides) = &it.overrides {
            self.overrides.clone_from(overrides);
        }
    }

    fn change_access(&mut self, seq: Seq, it: &AccessChanged) {
        if let Some(access) = &it.access {
            self.access = access.clone();
            self.access_version = seq;
        }
        self.listed = it.listed.unwrap_or(self.listed);
        self.history = it.history.unwrap_or(self.history);
    }

    fn transfer(&mut self, to: UserId) {
        // Whoever gives the room away stays as an admin, whatever he was before he owned it.
        for user in [self.owner, to] {
            if let Some(member) = self.members.get_mut(&user) {
                member.role = Role::Admin;
            }
        }
        self.owner = to;
    }

    fn join(&mut self, seq: Seq, user: UserId, it: &Joined) {
        self.invites.remove(&user);
        self.members.insert(
            user,
            Member {
                role: it.role,
                since: seq,
                nickname: None,
            },
        );
    }

    fn invite(&mut self, at: Timestamp, it: &Invited) {
        self.invites
            .retain(|_, until| until.is_none_or(|until| at < until));
        self.invites.insert(it.user, it.until);
    }

    fn keep_out(&mut self, at: Timestamp, it: &Banned) {
        self.remove(it.user);
        self.invites.remove(&it.user);
        self.bans
            .retain(|_, until| until.is_none_or(|until| at < until));
        self.bans.insert(it.user, it.until);
    }

    fn remove(&mut self, user: UserId) {
        self.members.remove(&user);
    }

    fn post(&mut self, record: &Record, it: &Posted) {
        self.head_idx = it.idx;
        self.posters.note(record.by.id, record.at);
        let head = Head {
            author: record.by.id,
            at: record.at,
            thread: it.thread,
            deleted: None,
            reactions: alloc::collections::BTreeMap::new(),
        };
        self.heads.insert(record.seq, head);
    }

    /// The reasons for which this state can't be: empty in every state that a log can lead to.
    #[doc(hidden)]
    #[must_use]
    pub fn broken_invariants(&self) -> Vec<&'static str> {
        let mut broken = Vec::new();
        let mut must = |holds: bool, words: &'static str| {
            if !holds {
                broken.push(words);
            }
        };
        must(self.owner.may_own(), "a guest owns the room");
        must(
            self.head_idx.number() <= self.head_seq.number(),
            "more messages than records",
        );
        must(
            self.members
                .keys()
                .all(|user| !self.is_banned(*user, self.head_at)),
            "somebody is both joined and banned",
        );
        must(
            self.members
                .values()
                .all(|member| member.role < Role::Owner),
            "a membership carries the owner's role",
        );
        let members = self.members.len() as u64;
        must(
            self.capacity.is_none_or(|capacity| members <= capacity),
            "more members than places",
        );
        must(
            self.members
                .keys()
                .all(|user| !self.invites.contains_key(user)),
            "a member is still invited",
        );
        if self.kind == crate::event::Kind::Direct {
            must(self.members.len() == 2, "a direct room without two members");
        }
        broken
    }
}
