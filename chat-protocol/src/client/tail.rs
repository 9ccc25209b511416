//! The end of one room's log, as far as a client has it.

use std::collections::BTreeMap;

use chat_core::Seq;

use crate::event::Heard;
use crate::server_frame::Filling;

/// Events that are kept while a gap is filled. Later ones come with the next filling.
const HELD_MAX: usize = 1_000;

/// A room's position, and what waits for a gap to be filled.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    pub(super) epoch: String,
    pub(super) last: Seq,
    /// A position that the room is known to have reached.
    known: Seq,
    filling: bool,
    held: BTreeMap<Seq, Heard>,
    due: Option<Seq>,
}

impl Tail {
    pub(super) fn at(epoch: String, last: Seq) -> Self {
        Self {
            epoch,
            last,
            known: last,
            ..Self::default()
        }
    }

    /// Takes one event. What may be shown is pushed, in order.
    pub(super) fn hear(&mut self, heard: Heard, shown: &mut Vec<Heard>) {
        self.known = self.known.max(heard.seq);
        if heard.seq <= self.last {
            return;
        }
        if !self.filling && heard.prev <= self.last {
            self.last = heard.seq;
            shown.push(heard);
        } else if self.held.len() < HELD_MAX {
            self.held.insert(heard.seq, heard);
        }
    }

    /// Learns that the room has reached a position.
    pub(super) fn learn(&mut self, head: Seq) {
        self.known = self.known.max(head);
    }

    /// Learns where the past ends.
    pub(super) fn expect(&mut self, seq: Seq) {
        self.learn(seq);
        self.due = Some(seq);
    }

    /// Whether to ask for records after [`Tail::last`]; says so once per gap.
    pub(super) fn wants(&mut self) -> bool {
        let wants = !self.filling && self.known > self.last;
        self.filling |= wants;
        wants
    }

    /// Takes the records that were asked for; false if they brought it no further.
    pub(super) fn fill(&mut self, filling: Filling, shown: &mut Vec<Heard>) -> bool {
        let before = self.last;
        for heard in filling.events {
            if heard.seq > self.last && heard.seq <= filling.upto {
                self.last = heard.seq;
                shown.push(heard);
            }
        }
        self.last = self.last.max(filling.upto);
        self.learn(filling.head);
        self.filling = false;
        for (_, heard) in std::mem::take(&mut self.held) {
            self.hear(heard, shown);
        }
        self.last > before || self.known <= self.last
    }

    /// Gives up a filling; the next event or ping asks again.
    pub(super) fn give_up(&mut self) {
        self.filling = false;
        self.held.clear();
    }

    /// The position at which the past ended, said once, when it is reached.
    pub(super) fn synced(&mut self) -> Option<Seq> {
        self.due.filter(|due| *due <= self.last)?;
        self.due.take()
    }
}
