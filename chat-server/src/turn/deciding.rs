//! One command, or one wish to hear a room, against the engine: what the decision asks for is done.

use std::mem;
use std::sync::Arc;

use chat_core::{
    Decision, Inquiry, Judgement, Need, Permission, Rejection, Request, RoomId, Signal as Judged,
    Timestamp,
};
use chat_protocol::signal::{Signal, What};

use super::Turn;
use super::asking::Pending;
use super::slot::Answer;
use crate::mail::{Mail, Reply, Wish};

impl<R> Turn<R> {
    /// Decides a command, and does what the decision asks for.
    pub(super) fn decide(&mut self, mut pending: Pending<R>, now: Timestamp) {
        let Wish::Command {
            command,
            cid,
            used,
            near,
        } = &pending.mail.wish
        else {
            return;
        };
        let (room, near) = (pending.mail.room, *near);
        if let Some(seq) = used.filter(|_| pending.facts.used.is_none()) {
            return self.need(pending, Need::Used(seq), now);
        }
        let cid = cid.clone();
        #[cfg(sabotage)]
        let cid = cid.filter(|_| !chat_core::sabotage::planted("repeats_done_again"));
        let request = Request {
            room,
            actor: pending.mail.actor.clone(),
            at: now,
            cid,
            command: command.clone(),
            facts: mem::take(&mut pending.facts),
        };
        let decision = self.engine.decide(&request);
        pending.facts = request.facts;
        match decision {
            Err(rejection) => {
                if let Some(pending) = self.doubt(pending) {
                    self.reject(pending, rejection);
                }
            }
            Ok(Decision::New(record)) => {
                let pending = if self.may_be_late(&pending, now) {
                    self.look_up(pending)
                } else {
                    Some(pending)
                };
                let Some(pending) = pending else { return };
                self.keep_before(room);
                let applied = self.engine.evolve(&record);
                self.stay_nameless(&record);
                debug_assert!(applied, "what was just decided is the next record");
                self.neighbours.note(room, record.by.id, near);
                #[cfg(sabotage)]
                if chat_core::sabotage::planted("published_before_commit") {
                    self.publish(|| crate::bus::Hint::Appended(Arc::new(record.clone())));
                }
                let slot = self
                    .slots
                    .get_mut(&room)
                    .expect("a mail is judged in its slot");
                if slot.decided(Arc::new(record), pending.mail.from) {
                    self.touched.push(room);
                }
                let seq = slot.last_decided();
                self.hold(room, Answer::Decided(pending.mail, seq));
            }
            Ok(Decision::Repeat { seq }) => {
                if let Some(pending) = self.doubt(pending) {
                    let dup = true;
                    self.judged(pending.mail, Ok(Reply::Done { room, seq, dup }));
                }
            }
            Ok(Decision::Signal(signal)) => {
                self.neighbours.note(room, pending.mail.actor.id, near);
                self.signal(pending.mail, signal);
            }
            Ok(Decision::Need(need)) => self.need(pending, need, now),
        }
    }

    /// Keeps a room's state before it changes, where another node was faster a moment ago.
    fn keep_before(&mut self, room: RoomId) {
        if let Some(slot) = self.slots.get_mut(&room) {
            slot.keep_before(self.engine.room(room));
        }
    }

    /// Refuses a command, unless the store knows that it was carried out before.
    fn reject(&mut self, pending: Pending<R>, rejection: Rejection) {
        let may_be_repeat = !pending.looked_up && rejection != Rejection::CidConflict;
        let refused = if may_be_repeat {
            self.look_up(pending)
        } else {
            Some(pending)
        };
        if let Some(pending) = refused {
            self.refuse(pending.mail, rejection.into());
        }
    }

    fn signal(&mut self, mail: Box<Mail<R>>, signal: Judged) {
        let by = self.author(mail.room, &mail.actor);
        let (room, from) = (mail.room, mail.from);
        let state = self.engine.room(room);
        let what = match signal {
            Judged::Typing { on } => Some(What::Typing { on }),
            Judged::Read { idx, as_of: _ } => {
                self.markers.push((room, by.id, idx));
                let shown = state.is_some_and(|room| room.features.receipts);
                shown.then_some(What::Read { idx })
            }
            Judged::Visited => {
                let head = state.map(|room| room.head_seq).unwrap_or_default();
                let is_news = match (self.slots.get_mut(&room), from) {
                    (Some(slot), Some(session)) => slot.presence.admit(by.id, session, head),
                    (Some(_) | None, _) => false,
                };
                return self.hold(room, Answer::Visit(mail, is_news));
            }
        };
        if let Some(what) = what {
            self.hold(room, Answer::Signal(Signal { room, by, what }, from));
        }
        self.judged(mail, Ok(Reply::Accepted));
    }

    pub(super) fn attach(&mut self, pending: Pending<R>, now: Timestamp) {
        let mail = &pending.mail;
        let inquiry = Inquiry {
            room: mail.room,
            actor: &mail.actor,
            at: now,
            facts: &pending.facts,
            permission: Permission::Read,
        };
        match self.engine.judge(&inquiry) {
            Err(rejection) => {
                if let Some(pending) = self.doubt(pending) {
                    self.judged(pending.mail, Err(rejection.into()));
                }
            }
            Ok(Judgement::Need(need)) => self.need(pending, need, now),
            Ok(Judgement::Granted(_)) => {
                let room = mail.room;
                let by = self.author(room, &mail.actor);
                let Some(state) = self.engine.room(room) else {
                    return self.judged(pending.mail, Err(Rejection::RoomNotFound.into()));
                };
                let answer = Answer::Attach {
                    head: state.head_seq,
                    readable_from: state.readable_from(by.id),
                    by,
                    mail: pending.mail,
                };
                self.hold(room, answer);
            }
        }
    }
}
