//! What other nodes have appended: hints of it come in any order, and are followed in the log's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chat_core::{Record, RoomId, Seq, Timestamp};
use chat_protocol::signal::What;

use super::asking::Pending;
use super::slot::Slot;
use super::{Output, Recipients, Turn};
use crate::bus::{Hint, is_for_all};
use crate::mail::{Delivery, Parcel, Reply};

/// What is known of a room's log beyond what was followed.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Records that came before one that precedes them.
    records: BTreeMap<Seq, Arc<Record>>,
    /// How far the log goes, as far as anybody has said.
    head: Seq,
    /// Whether what is missing is being read.
    asking: bool,
    /// Whether what was heard is known to be lost, so that the room has to be loaded again.
    pub(super) is_astray: bool,
}

/// What is being read of logs because it was missed: each gap once, and so many at a time.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Those that are read, and those that wait.
    known: BTreeSet<(RoomId, Seq)>,
    waiting: VecDeque<(RoomId, Seq)>,
}

/// Gaps that are read at a time: after a bus was down, all rooms may have one.
const GAPS_AT_ONCE: usize = 64;

/// Records that are kept of one room while one before them is missing; the rest is read.
const AHEAD_RECORDS_MAX: usize = 64;

/// Records for everybody of which it is remembered that they were passed on.
const PASSED_MAX: usize = 256;

impl Ahead {
    fn note(&mut self, heard: Option<Seq>, record: Arc<Record>) {
        self.head = self.head.max(record.seq);
        if heard.is_some_and(|heard| record.seq <= heard) {
            return;
        }
        self.records.insert(record.seq, record);
        if self.records.len() > AHEAD_RECORDS_MAX {
            // What is needed last is read again.
            self.records.pop_last();
        }
    }

    /// The record that follows what was heard, if it is known.
    fn next(&mut self, heard: Seq) -> Option<Arc<Record>> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("ignored_gap") {
            return self.records.pop_first().map(|(_, record)| record);
        }
        self.records = self.records.split_off(&heard.next());
        self.records.remove(&heard.next())
    }

    fn forget(&mut self, heard: Seq) {
        self.records.clear();
        self.head = heard;
    }

    /// Forgets what came too early: it is read again.
    pub(super) fn forget_records(&mut self) {
        self.records.clear();
    }
}

impl Gaps {
    /// Notes a gap; tells whether it is to be read at once.
    fn open(&mut self, gap: (RoomId, Seq)) -> bool {
        if !self.known.insert(gap) {
            return false;
        }
        let reads = self.known.len() - self.waiting.len() <= GAPS_AT_ONCE;
        #[cfg(sabotage)]
        let reads = reads || chat_core::sabotage::planted("gaps_read_all_at_once");
        if !reads {
            self.waiting.push_back(gap);
        }
        reads
    }

    /// Notes that a gap was read; gives the next one.
    fn close(&mut self, gap: (RoomId, Seq)) -> Option<(RoomId, Seq)> {
        self.known.remove(&gap);
        self.waiting.pop_front()
    }
}

impl<R> Turn<R> {
    /// Notes whether other nodes write to the same store: whether they are to be told anything.
    pub const fn share(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Takes in what another node tells. It may come late, twice, in any order, or never.
    pub fn hint(&mut self, hint: &Hint, now: Timestamp) {
        match hint {
            Hint::Appended(record) => {
                let room = record.room;
                match self.slots.get_mut(&room) {
                    #[cfg(sabotage)]
                    Some(slot)
                        if slot.heard >= Some(record.seq)
                            && chat_core::sabotage::planted("hint_heard_twice") =>
                    {
                        self.broadcast(record, None, now);
                    }
                    Some(slot) => {
                        slot.ahead.note(slot.heard, record.clone());
                        self.advance(room, now);
                    }
                    None if is_for_all(record) => self.pass_on(record, now),
                    None => {}
                }
            }
            Hint::Head(room, head) => self.reach(*room, *head, now),
            Hint::Passing(signal) => {
                if let What::Status { status, text } = &signal.what
                    && let Some(slot) = self.slots.get_mut(&signal.room)
                {
                    slot.presence.say(signal.by.id, (*status, text.clone()));
                }
                self.pass(signal.clone(), None);
            }
            Hint::Present(told) => self.attended(told),
            Hint::Ended { .. } | Hint::Erased(_) => {}
        }
    }

    /// Reads what is missing of a room's log, unless that is being done.
    pub(super) fn ask_for_gap(&mut self, room: RoomId, after: Seq) {
        if self.gaps.open((room, after)) {
            self.ask_since(room, after);
        }
    }

    /// A gap was read, whatever came of it.
    pub(super) fn end_gap(&mut self, room: RoomId, after: Seq) {
        if let Some((room, after)) = self.gaps.close((room, after)) {
            self.ask_since(room, after);
        }
    }

    /// Compares all that is known here with the store, in case a hint was lost. What is found comes
    /// by an answer.
    pub fn poll(&mut self) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("lost_hint_never_missed") {
            return;
        }
        let loaded = self.slots.iter().filter(|(_, slot)| slot.is_ready());
        let groups = self.engine.directory().groups();
        let rooms: BTreeSet<RoomId> = loaded.map(|(room, _)| *room).chain(groups).collect();
        let rooms: Vec<RoomId> = rooms.into_iter().collect();
        self.ask_for_heads(rooms);
        self.ask_for_grounds();
    }

    /// Takes in how far logs go.
    pub(super) fn compare(&mut self, heads: Vec<(RoomId, Seq)>, now: Timestamp) {
        for (room, head) in heads {
            self.reach(room, head, now);
        }
    }

    /// Takes in that a room's log goes at least this far.
    fn reach(&mut self, room: RoomId, head: Seq, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&room) {
            slot.ahead.head = slot.ahead.head.max(head);
            self.advance(room, now);
        }
        self.find_made(room);
        let heard = self.slots.get(&room).map(|slot| slot.heard);
        if heard.is_none_or(|heard| heard.is_some_and(|heard| heard >= head)) {
            let known = self.engine.directory().position(room);
            if known.is_some_and(|at| at < head) {
                self.catch_up(room);
            }
        }
    }

    /// Notes that a room is there. If it was asked for as a group before that, it is asked for again.
    fn find_made(&mut self, group: RoomId) {
        if self.unmade.remove(&group) && self.engine.directory().position(group).is_none() {
            self.outdate(group);
            self.forget_group(group);
        }
    }

    /// Reads what has happened to a group since it was learned.
    pub(super) fn catch_up(&mut self, group: RoomId) {
        if let Some(at) = self.engine.directory().position(group) {
            self.outdate(group);
            self.ask_for_gap(group, at);
        }
    }

    /// Follows what is known of a room as far as nothing is missing, and asks for what is.
    pub(super) fn advance(&mut self, room: RoomId, now: Timestamp) {
        if !self.is_still(room) {
            self.told.insert(room);
            return;
        }
        if self.engine.room(room).is_none() {
            // Its load will tell how far it is.
            return;
        }
        if self.is_astray(room) {
            return self.load_again(room, now);
        }
        if !self.is_grounded(room) {
            // It may be the state of a log that is lost; that is being asked for.
            return;
        }
        while let Some(record) = self.next_ahead(room) {
            let applied = self.engine.evolve(&record);
            self.stay_nameless(&record);
            debug_assert!(applied, "a record ahead waits for those before it");
            if is_for_all(&record) {
                self.remember(&record);
            }
            self.broadcast(&record, None, now);
        }
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let heard = slot.heard.unwrap_or_default();
        if slot.is_ready() && slot.ahead.head > heard && !slot.ahead.asking {
            slot.ahead.asking = true;
            self.ask_for_gap(room, heard);
        }
    }

    fn next_ahead(&mut self, room: RoomId) -> Option<Arc<Record>> {
        let slot = self.slots.get_mut(&room).filter(|slot| slot.is_ready())?;
        let next = slot.ahead.next(slot.heard?)?;
        slot.heard = Some(next.seq);
        Some(next)
    }

    /// Whether no answer waits that was found by the room's state as it is: those come first.
    fn is_still(&self, room: RoomId) -> bool {
        !self.touched.contains(&room) && self.held.iter().all(|held| held.room != room)
    }

    /// Follows what was told while answers waited.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        for room in std::mem::take(&mut self.told) {
            self.advance(room, now);
        }
    }

    /// Takes in what was missing.
    pub(super) fn fill(
        &mut self,
        room: RoomId,
        records: Vec<Arc<Record>>,
        whole: bool,
        now: Timestamp,
    ) {
        for record in &records {
            let known = self.engine.directory().position(room);
            if known.is_some_and(|at| at.next() == record.seq) {
                self.regrant(record, now);
            }
        }
        if !whole {
            self.catch_up(room);
        }
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        if records.is_empty() {
            // Somebody spoke of records that aren't there.
            slot.ahead.forget(slot.heard.unwrap_or_default());
        }
        self.take_in(room, records, now);
    }

    /// Follows records that were read: one by one, since only so many are kept.
    fn take_in(&mut self, room: RoomId, records: Vec<Arc<Record>>, now: Timestamp) {
        for record in records {
            if let Some(slot) = self.slots.get_mut(&room) {
                // What comes after these is asked for at the end.
                slot.ahead.asking = true;
                slot.ahead.note(slot.heard, record);
            }
            self.advance(room, now);
        }
        self.stay_behind(room);
        self.advance(room, now);
    }

    /// What was missing couldn't be read: the next hint or poll tries again.
    pub(super) fn stay_behind(&mut self, room: RoomId) {
        if let Some(slot) = self.slots.get_mut(&room) {
            slot.ahead.asking = false;
        }
    }

    /// Makes sure that a refusal isn't owed to what other nodes have done meanwhile; gives the mail
    /// back if it is to be refused.
    pub(super) fn doubt(&mut self, mut pending: Pending<R>) -> Option<Pending<R>> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("refused_by_a_stale_state") {
            return Some(pending);
        }
        let room = pending.mail.room;
        let heard = self.slots.get(&room).and_then(|slot| slot.heard);
        let after =
            heard.filter(|_| self.shared && !pending.fresh && self.engine.room(room).is_some());
        let Some(after) = after else {
            return Some(pending);
        };
        pending.fresh = true;
        self.pause_since(pending, after);
        None
    }

    /// Makes sure that a room is as far as a session knows it to be.
    pub(super) fn reach_for(&mut self, seq: Seq, pending: Pending<R>) {
        let heard = self
            .slots
            .get(&pending.mail.room)
            .and_then(|slot| slot.heard);
        let pending = if heard.is_some_and(|heard| heard >= seq) {
            Some(pending)
        } else {
            self.doubt(pending)
        };
        if let Some(pending) = pending {
            self.judged(pending.mail, Ok(Reply::Accepted));
        }
    }

    /// Judges a mail again that was about to be refused.
    pub(super) fn reconsider(
        &mut self,
        mut pending: Pending<R>,
        records: Vec<Arc<Record>>,
        whole: bool,
        now: Timestamp,
    ) {
        let room = pending.mail.room;
        let last = records.last().map(|record| record.seq);
        self.take_in(room, records, now);
        let heard = self.slots.get(&room).and_then(|slot| slot.heard);
        // If what came can't be followed at once, or isn't all, the mail has to ask again.
        let followed = last.is_none_or(|last| heard.is_some_and(|heard| heard >= last));
        pending.fresh = whole && followed;
        self.rejoin(pending, now);
    }

    /// Tells the other nodes, if there are any.
    pub(super) fn publish(&mut self, hint: impl FnOnce() -> Hint) {
        if self.shared {
            self.outputs.push_back(Output::Publish(hint()));
        }
    }

    /// Passes on a record of a room that isn't loaded here, to those whom it concerns all the same.
    fn pass_on(&mut self, record: &Arc<Record>, now: Timestamp) {
        if !self.remember(record) {
            return;
        }
        let parcel = Parcel::Deliver(Delivery {
            record: record.clone(),
            origin: None,
        });
        let to = Recipients::All;
        self.outputs.push_back(Output::Parcel { to, parcel });
        self.regrant(record, now);
    }

    /// Remembers that a record is passed on to everybody; tells whether that is news.
    fn remember(&mut self, record: &Record) -> bool {
        let passed = (record.room, record.seq);
        if self.passed.contains(&passed) {
            return false;
        }
        if self.passed.len() >= PASSED_MAX {
            self.passed.pop_front();
        }
        self.passed.push_back(passed);
        true
    }

    /// Gives a room its place.
    pub(super) fn occupy(&mut self, room: RoomId, slot: Slot<R>) {
        self.slots.insert(room, slot);
        self.outputs.push_back(Output::Subscribe(room));
    }

    /// Takes a room's place away.
    pub(super) fn vacate(&mut self, room: RoomId) -> Option<Slot<R>> {
        let slot = self.slots.remove(&room)?;
        self.outputs.push_back(Output::Unsubscribe(room));
        Some(slot)
    }
}
