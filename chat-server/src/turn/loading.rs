//! Rooms that are loaded, or can't be, and what waits for that.

use std::sync::Arc;

use chat_core::{Record, Room, RoomId, Timestamp};

use super::asking::Asker;
use super::{Ground, Question, Turn, is_creation};
use crate::bus::Hint;
use crate::mail::Refused;

impl<R> Turn<R> {
    /// Asks for what a room has after the state that was kept of it.
    pub(super) fn ask_for_rest(&mut self, room: RoomId) {
        let heard = self.slots.get(&room).and_then(|slot| slot.heard);
        let question = self.since(room, heard.unwrap_or_default());
        self.ask(question, Asker::Slot(room, 1));
    }

    /// The state that was kept of a room, and what follows it; none if that isn't all.
    pub(super) fn followed(
        &mut self,
        room: RoomId,
        records: &[Arc<Record>],
        is_all: bool,
    ) -> Option<Room> {
        let mut state = *self.slots.get_mut(&room)?.take_before()?;
        let mut records = records.iter();
        let follows = is_all && records.all(|record| state.follow(record).is_some());
        follows.then_some(state)
    }

    /// Asks for a room, and for what those who hear it have not heard.
    pub(super) fn ask_for_room(&mut self, room: RoomId) {
        let question = self.load(room);
        self.ask(question, Asker::Slot(room, 1));
    }

    pub(super) fn load(&self, room: RoomId) -> Question {
        let slot = self.slots.get(&room);
        Question::Load {
            room,
            heard: slot.and_then(|slot| slot.heard),
            epoch: slot.and_then(|slot| slot.epoch.clone()),
        }
    }

    /// A room is loaded.
    pub(super) fn loaded(
        &mut self,
        room: Room,
        missed: Vec<Arc<Record>>,
        ground: Ground,
        now: Timestamp,
    ) {
        if !ground.holds {
            self.take_back(room.id);
        }
        let Some(slot) = self.slots.get_mut(&room.id) else {
            return;
        };
        slot.stand_in(ground.epoch);
        drop(slot.take_before());
        slot.used_at = now;
        let (id, head) = (room.id, room.head_seq);
        let told = !missed.is_empty();
        slot.missed = missed.into();
        let waiting = slot.ready(head);
        if slot.is_apart() {
            self.apart.insert(id);
        }
        self.engine.load(room);
        self.keep_nameless(id);
        self.ask_who_is_there(id);
        self.relearn(id, now);
        if told {
            // They may be this node's own, of which it never knew whether they are durable.
            self.publish(|| Hint::Head(id, head));
        }
        while let Some(record) = self.next_missed(id) {
            self.broadcast(&record, None, now);
        }
        self.advance(id, now);
        for mail in waiting {
            self.waiting = self.waiting.saturating_sub(1);
            self.judge_in_turn(mail, now);
        }
    }

    fn next_missed(&mut self, room: RoomId) -> Option<Arc<Record>> {
        self.slots.get_mut(&room)?.missed.pop_front()
    }

    /// There was no such room when the store was asked.
    pub(super) fn not_found(&mut self, room: RoomId, known: usize, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let count = slot.count_waiting();
        if count > known {
            // Another node may have made it before the later ones of these mails were sent.
            let question = self.load(room);
            return self.ask(question, Asker::Slot(room, count));
        }
        let waiting = slot.stall();
        self.take_back(room);
        self.vacate(room);
        for mail in waiting {
            self.waiting = self.waiting.saturating_sub(1);
            // Whoever guessed the number came before the room's maker.
            if is_creation(&mail) {
                self.enter(mail, now);
            } else {
                self.refuse_guess(mail);
            }
        }
    }

    /// A room can't be loaded at the moment.
    pub(super) fn load_failed(&mut self, room: RoomId, refused: &Refused) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        for mail in slot.stall() {
            self.waiting = self.waiting.saturating_sub(1);
            self.refuse(mail, refused.clone());
        }
        if self.slots.get(&room).is_some_and(|slot| !slot.owes()) {
            self.vacate(room);
        }
    }
}
