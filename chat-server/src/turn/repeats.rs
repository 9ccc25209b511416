//! Commands that come again long after they were carried out, when memory knows their cids no more
//! and the store does.
//!
//! Such a repeat is found out by the append, and what was decided with it comes to nothing. So that
//! nobody holds up a room by repeating old commands, the store names all keys that are taken at
//! once, the mails of that turn are judged again in a turn of their own, and for a while each cid of
//! whoever repeated is looked up before it is believed to be a first use.

use std::collections::{HashMap, VecDeque};

use chat_core::{Key, RoomId, Seq, Timestamp, UserId};

use super::asking::Pending;
use super::slot::Slot;
use super::{Output, Question, Turn};
use crate::mail::{Mail, Refused, Wish};
use crate::store::Holder;

/// How long each cid of somebody is looked up after a late repeat of his.
const LATE_MS: u64 = 60_000;

/// Users of one room whose cids are looked up at a time.
const LATE_USERS_MAX: usize = 256;

impl<R> Turn<R> {
    /// Keys are held by other records: a mail that claimed one of them is a repeat, or has lost.
    pub(super) fn taken(
        &mut self,
        mail: Box<Mail<R>>,
        seq: Seq,
        taken: &HashMap<Key, Holder>,
        again: &mut VecDeque<Box<Mail<R>>>,
        now: Timestamp,
    ) {
        let slot = self.slots.get(&mail.room);
        let record = slot.and_then(|slot| slot.in_flight(seq));
        let keys = record.map(|record| record.keys()).unwrap_or_default();
        let mut held = keys.into_iter().filter_map(|key| {
            let by = *taken.get(&key)?;
            Some((key, by))
        });
        let Some((key, by)) = held.next() else {
            return again.push_back(mail);
        };
        match key {
            Key::Alias(_) => self.answer(mail.reply, Err(Refused::NameTaken)),
            Key::Command(..) if self.is_undone(by) => {
                // The holder is a record of this very turn, which goes again.
                if seq == by.seq {
                    again.push_back(mail);
                } else {
                    self.answer(mail.reply, Err(Refused::Overloaded));
                }
            }
            Key::Command(..) => {
                if let Some(slot) = self.slots.get_mut(&mail.room) {
                    slot.note_late(mail.actor.id, now);
                }
                again.push_back(repeat(mail, by));
            }
            Key::Direct(..) | Key::Creation(..) => {
                self.outputs.push_back(Output::Forward(repeat(mail, by)));
            }
        }
    }

    /// Whether a record is beyond what is known to be durable of its room.
    fn is_undone(&self, by: Holder) -> bool {
        let slot = self.slots.get(&by.room);
        slot.is_some_and(|slot| {
            slot.heard.is_some_and(|heard| by.seq > heard) && slot.in_flight(by.seq).is_some()
        })
    }

    /// Whether a command that memory takes for a first one comes of somebody who repeats old ones.
    pub(super) fn may_be_late(&self, pending: &Pending<R>, now: Timestamp) -> bool {
        if pending.looked_up {
            return false;
        }
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("late_repeats_believed") {
            return false;
        }
        let slot = self.slots.get(&pending.mail.room);
        slot.is_some_and(|slot| slot.is_late(pending.mail.actor.id, now))
    }

    /// Looks the cid of a command up before it is decided; gives it back if it has none.
    pub(super) fn look_up(&mut self, pending: Pending<R>) -> Option<Pending<R>> {
        match key(&pending.mail) {
            Some(key) => {
                self.pause(pending, Question::Holder(key));
                None
            }
            None => Some(pending),
        }
    }

    /// Lets the mails of a turn that came to nothing be judged before all others.
    pub(super) fn set_apart(&mut self, rooms: &[RoomId]) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("thrown_back_with_everybody") {
            return;
        }
        for room in rooms {
            if let Some(slot) = self.slots.get_mut(room) {
                slot.set_apart();
            }
        }
    }

    /// Judges what came meanwhile.
    pub(super) fn let_in(&mut self, now: Timestamp) {
        for room in std::mem::take(&mut self.apart) {
            let waiting = self.slots.get_mut(&room).map(Slot::let_in);
            for mail in waiting.into_iter().flatten() {
                self.waiting = self.waiting.saturating_sub(1);
                self.admit(mail, now);
            }
        }
    }
}

impl<R> Slot<R> {
    fn note_late(&mut self, user: UserId, now: Timestamp) {
        if self.late.len() >= LATE_USERS_MAX {
            self.late.retain(|_, until| *until > now);
        }
        if self.late.len() >= LATE_USERS_MAX {
            self.late.clear();
        }
        self.late.insert(user, now.plus_ms(LATE_MS));
    }

    fn is_late(&self, user: UserId, now: Timestamp) -> bool {
        !self.late.is_empty() && self.late.get(&user).is_some_and(|until| *until > now)
    }
}

/// The key by which the store knows a command; none if it has no cid, or is known to be a repeat.
pub(super) fn key<R>(mail: &Mail<R>) -> Option<Key> {
    match &mail.wish {
        Wish::Command {
            command,
            cid: Some(cid),
            used: None,
            near: _,
        } => {
            let (room, user, cid) = (mail.room, mail.actor.id, cid.clone());
            Some(if command.creates() {
                Key::Creation(user, cid)
            } else {
                Key::Command(room, user, cid)
            })
        }
        Wish::Command { .. } | Wish::Attach | Wish::Detach | Wish::Reach(_) | Wish::Look(_) => None,
    }
}

/// The mail as one whose command another record may have carried out.
fn repeat<R>(mut mail: Box<Mail<R>>, by: Holder) -> Box<Mail<R>> {
    mail.room = by.room;
    if let Wish::Command { used, .. } = &mut mail.wish {
        *used = Some(by.seq);
    }
    mail
}
