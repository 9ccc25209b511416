//! The end of a turn: what the store's verdict means for answers, deliveries and effects.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_core::commands::Command;
use chat_core::{
    Actor, Author, Effect, Facts, Inquiry, Key, Permission, Record, Rejection, Room, RoomId, Seq,
    Timestamp, UserId,
};
use chat_protocol::signal::{Signal, What};

use super::slot::{Answer, Held};
use super::{Output, Recipients, Turn};
use crate::mail::{Delivery, Mail, Parcel, Refused, Reply, SessionKey, Wish};
use crate::store::{Appended, Holder};

impl<R> Turn<R> {
    /// Lets an answer go, or its mail come again, by what became of its room's records.
    pub(super) fn release(
        &mut self,
        held: Held<R>,
        verdict: Option<&Appended>,
        dropped: bool,
        again: &mut VecDeque<Mail<R>>,
    ) {
        let room = held.room;
        let durable = !dropped && matches!(verdict, None | Some(Appended::Done));
        match held.what {
            Answer::Decided(mail, seq) if durable => {
                self.answer(
                    mail.reply,
                    Ok(Reply::Done {
                        room,
                        seq,
                        dup: false,
                    }),
                );
            }
            Answer::Decided(mail, _) => match verdict {
                Some(Appended::Taken { key, by }) => self.taken(mail, key, *by, again),
                Some(Appended::Conflict { .. }) => again.push_back(mail),
                Some(Appended::Done) | None => {
                    self.answer(mail.reply, Err(Refused::StorageUnavailable));
                }
            },
            Answer::Plain(to, outcome) if durable => self.answer(to, outcome),
            // It was judged by a state that never came to be.
            Answer::Plain(to, _) => self.answer(to, Err(Refused::StorageUnavailable)),
            Answer::Signal(signal, origin) if durable => self.whisper(signal, origin),
            Answer::Signal(..) => {}
        }
    }

    /// A key is held by another record: the mail that claimed it is a repeat, or has lost.
    fn taken(&mut self, mail: Mail<R>, key: &Key, by: Holder, again: &mut VecDeque<Mail<R>>) {
        let Mail {
            room,
            actor,
            from,
            wish,
            reply,
        } = mail;
        let Wish::Command { command, cid, used } = wish else {
            return;
        };
        let claims = match key {
            Key::Alias(skeleton) => alias(&command).is_some_and(|it| it == *skeleton),
            Key::Direct(one, other) => {
                matches!(&command, Command::OpenDirect(it)
                    if (actor.id.min(it.user), actor.id.max(it.user)) == (*one, *other))
            }
            Key::Creation(user, taken) => {
                command.creates() && actor.id == *user && cid.as_ref() == Some(taken)
            }
            Key::Command(_, user, taken) => actor.id == *user && cid.as_ref() == Some(taken),
        };
        let mail = |room, used| Mail {
            room,
            actor,
            from,
            wish: Wish::Command { command, cid, used },
            reply,
        };
        match key {
            _ if !claims => again.push_back(mail(room, used)),
            Key::Alias(_) => self.answer(mail(room, used).reply, Err(Refused::NameTaken)),
            Key::Command(..) => again.push_back(mail(room, Some(by.seq))),
            Key::Direct(..) => self.outputs.push_back(Output::Forward(mail(by.room, None))),
            Key::Creation(..) => {
                self.outputs
                    .push_back(Output::Forward(mail(by.room, Some(by.seq))));
            }
        }
    }

    /// Delivers a room's records, which are durable, and follows their effects.
    pub(super) fn deliver(&mut self, room: RoomId, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        for (record, origin) in slot.commit() {
            self.broadcast(record, origin, now);
        }
    }

    fn broadcast(&mut self, record: Arc<Record>, origin: Option<SessionKey>, now: Timestamp) {
        let room = record.room;
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        let for_all = record
            .effects()
            .iter()
            .any(|effect| effect != Effect::Broadcast);
        let to = if for_all {
            Recipients::All
        } else {
            Recipients::Listeners(slot.presence.workers())
        };
        let parcel = Parcel::Deliver(Delivery {
            record: record.clone(),
            origin,
        });
        self.outputs.push_back(Output::Parcel { to, parcel });
        for effect in record.effects().iter() {
            match effect {
                Effect::Broadcast | Effect::Attach(_) | Effect::Notify(_) => {}
                Effect::Detach(user) => {
                    let gone = self
                        .slots
                        .get_mut(&room)
                        .and_then(|it| it.presence.remove(user));
                    if let Some(by) = gone {
                        self.whisper(
                            Signal {
                                room,
                                by,
                                what: What::Departed,
                            },
                            None,
                        );
                    }
                }
                Effect::Regrant(_) => self.regrant(&record, now),
                Effect::Rejudge => self.rejudge(room, None, now),
                Effect::Close => {
                    if let Some(slot) = self.slots.get_mut(&room) {
                        slot.presence.clear();
                    }
                    self.regrant(&record, now);
                }
            }
        }
    }

    /// Judges again who leans on a group that a record changed.
    pub(super) fn regrant(&mut self, record: &Record, now: Timestamp) {
        let group = record.room;
        if !self.engine.directory().knows(group) {
            return;
        }
        let leaning: Vec<RoomId> = self
            .engine
            .rooms()
            .filter(|room| room.grants.contains_key(&group))
            .map(|room| room.id)
            .collect();
        let user = record.effects().iter().find_map(|effect| match effect {
            Effect::Regrant(user) => Some(user),
            Effect::Broadcast
            | Effect::Attach(_)
            | Effect::Detach(_)
            | Effect::Notify(_)
            | Effect::Rejudge
            | Effect::Close => None,
        });
        for room in leaning {
            self.rejudge(room, user, now);
        }
    }

    /// Expels those who are present without being members and may read no more: one user, or all.
    fn rejudge(&mut self, room: RoomId, only: Option<UserId>, now: Timestamp) {
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return;
        };
        let leaning: Vec<Author> = slot
            .presence
            .users()
            .filter(|by| only.is_none_or(|user| user == by.id))
            .filter(|by| !state.members.contains_key(&by.id))
            .cloned()
            .collect();
        for by in leaning {
            if self.may_read(room, &by, now) {
                continue;
            }
            let Some(slot) = self.slots.get_mut(&room) else {
                return;
            };
            let to = Recipients::Listeners(slot.presence.workers());
            slot.presence.remove(by.id);
            let parcel = Parcel::Expel { room, user: by.id };
            self.outputs.push_back(Output::Parcel { to, parcel });
            self.whisper(
                Signal {
                    room,
                    by,
                    what: What::Departed,
                },
                None,
            );
        }
    }

    fn may_read(&self, room: RoomId, by: &Author, now: Timestamp) -> bool {
        let Some(name) = by.name.clone() else {
            return false;
        };
        let actor = Actor::new(by.id, name);
        let visiting = self
            .slots
            .get(&room)
            .is_some_and(|slot| slot.presence.is_visiting(by.id));
        let facts = Facts {
            visiting,
            ..Facts::default()
        };
        let permission = Permission::Read;
        let inquiry = Inquiry {
            room,
            actor: &actor,
            at: now,
            facts: &facts,
            permission,
        };
        self.engine.judge(&inquiry).is_ok()
    }

    fn whisper(&mut self, signal: Signal, origin: Option<SessionKey>) {
        let Some(slot) = self.slots.get(&signal.room) else {
            return;
        };
        let to = Recipients::Listeners(slot.presence.workers());
        let parcel = Parcel::Signal {
            signal: Arc::new(signal),
            origin,
        };
        self.outputs.push_back(Output::Parcel { to, parcel });
    }

    /// Forgets a room's state, which never came to be, and loads it again.
    pub(super) fn drop_room(&mut self, room: RoomId) {
        self.engine.unload(room);
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        if slot.heard == Some(Seq::default()) {
            // It was to be made, and wasn't.
            self.slots.remove(&room);
            return;
        }
        slot.reload();
        let heard = slot.heard;
        self.ask_for_room(room, heard);
    }

    /// A room is loaded, or there is none.
    pub(super) fn loaded(
        &mut self,
        id: RoomId,
        room: Option<Box<Room>>,
        missed: Vec<Arc<Record>>,
        now: Timestamp,
    ) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.used_at = now;
        let Some(room) = room else {
            let waiting = slot.stall();
            self.slots.remove(&id);
            for mail in waiting {
                self.waiting = self.waiting.saturating_sub(1);
                self.reply(id, mail.reply, Err(Rejection::RoomNotFound.into()));
            }
            return;
        };
        let waiting = slot.ready(room.head_seq);
        self.engine.load(*room);
        for record in missed {
            self.broadcast(record, None, now);
        }
        for mail in waiting {
            self.waiting = self.waiting.saturating_sub(1);
            self.admit(mail, now);
        }
    }

    /// A room can't be loaded at the moment.
    pub(super) fn load_failed(&mut self, room: RoomId, refused: &Refused) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        for mail in slot.stall() {
            self.waiting = self.waiting.saturating_sub(1);
            self.reply(room, mail.reply, Err(refused.clone()));
        }
    }

    /// A fact can't be had.
    pub(super) fn give_up(&mut self, mail: Mail<R>, refused: Refused, now: Timestamp) {
        self.waiting = self.waiting.saturating_sub(1);
        let (room, from) = (mail.room, mail.from);
        self.discard_founding(room);
        self.answered(room, from);
        self.reply(room, mail.reply, Err(refused));
        self.go_on(room, from, now);
    }

    /// A session's mail waits no more.
    pub(super) fn answered(&mut self, room: RoomId, from: Option<SessionKey>) {
        if let (Some(slot), Some(session)) = (self.slots.get_mut(&room), from) {
            slot.answered(session);
        }
    }

    /// Lets what waited behind a session's mail follow.
    pub(super) fn go_on(&mut self, room: RoomId, from: Option<SessionKey>, now: Timestamp) {
        let Some(session) = from else { return };
        while let Some(slot) = self.slots.get_mut(&room) {
            let Some(mail) = slot.next_behind(session) else {
                return;
            };
            self.waiting = self.waiting.saturating_sub(1);
            self.judge(mail, Facts::default(), 0, now);
        }
    }

    /// Lets a place go that was kept for a room which isn't made after all.
    pub(super) fn discard_founding(&mut self, room: RoomId) {
        if self
            .slots
            .get(&room)
            .is_some_and(super::slot::Slot::is_unfounded)
        {
            self.slots.remove(&room);
        }
    }

    pub(super) fn in_flight(&self, room: RoomId, seq: Seq) -> Option<Arc<Record>> {
        self.slots.get(&room)?.in_flight(seq)
    }

    /// What the actor is called in the room.
    pub(super) fn author(&self, room: RoomId, actor: &Actor) -> Author {
        let nickname = self.engine.room(room).and_then(|it| it.nickname(actor.id));
        Author {
            id: actor.id,
            name: Some(nickname.unwrap_or(&actor.name).clone()),
        }
    }

    /// Holds an answer until what it was judged by is durable.
    pub(super) fn reply(&mut self, room: RoomId, to: R, outcome: Result<Reply, Refused>) {
        self.held.push(Held {
            room,
            what: Answer::Plain(to, outcome),
        });
    }

    fn answer(&mut self, to: R, outcome: Result<Reply, Refused>) {
        let parcel = Parcel::Reply { to, outcome };
        self.outputs.push_back(Output::Parcel {
            to: Recipients::Addressee,
            parcel,
        });
    }
}

/// The skeleton of the alias that a command claims.
fn alias(command: &Command) -> Option<String> {
    let alias = match command {
        Command::CreateRoom(it) => it.alias.as_ref(),
        Command::UpdateRoom(it) => it.alias.as_ref(),
        _ => None,
    };
    alias.map(chat_core::Name::skeleton)
}
