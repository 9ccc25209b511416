//! Turns, the store that they share, and everything between them that may be late or fail.

use std::collections::{BTreeMap, VecDeque};

use chat_core::{Actor, Limits, Name, Record, RoomId, Timestamp, UserId};
use chat_server::bus::{Hint, NodeMark, Tidings};
use chat_server::mail::{Mail, Parcel, Refused, Reply, SessionKey, Wish};
use chat_server::store::memory::Memory;
use chat_server::store::{Append, Appended, Store, StoreError};
use chat_server::turn::{Output, Question, Recipients, Supply, Turn};
use futures_util::FutureExt;

use super::archive::Archive;
use super::bus::Bus;
use super::faults::Faults;
use super::model::Hub;

/// How rooms are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One process: each room belongs to one turn.
    Workers,
    /// Several processes over one store: each decides for any room.
    Nodes,
}

/// Looks around after which each node has told of each room who is present.
const SUM_EVERY: usize = 5;

/// What goes wrong with an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing was written.
    Before,
    /// It was written, and the answer was lost.
    After,
}

/// A mail that was sent, and what was said to it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) room: RoomId,
    pub(super) user: UserId,
    pub(super) from: Option<SessionKey>,
    pub(super) wish: &'static str,
    pub(super) outcome: Option<Result<Reply, Refused>>,
    /// How many mails had been sent when it was answered.
    pub(super) answered_at: usize,
}

pub(super) struct Place {
    pub(super) turn: Turn<u64>,
    pub(super) inbox: VecDeque<Box<Mail<u64>>>,
    pub(super) questions: Vec<(u64, Question)>,
    /// Answers on their way, and the room of the message that they tell of.
    pub(super) supplies: Vec<(u64, Supply, Option<RoomId>)>,
    /// What the store said to the batch that is on its way.
    appending: Option<Result<Vec<Appended>, StoreError>>,
    pub(super) hub: Hub,
}

pub(super) struct World {
    pub(super) store: Memory,
    /// What the store holds.
    pub(super) archive: Archive,
    pub(super) shape: Shape,
    pub(super) places: Vec<Place>,
    /// Parcels on their way from one worker to another, in order.
    pub(super) wires: BTreeMap<(usize, usize), VecDeque<Parcel<u64>>>,
    /// What nodes tell each other.
    pub(super) bus: Bus,
    pub(super) faults: Faults,
    pub(super) sent: Vec<Sent>,
    /// Heard records, with who heard them.
    pub(super) heard: Vec<(Record, UserId)>,
    /// What came out for sessions, in order.
    pub(super) trace: Vec<String>,
    pub(super) now: Timestamp,
}

/// Who somebody is, by his number.
pub(super) fn actor(user: UserId) -> Actor {
    let name = format!("u{}", user.number() % 1_000);
    Actor::new(user, Name::new(&name).unwrap())
}

impl World {
    pub(super) fn new(shape: Shape, places: usize, waiting_max: usize) -> Self {
        let mut limits = Limits::default();
        limits.posts_limited = false;
        let place = |at: usize| {
            let mark = NodeMark::new(at as u64);
            let mut turn = Turn::new(limits.clone(), waiting_max, mark);
            turn.share(shape == Shape::Nodes);
            Place {
                turn,
                inbox: VecDeque::new(),
                questions: Vec::new(),
                supplies: Vec::new(),
                appending: None,
                hub: Hub::default(),
            }
        };
        Self {
            store: Memory::new().unwrap(),
            archive: Archive::default(),
            shape,
            places: (0..places).map(place).collect(),
            wires: BTreeMap::new(),
            bus: Bus::default(),
            faults: Faults::default(),
            sent: Vec::new(),
            heard: Vec::new(),
            trace: Vec::new(),
            now: Timestamp::new(1_000_000),
        }
    }

    /// The place whose turn decides for a room, for a session of this worker.
    pub(super) fn owner(&self, room: RoomId, worker: usize) -> usize {
        match self.shape {
            Shape::Workers => usize::try_from(room.number()).unwrap() % self.places.len(),
            Shape::Nodes => worker,
        }
    }

    pub(super) fn reserve(&self) -> RoomId {
        ready(self.store.reserve_room()).unwrap()
    }

    /// Sends a mail; gives its number.
    pub(super) fn send(
        &mut self,
        room: RoomId,
        user: UserId,
        from: Option<SessionKey>,
        wish: Wish,
    ) -> usize {
        let number = self.sent.len();
        let name = match &wish {
            Wish::Command { command, .. } => command.name(),
            Wish::Attach => "attach",
            Wish::Detach => "detach",
            Wish::Reach(_) => "reach",
            Wish::Look(_) => "look",
        };
        self.sent.push(Sent {
            room,
            user,
            from,
            wish: name,
            outcome: None,
            answered_at: usize::MAX,
        });
        if let (Wish::Detach, Some(session)) = (&wish, from) {
            self.places[session.worker].hub.rise(session, room);
        }
        let owner = self.owner(room, from.map_or(0, |it| it.worker));
        let mail = Box::new(Mail {
            room,
            actor: actor(user),
            from,
            wish,
            reply: number as u64,
        });
        self.places[owner].inbox.push_back(mail);
        number
    }

    /// Takes in up to so many mails, and all supplies.
    pub(super) fn take(&mut self, place: usize, most: usize) {
        let now = self.now;
        let it = &mut self.places[place];
        assert!(it.appending.is_none(), "nothing is decided in mid-append");
        for (number, supply, about) in std::mem::take(&mut it.supplies) {
            let head = about
                .and_then(|room| it.turn.engine().room(room))
                .map(|it| it.head_seq);
            if let (Supply::Message(fact), Some(head)) = (&supply, head)
                && fact.as_of != head
            {
                self.faults.note("fact out of date");
            }
            it.turn.supply(number, supply, now);
        }
        for mail in it.inbox.drain(..most.min(it.inbox.len())) {
            it.turn.take(mail, now);
        }
    }

    /// Sends a turn's batch to the store.
    pub(super) fn append(&mut self, place: usize, fault: Fault) {
        let batch: Vec<Append> = self.places[place].turn.batch();
        let lost = || Err(StoreError::Unavailable("a fault".into()));
        let rooms: Vec<RoomId> = batch.iter().map(|it| it.room).collect();
        let answer = match fault {
            Fault::Before if !batch.is_empty() => {
                self.faults.note("append failed");
                lost()
            }
            Fault::After if !batch.is_empty() => {
                self.faults.note("answer to append lost");
                drop(ready(self.store.append(batch)).unwrap());
                lost()
            }
            Fault::None | Fault::Before | Fault::After => ready(self.store.append(batch)),
        };
        for room in rooms {
            let head = self.archive.head(room);
            let records = ready(self.store.records(room, head, usize::MAX)).unwrap();
            self.archive.grow(room, records);
        }
        for appended in answer.iter().flatten() {
            match appended {
                Appended::Done => {}
                Appended::Conflict { .. } => self.faults.note("append conflicted"),
                Appended::Taken(_) => self.faults.note("key taken"),
            }
        }
        self.places[place].appending = Some(answer);
    }

    pub(super) fn is_appending(&self, place: usize) -> bool {
        self.places[place].appending.is_some()
    }

    /// Lets a turn know what the store said.
    pub(super) fn settle(&mut self, place: usize) {
        let answer = self.places[place].appending.take().unwrap();
        let now = self.now;
        self.places[place].turn.settle(answer, now);
        let markers = self.places[place].turn.markers();
        ready(self.store.mark_read(&markers)).unwrap();
        self.dispatch(place);
    }

    /// Takes, appends and settles until nothing is left to be settled.
    pub(super) fn turn(&mut self, place: usize, fault: Fault) {
        self.take(place, usize::MAX);
        self.append(place, fault);
        self.settle(place);
        while !self.places[place].turn.is_settled() {
            self.append(place, Fault::None);
            self.settle(place);
        }
    }

    /// Reads the answer to a question, to be supplied later.
    pub(super) fn answer(&mut self, place: usize, at: usize, fails: bool) {
        let (number, question) = self.places[place].questions.swap_remove(at);
        let about = match &question {
            Question::Message(room, _) => Some(*room),
            _ => None,
        };
        let supply = if fails {
            if matches!(question, Question::Since { .. }) {
                self.faults.note("gap read failed");
            }
            Supply::Failed(Refused::StorageUnavailable)
        } else {
            self.read(question)
        };
        self.places[place].supplies.push((number, supply, about));
    }

    /// Opens the next parcel that is on its way between two workers.
    pub(super) fn carry(&mut self, wire: (usize, usize)) {
        let Some(parcel) = self.wires.get_mut(&wire).and_then(VecDeque::pop_front) else {
            return;
        };
        if let Parcel::Deliver(delivery) = &parcel {
            let now = self.now;
            self.places[wire.1].turn.hear(&delivery.record, now);
        }
        self.open(wire.1, parcel);
        self.dispatch(wire.1);
    }

    /// Lets everything happen that is under way, without faults.
    pub(super) fn rest(&mut self) {
        for _ in 0..10_000 {
            for place in 0..self.places.len() {
                if self.is_appending(place) {
                    self.settle(place);
                }
                while !self.places[place].questions.is_empty() {
                    self.answer(place, 0, false);
                }
                self.turn(place, Fault::None);
            }
            while let Some((node, hint)) = self.bus.next() {
                self.tell(node, &hint);
            }
            for wire in self.wires.keys().copied().collect::<Vec<_>>() {
                while !self.wires[&wire].is_empty() {
                    self.carry(wire);
                }
            }
            let quiet = |it: &Place| {
                it.inbox.is_empty() && it.questions.is_empty() && it.supplies.is_empty()
            };
            let quiet = self.places.iter().all(quiet) && self.bus.is_quiet();
            if quiet && self.wires.values().all(VecDeque::is_empty) {
                return;
            }
        }
        panic!("the world doesn't come to rest");
    }

    /// Lets every node look into the store once all is at rest: what was lost is found.
    pub(super) fn compare(&mut self) {
        if self.shape == Shape::Workers {
            return;
        }
        for node in 0..self.places.len() {
            let engine = self.places[node].turn.engine();
            let behind = engine
                .rooms()
                .any(|it| it.head_seq < self.archive.head(it.id));
            let directory = engine.directory();
            let lost = directory.groups().any(|group| {
                let known = directory.position(group);
                known.is_some_and(|at| at < self.archive.head(group))
            });
            if behind {
                self.faults.note("behind at rest, found by the poll");
            }
            if lost {
                self.faults.note("group behind at rest, found by the poll");
            }
            self.poll(node);
        }
        self.rest();
    }

    /// Lets all nodes hear each other, and tell each other often enough who is present.
    pub(super) fn meet(&mut self) {
        self.bus.heal();
        for _ in 0..SUM_EVERY {
            for node in 0..self.places.len() {
                self.places[node].turn.call_roll();
                self.dispatch(node);
            }
            self.rest();
        }
    }

    /// Lets a node hear a hint of another.
    pub(super) fn tell(&mut self, node: usize, hint: &Hint) {
        if let Hint::Appended(record) = hint {
            let known = self.places[node].turn.engine().room(record.room);
            let known = known.map(|room| room.head_seq);
            if self.is_appending(node) {
                self.faults.note("hint in mid-append");
            }
            match known {
                None => self.faults.note("hint of a room that isn't loaded"),
                Some(head) if record.seq <= head => self.faults.note("hint heard again"),
                Some(head) if record.seq > head.next() => self.faults.note("hint of a gap"),
                Some(_) => {}
            }
        }
        let now = self.now;
        self.places[node].turn.hint(hint, now);
        self.dispatch(node);
    }

    /// Lets a node look into the store for what the bus has lost.
    pub(super) fn poll(&mut self, node: usize) {
        self.places[node].turn.call_roll();
        self.places[node].turn.poll();
        self.dispatch(node);
    }

    fn dispatch(&mut self, place: usize) {
        for output in self.places[place].turn.outputs() {
            match output {
                Output::Ask { number, question } => {
                    match &question {
                        Question::Since { .. } => self.faults.note("gap read"),
                        Question::Heads(_) => self.faults.note("heads compared"),
                        _ => {}
                    }
                    self.places[place].questions.push((number, question));
                }
                Output::Publish(hint) => {
                    if let Hint::Present(told) = &hint
                        && let Tidings::Asked(Some(_)) = told.news
                    {
                        self.faults.note("presence known wrong, asked again");
                    }
                    let nodes = self.places.len();
                    self.bus.publish(place, nodes, &hint, &mut self.faults);
                }
                Output::Subscribe(room) => self.bus.subscribe(place, room),
                Output::Unsubscribe(room) => self.bus.unsubscribe(place, room),
                Output::Forward(mail) => {
                    let owner = self.owner(mail.room, place);
                    self.places[owner].inbox.push_back(mail);
                }
                Output::Parcel { to, parcel } => self.route(place, to, &parcel),
            }
        }
    }

    fn route(&mut self, place: usize, to: Recipients, parcel: &Parcel<u64>) {
        let workers = match (to, parcel) {
            (Recipients::Addressee, Parcel::Reply { to, .. }) => {
                let from = self.sent[usize::try_from(*to).unwrap()].from;
                vec![from.map_or(place, |it| it.worker)]
            }
            (Recipients::Addressee, _) => panic!("only answers have an address"),
            (Recipients::Listeners(workers), _) => workers.to_vec(),
            (Recipients::All, _) => match self.shape {
                Shape::Workers => (0..self.places.len()).collect(),
                Shape::Nodes => vec![place],
            },
        };
        for worker in workers {
            let copy = copy(parcel);
            if worker == place {
                self.open(worker, copy);
            } else {
                self.wires
                    .entry((place, worker))
                    .or_default()
                    .push_back(copy);
            }
        }
    }

    fn open(&mut self, worker: usize, parcel: Parcel<u64>) {
        match parcel {
            Parcel::Reply { to, outcome } => self.hear_answer(to, outcome),
            Parcel::Deliver(delivery) => {
                let event = delivery.record.event.name();
                self.trace.push(format!("{} {event}", delivery.record.seq));
                super::laws::is_durable(self, &delivery.record);
                for user in self.places[worker].hub.deliver(&delivery.record) {
                    super::laws::may_hear(self, &delivery.record, user);
                    self.heard.push((Record::clone(&delivery.record), user));
                }
            }
            Parcel::Signal { signal, .. } => self.trace.push(signal.what.name().into()),
            Parcel::Expel { room, user } => self.places[worker].hub.expel(room, user),
            Parcel::TakenBack(room) => panic!("room {room} is of another store"),
        }
    }

    fn hear_answer(&mut self, to: u64, outcome: Result<Reply, Refused>) {
        let at = usize::try_from(to).unwrap();
        let sent = &mut self.sent[at];
        assert!(
            sent.outcome.is_none(),
            "mail {to} is answered twice: {sent:?}, {outcome:?}"
        );
        if let (Ok(Reply::Attached { head, .. }), Some(session)) = (&outcome, sent.from) {
            let (room, user, head) = (sent.room, sent.user, *head);
            self.places[session.worker]
                .hub
                .sit(session, user, room, head);
        }
        self.sent[at].outcome = Some(outcome);
        self.sent[at].answered_at = self.sent.len();
        super::laws::acknowledgement_holds(self, at);
    }
}

/// The store in memory never waits.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn copy(parcel: &Parcel<u64>) -> Parcel<u64> {
    match parcel {
        Parcel::Reply { to, outcome } => Parcel::Reply {
            to: *to,
            outcome: outcome.clone(),
        },
        Parcel::Deliver(delivery) => Parcel::Deliver(delivery.clone()),
        Parcel::Signal { signal, origin } => Parcel::Signal {
            signal: signal.clone(),
            origin: *origin,
        },
        Parcel::Expel { room, user } => Parcel::Expel {
            room: *room,
            user: *user,
        },
        Parcel::TakenBack(room) => Parcel::TakenBack(*room),
    }
}
