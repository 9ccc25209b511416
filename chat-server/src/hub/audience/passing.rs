//! What passes: frames that leave behind a round, in the same write, and that are lost on whoever is
//! behind with his reading.

use std::io::IoSlice;

use super::Seat;
use crate::mail::SessionKey;

/// Frames that pass, since the last round.
#[derive(Default)]
pub(super) struct Passing {
    bytes: Vec<u8>,
    parts: Vec<Part>,
}

/// The frames of one signal.
struct Part {
    end: usize,
    origin: Option<SessionKey>,
}

impl Passing {
    pub(super) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many bytes passed so far.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds what is written, unless that is nothing; the session that caused it won't hear it.
    pub(super) fn push(&mut self, origin: Option<SessionKey>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end > start {
            self.parts.push(Part { end, origin });
        }
    }

    /// What a seat hears of it: what passed since it was taken, and isn't its own. Tells how many
    /// signals that are.
    pub(super) fn heard_by<'a>(&'a self, seat: &Seat, slices: &mut Vec<IoSlice<'a>>) -> u64 {
        let (mut from, mut signals) = (seat.passed.get(), 0);
        let mut start = 0;
        for part in &self.parts {
            if start < seat.passed.get() {
                start = part.end;
                continue;
            }
            if part.origin == Some(seat.session) {
                slices.extend(self.bytes.get(from..start).map(IoSlice::new));
                from = part.end;
            } else {
                signals += 1;
            }
            start = part.end;
        }
        slices.extend(self.bytes.get(from..).map(IoSlice::new));
        slices.retain(|slice| !slice.is_empty());
        signals
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use chat_core::UserId;

    use super::super::Held;
    use super::*;
    use crate::outbox::{Outbox, Wire};

    fn seat(number: u64, passed: usize) -> Seat {
        Seat {
            session: session(number),
            user: UserId::guest(number),
            outbox: Rc::new(Outbox::new(Wire::Held, 1_024)),
            caught_up: true,
            held: Held::of(Rc::default()),
            passed: Cell::new(passed),
        }
    }

    const fn session(number: u64) -> SessionKey {
        SessionKey { worker: 0, number }
    }

    fn heard(passing: &Passing, seat: &Seat) -> (String, u64) {
        let mut slices = Vec::new();
        let signals = passing.heard_by(seat, &mut slices);
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        (String::from_utf8(bytes).unwrap(), signals)
    }

    #[test]
    fn a_seat_hears_what_passed_since_it_was_taken_and_is_not_its_own() {
        let mut passing = Passing::default();
        for (words, origin) in [
            ("one ", 1),
            ("two ", 2),
            ("", 9),
            ("again ", 1),
            ("three", 3),
        ] {
            let write = |bytes: &mut Vec<u8>| bytes.extend_from_slice(words.as_bytes());
            passing.push(Some(session(origin)), write);
        }
        for (number, passed, words) in [
            (4, 0, ("one two again three", 4)),
            (1, 0, ("two three", 2)),
            (2, 4, ("again three", 2)),
            (3, 0, ("one two again ", 3)),
            (3, 14, ("", 0)),
            (4, 8, ("again three", 2)),
        ] {
            let (text, signals) = heard(&passing, &seat(number, passed));
            assert_eq!((text.as_str(), signals), words, "{number} from {passed}");
        }
    }
}
