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

mod asking;
mod attending;
mod deciding;
mod elsewhere;
mod following;
mod grants;
mod ground;
mod loading;
mod nameless;
mod neighbours;
mod outcome;
mod presence;
mod question;
mod repeats;
mod sight;
mod slot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;

use chat_core::{Engine, Idx, Limits, Need, Rejection, RoomId, Seq, Timestamp, UserId};

use self::asking::{Asked, Pending};
use self::attending::Teller;
use self::following::Gaps;
use self::nameless::Erased;
use self::neighbours::Neighbours;
use self::outcome::Fate;
pub use self::question::{Ground, Question, Supply};
use self::slot::{Answer, Held, Slot};
use crate::bus::{Hint, NodeMark};
use crate::mail::{ByRoom, Look, Mail, Parcel, Refused, Reply, Sight, Wish};
use crate::store::{Append, Appended, Epoch, StoreError};

/// The rooms of one worker. `R` is where an answer goes.
#[derive(Debug)]
pub struct Turn<R> {
    engine: Engine,
    slots: ByRoom<Slot<R>>,
    /// Rooms with records that are decided and not yet appended, in the order of the first one.
    touched: Vec<RoomId>,
    /// Answers that wait for the append.
    held: Vec<Held<R>>,
    /// Who waits for an answer, by the question's number.
    asking: BTreeMap<u64, Asked<R>>,
    next_question: u64,
    /// Mails that wait for a room, a group or a fact.
    waiting: usize,
    waiting_max: usize,
    /// How far members have read, for the store.
    markers: Vec<(RoomId, UserId, Idx)>,
    /// Groups that changed while answers wait: whoever gets a seat by one of those is judged again.
    changed: Vec<(RoomId, Option<UserId>)>,
    /// Whether other nodes write to the same store.
    shared: bool,
    /// The continuation of the logs that the store is in, if it may be in another one day.
    epoch: Option<Epoch>,
    /// Rooms in which the mails of a turn that came to nothing are judged before all others.
    apart: BTreeSet<RoomId>,
    /// Rooms of which other nodes told something while answers waited.
    told: BTreeSet<RoomId>,
    /// What is being read of logs because it was missed.
    gaps: Gaps,
    /// Who was erased a moment ago.
    erased: Erased,
    /// Where guests came from who entered rooms.
    neighbours: Neighbours,
    /// Groups that are asked for on behalf of those who are present by them.
    leaned_on: BTreeSet<RoomId>,
    /// Groups that were asked for and weren't made yet.
    unmade: BTreeSet<RoomId>,
    /// Records for everybody that were passed on last.
    passed: VecDeque<(RoomId, Seq)>,
    /// Tells other nodes who is present.
    teller: Teller,
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
    Forward(Box<Mail<R>>),
    /// Something for the other nodes.
    Publish(Hint),
    /// What other nodes tell of this room is to be heard from here on.
    Subscribe(RoomId),
    /// It isn't any more.
    Unsubscribe(RoomId),
}

/// Which workers a parcel goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// The one that the parcel's address names.
    Addressee,
    /// Those with sessions in the room.
    Listeners(Arc<[usize]>),
    /// All: the record may concern users who are not in the room.
    All,
}

impl<R> Turn<R> {
    /// A worker's rooms, none of them loaded.
    #[must_use]
    pub fn new(limits: Limits, waiting_max: usize, node: NodeMark) -> Self {
        Self {
            engine: Engine::new(limits),
            slots: ByRoom::default(),
            touched: Vec::new(),
            held: Vec::new(),
            asking: BTreeMap::new(),
            next_question: 0,
            waiting: 0,
            waiting_max,
            markers: Vec::new(),
            changed: Vec::new(),
            shared: false,
            epoch: None,
            apart: BTreeSet::new(),
            told: BTreeSet::new(),
            gaps: Gaps::default(),
            erased: Erased::new(),
            neighbours: Neighbours::default(),
            leaned_on: BTreeSet::new(),
            unmade: BTreeSet::new(),
            passed: VecDeque::new(),
            teller: Teller::new(node),
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

    /// Takes in one mail: decides and evolves it, or lets it wait for what it needs. Each mail is
    /// answered once, some turn later.
    pub fn take(&mut self, mail: Box<Mail<R>>, now: Timestamp) {
        // Who hears a room no more is noted however much waits: nobody would say it again.
        if self.waiting >= self.waiting_max && !matches!(mail.wish, Wish::Detach) {
            // It depends on no room, and mustn't come again before those that wait.
            return self.answer(mail.reply, Err(Refused::Overloaded));
        }
        self.enter(mail, now);
    }

    /// What has to be appended, and is then to be settled, with no mail taken in between; empty if
    /// nothing was decided that leaves a record.
    pub fn batch(&mut self) -> Vec<Append> {
        let mut batch = Vec::with_capacity(self.touched.len());
        let (slots, engine) = (&mut self.slots, &self.engine);
        // The answers come in the same order, so a room without an append may not stay.
        self.touched.retain(|room| {
            let slot = slots.get_mut(room);
            let append = slot.and_then(|slot| slot.append(*room, engine.room(*room)));
            let appends = append.is_some();
            batch.extend(append);
            appends
        });
        batch
    }

    /// Ends a turn: answers, deliveries and effects of everything since the last one, given what
    /// the store said to [`Turn::batch`].
    pub fn settle(&mut self, outcome: Result<Vec<Appended>, StoreError>, now: Timestamp) {
        let touched = mem::take(&mut self.touched);
        let fates = outcome.unwrap_or_default().into_iter().map(Fate::from);
        // What the store doesn't answer for has failed.
        let fates = fates.chain(std::iter::repeat_with(|| Fate::Failed));
        let fates = touched.iter().copied().zip(fates);
        let fates: ByRoom<Fate> = fates
            .map(|(room, it)| (room, self.weary(room, it)))
            .collect();
        let mut again = VecDeque::new();
        // An answer and a delivery each, mostly.
        self.outputs.reserve(2 * self.held.len());
        let mut answers = mem::take(&mut self.held);
        for held in answers.drain(..) {
            #[cfg(sabotage)]
            if chat_core::sabotage::planted("answered_without_commit") {
                self.release(held, &Fate::Durable, &mut again, now);
                continue;
            }
            let fate = fates.get(&held.room).unwrap_or(&Fate::Durable);
            self.release(held, fate, &mut again, now);
        }
        // The next turn has the same place for its own.
        answers.append(&mut self.held);
        self.held = answers;
        let mut thrown_back = Vec::new();
        for room in touched {
            match fates.get(&room).unwrap_or(&Fate::Failed) {
                Fate::Durable => {}
                Fate::Again => self.drop_room(room, false, &mut again),
                Fate::Taken(_) => {
                    self.drop_room(room, false, &mut again);
                    thrown_back.push(room);
                }
                Fate::Failed => self.drop_room(room, true, &mut again),
            }
        }
        for (group, user) in mem::take(&mut self.changed) {
            self.rejudge_leaning(group, user, now);
        }
        for mail in again {
            self.enter(mail, now);
        }
        self.set_apart(&thrown_back);
        self.go_on(now);
        self.let_in(now);
    }

    /// Lets rooms go that nobody hears and nothing waits for, forgets the groups that no room leans
    /// on, and tries again to load rooms of which something may have to be delivered. What comes
    /// out is to be settled.
    pub fn sweep(&mut self, now: Timestamp, idle_ms: u64) {
        let idle = |slot: &Slot<R>| slot.is_idle(now, idle_ms);
        let slots = self.slots.iter();
        let idle: BTreeSet<RoomId> = slots
            .filter(|(_, it)| idle(it))
            .map(|(id, _)| *id)
            .collect();
        for room in idle {
            self.engine.unload(room);
            self.vacate(room);
        }
        self.forget_unused_groups();
        let missed: BTreeSet<RoomId> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.owes())
            .map(|(room, _)| *room)
            .collect();
        for room in missed {
            self.reload(room);
        }
    }

    /// Gives a mail's room a slot, and the mail its turn in it.
    fn enter(&mut self, mail: Box<Mail<R>>, now: Timestamp) {
        let room = mail.room;
        if !self.slots.contains_key(&room) {
            if matches!(mail.wish, Wish::Detach) {
                return self.judged(mail, Ok(Reply::Accepted));
            }
            let looks = matches!(
                mail.wish,
                Wish::Look(Look::People { .. } | Look::Namesakes(_))
            );
            if looks && !self.shared {
                // Nobody is present in a room that isn't loaded, unless on another node.
                let nobody = Reply::Seen(Box::new(Sight::People(Vec::new())));
                return self.judged(mail, Ok(nobody));
            }
            if is_creation(&mail) {
                self.occupy(room, Slot::founding(self.epoch.clone()));
            } else {
                self.occupy(room, Slot::loading());
                self.ask_for_room(room);
            }
        }
        self.admit(mail, now);
    }

    /// Decides a mail if nothing before it waits.
    fn admit(&mut self, mail: Box<Mail<R>>, now: Timestamp) {
        let room = mail.room;
        self.reload(room);
        let Some(slot) = self.slots.get_mut(&room) else {
            return self.judged(mail, Err(Refused::Overloaded));
        };
        match slot.await_load(mail) {
            Some(mail) => self.judge_in_turn(mail, now),
            None => self.waiting += 1,
        }
    }

    /// Decides a mail of a room that is loaded, if none of its session waits.
    fn judge_in_turn(&mut self, mail: Box<Mail<R>>, now: Timestamp) {
        let waits = match self.slots.get_mut(&mail.room) {
            Some(slot) => slot.await_turn(mail),
            None => Some(mail),
        };
        match waits {
            Some(mail) => self.judge(Pending::new(mail), now),
            None => self.waiting += 1,
        }
    }

    /// Asks once more for a room that couldn't be loaded.
    fn reload(&mut self, room: RoomId) {
        if let Some(slot) = self.slots.get_mut(&room)
            && slot.retry()
        {
            self.ask_for_room(room);
        }
    }

    /// Decides one mail, in a room that is loaded or about to be made.
    fn judge(&mut self, mut pending: Pending<R>, now: Timestamp) {
        let mail = &pending.mail;
        let (room, is_new) = (mail.room, self.engine.room(mail.room).is_none());
        let Some(slot) = self.slots.get_mut(&room) else {
            return self.judged(pending.mail, Err(Refused::Overloaded));
        };
        slot.used_at = now;
        pending.facts.visiting = slot.presence.is_visiting(mail.actor.id);
        pending.facts.visitors = slot.presence.visitors();
        pending.facts.neighbours = self.neighbours_of(&pending.mail);
        if is_new && !is_creation(mail) && !matches!(mail.wish, Wish::Detach) {
            // Somebody guessed a number that is kept for a room which isn't made yet.
            return self.judged(pending.mail, Err(Rejection::RoomNotFound.into()));
        }
        if matches!(mail.wish, Wish::Attach | Wish::Look(_) | Wish::Reach(_))
            && !self.is_grounded(room)
        {
            // Whoever is told how far the room is takes that with him to other nodes.
            return self.ask_for_ground(pending);
        }
        match &mail.wish {
            Wish::Command { .. } => self.decide(pending, now),
            Wish::Attach => self.attach(pending, now),
            Wish::Detach => self.rise(pending.mail),
            Wish::Reach(seq) => self.reach_for(*seq, pending),
            Wish::Look(look) => match self.sight(*look, mail, &pending.facts, now) {
                Ok(sight) => self.judged(pending.mail, Ok(Reply::Seen(Box::new(sight)))),
                Err(Judging::Refused(refused)) => {
                    if let Some(pending) = self.doubt(pending) {
                        self.judged(pending.mail, Err(refused));
                    }
                }
                Err(Judging::Need(need)) => self.need(pending, need, now),
            },
        }
    }

    /// Holds what a mail came to until what it was judged by is durable.
    fn hold(&mut self, room: RoomId, what: Answer<R>) {
        self.held.push(Held { room, what });
    }

    /// Holds an answer that needs no record.
    fn judged(&mut self, mail: Box<Mail<R>>, outcome: Result<Reply, Refused>) {
        self.hold(mail.room, Answer::Judged(mail, outcome));
    }
}

/// Whether this mail makes its room, and wasn't led here by the key of an earlier creation.
const fn is_creation<R>(mail: &Mail<R>) -> bool {
    matches!(&mail.wish, Wish::Command { command, used: None, .. } if command.creates())
}

/// Why a question about a room can't be answered right away.
#[derive(Debug)]
enum Judging {
    Refused(Refused),
    Need(Need),
}
