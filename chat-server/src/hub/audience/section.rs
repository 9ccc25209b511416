//! Seats that hear alike, and the frames that wait for the end of the round.

use std::io::IoSlice;
use std::sync::Arc;

use chat_core::{Record, UserId};
use chat_protocol::voice::{Hearer, Voice};

use super::{Seat, Written};
use crate::frame;
use crate::mail::{Delivery, SessionKey};

/// The seats of one voice. What they hear is encoded once for all of them.
pub(super) struct Section {
    pub(super) voice: Voice,
    pub(super) seats: Vec<Seat>,
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
            seats: vec![first],
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
        for seat in self.seats.iter().filter(|seat| seat.caught_up) {
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
        if self.authors & bit(seat.user) == 0 || !self.parts.iter().any(|it| self.differs(it, seat))
        {
            return seat.outbox.send(&self.bytes);
        }
        // Some part is the seat's own: the shared bytes around it go out as they are.
        let mut owned: Vec<Vec<u8>> = Vec::new();
        let mut pieces: Vec<Piece> = Vec::new();
        let mut start = 0;
        for part in &self.parts {
            if self.differs(part, seat) {
                if let Some(bytes) = self.own(part, seat) {
                    owned.push(bytes);
                    pieces.push(Piece::Own(owned.len() - 1));
                }
            } else {
                pieces.push(Piece::Shared(start, part.end));
            }
            start = part.end;
        }
        let slices: Vec<IoSlice<'_>> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Own(place) => owned.get(*place).map(Vec::as_slice),
                Piece::Shared(start, end) => self.bytes.get(*start..*end),
            })
            .map(IoSlice::new)
            .collect();
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

    /// What the author's own session gets: his command's id with it, or, where it doesn't hear
    /// itself, nothing.
    fn own(&self, part: &Part, seat: &Seat) -> Option<Vec<u8>> {
        if !self.voice.echoes() && part.is_of(seat) {
            return None;
        }
        let mut bytes = Vec::new();
        self.voice.event(&part.record, Hearer::Author, &mut |text| {
            frame::write(&mut bytes, frame::TEXT, text);
        });
        Some(bytes)
    }
}

enum Piece {
    Own(usize),
    Shared(usize, usize),
}

const fn bit(user: UserId) -> u64 {
    1 << (user.number() & 63)
}
