//! Seats that hear alike, and the frames that wait for the end of the round.

use std::io::IoSlice;
use std::sync::Arc;

use chat_core::{Record, UserId};
use chat_protocol::voice::{Hearer, Voice};

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
        }
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

    /// Writes the round to every seat that has caught up.
    pub(super) fn flush(&mut self) -> Written {
        let mut written = Written::default();
        if self.bytes.is_empty() {
            return written;
        }
        let (frames, bytes) = (self.parts.len() as u64, self.bytes.len() as u64);
        for seat in self.seats.values().filter(|seat| seat.caught_up) {
            self.send(seat);
            written.add(Written { frames, bytes });
        }
        self.bytes.clear();
        self.bytes.shrink_to(ROUND_BYTES_MAX);
        self.parts.clear();
        self.authors = 0;
        written
    }

    fn send(&self, seat: &Seat) {
        if self.authors & bit(seat.user) == 0 {
            return seat.outbox.send(&self.bytes);
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
            return seat.outbox.send(&self.bytes);
        }
        let mut slices = Vec::with_capacity(2 * cuts.len() + 1);
        let mut start = 0;
        for (shared, instead) in cuts {
            slices.extend(self.bytes.get(start..shared.start).map(IoSlice::new));
            slices.extend(own.get(instead).map(IoSlice::new));
            start = shared.end;
        }
        slices.extend(self.bytes.get(start..).map(IoSlice::new));
        slices.retain(|slice| !slice.is_empty());
        if !slices.is_empty() {
            seat.outbox.send_slices(&slices);
        }
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
