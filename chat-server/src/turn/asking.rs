//! What decisions wait for: questions go out, answers come in, and a session's mails stay in order.

use std::collections::{BTreeSet, VecDeque};

use chat_core::{
    Facts, Kind, Lifecycle, Need, Record, Rejection, Room, RoomId, Seq, Timestamp, Used, UserId,
};

use super::slot::{Answer, Slot};
use super::{Output, Question, Supply, Turn, is_creation};
use crate::mail::{Mail, Refused, Reply, Wish};
use crate::store::Holder;

/// A mail with the facts gathered for it so far.
#[derive(Debug)]
pub(super) struct Pending<R> {
    pub(super) mail: Box<Mail<R>>,
    pub(super) facts: Facts,
    /// Whether the store was asked for the mail's cid.
    pub(super) looked_up: bool,
    /// Whether its room was made sure to be as the store has it.
    pub(super) fresh: bool,
    /// Questions that it raised.
    asked: u8,
}

/// A question that is out.
#[derive(Debug)]
pub(super) struct Asked<R> {
    asker: Asker<R>,
    /// The group that it asks for, and whether that changed since: the answer is from before then.
    group: Option<(RoomId, bool)>,
}

#[derive(Debug)]
pub(super) enum Asker<R> {
    /// A mail that can't be decided without.
    Mail(Box<Pending<R>>),
    /// A slot whose room is to be loaded, and how many mails were there to hear the answer.
    Slot(RoomId, usize),
    /// Those who are present in rooms that lean on the group.
    Listeners,
    /// A room, or who leans on it, that has missed something after this record.
    Gap(RoomId, Seq),
    /// All rooms: whether they have.
    Poll,
}

/// Questions that one mail may raise before it is given up: more than any command needs, even if a
/// fact goes stale a few times. Groups don't count: each is asked for only while it is unknown.
const QUESTIONS_MAX: u8 = 16;

impl<R> Pending<R> {
    pub(super) fn new(mail: Box<Mail<R>>) -> Self {
        Self {
            mail,
            facts: Facts::default(),
            looked_up: false,
            fresh: false,
            asked: 0,
        }
    }
}

impl<R> Turn<R> {
    /// Takes in the answer to a question, and goes on with what waited for it.
    pub fn supply(&mut self, number: u64, supply: Supply, now: Timestamp) {
        let Some(Asked { asker, group }) = self.asking.remove(&number) else {
            return;
        };
        if let (Some((group, true)), Supply::Group(_)) = (group, &supply) {
            // It changed while the answer was on its way.
            return self.ask(Question::Group(group), asker);
        }
        if let (Some((group, _)), Supply::Group(room)) = (group, &supply) {
            self.learn(group, room.as_deref());
        }
        match (&asker, group) {
            (Asker::Gap(room, after), _) => self.end_gap(*room, *after),
            (Asker::Listeners, Some((group, _))) => drop(self.leaned_on.remove(&group)),
            (Asker::Mail(_) | Asker::Slot(..) | Asker::Listeners | Asker::Poll, _) => {}
        }
        match (asker, supply) {
            (Asker::Mail(pending), supply) => self.resume(*pending, supply, now),
            (Asker::Slot(room, _), Supply::Room(Some(state), missed, ground)) => {
                self.loaded(*state, missed, ground, now);
                debug_assert!(self.engine.room(room).is_some(), "a loaded room is its own");
            }
            (
                Asker::Slot(room, _),
                Supply::Since {
                    records,
                    whole,
                    ground,
                },
            ) => match self.followed(room, &records, whole && ground.holds) {
                Some(state) => self.loaded(state, records, ground, now),
                None => self.ask_for_room(room),
            },
            (Asker::Slot(room, known), Supply::Room(None, ..)) => {
                self.not_found(room, known, now);
            }
            (Asker::Slot(room, _), Supply::Failed(refused)) => self.load_failed(room, &refused),
            (Asker::Slot(room, _), _) => self.load_failed(room, &Refused::StorageUnavailable),
            (Asker::Listeners, Supply::Group(_)) => {
                if let Some((group, _)) = group {
                    self.rejudge_leaning(group, None, now);
                }
            }
            (Asker::Listeners, _) => {
                if let Some((group, _)) = group {
                    self.expel_leaning(group, now);
                }
            }
            (
                Asker::Gap(room, _),
                Supply::Since {
                    records,
                    whole,
                    ground,
                },
            ) => {
                self.stand(room, &ground, now);
                self.fill(room, records, whole, now);
            }
            (Asker::Gap(room, _), _) => self.stay_behind(room),
            (Asker::Poll, Supply::Heads(heads)) => self.compare(heads, now),
            (Asker::Poll, _) => {}
        }
    }

    /// Goes on with a mail that has its answer.
    fn resume(&mut self, mut pending: Pending<R>, supply: Supply, now: Timestamp) {
        self.waiting = self.waiting.saturating_sub(1);
        let (room, from) = (pending.mail.room, pending.mail.from);
        if let (Some(slot), Some(session)) = (self.slots.get_mut(&room), from) {
            slot.answered(session);
        }
        match supply {
            Supply::Failed(refused) => self.refuse(pending.mail, refused),
            Supply::Holder(holder) => {
                pending.looked_up = true;
                self.found_holder(pending, holder, now);
            }
            Supply::Since {
                records,
                whole,
                ground,
            } => {
                self.stand(room, &ground, now);
                self.reconsider(pending, records, whole, now);
            }
            supply @ (Supply::Room(..)
            | Supply::Heads(_)
            | Supply::Group(_)
            | Supply::Message(_)
            | Supply::Proof(_)
            | Supply::Hash(_)
            | Supply::Standing(_)
            | Supply::Blocked(_)
            | Supply::Record(..)) => {
                add(&mut pending.facts, supply);
                self.rejoin(pending, now);
            }
        }
        let Some(session) = from else { return };
        while let Some(slot) = self.slots.get_mut(&room) {
            let Some(mail) = slot.next_behind(session) else {
                return;
            };
            self.waiting = self.waiting.saturating_sub(1);
            self.judge(Pending::new(mail), now);
        }
    }

    /// Judges a mail that has waited, if its room is still there.
    pub(super) fn rejoin(&mut self, pending: Pending<R>, now: Timestamp) {
        if self
            .slots
            .get(&pending.mail.room)
            .is_some_and(Slot::is_ready)
        {
            self.judge(pending, now);
        } else {
            self.enter(pending.mail, now);
        }
    }

    /// A command that would be refused was looked up by its cid.
    fn found_holder(&mut self, mut pending: Pending<R>, holder: Option<Holder>, now: Timestamp) {
        let Some(by) = holder else {
            return self.rejoin(pending, now);
        };
        if let Wish::Command { used, .. } = &mut pending.mail.wish {
            *used = Some(by.seq);
        }
        if by.room == pending.mail.room {
            return self.rejoin(pending, now);
        }
        self.abandon(pending.mail.room);
        pending.mail.room = by.room;
        self.outputs.push_back(Output::Forward(pending.mail));
    }

    /// Asks for what a decision needs, and lets the mail wait.
    pub(super) fn need(&mut self, mut pending: Pending<R>, need: Need, now: Timestamp) {
        let room = pending.mail.room;
        let actor = pending.mail.actor.id;
        let question = match need {
            // Its slot would have it if there were one.
            Need::Room(_) => return self.refuse(pending.mail, Rejection::RoomNotFound.into()),
            // Nobody else gets the number, so the record there is of unknown origin.
            Need::NewRoom => return self.refuse(pending.mail, Refused::StorageUnavailable),
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
            Need::Used(seq) => match self.slots.get(&room).and_then(|it| it.in_flight(seq)) {
                Some(record) => {
                    let record = Some(Record::clone(&record));
                    pending.facts.used = Some(Box::new(Used { seq, record }));
                    return self.judge(pending, now);
                }
                None => Question::Record(room, seq),
            },
        };
        self.pause(pending, question);
    }

    /// Lets a mail wait for an answer, and what its session sends meanwhile behind it.
    pub(super) fn pause(&mut self, mut pending: Pending<R>, question: Question) {
        if !matches!(question, Question::Group(_)) {
            if pending.asked >= QUESTIONS_MAX {
                return self.refuse(pending.mail, Refused::Overloaded);
            }
            pending.asked += 1;
        }
        let mail = &pending.mail;
        if let (Some(slot), Some(session)) = (self.slots.get_mut(&mail.room), mail.from) {
            slot.park(session);
        }
        self.waiting += 1;
        self.ask(question, Asker::Mail(Box::new(pending)));
    }

    /// Asks for what a room's log has after a record.
    pub(super) fn ask_since(&mut self, room: RoomId, after: Seq) {
        let question = self.since(room, after);
        self.ask(question, Asker::Gap(room, after));
    }

    /// Asks how far the logs of rooms go, unless that is being asked.
    pub(super) fn ask_for_heads(&mut self, rooms: Vec<RoomId>) {
        let polls = |asked: &Asked<R>| matches!(asked.asker, Asker::Poll);
        if !rooms.is_empty() && !self.asking.values().any(polls) {
            self.ask(Question::Heads(rooms), Asker::Poll);
        }
    }

    /// Asks for a group on behalf of those who are present by it.
    pub(super) fn ask_for_listeners(&mut self, group: RoomId) {
        if self.leaned_on.insert(group) {
            self.ask(Question::Group(group), Asker::Listeners);
        }
    }

    pub(super) fn ask(&mut self, question: Question, asker: Asker<R>) {
        let number = self.next_question;
        self.next_question += 1;
        let group = match &question {
            Question::Group(group) => Some((*group, false)),
            Question::Load { .. }
            | Question::Since { .. }
            | Question::Heads(_)
            | Question::Message(..)
            | Question::Proof { .. }
            | Question::Hash(_)
            | Question::Standing(_)
            | Question::Blocked { .. }
            | Question::Record(..)
            | Question::Holder(_) => None,
        };
        self.asking.insert(number, Asked { asker, group });
        self.outputs.push_back(Output::Ask { number, question });
    }

    /// Notes that a group has changed: answers that are on their way don't count.
    pub(super) fn outdate(&mut self, group: RoomId) {
        self.outdate_all(|it| it == group);
    }

    /// Notes that groups have changed.
    pub(super) fn outdate_all(&mut self, is_meant: impl Fn(RoomId) -> bool) {
        for asked in self.asking.values_mut() {
            if let Some((group, changed)) = &mut asked.group {
                *changed |= is_meant(*group);
            }
        }
    }

    pub(super) fn learn(&mut self, group: RoomId, stored: Option<&Room>) {
        // If the group is loaded here, it may be ahead of the store by what this turn has decided,
        // or behind it by what another node has.
        let known = self.engine.room(group).into_iter().chain(stored);
        let room = known.max_by_key(|room| room.head_seq);
        if room.is_none() {
            self.unmade.insert(group);
        }
        match room.filter(|room| room.kind == Kind::Group && room.lifecycle != Lifecycle::Deleted) {
            Some(room) => {
                let head = room.head_seq;
                let members: Vec<UserId> = room.members.keys().copied().collect();
                self.engine.directory_mut().learn(group, head, members);
            }
            None => self.engine.directory_mut().learn_none(group),
        }
    }

    /// Calls back the mails that wait for facts in a room: each session's in the order in which it
    /// sent them.
    pub(super) fn recall(&mut self, room: RoomId, again: &mut VecDeque<Box<Mail<R>>>) {
        let theirs: BTreeSet<u64> = self
            .asking
            .iter()
            .filter(|(_, asked)| matches!(&asked.asker, Asker::Mail(it) if it.mail.room == room))
            .map(|(number, _)| *number)
            .collect();
        let before = again.len();
        for number in theirs {
            let Some(Asker::Mail(pending)) = self.asking.remove(&number).map(|it| it.asker) else {
                continue;
            };
            let from = pending.mail.from;
            again.push_back(pending.mail);
            if let (Some(slot), Some(session)) = (self.slots.get_mut(&room), from) {
                again.extend(slot.unpark(session));
            }
        }
        if let Some(slot) = self.slots.get_mut(&room) {
            again.extend(slot.let_in());
        }
        self.waiting = self.waiting.saturating_sub(again.len() - before);
    }

    /// Refuses a mail for good; that somebody hears a room no more is true all the same.
    pub(super) fn refuse(&mut self, mail: Box<Mail<R>>, refused: Refused) {
        if matches!(mail.wish, Wish::Detach) {
            self.dismiss(&mail);
            self.detach(&mail);
            return self.judged(mail, Ok(Reply::Accepted));
        }
        if is_creation(&mail) {
            self.abandon(mail.room);
        }
        self.judged(mail, Err(refused));
    }

    /// Lets a place go that was kept for a room which isn't made after all, and answers those who
    /// guessed its number.
    fn abandon(&mut self, room: RoomId) {
        if !self.slots.get(&room).is_some_and(Slot::is_unfounded) {
            return;
        }
        let behind = self.vacate(room).map(|mut slot| slot.unpark_all());
        for mail in behind.into_iter().flatten() {
            self.waiting = self.waiting.saturating_sub(1);
            self.refuse_guess(mail);
        }
    }

    pub(super) fn refuse_guess(&mut self, mail: Box<Mail<R>>) {
        let outcome = match mail.wish {
            Wish::Detach | Wish::Reach(_) => Ok(Reply::Accepted),
            Wish::Command { .. } | Wish::Attach | Wish::Look(_) => {
                Err(Rejection::RoomNotFound.into())
            }
        };
        self.judged(mail, outcome);
    }

    /// Takes a session out of a room, where its visit has ended before.
    pub(super) fn detach(&mut self, mail: &Mail<R>) {
        let (Some(session), Some(slot)) = (mail.from, self.slots.get_mut(&mail.room)) else {
            return;
        };
        if let Some(step) = slot.presence.detach(mail.actor.id, session) {
            self.stepped_out(mail.room, step, Some(session));
        }
    }

    /// Lets a session go. Its visit ends at once, so that one which begins later in this turn stays.
    pub(super) fn rise(&mut self, mail: Box<Mail<R>>) {
        self.dismiss(&mail);
        self.hold(mail.room, Answer::Detach(mail));
    }

    /// Takes back that a visitor was let in, or ends his visit.
    pub(super) fn dismiss(&mut self, mail: &Mail<R>) {
        if let (Some(session), Some(slot)) = (mail.from, self.slots.get_mut(&mail.room)) {
            slot.presence.dismiss(mail.actor.id, session);
        }
    }
}

/// Adds what was asked for to the facts.
fn add(facts: &mut Facts, supply: Supply) {
    match supply {
        Supply::Message(fact) => facts.message = Some(fact),
        Supply::Proof(proof) => facts.proof = Some(proof),
        Supply::Hash(hash) => facts.hash = Some(hash),
        Supply::Standing(standing) => facts.standing = Some(standing),
        Supply::Blocked(blocked) => facts.blocked = Some(blocked),
        Supply::Record(seq, record) => {
            let record = record.map(|record| Record::clone(&record));
            facts.used = Some(Box::new(Used { seq, record }));
        }
        // Known to the directory, or no fact of a mail.
        Supply::Group(_)
        | Supply::Room(..)
        | Supply::Since { .. }
        | Supply::Heads(_)
        | Supply::Holder(_)
        | Supply::Failed(_) => {}
    }
}
