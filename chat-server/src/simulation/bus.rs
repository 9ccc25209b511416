//! A bus between machines that loses, doubles, delays and disorders what it is told, and is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::RoomId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::dice::Dice;
use super::trace::Trace;
use crate::bus::{Bus, Hint};

/// What the machines share.
#[derive(Clone, Debug)]
pub(super) struct Exchange(Arc<Mutex<Wires>>, Trace);

#[derive(Debug)]
struct Wires {
    ends: BTreeMap<u64, Wire>,
    dice: Dice,
    /// Whether nothing that is told arrives.
    is_cut: bool,
    /// Whether it does nothing wrong.
    is_sound: bool,
    told: u64,
}

/// What is on its way to one machine.
#[derive(Debug, Default)]
struct Wire {
    rooms: BTreeSet<RoomId>,
    hints: BTreeMap<(Instant, u64), Hint>,
    changed: Arc<Notify>,
}

/// One machine's end, for as long as a server on it lives.
#[derive(Debug)]
pub(super) struct End {
    exchange: Exchange,
    number: u64,
}

impl Exchange {
    pub(super) fn new(dice: Dice, trace: Trace) -> Self {
        let wires = Wires {
            ends: BTreeMap::new(),
            dice,
            is_cut: false,
            is_sound: false,
            told: 0,
        };
        Self(Arc::new(Mutex::new(wires)), trace)
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An end for a server that starts.
    pub(super) fn join(&self) -> End {
        let mut wires = self.wires();
        wires.told += 1;
        let number = wires.told;
        wires.ends.insert(number, Wire::default());
        End {
            exchange: self.clone(),
            number,
        }
    }

    /// Cuts the machines off from each other, or lets them hear each other again.
    pub(super) fn cut(&self, is_cut: bool) {
        self.wires().is_cut = is_cut;
    }

    /// Does nothing wrong any more.
    pub(super) fn heal(&self) {
        let mut wires = self.wires();
        (wires.is_cut, wires.is_sound) = (false, true);
    }

    /// Puts a hint on its way to another end, perhaps.
    fn send(&self, wires: &mut Wires, to: u64, hint: &Hint) {
        let Wires {
            ends,
            dice,
            is_sound,
            told,
            ..
        } = wires;
        let Some(wire) = ends.get_mut(&to) else {
            return;
        };
        let times = match dice.between(0, 100) {
            _ if *is_sound => 1,
            0..12 => {
                self.1.harm("hint lost");
                0
            }
            12..20 => {
                self.1.harm("hint doubled");
                2
            }
            _ => 1,
        };
        for _ in 0..times {
            let late_ms = if !*is_sound && dice.chance(20) {
                self.1.harm("hint late");
                dice.between(50, 1_500)
            } else {
                dice.between(0, 8)
            };
            *told += 1;
            let due = Instant::now() + Duration::from_millis(late_ms);
            wire.hints.insert((due, *told), hint.clone());
        }
        wire.changed.notify_one();
    }
}

#[async_trait]
impl Bus for End {
    fn publish(&self, hints: Vec<Hint>) {
        let mut wires = self.exchange.wires();
        if wires.is_cut {
            return;
        }
        let others: Vec<u64> = wires.ends.keys().copied().collect();
        for hint in hints {
            for to in others.iter().filter(|to| **to != self.number) {
                let concerns = |wire: &Wire| hint.room().is_none_or(|it| wire.rooms.contains(&it));
                if wires.ends.get(to).is_some_and(concerns) {
                    self.exchange.send(&mut wires, *to, &hint);
                }
            }
        }
    }

    fn subscribe(&self, room: RoomId) {
        if let Some(wire) = self.exchange.wires().ends.get_mut(&self.number) {
            wire.rooms.insert(room);
        }
    }

    fn unsubscribe(&self, room: RoomId) {
        if let Some(wire) = self.exchange.wires().ends.get_mut(&self.number) {
            wire.rooms.remove(&room);
        }
    }

    async fn hear(&self) -> Option<Vec<Hint>> {
        loop {
            let (next, changed) = {
                let mut wires = self.exchange.wires();
                let wire = wires.ends.get_mut(&self.number)?;
                let later = wire.hints.split_off(&(Instant::now(), u64::MAX));
                let due = std::mem::replace(&mut wire.hints, later);
                if !due.is_empty() {
                    return Some(due.into_values().collect());
                }
                let next = wire.hints.first_key_value().map(|((due, _), _)| *due);
                (next, wire.changed.clone())
            };
            match next {
                // Whether it was told something else or the time has come: it looks again.
                Some(due) => drop(timeout_at(due, changed.notified()).await),
                None => changed.notified().await,
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.exchange.wires().ends.remove(&self.number);
    }
}
