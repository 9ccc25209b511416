//! A bus between nodes that loses, doubles, delays and disorders what they tell.

use std::collections::BTreeSet;

use chat_core::RoomId;
use chat_server::bus::Hint;

use super::faults::Faults;
use chat_server::simulation::Dice;

/// Hints on their way, and who may not hear whom.
#[derive(Debug, Default)]
pub(super) struct Bus {
    flying: Vec<(usize, Hint)>,
    subscribed: BTreeSet<(usize, RoomId)>,
    parted: BTreeSet<(usize, usize)>,
}

impl Bus {
    pub(super) fn publish(&mut self, from: usize, nodes: usize, hint: &Hint, faults: &mut Faults) {
        for to in (0..nodes).filter(|to| *to != from) {
            let room = hint.room();
            if room.is_some_and(|room| !self.subscribed.contains(&(to, room))) {
                continue;
            }
            if self.is_parted(from, to) {
                faults.note("hint cut off");
            } else {
                self.flying.push((to, hint.clone()));
            }
        }
    }

    pub(super) fn subscribe(&mut self, node: usize, room: RoomId) {
        self.subscribed.insert((node, room));
    }

    pub(super) fn unsubscribe(&mut self, node: usize, room: RoomId) {
        self.subscribed.remove(&(node, room));
    }

    /// Lets the oldest hint that is on its way arrive, or another, or the same twice, or none.
    pub(super) fn arrive(&mut self, dice: &mut Dice, faults: &mut Faults) -> Option<(usize, Hint)> {
        if self.flying.is_empty() {
            return None;
        }
        let at = if dice.chance(30) {
            dice.below(self.flying.len())
        } else {
            0
        };
        if at > 0 {
            faults.note("hint out of order");
        }
        match dice.below(20) {
            0..2 => {
                faults.note("hint lost");
                drop(self.flying.remove(at));
                None
            }
            2 => {
                faults.note("hint doubled");
                Some(self.flying[at].clone())
            }
            _ => Some(self.flying.remove(at)),
        }
    }

    /// The oldest hint that is on its way.
    pub(super) fn next(&mut self) -> Option<(usize, Hint)> {
        (!self.flying.is_empty()).then(|| self.flying.remove(0))
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.flying.is_empty()
    }

    /// Loses all that is on its way.
    pub(super) fn lose_all(&mut self) {
        self.flying.clear();
    }

    /// Lets two nodes hear nothing of each other, or each other again.
    pub(super) fn part(&mut self, one: usize, other: usize, faults: &mut Faults) {
        let pair = (one.min(other), one.max(other));
        if one == other {
            return;
        }
        if self.parted.remove(&pair) {
            faults.note("partition healed");
        } else {
            faults.note("partition");
            self.parted.insert(pair);
        }
    }

    /// Lets all nodes hear each other.
    pub(super) fn heal(&mut self) {
        self.parted.clear();
    }

    fn is_parted(&self, one: usize, other: usize) -> bool {
        self.parted.contains(&(one.min(other), one.max(other)))
    }
}
