//! Those of one worker's sessions that hear one room.

use std::io::IoSlice;
use std::rc::Rc;
use std::sync::Arc;

use chat_core::{Record, Seq, UserId};
use chat_protocol::dialect::Dialect;

use crate::frame;
use crate::mail::{Delivery, SessionKey};
use crate::outbox::Outbox;

/// The seats of a room, and the frames of this round, once for each dialect in use.
#[derive(Default)]
pub(super) struct Audience {
    /// The last record that this worker has heard of the room.
    pub(super) head: Seq,
    /// Whether the hub knows that a round waits.
    pub(super) dirty: bool,
    seats: Vec<Seat>,
    rounds: Vec<Round>,
    written: Written,
}

/// One session's place in a room.
pub(super) struct Seat {
    pub(super) session: SessionKey,
    pub(super) user: UserId,
    pub(super) dialect: Dialect,
    pub(super) outbox: Rc<Outbox>,
    /// Whether the session has been sent everything up to the audience's head. Until then it reads
    /// from the store by itself and hears nothing from here.
    pub(super) caught_up: bool,
}

/// The frames of one dialect that wait for the end of the round.
struct Round {
    dialect: Dialect,
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// One bit for each author: most seats see at once that no part is their own.
    authors: u64,
}

/// One frame of a round.
struct Part {
    end: usize,
    record: Arc<Record>,
    origin: Option<SessionKey>,
}

/// What was handed to sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

/// Bytes of a round that are not kept waiting for its end.
const ROUND_BYTES_MAX: usize = 64 * 1024;

impl Audience {
    pub(super) fn at(head: Seq) -> Self {
        Self {
            head,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(super) fn seat(&mut self, session: SessionKey) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.session == session)
    }

    pub(super) fn sit(&mut self, seat: Seat) {
        match self.seat(seat.session) {
            Some(old) => *old = seat,
            None => self.seats.push(seat),
        }
    }

    /// Takes seats away; what they have heard so far leaves first.
    pub(super) fn leave(&mut self, goes: impl Fn(&Seat) -> bool) -> Vec<SessionKey> {
        if !self.seats.iter().any(&goes) {
            return Vec::new();
        }
        self.flush();
        let mut gone = Vec::new();
        self.seats.retain(|seat| {
            let goes = goes(seat);
            if goes {
                gone.push(seat.session);
            }
            !goes
        });
        gone
    }

    /// Jumps over records that this worker didn't hear: whoever was caught up isn't any more.
    pub(super) fn interrupt(&mut self, to: Seq) -> Vec<SessionKey> {
        self.flush();
        self.head = to;
        let behind = self.seats.iter_mut().filter(|seat| seat.caught_up);
        behind
            .map(|seat| {
                seat.caught_up = false;
                seat.session
            })
            .collect()
    }

    /// Puts a record into the round of each dialect that is in use.
    pub(super) fn hear(&mut self, delivery: &Delivery) {
        self.head = delivery.record.seq;
        let mut full = false;
        for dialect in Dialect::ALL {
            if self
                .seats
                .iter()
                .any(|seat| seat.dialect == dialect && seat.caught_up)
            {
                full |= self.round(dialect).push(delivery);
            }
        }
        if full {
            self.flush();
        }
    }

    /// Writes the round to every seat: one write for each.
    pub(super) fn flush(&mut self) {
        for round in &mut self.rounds {
            if round.bytes.is_empty() {
                continue;
            }
            let (frames, bytes) = (round.parts.len() as u64, round.bytes.len() as u64);
            for seat in self
                .seats
                .iter()
                .filter(|it| it.caught_up && it.dialect == round.dialect)
            {
                round.send(seat);
                self.written.frames += frames;
                self.written.bytes += bytes;
            }
            round.clear();
        }
    }

    /// What was handed to sockets since this was asked last.
    pub(super) fn written(&mut self) -> Written {
        std::mem::take(&mut self.written)
    }

    fn round(&mut self, dialect: Dialect) -> &mut Round {
        let known = self
            .rounds
            .iter()
            .position(|round| round.dialect == dialect);
        let place = known.unwrap_or_else(|| {
            self.rounds.push(Round::new(dialect));
            self.rounds.len() - 1
        });
        self.rounds
            .get_mut(place)
            .expect("a round was found or made just above")
    }
}

impl Round {
    const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            bytes: Vec::new(),
            parts: Vec::new(),
            authors: 0,
        }
    }

    /// Encodes a record, if the dialect has a word for it; tells whether the round is full.
    fn push(&mut self, delivery: &Delivery) -> bool {
        let Some(text) = self.dialect.event(&delivery.record, false) else {
            return false;
        };
        frame::write(&mut self.bytes, frame::TEXT, &text);
        self.authors |= bit(delivery.record.by.id);
        self.parts.push(Part {
            end: self.bytes.len(),
            record: delivery.record.clone(),
            origin: delivery.origin,
        });
        self.bytes.len() >= ROUND_BYTES_MAX
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
        if self.dialect.hears_own() {
            part.record.cid.is_some() && part.record.by.id == seat.user
        } else {
            part.origin == Some(seat.session)
        }
    }

    /// What the author's own session gets: his command's id with it, or, where a dialect doesn't
    /// echo, nothing.
    fn own(&self, part: &Part, seat: &Seat) -> Option<Vec<u8>> {
        if !self.dialect.hears_own() && part.origin == Some(seat.session) {
            return None;
        }
        let text = self.dialect.event(&part.record, true)?;
        let mut bytes = Vec::with_capacity(text.len() + 10);
        frame::write(&mut bytes, frame::TEXT, &text);
        Some(bytes)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ROUND_BYTES_MAX);
        self.parts.clear();
        self.authors = 0;
    }
}

enum Piece {
    Own(usize),
    Shared(usize, usize),
}

const fn bit(user: UserId) -> u64 {
    1 << (user.number() & 63)
}
