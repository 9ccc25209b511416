//! Who is present by a role that is not his own, and what becomes of him when it goes.

use std::collections::BTreeSet;

use chat_core::{
    Access, Actor, Author, Effect, Facts, Inquiry, Judgement, Need, Permission, Record, RoomId,
    Timestamp, UserId,
};

use super::{Output, Recipients, Turn};
use crate::mail::Parcel;

/// What to do about somebody whose groups aren't known.
#[derive(Clone, Copy, Debug)]
enum Doubt {
    /// Ask for them.
    Ask,
    /// Send him away: he may come again.
    Expel,
}

/// Whether somebody may read.
enum Reads {
    Yes,
    No,
    /// It depends on this group.
    Depends(RoomId),
}

impl<R> Turn<R> {
    /// Follows a record of another worker's room, as far as it concerns the rooms of this one.
    pub fn hear(&mut self, record: &Record, now: Timestamp) {
        self.regrant(record, now);
    }

    /// Follows a record that is durable, in case its room is a group: judges again who leans on it.
    pub(super) fn regrant(&mut self, record: &Record, now: Timestamp) {
        let group = record.room;
        if self.has_missed(record) {
            return self.catch_up(group);
        }
        let known = self.engine.directory().position(group);
        if known.is_none_or(|at| at < record.seq) {
            // A creation that comes late would make the group as it was in the beginning.
            self.engine.directory_mut().hear(record);
        }
        let changed = record.effects().iter().find_map(|effect| match effect {
            Effect::Regrant(user) => Some(Some(user)),
            Effect::Close => Some(None),
            Effect::Broadcast
            | Effect::Attach(_)
            | Effect::Detach(_)
            | Effect::Notify(_)
            | Effect::Rejudge => None,
        });
        let Some(user) = changed else { return };
        self.outdate(group);
        if !self.engine.directory().knows(group) {
            return;
        }
        self.rejudge_leaning(group, user, now);
        if !self.held.is_empty() {
            self.changed.push((group, user));
        }
    }

    /// Whether something may have happened to a known group of which another node's hint never
    /// came. In one process all that concerns members comes in order.
    fn has_missed(&self, record: &Record) -> bool {
        let known = self.engine.directory().position(record.room);
        self.shared && known.is_some_and(|at| record.seq > at.next())
    }

    /// Takes in a group as it was loaded: it may have come further on other nodes since it was
    /// learned, and what follows is heard from there on.
    pub(super) fn relearn(&mut self, group: RoomId, now: Timestamp) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("group_jumped_over") {
            return;
        }
        let head = self.engine.room(group).map(|room| room.head_seq);
        let known = self.engine.directory().position(group);
        if known.is_none() || known >= head {
            return;
        }
        self.outdate(group);
        self.learn(group, None);
        self.rejudge_leaning(group, None, now);
        if !self.held.is_empty() {
            self.changed.push((group, None));
        }
    }

    /// Judges again who is present in rooms that lean on a group.
    pub(super) fn rejudge_leaning(&mut self, group: RoomId, only: Option<UserId>, now: Timestamp) {
        for room in self.leaning(group) {
            self.judge_present(room, only, Doubt::Ask, now);
        }
    }

    /// Sends those away who lean on a group that can't be known at the moment.
    pub(super) fn expel_leaning(&mut self, group: RoomId, now: Timestamp) {
        for room in self.leaning(group) {
            self.judge_present(room, None, Doubt::Expel, now);
        }
    }

    /// Judges again everybody who is present in a room without being a member.
    pub(super) fn rejudge(&mut self, room: RoomId, now: Timestamp) {
        self.judge_present(room, None, Doubt::Ask, now);
    }

    /// Forgets a group whose last records never came to be; those who are present by it wait for
    /// what it is instead.
    pub(super) fn forget_group(&mut self, group: RoomId) {
        if !self.engine.directory().knows(group) {
            return;
        }
        self.engine.directory_mut().forget(group);
        let is_heard = |room: &RoomId| {
            let slot = self.slots.get(room);
            slot.is_some_and(|slot| !slot.presence.is_empty())
        };
        if self.leaning(group).iter().any(is_heard) {
            self.ask_for_listeners(group);
        }
    }

    /// Forgets the groups that no loaded room leans on.
    pub(super) fn forget_unused_groups(&mut self) {
        let mut used: BTreeSet<RoomId> = BTreeSet::new();
        for room in self.engine.rooms() {
            used.extend(room.grants.keys());
            if let Access::Groups { groups } = &room.access {
                used.extend(groups);
            }
        }
        self.engine
            .directory_mut()
            .retain(|group| used.contains(&group));
        self.unmade.retain(|group| used.contains(group));
    }

    fn leaning(&self, group: RoomId) -> Vec<RoomId> {
        self.engine
            .rooms()
            .filter(|room| room.grants.contains_key(&group))
            .map(|room| room.id)
            .collect()
    }

    /// Expels those who are present without being members and may read no more: one user, or all.
    fn judge_present(&mut self, room: RoomId, only: Option<UserId>, doubt: Doubt, now: Timestamp) {
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return;
        };
        let leaning: Vec<Author> = slot
            .presence
            .users()
            .filter(|by| only.is_none_or(|user| user == by.id))
            .filter(|by| !state.members.contains_key(&by.id) && !slot.is_sent_away(by.id))
            .cloned()
            .collect();
        for by in leaning {
            match (self.reads(room, &by, now), doubt) {
                (Reads::Yes, _) => {}
                (Reads::Depends(group), Doubt::Ask) => self.ask_for_listeners(group),
                (Reads::No, _) | (Reads::Depends(_), Doubt::Expel) => self.expel(room, by.id),
            }
        }
    }

    fn expel(&mut self, room: RoomId, user: UserId) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let to = Recipients::Listeners(slot.presence.listeners());
        let step = slot.presence.remove(user);
        let parcel = Parcel::Expel { room, user };
        self.outputs.push_back(Output::Parcel { to, parcel });
        if let Some(step) = step {
            self.stepped_out(room, step, None);
        }
    }

    fn reads(&self, room: RoomId, by: &Author, now: Timestamp) -> Reads {
        let Some(name) = by.name.clone() else {
            return Reads::No;
        };
        let actor = Actor::new(by.id, name);
        let slot = self.slots.get(&room);
        let visiting = slot.is_some_and(|slot| slot.presence.is_visiting(by.id));
        let facts = Facts {
            visiting,
            ..Facts::default()
        };
        let inquiry = Inquiry {
            room,
            actor: &actor,
            at: now,
            facts: &facts,
            permission: Permission::Read,
        };
        match self.engine.judge(&inquiry) {
            Ok(Judgement::Granted(_)) => Reads::Yes,
            Ok(Judgement::Need(Need::Group(group))) => Reads::Depends(group),
            Ok(Judgement::Need(_)) | Err(_) => Reads::No,
        }
    }
}
