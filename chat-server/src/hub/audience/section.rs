//! Seats that hear alike, and the frames that wait for the end of the round.

use std::io::IoSlice;
use std::sync::Arc;

use chat_core::{Record, UserId};
use chat_protocol::signal::Signal;
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
    /// The seats that don't hear the whole round.
    newcomers: Vec<u64>,
    /// Signals among the parts.
    signals: u64,
    /// Signals that somebody missed.
    signals_dropped: u64,
}

/// The frames of one thing that is told.
struct Part {
    end: usize,
    told: Told,
    origin: Option<SessionKey>,
}

/// What is told.
enum Told {
    Record(Arc<Record>),
    /// Something ephemeral, which may be lost.
    Signal,
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
            newcomers: Vec::new(),
            signals: 0,
            signals_dropped: 0,
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
            told: Told::Record(delivery.record.clone()),
            origin: delivery.origin,
        });
        self.bytes.len() >= ROUND_BYTES_MAX
    }

    /// Encodes something ephemeral, if the voice has a word for it; tells whether the round is full.
    /// A seat that is behind hears it at once or, where it has to hear first that it is in, then.
    pub(super) fn pass(&mut self, signal: &Signal, origin: Option<SessionKey>) -> bool {
        let Self { voice, bytes, .. } = self;
        let start = bytes.len();
        voice.signal(signal, &mut |text| frame::write(bytes, frame::TEXT, text));
        let frames = self.bytes.get(start..).unwrap_or_default();
        if frames.is_empty() {
            return false;
        }
        let mut others = self.seats.values_mut();
        while let Some(seat) = others.find(|it| !it.caught_up && Some(it.session) != origin) {
            if !self.voice.dialect().resumes() {
                seat.held.push(frames);
            } else if !seat.outbox.send_if_idle(frames) {
                self.signals_dropped += 1;
            }
        }
        self.signals += 1;
        self.parts.push(Part {
            end: self.bytes.len(),
            told: Told::Signal,
            origin,
        });
        self.bytes.len() >= ROUND_BYTES_MAX
    }

    /// Writes the round to every seat that has caught up.
    pub(super) fn flush(&mut self) -> Written {
        let mut written = Written::default();
        if self.bytes.is_empty() {
            return written;
        }
        let mut alike = 0;
        for seat in self.seats.values().filter(|seat| seat.caught_up) {
            if self.signals == 0 && seat.since == 0 && self.authors & bit(seat.user) == 0 {
                seat.outbox.send(&self.bytes);
                alike += 1;
            } else {
                written.add(self.send_parts(seat));
            }
        }
        written.frames += alike * (self.parts.len() as u64 - self.signals);
        written.bytes += alike * self.bytes.len() as u64;
        for number in self.newcomers.drain(..) {
            if let Some(seat) = self.seats.get_mut(&number) {
                seat.since = 0;
            }
        }
        written.signals_dropped += std::mem::take(&mut self.signals_dropped);
        self.bytes.clear();
        self.bytes.shrink_to(ROUND_BYTES_MAX);
        self.parts.clear();
        self.authors = 0;
        self.signals = 0;
        written
    }

    /// Lets a seat hear what comes from here on: what waits for the end of the round it has read by
    /// itself.
    pub(super) fn admit(&mut self, number: u64) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        seat.catch_up();
        if !self.bytes.is_empty() {
            seat.since = self.bytes.len();
            self.newcomers.push(number);
        }
    }

    /// Takes a seat away; what it has heard so far leaves first.
    pub(super) fn dismiss(&mut self, number: u64) -> Option<(Seat, Written)> {
        let seat = self.seats.remove(&number)?;
        let written = if seat.caught_up && !self.bytes.is_empty() {
            self.send_parts(&seat)
        } else {
            Written::default()
        };
        Some((seat, written))
    }

    /// Whether a seat is told nothing ephemeral: it is behind with its reading, and can ask for what
    /// it missed.
    fn may_miss(&self, seat: &Seat) -> bool {
        self.voice.dialect().resumes() && !seat.outbox.is_idle()
    }

    /// Writes to a seat what it hears of the round, which may be less than the others do, or something
    /// else.
    fn send_parts(&self, seat: &Seat) -> Written {
        let misses_signals = self.signals > 0 && self.may_miss(seat);
        self.write_parts(seat, misses_signals);
        let (mut frames, mut signals) = (0, 0);
        for part in self.parts.iter().filter(|part| part.end > seat.since) {
            match part.told {
                Told::Record(_) => frames += 1,
                Told::Signal => signals += 1,
            }
        }
        Written {
            frames,
            bytes: (self.bytes.len() - seat.since) as u64,
            signals_dropped: if misses_signals { signals } else { 0 },
        }
    }

    fn write_parts(&self, seat: &Seat, misses_signals: bool) {
        // Some part may be the seat's own: the shared bytes around it go out as they are.
        let (mut own, mut cuts) = (Vec::new(), Vec::new());
        let mut start = 0;
        for part in &self.parts {
            if part.end <= seat.since {
                cuts.push((start..part.end, 0..0));
            } else if self.differs(part, seat, misses_signals) {
                let from = own.len();
                self.write_own(part, start, seat, &mut own);
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
    fn differs(&self, part: &Part, seat: &Seat, misses_signals: bool) -> bool {
        match &part.told {
            Told::Signal => misses_signals || part.origin == Some(seat.session),
            Told::Record(record) if self.voice.echoes() => {
                self.voice.tells_cids() && record.cid.is_some() && record.by.id == seat.user
            }
            Told::Record(record) => part.is_of(record, seat),
        }
    }

    /// Appends what the author's own session gets instead of the frame at `start`: his command's id with
    /// it, or, where it doesn't hear itself, nothing.
    fn write_own(&self, part: &Part, start: usize, seat: &Seat, own: &mut Vec<u8>) {
        if let Told::Record(record) = &part.told
            && (self.voice.echoes() || !part.is_of(record, seat))
            && let Some((_, text)) = frame::parts(&self.bytes, start)
            && let Some(others) = self.bytes.get(text)
        {
            self.voice.own(record, others, &mut |text| {
                frame::write(own, frame::TEXT, text);
            });
        }
    }
}

impl Part {
    /// Whether it came from this seat's session. What was read from the store doesn't tell, but a
    /// guest is at one socket.
    fn is_of(&self, record: &Record, seat: &Seat) -> bool {
        match self.origin {
            Some(origin) => origin == seat.session,
            None => seat.user.is_guest() && record.by.id == seat.user,
        }
    }
}

const fn bit(user: UserId) -> u64 {
    1 << (user.number() & 63)
}
