//! Whether what is known of a room is still in the store, which may have been replaced by an older copy.
//!
//! A position means a record within one continuation of the logs. Once the store is in another one,
//! nothing is appended to what was heard before, followed from it or told of it until the log is known
//! to go on from there. Where it doesn't, the room is loaded again, and whoever heard it comes again.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::{RoomId, Seq, Timestamp};

use super::asking::Pending;
use super::slot::Slot;
use super::{Ground, Output, Question, Recipients, Turn};
use crate::mail::Parcel;
use crate::store::Epoch;

impl<R> Slot<R> {
    /// Notes in which continuation of the logs its last record is. What was told in another one may
    /// be lost.
    pub(super) fn stand_in(&mut self, epoch: Epoch) {
        if self.epoch.as_ref() != Some(&epoch) {
            self.epoch = Some(epoch);
            self.ahead.forget_records();
        }
        self.ahead.is_astray = false;
    }
}

impl<R> Turn<R> {
    /// Notes in which continuation of the logs the store is: what was heard in another one may be
    /// lost. A store that nobody else writes to is in one alone.
    pub fn note_epoch(&mut self, epoch: &str) {
        if self.epoch.as_deref() == Some(epoch) {
            return;
        }
        self.epoch = Some(Arc::from(epoch));
        self.outdate_all(|_| true);
        let groups: Vec<RoomId> = self.engine.directory().groups().collect();
        for group in groups {
            self.forget_group(group);
        }
        self.ask_for_grounds();
    }

    /// Whether a room's last record is known to be in the store as it is.
    pub(super) fn is_grounded(&self, room: RoomId) -> bool {
        let slot = self.slots.get(&room);
        self.epoch.is_none() || slot.is_none_or(|slot| slot.epoch == self.epoch)
    }

    /// Asks of all rooms of which that isn't known, some at a time.
    pub(super) fn ask_for_grounds(&mut self) {
        let slots = self.slots.iter().filter(|(_, slot)| slot.is_ready());
        let heard = slots.filter_map(|(room, slot)| Some((*room, slot.heard?)));
        let doubtful = heard.filter(|(room, _)| !self.is_grounded(*room));
        let doubtful: BTreeMap<RoomId, Seq> = doubtful.collect();
        for (room, heard) in doubtful {
            self.ask_for_gap(room, heard);
        }
    }

    /// Lets a mail wait until that is known of its room.
    pub(super) fn ask_for_ground(&mut self, pending: Pending<R>) {
        let slot = self.slots.get(&pending.mail.room);
        let heard = slot.and_then(|slot| slot.heard).unwrap_or_default();
        self.pause_since(pending, heard);
    }

    /// Lets a mail wait for what its room's log has after a record.
    pub(super) fn pause_since(&mut self, pending: Pending<R>, after: Seq) {
        let question = self.since(pending.mail.room, after);
        self.pause(pending, question);
    }

    pub(super) fn since(&self, room: RoomId, after: Seq) -> Question {
        let epoch = match self.slots.get(&room) {
            Some(slot) => slot.epoch.clone(),
            // A group that is known by its members alone is forgotten with the continuation.
            None => self.epoch.clone(),
        };
        Question::Since { room, after, epoch }
    }

    /// Takes in what an answer stands on.
    pub(super) fn stand(&mut self, room: RoomId, ground: &Ground, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(&room).filter(|slot| slot.is_ready()) else {
            if !ground.holds {
                self.outdate(room);
                self.forget_group(room);
            }
            return;
        };
        if !ground.holds {
            slot.ahead.is_astray = true;
            self.advance(room, now);
        } else if slot.heard == ground.after {
            slot.stand_in(ground.epoch.clone());
        }
    }

    pub(super) fn is_astray(&self, room: RoomId) -> bool {
        let slot = self.slots.get(&room);
        slot.is_some_and(|slot| slot.ahead.is_astray)
    }

    /// Loads a room whose state is of a log that is lost.
    pub(super) fn load_again(&mut self, room: RoomId, now: Timestamp) {
        let mut again = std::collections::VecDeque::new();
        self.drop_room(room, false, &mut again);
        for mail in again {
            self.enter(mail, now);
        }
    }

    /// Ends the sessions that have heard of a room what its log hasn't any more: they come again, and
    /// are told what became of their positions.
    pub(super) fn take_back(&mut self, room: RoomId) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let to = Recipients::Listeners(slot.presence.listeners());
        slot.forget_people();
        let parcel = Parcel::TakenBack(room);
        self.outputs.push_back(Output::Parcel { to, parcel });
    }
}
