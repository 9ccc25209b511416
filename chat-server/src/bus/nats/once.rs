//! Each message is heard once: whoever repeats what a node said says nothing by that.
//!
//! A message bears who sent it, how many he had sent before, and when. It is heard if it is young, and the
//! sender has sent nothing later that was heard. So a sender need only be remembered for as long as
//! his last message is young.

use std::collections::HashMap;

use chat_core::Timestamp;

/// What tells a message from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Drawn by each node when it starts.
    pub(super) sender: u64,
    /// Rises with each of his messages.
    pub(super) count: u64,
    /// When it was written, by his clock.
    pub(super) at: Timestamp,
}

/// Bytes of a mark.
pub(super) const MARK_BYTES: usize = 24;

impl Mark {
    pub(super) fn to_bytes(self) -> impl Iterator<Item = u8> {
        let numbers = [self.sender, self.count, self.at.number()];
        numbers.into_iter().flat_map(u64::to_be_bytes)
    }

    pub(super) fn read(bytes: &[u8; MARK_BYTES]) -> Option<Self> {
        let (sender, rest) = bytes.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let at = rest.first_chunk()?;
        Some(Self {
            sender: u64::from_be_bytes(*sender),
            count: u64::from_be_bytes(*count),
            at: Timestamp::saturating(u64::from_be_bytes(*at)),
        })
    }
}

/// How far each sender was heard.
#[derive(Debug)]
pub(super) struct Heard {
    /// The number of the node itself.
    own: u64,
    senders: HashMap<u64, Far>,
}

#[derive(Clone, Copy, Debug)]
struct Far {
    count: u64,
    /// The latest time that one of his messages bore.
    latest: Timestamp,
}

impl Heard {
    pub(super) fn new(own: u64) -> Self {
        Self {
            own,
            senders: HashMap::new(),
        }
    }

    /// Whether a message is young and none that was heard, and takes it for heard from here on.
    pub(super) fn is_new(&mut self, mark: Mark, now: Timestamp) -> bool {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("repeated_on_the_bus_believed") {
            return true;
        }
        if mark.sender == self.own || is_old(mark.at, now) || is_old(now, mark.at) {
            return false;
        }
        if let Some(far) = self.senders.get_mut(&mark.sender) {
            let is_later = mark.count > far.count;
            if is_later {
                far.count = mark.count;
                far.latest = far.latest.max(mark.at);
            }
            return is_later;
        }
        if self.senders.len() >= SENDERS_MAX {
            // Whatever they said is refused for its age.
            self.senders.retain(|_, far| !is_old(far.latest, now));
        }
        if self.senders.len() >= SENDERS_MAX {
            return false;
        }
        let (count, latest) = (mark.count, mark.at);
        self.senders.insert(mark.sender, Far { count, latest });
        true
    }
}

fn is_old(at: Timestamp, now: Timestamp) -> bool {
    at < now.minus_ms(YOUNG_MS)
}

/// How old a message may be that is heard, and how far the clocks of two nodes may differ.
const YOUNG_MS: u64 = 60_000;

/// Senders that are remembered at once: nodes that ran in the last minutes, each time they started.
const SENDERS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn mark(sender: u64, count: u64, at: u64) -> Mark {
        let at = Timestamp::new(at);
        Mark { sender, count, at }
    }

    fn is_new(heard: &mut Heard, mark: Mark, now: u64) -> bool {
        heard.is_new(mark, Timestamp::new(now))
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = mark(u64::MAX, 7, NOW);
        let bytes: Vec<u8> = mark.to_bytes().collect();
        assert_eq!(Mark::read(&bytes.try_into().unwrap()), Some(mark));
    }

    #[test]
    fn a_message_is_heard_once_and_none_that_was_sent_before_it() {
        let mut heard = Heard::new(9);
        for (sender, count, is_heard) in [
            (1, 0, true),
            (1, 0, false),
            (1, 3, true),
            (1, 2, false),
            (1, 3, false),
            (1, 4, true),
            (2, 0, true),
            (2, 0, false),
            (9, 0, false),
        ] {
            let mark = mark(sender, count, NOW);
            assert_eq!(is_new(&mut heard, mark, NOW), is_heard, "{mark:?}");
        }
    }

    #[test]
    fn nothing_is_heard_of_another_time() {
        let mut heard = Heard::new(9);
        for (count, at) in [(1, NOW - YOUNG_MS - 1), (2, NOW + YOUNG_MS + 1), (3, 0)] {
            assert!(!is_new(&mut heard, mark(1, count, at), NOW));
        }
        assert!(is_new(&mut heard, mark(1, 1, NOW - YOUNG_MS), NOW));
        assert!(is_new(&mut heard, mark(1, 2, NOW + YOUNG_MS), NOW));
        // His clock was set back meanwhile.
        assert!(is_new(&mut heard, mark(1, 3, NOW), NOW));
    }

    #[test]
    fn whoever_is_forgotten_can_not_be_repeated() {
        let mut heard = Heard::new(u64::MAX);
        let ahead = NOW + YOUNG_MS;
        assert!(is_new(&mut heard, mark(0, 5, ahead), NOW));
        assert!(is_new(&mut heard, mark(0, 6, NOW), NOW));
        for sender in 1..SENDERS_MAX as u64 {
            assert!(is_new(&mut heard, mark(sender, 0, NOW), NOW));
        }
        let another = mark(SENDERS_MAX as u64, 0, NOW);
        assert!(!is_new(&mut heard, another, NOW), "the table is full");
        let later = NOW + YOUNG_MS + 1;
        let another = mark(SENDERS_MAX as u64, 1, later);
        assert!(is_new(&mut heard, another, later));
        assert_eq!(heard.senders.len(), 2, "all but one were old");
        for old in [mark(0, 5, ahead), mark(0, 6, NOW), mark(1, 0, NOW)] {
            assert!(!is_new(&mut heard, old, later), "{old:?}");
        }
    }
}
