//! Seats that hear alike, and the frames that wait for the end of the round.

use std::io::IoSlice;
use std::sync::Arc;

use chat_core::{Record, UserId};
use chat_protocol::signal::Signal;
use chat_protocol::voice::{Hearer, Voice};

use super::passing::Passing;
use super::{Seat, Seats, Written};
use crate::frame;
use crate::mail::{Delivery, SessionKey};

/// The seats of one voice. What they hear is encoded once for all of them.
pub(super) struct Section {
    pub(super) voice: Voice,
    pub(super) seats: Seats,
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// One bit for each author: most seats see at once that no part is their own.
    authors: u64,
    passing: Passing,
}

/// The frames of one record.
struct Part {
    end: usize,
    record: Arc<Record>,
    origin: Option<SessionKey>,
}

impl Part {
    /// Whether it came from this seat's session. What was read from the store doesn't tell, but a
    /// guest is at one socket.
    fn is_of(&self, seat: &Seat) -> bool {
        match self.origin {
            Some(origin) => origin == seat.session,
            None => seat.user.is_guest() && self.record.by.id == seat.user,
        }
    }
}

/// Bytes of a round that are not kept waiting for its end.
const ROUND_BYTES_MAX: usize = 64 * 1024;

impl Section {
    pub(super) fn new(voice: Voice, first: Seat) -> Self {
        Self {
            voice,
            seats: Seats::from([(first.session.number, first)]),
            bytes: Vec::new(),
            parts: Vec::new(),
            authors: 0,
            passing: Passing::default(),
        }
    }

    /// Seats somebody. What the others wait for isn't for him: records leave first, and of what
    /// passes he hears what comes after him.
    pub(super) fn sit(&mut self, seat: Seat) -> Written {
        let written = self.flush_records();
        seat.passed.set(self.passing.len());
        self.seats.insert(seat.session.number, seat);
        written
    }

    /// Encodes a signal, which leaves behind the round; tells whether the round is full.
    pub(super) fn pass(&mut self, signal: &Signal, origin: Option<SessionKey>) -> bool {
        let voice = &self.voice;
        self.passing.push(origin, |bytes| {
            voice.signal(signal, &mut |text| frame::write(bytes, frame::TEXT, text));
        });
        self.passing.len() >= ROUND_BYTES_MAX
    }

    /// Encodes a record, if the voice has a word for it; tells whether the round is full.
    pub(super) fn push(&mut self, delivery: &Delivery) -> bool {
        let Self { voice, bytes, .. } = self;
        let start = bytes.len();
        voice.event(&delivery.record, Hearer::Other, &mut |text| {
            frame::write(bytes, frame::TEXT, text);
        });
        if bytes.len() == start {
            return false;
        }
        self.authors |= bit(delivery.record.by.id);
        self.parts.push(Part {
            end: self.bytes.len(),
            record: delivery.record.clone(),
            origin: delivery.origin,
        });
        self.bytes.len() >= ROUND_BYTES_MAX
    }

    /// Whether signals wait: a record that comes after them may not leave before them.
    pub(super) const fn passes(&self) -> bool {
        !self.passing.is_empty()
    }

    /// Writes the round, if there are records in it.
    pub(super) fn flush_records(&mut self) -> Written {
        if self.bytes.is_empty() {
            return Written::default();
        }
        self.flush()
    }

    /// Writes the round to every seat that has caught up, and what passes to every seat.
    pub(super) fn flush(&mut self) -> Written {
        let mut written = Written::default();
        if self.bytes.is_empty() && self.passing.is_empty() {
            return written;
        }
        let round = Written {
            frames: self.parts.len() as u64,
            bytes: self.bytes.len() as u64,
            missed: 0,
        };
        if self.passing.is_empty() {
            for seat in self.seats.values().filter(|seat| seat.caught_up) {
                self.send(seat, Vec::new());
                written.add(round);
            }
        } else {
            for seat in self.seats.values() {
                let hears_round = seat.caught_up && !self.bytes.is_empty();
                if hears_round {
                    written.add(round);
                }
                written.missed += self.send_all(seat, hears_round);
                seat.passed.set(0);
            }
        }
        self.passing.clear();
        self.bytes.clear();
        self.bytes.shrink_to(ROUND_BYTES_MAX);
        self.parts.clear();
        self.authors = 0;
        written
    }

    /// Sends a seat what passes, behind the round if it hears that; tells how many signals it missed,
    /// since something waits for its socket already.
    fn send_all(&self, seat: &Seat, hears_round: bool) -> u64 {
        let mut passing = Vec::new();
        let signals = self.passing.heard_by(seat, &mut passing);
        let missed = if seat.outbox.is_idle() { 0 } else { signals };
        if missed > 0 {
            passing.clear();
        }
        if hears_round {
            self.send(seat, passing);
        } else if !passing.is_empty() {
            seat.outbox.send_slices(&passing);
        }
        missed
    }

    /// Sends a seat the round, and this behind it.
    fn send<'a>(&'a self, seat: &Seat, behind: Vec<IoSlice<'a>>) {
        if self.authors & bit(seat.user) == 0 {
            return self.send_shared(seat, &behind);
        }
        // Some part may be the seat's own: the shared bytes around it go out as they are.
        let (mut own, mut cuts) = (Vec::new(), Vec::new());
        let mut start = 0;
        for part in &self.parts {
            if self.differs(part, seat) {
                let from = own.len();
                self.write_own(part, seat, &mut own);
                cuts.push((start..part.end, from..own.len()));
            }
            start = part.end;
        }
        if cuts.is_empty() {
            return self.send_shared(seat, &behind);
        }
        let mut slices = Vec::with_capacity(2 * cuts.len() + 1 + behind.len());
        let mut start = 0;
        for (shared, instead) in cuts {
            slices.extend(self.bytes.get(start..shared.start).map(IoSlice::new));
            slices.extend(own.get(instead).map(IoSlice::new));
            start = shared.end;
        }
        slices.extend(self.bytes.get(start..).map(IoSlice::new));
        slices.extend(behind);
        slices.retain(|slice| !slice.is_empty());
        if !slices.is_empty() {
            seat.outbox.send_slices(&slices);
        }
    }

    /// Sends a seat the round as it is.
    fn send_shared(&self, seat: &Seat, behind: &[IoSlice<'_>]) {
        if behind.is_empty() {
            return seat.outbox.send(&self.bytes);
        }
        let round = [IoSlice::new(&self.bytes)];
        seat.outbox.send_slices(&[&round, behind].concat());
    }

    /// Whether a seat gets something else than the others do.
    fn differs(&self, part: &Part, seat: &Seat) -> bool {
        if self.voice.echoes() {
            part.record.cid.is_some() && part.record.by.id == seat.user
        } else {
            part.is_of(seat)
        }
    }

    /// Appends what the author's own session gets: his command's id with it, or, where it doesn't
    /// hear itself, nothing.
    fn write_own(&self, part: &Part, seat: &Seat, own: &mut Vec<u8>) {
        if self.voice.echoes() || !part.is_of(seat) {
            self.voice.event(&part.record, Hearer::Author, &mut |text| {
                frame::write(own, frame::TEXT, text);
            });
        }
    }
}

const fn bit(user: UserId) -> u64 {
    1 << (user.number() & 63)
}
