//! Who comes and goes: what the room hears of it, and what the nodes tell each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::{Author, RoomId};
use chat_protocol::signal::{Signal, What};

use super::Turn;
use super::elsewhere::Change;
use super::presence::Step;
use crate::bus::{Attendance, Attendant, Hint, NodeMark, PART_PEOPLE_MAX, Tidings};
use crate::mail::SessionKey;

/// What a worker knows of itself when it tells others who is present.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) node: NodeMark,
    /// How often anything has changed: of two words about a user the one with the higher count is
    /// later.
    count: u64,
    /// How often it has looked around.
    round: u64,
}

/// Looks around after which a room's sum is told again.
const SUM_EVERY: u64 = 5;

impl Teller {
    pub(super) const fn new(node: NodeMark) -> Self {
        Self {
            node,
            count: 0,
            round: 0,
        }
    }
}

impl<R> Turn<R> {
    /// Somebody has the first session here of those that hear the room.
    pub(super) fn stepped_in(&mut self, room: RoomId, step: Step, origin: Option<SessionKey>) {
        self.tell_change(room, || Tidings::Came(Attendant::new(step.by.clone())));
        if step.is_seen {
            self.pass_of(room, step.by, What::Arrived, origin);
        }
    }

    /// The last session here is gone that somebody heard the room by.
    pub(super) fn stepped_out(&mut self, room: RoomId, step: Step, origin: Option<SessionKey>) {
        self.tell_change(room, || Tidings::Went(step.by.id));
        if step.is_seen {
            self.pass_of(room, step.by, What::Departed, origin);
        }
    }

    fn pass_of(&mut self, room: RoomId, by: Author, what: What, origin: Option<SessionKey>) {
        self.pass(Arc::new(Signal { room, by, what }), origin);
    }

    fn tell_change(&mut self, room: RoomId, news: impl FnOnce() -> Tidings) {
        self.teller.count += 1;
        if let Some(slot) = self.slots.get_mut(&room) {
            slot.has_told = true;
        }
        self.tell(room, news);
    }

    fn tell(&mut self, room: RoomId, news: impl FnOnce() -> Tidings) {
        let (node, count) = (self.teller.node, self.teller.count);
        self.publish(|| Hint::Present(Arc::new(Attendance::new(room, node, count, news()))));
    }

    /// Asks who is present on other nodes in a room that is loaded for the first time.
    pub(super) fn ask_who_is_there(&mut self, room: RoomId) {
        let shared = self.shared;
        let slot = self.slots.get_mut(&room);
        let Some(slot) = slot.filter(|slot| shared && !slot.elsewhere.has_asked) else {
            return;
        };
        slot.elsewhere.has_asked = true;
        self.tell(room, || Tidings::Asked(None));
    }

    /// Looks around: takes those away of whose nodes nothing was heard for long, and tells the others
    /// what those come to who are present here.
    pub fn call_roll(&mut self) {
        self.teller.round += 1;
        let round = self.teller.round;
        let (mut gone, mut due) = (BTreeMap::new(), BTreeMap::new());
        for (room, slot) in &mut self.slots {
            let expired = slot.elsewhere.expire(round);
            if !expired.is_empty() {
                gone.insert(*room, expired);
            }
            if self.shared && slot.has_told && (room.number() + round).is_multiple_of(SUM_EVERY) {
                due.insert(*room, slot.presence.sum());
            }
        }
        for (room, changes) in gone {
            self.follow_presence(room, changes);
        }
        for (room, sum) in due {
            self.tell(room, || Tidings::Sum(sum));
        }
    }

    /// Takes in what another node tells of who is present.
    pub(super) fn attended(&mut self, told: &Attendance) {
        let room = told.room;
        if let Tidings::Asked(whom) = told.news {
            return match whom {
                Some(whom) if whom == self.teller.node => self.tell_all(room, true),
                None => self.tell_all(room, false),
                Some(_) => {}
            };
        }
        let round = self.teller.round;
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let (changes, is_wrong) = slot.elsewhere.take(told, round);
        self.follow_presence(room, changes);
        #[cfg(sabotage)]
        let is_wrong = is_wrong && !chat_core::sabotage::planted("wrong_sum_believed");
        if is_wrong {
            self.tell(room, || Tidings::Asked(Some(told.node)));
        }
    }

    /// Tells who is present here; that nobody is, too, if that was asked.
    fn tell_all(&mut self, room: RoomId, even_nobody: bool) {
        let Some(slot) = self.slots.get(&room) else {
            return;
        };
        let here = slot.presence.users().cloned().map(Attendant::new);
        let mut here: Vec<Attendant> = here.collect();
        if here.is_empty() && !even_nobody {
            return;
        }
        let mut after = None;
        loop {
            let rest = here.split_off(here.len().min(PART_PEOPLE_MAX));
            let people = std::mem::replace(&mut here, rest);
            let last = people.last().map(|it| it.by.id);
            let upto = last.filter(|_| !here.is_empty());
            self.tell(room, || Tidings::Part {
                after,
                upto,
                people,
            });
            if upto.is_none() {
                return;
            }
            after = upto;
        }
    }

    fn follow_presence(&mut self, room: RoomId, changes: Vec<Change>) {
        for change in changes {
            let Some(slot) = self.slots.get_mut(&room) else {
                return;
            };
            match change {
                Change::Came(node, mut attendant, is_news) => {
                    if self.erased.contains(&attendant.by.id) {
                        // He may have been on his way when that was told.
                        attendant.by.name = None;
                    }
                    let Attendant { by, said } = attendant;
                    if slot.presence.appear(node, &by, said) && is_news {
                        self.pass_of(room, by, What::Arrived, None);
                    }
                }
                Change::Went(node, user) => {
                    if let Some(by) = slot.presence.vanish(node, user) {
                        self.pass_of(room, by, What::Departed, None);
                    }
                }
            }
        }
    }
}
