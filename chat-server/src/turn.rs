//! The server's whole duty for the rooms of one worker, without a socket, a disk or a clock.
//!
//! Mail goes in; appends, parcels and questions come out. Whoever drives it does the I/O: the
//! worker with real ones, a simulation with its own. One turn is
//!
//! 1. [`Turn::take`]: decide and evolve each mail of a batch,
//! 2. [`Turn::batch`]: what has to be appended to the store,
//! 3. [`Turn::settle`]: answers and deliveries, once the store has said yes or no.
//!
//! Nothing is decided between the second and the third, so nobody sees what isn't durable.

mod outcome;
mod presence;
mod sight;
mod slot;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::sync::Arc;

use chat_core::{
    Decision, Engine, Facts, Idx, Inquiry, Judgement, Limits, MessageFact, Need, Permission,
    Record, Request, Room, RoomId, Seq, Signal as Judged, Timestamp, Used, UserId,
};
use chat_protocol::signal::{Signal, What};

use self::slot::{Held, Slot};
use crate::mail::{Look, Mail, Parcel, Refused, Reply, SessionKey, Sight, Wish};
use crate::store::{Append, Appended, StoreError};

/// The rooms of one worker. `R` is where an answer goes.
#[derive(Debug)]
pub struct Turn<R> {
    engine: Engine,
    slots: HashMap<RoomId, Slot<R>>,
    /// Rooms with records that are decided and not yet appended, in the order of the first one.
    touched: Vec<RoomId>,
    /// Answers that wait for the append.
    held: Vec<Held<R>>,
    /// Mails that wait for an answer to a question, by the question's number.
    asking: BTreeMap<u64, Paused<R>>,
    next_question: u64,
    /// Mails that wait for a room, a group or a fact.
    waiting: usize,
    waiting_max: usize,
    /// How far members have read, for the store.
    markers: Vec<(RoomId, UserId, Idx)>,
    outputs: VecDeque<Output<R>>,
}

/// What a turn asks of whoever drives it, in order.
#[derive(Debug)]
pub enum Output<R> {
    /// For the sessions of a worker.
    Parcel {
        /// Which worker.
        to: Recipients,
        /// What.
        parcel: Parcel<R>,
    },
    /// The answer comes back by [`Turn::supply`] under this number.
    Ask {
        /// The question's number.
        number: u64,
        /// The question.
        question: Question,
    },
    /// A mail belongs to another room.
    Forward(Mail<R>),
}

/// Which workers a parcel goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// The one that the parcel's address names.
    Addressee,
    /// Those with sessions in the room.
    Listeners(Vec<usize>),
    /// All: the record may concern users who are not in the room.
    All,
}

/// What a turn can't know by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Load the room; if it was loaded before, also what was appended since.
    Load {
        /// The room.
        room: RoomId,
        /// The last record that its listeners have heard.
        heard: Option<Seq>,
    },
    /// The room as a group: its head and its members.
    Group(RoomId),
    /// A message that memory doesn't hold.
    Message(RoomId, Seq),
    /// Whether the password fits the hash.
    Proof {
        /// What the client wrote.
        password: chat_core::Password,
        /// What it is compared with.
        hash: chat_core::SecretHash,
        /// The version that the proof has to name.
        version: Seq,
    },
    /// The hash of a password.
    Hash(chat_core::Password),
    /// How many rooms the user is in and made today.
    Standing(UserId),
    /// Whether `by` wants to hear nothing from `user`.
    Blocked {
        /// Who may have blocked.
        by: UserId,
        /// Whom.
        user: UserId,
    },
    /// A record by its position.
    Record(RoomId, Seq),
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Supply {
    /// The room, and the records that its listeners haven't heard; none if there is no such room.
    Room(Option<Box<Room>>, Vec<Arc<Record>>),
    /// The group's room; none if there is no such group.
    Group(Option<Box<Room>>),
    /// The message.
    Message(MessageFact),
    /// Whether the password fits.
    Proof(chat_core::Proof),
    /// The hash.
    Hash(chat_core::SecretHash),
    /// What the user has of rooms.
    Standing(chat_core::Standing),
    /// Whether he is blocked.
    Blocked(bool),
    /// The record, if it is still there.
    Record(Seq, Option<Arc<Record>>),
    /// It can't be answered.
    Failed(Refused),
}

/// A mail that waits, with the facts gathered for it so far.
#[derive(Debug)]
struct Paused<R> {
    mail: Option<Mail<R>>,
    facts: Facts,
    room: RoomId,
    asked: u8,
}

/// Questions that one mail may raise before it is given up: more than any command needs, even if a
/// fact goes stale a few times.
const QUESTIONS_MAX: u8 = 16;

impl<R> Turn<R> {
    /// A worker's rooms, none of them loaded.
    #[must_use]
    pub fn new(limits: Limits, waiting_max: usize) -> Self {
        Self {
            engine: Engine::new(limits),
            slots: HashMap::new(),
            touched: Vec::new(),
            held: Vec::new(),
            asking: BTreeMap::new(),
            next_question: 0,
            waiting: 0,
            waiting_max,
            markers: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The engine, to look at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What has come out since it was last taken, in order.
    pub fn outputs(&mut self) -> VecDeque<Output<R>> {
        mem::take(&mut self.outputs)
    }

    /// How far members have read, to be stored beside the batch.
    pub fn markers(&mut self) -> Vec<(RoomId, UserId, Idx)> {
        mem::take(&mut self.markers)
    }

    /// Whether nothing waits to be appended or answered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.held.is_empty() && self.touched.is_empty()
    }

    /// Takes in one mail: decides and evolves it, or lets it wait for what it needs.
    pub fn take(&mut self, mail: Mail<R>, now: Timestamp) {
        let creates = matches!(&mail.wish, Wish::Command { command, .. } if command.creates());
        if !self.slots.contains_key(&mail.room) {
            if matches!(mail.wish, Wish::Detach) {
                return;
            }
            if matches!(mail.wish, Wish::Look(Look::People)) {
                // Nobody is present in a room that isn't loaded.
                let nobody = Reply::Seen(Box::new(Sight::Presence(Vec::new())));
                return self.reply(mail.room, mail.reply, Ok(nobody));
            }
            if creates && self.engine.room(mail.room).is_none() && !is_repeat(&mail) {
                self.slots.insert(mail.room, Slot::founding());
            } else {
                self.slots.insert(mail.room, Slot::loading());
                self.ask_for_room(mail.room, None);
            }
        }
        if self.waiting >= self.waiting_max {
            self.reply(mail.room, mail.reply, Err(Refused::Overloaded));
            return;
        }
        self.admit(mail, now);
    }

    /// Takes in the answer to a question, and goes on with what waited for it.
    pub fn supply(&mut self, number: u64, supply: Supply, now: Timestamp) {
        let Some(mut paused) = self.asking.remove(&number) else {
            return;
        };
        match supply {
            Supply::Room(room, missed) => return self.loaded(paused.room, room, missed, now),
            Supply::Failed(refused) => {
                match paused.mail {
                    Some(mail) => self.give_up(mail, refused, now),
                    None => self.load_failed(paused.room, &refused),
                }
                return;
            }
            Supply::Group(group) => match group.filter(|it| it.kind == chat_core::Kind::Group) {
                Some(group) => {
                    let (head, members) = (group.head_seq, group.members.into_keys());
                    self.engine.directory_mut().learn(group.id, head, members);
                }
                // What isn't a group has no members, and stays so: numbers are used only once.
                None => self
                    .engine
                    .directory_mut()
                    .learn(paused.room, Seq::new(1), []),
            },
            Supply::Message(fact) => paused.facts.message = Some(fact),
            Supply::Proof(proof) => paused.facts.proof = Some(proof),
            Supply::Hash(hash) => paused.facts.hash = Some(hash),
            Supply::Standing(standing) => paused.facts.standing = Some(standing),
            Supply::Blocked(blocked) => paused.facts.blocked = Some(blocked),
            Supply::Record(seq, record) => {
                let record = record.map(|record| Record::clone(&record));
                paused.facts.used = Some(Box::new(Used { seq, record }));
            }
        }
        if let Some(mail) = paused.mail {
            self.waiting = self.waiting.saturating_sub(1);
            let (room, from) = (mail.room, mail.from);
            self.answered(room, from);
            self.judge(mail, paused.facts, paused.asked, now);
            self.go_on(room, from, now);
        }
    }

    /// Follows a record of another worker's room, as far as it concerns the rooms of this one.
    pub fn hear(&mut self, record: &Record, now: Timestamp) {
        self.engine.directory_mut().hear(record);
        self.regrant(record, now);
    }

    /// What has to be appended, and is then to be settled; empty if nothing was decided that
    /// leaves a record.
    pub fn batch(&mut self) -> Vec<Append> {
        let mut batch = Vec::with_capacity(self.touched.len());
        for room in &self.touched {
            let Some(slot) = self.slots.get_mut(room) else {
                continue;
            };
            let state = self.engine.room(*room);
            batch.extend(slot.append(*room, state));
        }
        batch
    }

    /// Ends a turn: answers, deliveries and effects of everything since the last one, given what
    /// the store said to [`Turn::batch`].
    pub fn settle(&mut self, outcome: Result<Vec<Appended>, StoreError>, now: Timestamp) {
        let touched = mem::take(&mut self.touched);
        let mut verdicts: HashMap<RoomId, Appended> = HashMap::new();
        let failed = match outcome {
            Ok(appended) => {
                verdicts.extend(touched.iter().copied().zip(appended));
                false
            }
            Err(_) => true,
        };
        let mut again = VecDeque::new();
        for held in mem::take(&mut self.held) {
            let verdict = verdicts.get(&held.room);
            let dropped = failed && touched.contains(&held.room);
            self.release(held, verdict, dropped, &mut again);
        }
        for room in touched {
            match verdicts.remove(&room) {
                Some(Appended::Done) => self.deliver(room, now),
                Some(Appended::Conflict { .. } | Appended::Taken { .. }) | None => {
                    self.drop_room(room)
                }
            }
        }
        for mail in again {
            self.take(mail, now);
        }
    }

    /// Lets rooms go that nobody hears and nothing waits for.
    pub fn sweep(&mut self, now: Timestamp, idle_ms: u64) {
        let engine = &mut self.engine;
        self.slots.retain(|room, slot| {
            let keep = !slot.is_idle(now, idle_ms);
            if !keep {
                engine.unload(*room);
            }
            keep
        });
    }

    /// Decides a mail if nothing before it waits.
    fn admit(&mut self, mail: Mail<R>, now: Timestamp) {
        let room = mail.room;
        let Some(slot) = self.slots.get_mut(&room) else {
            return self.reply(room, mail.reply, Err(Refused::Overloaded));
        };
        let retry = slot.retry();
        let heard = slot.heard;
        match slot.await_load(mail).and_then(|mail| slot.await_turn(mail)) {
            Some(mail) => self.judge(mail, Facts::default(), 0, now),
            None => self.waiting += 1,
        }
        if retry {
            self.ask_for_room(room, heard);
        }
    }

    /// Decides one mail, in a room that is loaded or about to be made.
    fn judge(&mut self, mail: Mail<R>, mut facts: Facts, asked: u8, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(&mail.room) else {
            return self.reply(mail.room, mail.reply, Err(Refused::Overloaded));
        };
        // The room may have been dropped while the mail waited for a fact.
        let Some(mail) = slot.await_load(mail) else {
            self.waiting += 1;
            return;
        };
        slot.used_at = now;
        facts.visiting = slot.presence.is_visiting(mail.actor.id);
        facts.visitors = slot.presence.visitors();
        match &mail.wish {
            Wish::Command { command, cid, used } => {
                if let Some(seq) = used.filter(|_| facts.used.is_none()) {
                    let question = Question::Record(mail.room, seq);
                    return self.pause(mail, facts, asked, question);
                }
                let request = Request {
                    room: mail.room,
                    actor: mail.actor.clone(),
                    at: now,
                    cid: cid.clone(),
                    command: command.clone(),
                    facts,
                };
                let decision = self.engine.decide(&request);
                self.follow(mail, request.facts, asked, decision);
            }
            Wish::Attach => self.attach(mail, facts, asked, now),
            Wish::Detach => {
                if let Some(session) = mail.from {
                    self.detach(mail.room, mail.actor.id, session);
                }
            }
            Wish::Look(look) => {
                let look = *look;
                match self.sight(look, &mail, &facts, now) {
                    Ok(sight) => {
                        self.reply(mail.room, mail.reply, Ok(Reply::Seen(Box::new(sight))))
                    }
                    Err(Judging::Refused(refused)) => {
                        self.reply(mail.room, mail.reply, Err(refused))
                    }
                    Err(Judging::Need(need)) => self.need(mail, facts, asked, need),
                }
            }
        }
    }

    /// Does what a decision asks for.
    fn follow(
        &mut self,
        mail: Mail<R>,
        facts: Facts,
        asked: u8,
        decision: Result<Decision, chat_core::Rejection>,
    ) {
        let room = mail.room;
        match decision {
            Err(rejection) => {
                self.discard_founding(room);
                self.reply(room, mail.reply, Err(rejection.into()));
            }
            Ok(Decision::New(record)) => {
                self.engine.evolve(&record);
                let slot = self
                    .slots
                    .get_mut(&room)
                    .expect("a mail is judged in its slot");
                if slot.decided(Arc::new(record), mail.from) {
                    self.touched.push(room);
                }
                self.held.push(Held::decided(mail, slot.last_decided()));
            }
            Ok(Decision::Repeat { seq }) => {
                self.reply(
                    room,
                    mail.reply,
                    Ok(Reply::Done {
                        room,
                        seq,
                        dup: true,
                    }),
                );
            }
            Ok(Decision::Signal(signal)) => self.signal(mail, signal),
            Ok(Decision::Need(need)) => self.need(mail, facts, asked, need),
        }
    }

    fn signal(&mut self, mail: Mail<R>, signal: Judged) {
        let by = self.author(mail.room, &mail.actor);
        let what = match signal {
            Judged::Typing { on } => Some(What::Typing { on }),
            Judged::Read { idx, as_of: _ } => {
                self.markers.push((mail.room, by.id, idx));
                let shown = self
                    .engine
                    .room(mail.room)
                    .is_some_and(|room| room.features.receipts);
                shown.then_some(What::Read { idx })
            }
            Judged::Visited => {
                if let (Some(slot), Some(session)) = (self.slots.get_mut(&mail.room), mail.from) {
                    slot.presence.admit(by.id, session);
                }
                None
            }
        };
        if let Some(what) = what {
            let signal = Signal {
                room: mail.room,
                by,
                what,
            };
            self.held.push(Held::signal(mail.room, signal, mail.from));
        }
        self.reply(mail.room, mail.reply, Ok(Reply::Accepted));
    }

    fn attach(&mut self, mail: Mail<R>, facts: Facts, asked: u8, now: Timestamp) {
        let inquiry = Inquiry {
            room: mail.room,
            actor: &mail.actor,
            at: now,
            facts: &facts,
            permission: Permission::Read,
        };
        match self.engine.judge(&inquiry) {
            Err(rejection) => self.reply(mail.room, mail.reply, Err(rejection.into())),
            Ok(Judgement::Need(need)) => self.need(mail, facts, asked, need),
            Ok(Judgement::Granted(_)) => {
                let Some(session) = mail.from else { return };
                let by = self.author(mail.room, &mail.actor);
                let Some(state) = self.engine.room(mail.room) else {
                    return;
                };
                let (head, readable_from) = (state.head_seq, state.readable_from(mail.actor.id));
                let Some(slot) = self.slots.get_mut(&mail.room) else {
                    return;
                };
                let arrived = slot.presence.attach(&by, session);
                self.reply(
                    mail.room,
                    mail.reply,
                    Ok(Reply::Attached {
                        head,
                        readable_from,
                    }),
                );
                if arrived {
                    let signal = Signal {
                        room: mail.room,
                        by,
                        what: What::Arrived,
                    };
                    self.held
                        .push(Held::signal(mail.room, signal, Some(session)));
                }
            }
        }
    }

    fn detach(&mut self, room: RoomId, user: UserId, session: SessionKey) {
        let Some(slot) = self.slots.get_mut(&room) else {
            return;
        };
        if let Some(by) = slot.presence.detach(user, session) {
            let signal = Signal {
                room,
                by,
                what: What::Departed,
            };
            self.held.push(Held::signal(room, signal, Some(session)));
        }
    }

    /// Asks for what a decision needs, and lets the mail wait.
    fn need(&mut self, mail: Mail<R>, facts: Facts, asked: u8, need: Need) {
        let room = mail.room;
        let actor = mail.actor.id;
        let question = match need {
            Need::Room(id) => {
                debug_assert_eq!(id, room, "a slot that is loaded has its room");
                Question::Load { room, heard: None }
            }
            Need::Group(group) => Question::Group(group),
            Need::Message(message) => Question::Message(room, message),
            Need::Proof {
                password,
                hash,
                version,
            } => Question::Proof {
                password,
                hash,
                version,
            },
            Need::Hash(password) => Question::Hash(password),
            Need::Standing => Question::Standing(actor),
            Need::Blocked(by) => Question::Blocked { by, user: actor },
            Need::Used(seq) => match self.in_flight(room, seq) {
                Some(record) => {
                    let used = Used {
                        seq,
                        record: Some(Record::clone(&record)),
                    };
                    let facts = Facts {
                        used: Some(Box::new(used)),
                        ..facts
                    };
                    let now = self
                        .slots
                        .get(&room)
                        .map_or_else(Timestamp::default, |s| s.used_at);
                    return self.judge(mail, facts, asked + 1, now);
                }
                None => Question::Record(room, seq),
            },
        };
        self.pause(mail, facts, asked, question);
    }

    fn pause(&mut self, mail: Mail<R>, facts: Facts, asked: u8, question: Question) {
        if asked >= QUESTIONS_MAX {
            return self.reply(mail.room, mail.reply, Err(Refused::Overloaded));
        }
        if let (Some(slot), Some(session)) = (self.slots.get_mut(&mail.room), mail.from) {
            slot.park(session);
        }
        self.waiting += 1;
        let room = match &question {
            Question::Group(group) => *group,
            Question::Load { .. }
            | Question::Message(..)
            | Question::Proof { .. }
            | Question::Hash(_)
            | Question::Standing(_)
            | Question::Blocked { .. }
            | Question::Record(..) => mail.room,
        };
        self.ask(
            question,
            Paused {
                mail: Some(mail),
                facts,
                room,
                asked: asked + 1,
            },
        );
    }

    fn ask_for_room(&mut self, room: RoomId, heard: Option<Seq>) {
        let paused = Paused {
            mail: None,
            facts: Facts::default(),
            room,
            asked: 0,
        };
        self.ask(Question::Load { room, heard }, paused);
    }

    fn ask(&mut self, question: Question, paused: Paused<R>) {
        let number = self.next_question;
        self.next_question += 1;
        self.asking.insert(number, paused);
        self.outputs.push_back(Output::Ask { number, question });
    }
}

/// Whether this mail was led here by the key of an earlier creation.
fn is_repeat<R>(mail: &Mail<R>) -> bool {
    matches!(mail.wish, Wish::Command { used: Some(_), .. })
}

/// Why a question about a room can't be answered right away.
#[derive(Debug)]
enum Judging {
    Refused(Refused),
    Need(Need),
}
