//! A shell in memory: what a server does around the engine, with maps in place of disk and net.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{
    Actor, Cid, Command, Decision, Effect, Engine, Event, Facts, Head, Key, Kind, Lifecycle,
    Limits, MessageFact, Need, Proof, Record, Rejection, Request, Room, RoomId, SecretHash, Seq,
    Signal, Standing, Timestamp, Used, UserId,
};

/// An engine, the logs behind it, and everything that it asks for.
#[derive(Default)]
pub(crate) struct Shell {
    pub(crate) engine: Engine,
    pub(crate) logs: BTreeMap<RoomId, Vec<Record>>,
    /// Who hears nothing from whom.
    pub(crate) blocks: BTreeSet<(UserId, UserId)>,
    pub(crate) visitors: BTreeSet<(RoomId, UserId)>,
    keys: BTreeMap<Key, (RoomId, Seq)>,
    /// What was read of a message last: it goes with every later request, however old it is by
    /// then, and the engine has to see that.
    old_news: BTreeMap<RoomId, MessageFact>,
}

/// What a client would hear.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a test keeps few of them")]
pub(crate) enum Answer {
    Fact(Record),
    Repeat(RoomId, Seq),
    Signal(Signal),
    Refused(Rejection),
    /// The store refused: another room holds the alias.
    NameTaken,
    /// The engine wants another number for the room: there is one of this.
    NumberTaken,
}

/// A question that no answer to a need can settle is a bug.
const ROUNDS_MAX: usize = 100;

impl Shell {
    /// The number that the store gives to the next room.
    pub(crate) fn reserve(&self) -> RoomId {
        RoomId::new(self.logs.len() as u64 + 1)
    }

    /// Other limits; rooms and groups are loaded again when they are needed.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.engine = Engine::new(limits);
    }

    /// Carries one wish through to its answer, as a server would.
    pub(crate) fn ask(
        &mut self,
        room: RoomId,
        actor: &Actor,
        at: Timestamp,
        cid: Option<Cid>,
        command: Command,
    ) -> Answer {
        let (actor, facts) = (actor.clone(), Facts::default());
        let mut request = Request {
            room,
            actor,
            at,
            cid,
            command,
            facts,
        };
        if let (true, Some((room, seq))) = (request.command.creates(), self.first_use(&request)) {
            request.room = room;
            request.facts.used = Some(self.used(room, seq));
        }
        for _ in 0..ROUNDS_MAX {
            self.tell(&mut request);
            let decision = self.engine.decide(&request);
            // Only the store knows old cids: whoever would be refused may have been heard before.
            let settled = matches!(
                decision,
                Err(_) | Ok(Decision::Repeat { .. } | Decision::Signal(_))
            );
            if let (true, None, Some((room, seq))) =
                (settled, &request.facts.used, self.first_use(&request))
            {
                request.facts.used = Some(self.used(room, seq));
                continue;
            }
            match decision {
                Err(rejection) => return Answer::Refused(rejection),
                Ok(Decision::Repeat { seq }) => return Answer::Repeat(request.room, seq),
                Ok(Decision::Signal(signal)) => {
                    if signal == Signal::Visited {
                        self.visitors.insert((request.room, request.actor.id));
                    }
                    return Answer::Signal(signal);
                }
                Ok(Decision::Need(Need::Room(id))) => match self.stored(id) {
                    Some(room) => self.engine.load(room),
                    None => return Answer::Refused(Rejection::RoomNotFound),
                },
                Ok(Decision::Need(Need::NewRoom)) => return Answer::NumberTaken,
                Ok(Decision::Need(need)) => self.supply(&mut request, &need),
                Ok(Decision::New(record)) => match self.taken(&record) {
                    None => {
                        assert!(
                            request.command.became(&record.event),
                            "a repeat would be known by its fact: {record:?}"
                        );
                        self.append(&record);
                        return Answer::Fact(record);
                    }
                    Some((Key::Alias(_), _)) => return Answer::NameTaken,
                    Some((Key::Direct(..), (room, _))) => {
                        request.room = room;
                        let stored = self.room(room).expect("whoever holds a key exists");
                        self.engine.load(stored);
                    }
                    Some((Key::Creation(..) | Key::Command(..), (room, seq))) => {
                        request.room = room;
                        request.facts.used = Some(self.used(room, seq));
                    }
                },
            }
        }
        panic!("asked for {ROUNDS_MAX} things in a row: {request:?}")
    }

    /// Adds what a request doesn't have to ask for.
    fn tell(&self, request: &mut Request) {
        let facts = &mut request.facts;
        if facts.message.is_none() {
            facts.message = self.old_news.get(&request.room).cloned();
        }
        let visitors = self.visitors.iter();
        let here = visitors.filter(|(room, _)| *room == request.room);
        facts.visitors = here.count() as u64;
        facts.visiting = self.visitors.contains(&(request.room, request.actor.id));
    }

    /// The room as its log alone makes it.
    pub(crate) fn stored(&self, id: RoomId) -> Option<Room> {
        Room::replayed(self.logs.get(&id)?)
    }

    /// The room as the engine has it, or would have it.
    pub(crate) fn room(&self, id: RoomId) -> Option<Room> {
        self.engine.room(id).cloned().or_else(|| self.stored(id))
    }

    /// Teaches the engine a group.
    pub(crate) fn teach(&mut self, group: RoomId) {
        let room = self
            .room(group)
            .filter(|room| room.kind == Kind::Group && room.lifecycle != Lifecycle::Deleted);
        let directory = self.engine.directory_mut();
        match room {
            Some(room) => directory.learn(group, room.head_seq, room.members.keys().copied()),
            None => directory.learn_none(group),
        }
    }

    fn supply(&mut self, request: &mut Request, need: &Need) {
        let (room, actor) = (request.room, request.actor.id);
        let facts = &mut request.facts;
        match need {
            Need::Room(_) | Need::NewRoom => unreachable!("answered by its caller"),
            Need::Group(group) => self.teach(*group),
            Need::Message(message) => {
                let fact = MessageFact {
                    message: *message,
                    as_of: Seq::new(self.logs[&room].len() as u64),
                    head: self.head(room, *message),
                };
                self.old_news.insert(room, fact.clone());
                facts.message = Some(fact);
            }
            Need::Proof {
                password,
                hash,
                version,
            } => {
                let fits = *hash == hash_of(password);
                facts.proof = Some(Proof {
                    version: *version,
                    fits,
                });
            }
            Need::Hash(password) => facts.hash = Some(hash_of(password)),
            Need::Standing => facts.standing = Some(self.standing(actor, request.at)),
            Need::Blocked(user) => facts.blocked = Some(self.blocks.contains(&(*user, actor))),
            Need::Used(seq) => facts.used = Some(self.used(room, *seq)),
        }
    }

    /// Where the actor used the request's cid before: in this room, or for a creation in any.
    fn first_use(&self, request: &Request) -> Option<(RoomId, Seq)> {
        let (user, cid) = (request.actor.id, request.cid.clone()?);
        let key = if request.command.creates() {
            Key::Creation(user, cid)
        } else {
            Key::Command(request.room, user, cid)
        };
        self.keys.get(&key).copied()
    }

    fn used(&self, room: RoomId, seq: Seq) -> Box<Used> {
        let mut log = self.logs[&room].iter();
        let record = log.find(|record| record.seq == seq).cloned();
        Box::new(Used { seq, record })
    }

    fn standing(&self, user: UserId, at: Timestamp) -> Standing {
        let rooms: Vec<Room> = self.logs.keys().filter_map(|id| self.room(*id)).collect();
        let joined =
            |room: &&Room| room.members.contains_key(&user) && room.lifecycle != Lifecycle::Deleted;
        let made = |log: &&Vec<Record>| {
            let first = &log[0];
            let today = at.ms_since(first.at) < 24 * 60 * 60 * 1000;
            first.by.id == user && today
        };
        Standing {
            rooms_joined: rooms.iter().filter(joined).count() as u64,
            rooms_created: self.logs.values().filter(made).count() as u64,
        }
    }

    /// A message as a store has it: found by reading the whole log.
    fn head(&self, room: RoomId, message: Seq) -> Option<Head> {
        let mut head: Option<Head> = None;
        for record in &self.logs[&room] {
            let (by, seq) = (record.by.id, record.seq);
            if let (Event::Posted(it), true) = (&record.event, seq == message) {
                let (at, thread) = (record.at, it.thread);
                let reactions = BTreeMap::new();
                head = Some(Head {
                    author: by,
                    at,
                    thread,
                    deleted: None,
                    reactions,
                });
            }
            let Some(head) = head.as_mut() else { continue };
            if let Event::Deleted(it) = &record.event {
                if it.message == message {
                    head.deleted = Some(seq);
                    head.reactions.clear();
                }
            } else if let Event::Reacted(it) = &record.event {
                if it.message == message {
                    head.set_reaction(&it.reaction, by, true);
                }
            } else if let Event::Unreacted(it) = &record.event
                && it.message == message
            {
                head.set_reaction(&it.reaction, by, false);
            }
        }
        head
    }

    /// The first key of the record that somebody else holds, and who.
    fn taken(&self, record: &Record) -> Option<(Key, (RoomId, Seq))> {
        let own_alias = |key: &Key, room| matches!(key, Key::Alias(_)) && room == record.room;
        record.keys().into_iter().find_map(|key| {
            let by = *self.keys.get(&key)?;
            (!own_alias(&key, by.0)).then_some((key, by))
        })
    }

    fn append(&mut self, record: &Record) {
        if record.frees_alias() {
            self.keys
                .retain(|key, (room, _)| !(matches!(key, Key::Alias(_)) && *room == record.room));
        }
        for key in record.keys() {
            self.keys.insert(key, (record.room, record.seq));
        }
        assert!(self.engine.evolve(record));
        self.logs
            .entry(record.room)
            .or_default()
            .push(record.clone());
        for effect in record.effects().iter() {
            match effect {
                Effect::Detach(user) | Effect::Attach(user) => {
                    self.visitors.remove(&(record.room, user));
                }
                Effect::Close => self.visitors.retain(|(room, _)| *room != record.room),
                Effect::Broadcast | Effect::Notify(_) | Effect::Regrant(_) | Effect::Rejudge => {}
            }
        }
    }
}

/// A hash that a test can read.
pub(crate) fn hash_of(password: &chat_core::Password) -> SecretHash {
    SecretHash::new(format!("hash of {}", password.expose()))
}
