//! The end of a turn: what the store's verdict means for answers, deliveries and effects.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chat_core::{Actor, Author, Effect, Key, Record, RoomId, Seq, Timestamp};
use chat_protocol::signal::Signal;

use super::slot::{Answer, Held, Slot};
use super::{Output, Recipients, Turn};
use crate::bus::{Hint, is_for_all};
use crate::mail::{Delivery, Mail, Parcel, Refused, Reply, SessionKey};
use crate::store::{Appended, Holder};

/// What became of the records that an answer waits for.
#[derive(Debug)]
pub(super) enum Fate {
    /// They are on disk, or there are none.
    Durable,
    /// Another wrote to the room first: its mails are judged again.
    Again,
    /// They claim keys that other records hold.
    Taken(HashMap<Key, Holder>),
    /// Nobody knows.
    Failed,
}

impl From<Appended> for Fate {
    fn from(appended: Appended) -> Self {
        match appended {
            Appended::Done => Self::Durable,
            Appended::Conflict { .. } => Self::Again,
            Appended::Taken(taken) => {
                #[cfg(sabotage)]
                let taken = taken.into_iter().take(
                    match chat_core::sabotage::planted("one_taken_key_a_turn") {
                        true => 1,
                        false => usize::MAX,
                    },
                );
                Self::Taken(taken.into_iter().map(|it| (it.key, it.by)).collect())
            }
        }
    }
}

impl<R> Turn<R> {
    /// Gives up what another node was faster with again and again: whoever waits comes later, and
    /// doesn't keep others from being waited for.
    pub(super) fn weary(&mut self, room: RoomId, fate: Fate) -> Fate {
        if !matches!(fate, Fate::Again) {
            return fate;
        }
        let slot = self.slots.get_mut(&room);
        match slot.is_none_or(Slot::lose_race) {
            true => Fate::Again,
            false => Fate::Failed,
        }
    }

    /// Lets an answer go, or its mail come again, by what became of its room's records.
    pub(super) fn release(
        &mut self,
        held: Held<R>,
        fate: &Fate,
        again: &mut VecDeque<Box<Mail<R>>>,
        now: Timestamp,
    ) {
        let room = held.room;
        let mail = match (held.what, fate) {
            (Answer::Signal(signal, origin), Fate::Durable) => {
                self.publish(|| Hint::Passing(Arc::new(signal.clone())));
                return self.pass(Arc::new(signal), origin);
            }
            // Its mail speaks again if it is judged again.
            (Answer::Signal(..), Fate::Again | Fate::Taken(..) | Fate::Failed) => return,
            (Answer::Decided(mail, seq), Fate::Durable) => {
                return self.commit(mail.reply, room, seq, now);
            }
            (Answer::Judged(mail, outcome), Fate::Durable) => {
                return self.answer(mail.reply, outcome);
            }
            (Answer::Visit(mail, _), Fate::Durable) => {
                return self.answer(mail.reply, Ok(Reply::Accepted));
            }
            (
                Answer::Attach {
                    mail,
                    by,
                    head,
                    readable_from,
                },
                Fate::Durable,
            ) => {
                self.seat(room, &by, mail.from);
                let attached = Reply::Attached {
                    head,
                    readable_from,
                };
                return self.answer(mail.reply, Ok(attached));
            }
            (Answer::Detach(mail), Fate::Durable | Fate::Failed) => {
                self.detach(&mail);
                return self.answer(mail.reply, Ok(Reply::Accepted));
            }
            (Answer::Decided(mail, seq), Fate::Taken(taken)) => {
                return self.taken(mail, seq, taken, again, now);
            }
            // Nobody else gets the number, so the record there is of unknown origin.
            (Answer::Decided(mail, seq), Fate::Again) if seq == Seq::new(1) => {
                return self.answer(mail.reply, Err(Refused::StorageUnavailable));
            }
            (Answer::Visit(mail, is_news), Fate::Again | Fate::Taken(..) | Fate::Failed) => {
                if is_news {
                    self.dismiss(&mail);
                }
                mail
            }
            (
                Answer::Decided(mail, _)
                | Answer::Judged(mail, _)
                | Answer::Attach { mail, .. }
                | Answer::Detach(mail),
                Fate::Again | Fate::Taken(..) | Fate::Failed,
            ) => mail,
        };
        match fate {
            Fate::Again | Fate::Taken(..) => again.push_back(mail),
            // It was judged by a state that may never have come to be.
            Fate::Failed | Fate::Durable => {
                self.answer(mail.reply, Err(Refused::StorageUnavailable));
            }
        }
    }

    /// Answers for a record that is durable, and delivers it.
    fn commit(&mut self, to: R, room: RoomId, seq: Seq, now: Timestamp) {
        let dup = false;
        self.answer(to, Ok(Reply::Done { room, seq, dup }));
        let next = self.slots.get_mut(&room).and_then(Slot::commit);
        if let Some((record, origin)) = next {
            debug_assert_eq!(record.seq, seq, "answers come in the order of records");
            self.broadcast(&record, origin, now);
            self.publish(|| Hint::Appended(record));
        }
    }

    /// Delivers a record, which is durable, and follows its effects.
    pub(super) fn broadcast(
        &mut self,
        record: &Arc<Record>,
        origin: Option<SessionKey>,
        now: Timestamp,
    ) {
        let room = record.room;
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let to = if is_for_all(record) {
            Recipients::All
        } else {
            Recipients::Listeners(slot.presence.listeners())
        };
        let parcel = Parcel::Deliver(Delivery {
            record: record.clone(),
            origin,
        });
        self.outputs.push_back(Output::Parcel { to, parcel });
        for effect in record.effects().iter() {
            match effect {
                Effect::Broadcast | Effect::Attach(_) | Effect::Notify(_) | Effect::Regrant(_) => {}
                Effect::Detach(user) => {
                    let slot = self.slots.get_mut(&room);
                    let gone = slot.and_then(|it| it.presence.detach_user(user, record.seq));
                    if let Some(step) = gone {
                        self.stepped_out(room, step, None);
                    }
                }
                Effect::Rejudge => self.rejudge(room, now),
                Effect::Close => {
                    if let Some(slot) = self.slots.get_mut(&room) {
                        slot.forget_people();
                    }
                }
            }
        }
        self.regrant(record, now);
    }

    /// Lets a session hear a room.
    fn seat(&mut self, room: RoomId, by: &Author, session: Option<SessionKey>) {
        let (Some(session), Some(slot)) = (session, self.slots.get_mut(&room)) else {
            return;
        };
        if let Some(step) = slot.presence.attach(by, session) {
            self.stepped_in(room, step, Some(session));
        }
    }

    /// Passes something ephemeral on to those who hear its room, and not to the session that
    /// caused it.
    pub fn pass(&mut self, signal: Arc<Signal>, origin: Option<SessionKey>) {
        let Some(slot) = self.slots.get(&signal.room) else {
            return;
        };
        let to = Recipients::Listeners(slot.presence.listeners());
        let parcel = Parcel::Signal { signal, origin };
        self.outputs.push_back(Output::Parcel { to, parcel });
    }

    /// Forgets a room's state, which never came to be, and loads it again. Mails that wait for
    /// facts in it come again after those that were decided. If what became of its records is
    /// unknown, they may be there, and have to be delivered.
    pub(super) fn drop_room(
        &mut self,
        room: RoomId,
        unknown: bool,
        again: &mut VecDeque<Box<Mail<R>>>,
    ) {
        self.engine.unload(room);
        self.recall(room, again);
        self.forget_group(room);
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        if slot.is_founding() && !unknown {
            // It was to be made, and wasn't.
            self.vacate(room);
            return;
        }
        slot.reload();
        if unknown {
            drop(slot.take_before());
        }
        if slot.has_before() {
            self.ask_for_rest(room);
        } else {
            self.ask_for_room(room);
        }
    }

    /// What the actor is called in the room.
    pub(super) fn author(&self, room: RoomId, actor: &Actor) -> Author {
        let nickname = self.engine.room(room).and_then(|it| it.nickname(actor.id));
        Author {
            id: actor.id,
            name: Some(nickname.unwrap_or(&actor.name).clone()),
        }
    }

    pub(super) fn answer(&mut self, to: R, outcome: Result<Reply, Refused>) {
        let parcel = Parcel::Reply { to, outcome };
        self.outputs.push_back(Output::Parcel {
            to: Recipients::Addressee,
            parcel,
        });
    }
}
