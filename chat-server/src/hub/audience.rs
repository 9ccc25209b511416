//! Those of one worker's sessions that hear one room.

mod section;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use chat_core::{Record, Seq, UserId};
use chat_protocol::signal::Signal;
use chat_protocol::voice::Voice;

use self::section::Section;
use crate::mail::{Delivery, SessionKey};
use crate::outbox::Outbox;

/// The seats of a room, in sections of those that hear alike.
#[derive(Default)]
pub(super) struct Audience {
    /// The last record that this worker has heard of the room.
    pub(super) head: Seq,
    /// Whether the hub knows that a round waits.
    pub(super) dirty: bool,
    sections: Vec<Section>,
    /// The last records.
    tail: Tail,
    written: Written,
}

/// Records that this worker heard a moment ago, and all since somebody is behind: he reads them here,
/// and so catches up with a room in which much is said without reading the store again and again.
#[derive(Default)]
struct Tail {
    records: VecDeque<Arc<Record>>,
    /// How many came since the older ones were forgotten.
    fresh: usize,
}

/// Records of a tail; who is further behind reads the store.
const TAIL_RECORDS_MAX: usize = 256;

/// One session's place in a room.
pub(super) struct Seat {
    pub(super) session: SessionKey,
    pub(super) user: UserId,
    pub(super) outbox: Rc<Outbox>,
    /// Whether the session has been sent everything up to the audience's head. Until then it reads
    /// from the store by itself and hears nothing from here.
    pub(super) caught_up: bool,
    /// How many bytes of its section's round it doesn't hear.
    pub(super) since: usize,
    /// What passed until then, where nothing that passes is to be missed.
    pub(super) held: Held,
}

/// Seats by their sessions' numbers. However many there are, one is found at once.
pub(super) type Seats = BTreeMap<u64, Seat>;

/// What passed while a seat was behind, and the bytes that all seats of its session hold.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    of_session: Rc<Cell<usize>>,
}

/// Bytes that are held for all seats of a session until they have caught up; what passes beyond them
/// is missed.
const HELD_BYTES_MAX: usize = 64 * 1024;

impl Held {
    /// Nothing so far; what comes is counted with what the session's other seats hold.
    pub(super) fn of(session: Rc<Cell<usize>>) -> Self {
        Self {
            bytes: Vec::new(),
            of_session: session,
        }
    }

    fn push(&mut self, frames: &[u8]) {
        let held = self.of_session.get() + frames.len();
        if held <= HELD_BYTES_MAX {
            self.of_session.set(held);
            self.bytes.extend_from_slice(frames);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.bytes);
        let held = self.of_session.get().saturating_sub(bytes.len());
        self.of_session.set(held);
        bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl Seat {
    /// Notes that the seat hears everything from here on, and has it hear what was held.
    fn catch_up(&mut self) {
        self.caught_up = true;
        let held = self.held.take();
        if !held.is_empty() {
            self.outbox.send(&held);
        }
    }
}

/// What was handed to sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    /// Signals that weren't, since somebody is behind with his reading.
    pub(super) signals_dropped: u64,
}

impl Audience {
    pub(super) fn at(head: Seq) -> Self {
        Self {
            head,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    pub(super) fn has_seat(&self, session: SessionKey) -> bool {
        let mut sections = self.sections.iter();
        sections.any(|it| it.seats.contains_key(&session.number))
    }

    /// Lets a session that has read everything up to the head hear what comes from here on.
    pub(super) fn admit(&mut self, session: SessionKey) {
        let mut sections = self.sections.iter_mut();
        if let Some(section) = sections.find(|it| it.seats.contains_key(&session.number)) {
            section.admit(session.number);
        }
    }

    pub(super) fn sit(&mut self, voice: &Voice, seat: Seat) {
        // It may have sat there with another voice.
        self.rise(seat.session);
        let known = self.sections.iter_mut().find(|it| it.voice == *voice);
        match known {
            Some(section) => {
                section.seats.insert(seat.session.number, seat);
            }
            None => self.sections.push(Section::new(voice.clone(), seat)),
        }
    }

    /// Takes a session's seat away; what it has heard so far leaves first.
    pub(super) fn rise(&mut self, session: SessionKey) -> Option<Seat> {
        let mut sections = self.sections.iter_mut();
        let (seat, written) = sections.find_map(|it| it.dismiss(session.number))?;
        self.written.add(written);
        self.sections.retain(|section| !section.seats.is_empty());
        Some(seat)
    }

    /// Takes seats away; what they have heard so far leaves first.
    pub(super) fn leave(&mut self, goes: impl Fn(&Seat) -> bool) -> Vec<SessionKey> {
        let mut gone = Vec::new();
        for section in &mut self.sections {
            let leaving = section.seats.values().filter(|seat| goes(seat));
            let leaving: Vec<u64> = leaving.map(|seat| seat.session.number).collect();
            for number in leaving {
                if let Some((seat, written)) = section.dismiss(number) {
                    self.written.add(written);
                    gone.push(seat.session);
                }
            }
        }
        self.sections.retain(|section| !section.seats.is_empty());
        gone
    }

    /// Jumps over records that this worker didn't hear: whoever was caught up isn't any more.
    pub(super) fn interrupt(&mut self, to: Seq) -> Vec<SessionKey> {
        self.flush();
        self.head = to;
        self.forget();
        let seats = self.sections.iter_mut();
        let seats = seats.flat_map(|it| it.seats.values_mut());
        seats
            .filter(|seat| seat.caught_up)
            .map(|seat| {
                seat.caught_up = false;
                seat.session
            })
            .collect()
    }

    /// Puts a record into the round of each section.
    pub(super) fn hear(&mut self, delivery: &Delivery) {
        self.head = delivery.record.seq;
        self.tail.hear(&delivery.record);
        for section in &mut self.sections {
            if section.seats.values().any(|seat| seat.caught_up) && section.push(delivery) {
                self.written.add(section.flush());
            }
        }
    }

    /// Puts something ephemeral into the round of each section.
    pub(super) fn pass(&mut self, signal: &Signal, origin: Option<SessionKey>) {
        for section in &mut self.sections {
            if section.pass(signal, origin) {
                self.written.add(section.flush());
            }
        }
    }

    /// The records from a position to the head, as far as they are remembered.
    pub(super) fn tail(&self, position: Seq) -> Vec<Arc<Record>> {
        let records = &self.tail.records;
        match records.front() {
            Some(first) if first.seq <= position.next() => {
                let later = records.iter().filter(|record| record.seq > position);
                later.cloned().collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Forgets the last records.
    pub(super) fn forget(&mut self) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("deleted_words_remembered") {
            return;
        }
        self.tail.records.clear();
    }

    /// Forgets the records that were there when this was called last, unless somebody is behind;
    /// tells whether it still remembers some.
    pub(super) fn forget_old(&mut self) -> bool {
        let mut seats = self.sections.iter().flat_map(|it| it.seats.values());
        let is_wanted = seats.any(|seat| !seat.caught_up);
        let Tail { records, fresh } = &mut self.tail;
        if !is_wanted {
            records.drain(..records.len().saturating_sub(*fresh));
        }
        *fresh = 0;
        if records.is_empty() {
            self.tail = Tail::default();
        }
        is_wanted || !self.tail.records.is_empty()
    }

    /// Writes the rounds to every seat: one write for each.
    pub(super) fn flush(&mut self) {
        for section in &mut self.sections {
            self.written.add(section.flush());
        }
    }

    /// What was handed to sockets since this was asked last.
    pub(super) fn written(&mut self) -> Written {
        std::mem::take(&mut self.written)
    }
}

impl Tail {
    fn hear(&mut self, record: &Arc<Record>) {
        if self.records.len() >= TAIL_RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record.clone());
        self.fresh += 1;
    }
}

impl Written {
    const fn add(&mut self, more: Self) {
        self.frames += more.frames;
        self.bytes += more.bytes;
        self.signals_dropped += more.signals_dropped;
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::Dialect;

    use super::*;
    use crate::outbox::Wire;

    fn seat(number: u64) -> Seat {
        Seat {
            session: SessionKey { worker: 0, number },
            user: UserId::new(number),
            outbox: Rc::new(Outbox::new(Wire::Held, 1 << 20)),
            caught_up: false,
            since: 0,
            held: Held::default(),
        }
    }

    /// Says something, as somebody who isn't here.
    fn say(audience: &mut Audience, seq: u64) {
        let record =
            format!(r#"{{"room":1,"seq":{seq},"at":0,"by":{{"id":99}},"ev":"left","d":{{}}}}"#);
        let record = Arc::new(serde_json::from_str(&record).unwrap());
        let origin = None;
        audience.hear(&Delivery { record, origin });
    }

    /// The records that a session has been sent since this was asked last.
    fn heard(outbox: &Outbox) -> Vec<u64> {
        let mut heard = Vec::new();
        outbox.take(|_, text| {
            let frame: serde_json::Value = serde_json::from_slice(text).unwrap();
            heard.push(frame["seq"].as_u64().unwrap());
            true
        });
        heard
    }

    #[test]
    fn who_comes_or_goes_within_a_round_hears_his_part_of_it_and_nobody_hears_it_early() {
        let native = Voice::of(Dialect::Native);
        let mut room = Audience::default();
        let [ann, bob, cyd] = [1, 2, 3].map(seat);
        let keys = [ann.session, bob.session, cyd.session];
        let [ann_hears, bob_hears, cyd_hears] = [&ann, &bob, &cyd].map(|it| it.outbox.clone());
        for seat in [ann, cyd] {
            let key = seat.session;
            room.sit(&native, seat);
            room.admit(key);
        }
        say(&mut room, 1);
        room.sit(&native, bob);
        room.admit(keys[1]);
        say(&mut room, 2);
        assert!(room.rise(keys[2]).is_some());
        assert_eq!(heard(&cyd_hears), [1, 2]);
        say(&mut room, 3);
        assert_eq!(
            heard(&ann_hears),
            [0; 0],
            "she hears all of it in one write"
        );
        room.flush();
        assert_eq!(heard(&ann_hears), [1, 2, 3]);
        assert_eq!(heard(&bob_hears), [2, 3]);
        assert_eq!(heard(&cyd_hears), [0; 0]);
        assert_eq!(room.written().frames, 7);
        say(&mut room, 4);
        room.flush();
        assert_eq!(
            heard(&bob_hears),
            [4],
            "the next round is his from its beginning"
        );
    }

    #[test]
    fn what_is_held_for_all_seats_of_a_session_has_one_bound() {
        let session = Rc::new(Cell::new(0));
        let frames = vec![7; HELD_BYTES_MAX / 4];
        let mut seats: Vec<Held> = (0..10).map(|_| Held::of(session.clone())).collect();
        for held in &mut seats {
            held.push(&frames);
        }
        let holding = seats.iter().filter(|held| !held.bytes.is_empty());
        assert_eq!((holding.count(), session.get()), (4, HELD_BYTES_MAX));
        // What a seat has heard, or lost with its place, others may hold.
        assert_eq!(seats[0].take(), frames);
        drop(seats.remove(1));
        assert_eq!(session.get(), HELD_BYTES_MAX / 2);
        seats[8].push(&frames);
        assert_eq!(seats[8].take(), frames);
        seats.clear();
        assert_eq!(session.get(), 0);
    }
}
