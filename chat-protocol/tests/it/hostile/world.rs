//! People of all dialects in the same rooms, some of them hostile: frames in, through the engine
//! and the log, and out again to everybody.

use std::collections::BTreeMap;

use chat_core::commands::{CreateRoom, Join, Leave, Visit};
use chat_core::{
    Actor, Cid, Command, Event, Name, Record, RoomId, Seq, Signal as Passing, Timestamp, UserId,
};
use chat_protocol::answer::{Answer, LobbyRoom, SignedInCard, Transcript};
use chat_protocol::command::{Enter, Op, Token};
use chat_protocol::log::{self, Entry, Sum, WordsKey};
use chat_protocol::signal::{Signal, What};
use chat_protocol::{
    Code, Dialect, Face, Form, Hearer, Refusal, RoomRef, ServerFrame, Spelling, Voice,
    encode_record,
};

use super::proofs::prove;
use super::properties::{assert_said, message};
use super::shell::{Answer as Outcome, Shell};

/// Calls of one message that are carried out; a server has a budget for them, too.
const CALLS_MAX: usize = 16;

/// Everybody, and the rooms that they make.
pub(crate) struct World {
    shell: Shell,
    people: Vec<Person>,
    now: u64,
    logs: BTreeMap<RoomId, (Sum, Vec<Entry>)>,
}

struct Person {
    actor: Actor,
    dialect: Dialect,
    voices: BTreeMap<RoomId, Voice>,
}

type Answered = Result<Answer, Refusal>;

impl World {
    /// An account and a guest of each dialect, the first of them in a channel and in a group.
    pub(crate) fn new() -> Self {
        let mut world = Self::of_strangers();
        for room in [
            r#"{"name":"den","alias":"den"}"#,
            r#"{"name":"Plg","alias":"Plg","kind":"group"}"#,
        ] {
            let frame = format!(r#"{{"id":1,"op":"create_room","d":{room}}}"#);
            world.hear(0, &frame, Form::Text);
            for who in 0..4 {
                let (room, _) = world.size();
                let enter = Enter::new(RoomRef::id(RoomId::new(room)), "den");
                let entered = world.enter(who, enter);
                assert!(entered.is_ok(), "{entered:?}");
            }
        }
        world
    }

    fn of_strangers() -> Self {
        let both = Dialect::ALL.into_iter().zip(1..).flat_map(|(dialect, n)| {
            let person = |id, name: String| Person {
                actor: Actor::new(id, Name::new(&name).unwrap()),
                dialect,
                voices: BTreeMap::new(),
            };
            [
                person(UserId::new(n), dialect.name().to_owned()),
                person(UserId::guest(n), format!("guest of {}", dialect.name())),
            ]
        });
        Self {
            shell: Shell::default(),
            people: both.collect(),
            now: 1_730_000_000_000,
            logs: BTreeMap::new(),
        }
    }

    /// The dialect that somebody speaks.
    pub(crate) fn dialect(&self, who: usize) -> Dialect {
        self.people[who % self.people.len()].dialect
    }

    /// How many rooms there are, and how many people.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.shell.logs.len() as u64, self.people.len() as u64)
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now += ms;
    }

    /// Somebody sends a message.
    pub(crate) fn hear(&mut self, who: usize, text: &str, form: Form) {
        let who = who % self.people.len();
        let dialect = self.people[who].dialect;
        for call in message(dialect, text, form).into_iter().take(CALLS_MAX) {
            let answer = call.op.and_then(|op| self.perform(who, op));
            call.ticket
                .answer(&answer, &mut |said| assert_said(dialect, said));
        }
    }

    /// Proves of every room that its log is the room, and that its log can be read from the disk.
    pub(crate) fn prove(&self) {
        for (room, log) in &self.shell.logs {
            prove(&self.shell.room(*room).expect("its log is here"), log);
            let mut prev = Sum::START;
            assert_eq!(self.logs[room].1.len(), log.len());
            for (entry, record) in self.logs[room].1.iter().zip(log) {
                assert_eq!(log::decode(entry, &prev).as_ref(), Ok(record));
                prev = entry.sum;
            }
        }
    }

    fn perform(&mut self, who: usize, op: Op) -> Answered {
        match op {
            Op::InRoom { room, cid, command } => self.in_room(who, room.as_ref(), cid, command),
            Op::Create { command, .. } => self.create(who, command),
            Op::Found { command } => {
                let named = RoomRef::named(command.name.as_str());
                match self.resolve(&named) {
                    Some(room) => Ok(Answer::Founded {
                        room: Box::new(self.card(room)?),
                        already: true,
                    }),
                    None => self.create(who, command),
                }
            }
            Op::Enter(enter) => self.enter(who, *enter),
            Op::Exit { room: None } => {
                self.people[who].voices.clear();
                Ok(Answer::ExitedAll {})
            }
            Op::Exit { room: Some(room) } => {
                let room = self.resolve(&room).ok_or(Code::RoomNotFound)?;
                self.people[who]
                    .voices
                    .remove(&room)
                    .ok_or(Code::NotAMember)?;
                if !self.people[who].actor.id.is_guest() {
                    self.ask(who, room, None, Leave {}.into())?;
                }
                let name = self.people[who].actor.name.clone();
                Ok(Answer::Exited { room, name })
            }
            Op::Inside { room } => {
                let room = self.resolve(&room).ok_or(Code::RoomNotFound)?;
                Ok(Answer::Inside(self.people[who].voices.contains_key(&room)))
            }
            other => self.query(who, &other),
        }
    }

    /// What changes nothing. Native questions are a store's to answer, so nobody does here.
    fn query(&self, who: usize, op: &Op) -> Answered {
        let cards = || {
            self.shell
                .logs
                .keys()
                .filter_map(|room| self.card(*room).ok())
        };
        let name = &self.people[who].actor.name;
        Ok(match op {
            Op::Lobby(_) => Answer::Lobby(
                cards()
                    .map(|card| LobbyRoom {
                        card,
                        people: vec![name.clone()],
                    })
                    .collect(),
            ),
            Op::Transcript { room, .. } => Answer::Transcript(Box::new(Transcript {
                room: self.card(self.resolve(room).ok_or(Code::RoomNotFound)?)?,
                messages: Vec::new(),
            })),
            Op::Room { room } => Answer::Room(Box::new(
                self.card(self.resolve(room).ok_or(Code::RoomNotFound)?)?,
            )),
            Op::Connect { .. } => Answer::Connected {
                session: "k3".to_owned(),
            },
            Op::LogIn { .. } | Op::SignUp(_) => Answer::SignedIn(Box::new(SignedInCard {
                user: chat_core::Author {
                    id: self.people[who].actor.id,
                    name: Some(name.clone()),
                },
                email: None,
                handle: None,
                created_at: Timestamp::new(1),
                updated_at: Timestamp::new(1),
                token: Token::new("t"),
                rooms: cards().collect(),
            })),
            Op::Disconnect {} | Op::SetStatus { .. } => Answer::Accepted {},
            _ => return Err(Code::Unavailable.into()),
        })
    }

    fn in_room(
        &mut self,
        who: usize,
        room: Option<&RoomRef>,
        cid: Option<Cid>,
        command: Command,
    ) -> Answered {
        if command.creates() {
            let room = self.shell.reserve();
            return self.ask(who, room, cid, command);
        }
        let room = match room {
            Some(room) => self.resolve(room),
            // The handshake named it.
            None => self.shell.logs.keys().next().copied(),
        };
        self.ask(who, room.ok_or(Code::RoomNotFound)?, cid, command)
    }

    fn create(&mut self, who: usize, mut command: CreateRoom) -> Answered {
        if self
            .resolve(&RoomRef::named(command.name.as_str()))
            .is_none()
        {
            command.alias = Some(command.name.clone());
        }
        let room = self.shell.reserve();
        self.ask(who, room, None, command.into())
    }

    fn enter(&mut self, who: usize, enter: Enter) -> Answered {
        let room = match (self.resolve(&enter.room), enter.make) {
            (Some(room), _) => room,
            (None, Some(make)) => {
                self.create(who, make)?;
                RoomId::new(self.shell.logs.len() as u64)
            }
            (None, None) => return Err(Code::RoomNotFound.into()),
        };
        let password = enter.password;
        let (guest, dialect) = (
            self.people[who].actor.id.is_guest(),
            self.people[who].dialect,
        );
        let command = if guest {
            Visit { password }.into()
        } else {
            Join { password }.into()
        };
        self.ask(who, room, None, command)?;
        let voice = Voice::for_seat(dialect, enter.face, &enter.called);
        let already = self.people[who].voices.insert(room, voice).is_some();
        Ok(Answer::Entered {
            room: Box::new(self.card(room)?),
            name: enter
                .name
                .unwrap_or_else(|| self.people[who].actor.name.clone()),
            already,
        })
    }

    fn ask(&mut self, who: usize, room: RoomId, cid: Option<Cid>, command: Command) -> Answered {
        let (creates, at) = (command.creates(), Timestamp::new(self.now));
        let actor = self.people[who].actor.clone();
        match self.shell.ask(room, &actor, at, cid, command) {
            Outcome::Fact(record) => {
                self.note(&record);
                Ok(done(creates, record.room, record.seq, false))
            }
            Outcome::Repeat(room, seq) => Ok(done(creates, room, seq, true)),
            Outcome::Signal(passing) => {
                self.pass(who, room, &passing);
                Ok(Answer::Accepted {})
            }
            Outcome::Refused(rejection) => Err(rejection.into()),
            Outcome::NameTaken => Err(Code::NameTaken.into()),
            Outcome::NumberTaken => unreachable!("rooms are numbered one after the other"),
        }
    }

    /// Writes a record down and tells it to everybody.
    fn note(&mut self, record: &Record) {
        let (sum, entries) = self.logs.entry(record.room).or_default();
        let entry = log::encode(record, WordsKey([3; 16]), sum);
        *sum = entry.sum;
        entries.push(entry);
        for hearer in [Hearer::Author, Hearer::Other] {
            let text = String::from_utf8(encode_record(record, hearer, None)).unwrap();
            let Ok(ServerFrame::Event(heard)) = ServerFrame::decode(&text) else {
                panic!("{text}");
            };
            assert_eq!((heard.seq, &heard.by), (record.seq, &record.by));
            let is_secret = matches!(
                record.event,
                Event::RoomCreated(_) | Event::AccessChanged(_)
            );
            assert!(
                is_secret || heard.event.as_ref() == Some(&record.event),
                "{text}"
            );
        }
        let most = 1_024
            + 8 * self.logs[&record.room].1.last().map_or(0, |entry| {
                entry.fact.len() + entry.words.as_ref().map_or(0, |words| words.words.len())
            });
        for voice in self.voices(record.room) {
            let mut said = 0;
            voice.event(record, Hearer::Other, &mut |text| {
                assert_said(voice.dialect(), text);
                said += text.len();
            });
            assert!(said <= most, "{said} bytes for {record:?}");
        }
    }

    fn pass(&self, who: usize, room: RoomId, passing: &Passing) {
        let what = match passing {
            Passing::Typing { on } => What::Typing { on: *on },
            Passing::Visited => What::Arrived,
            Passing::Read { idx, .. } => What::Read { idx: *idx },
        };
        let Actor { id, name, .. } = self.people[who].actor.clone();
        let by = chat_core::Author {
            id,
            name: Some(name),
        };
        let signal = Signal { room, by, what };
        for voice in self.voices(room) {
            voice.signal(&signal, &mut |text| assert_said(voice.dialect(), text));
        }
    }

    /// Everybody's words for what happens in a room.
    fn voices(&self, room: RoomId) -> Vec<Voice> {
        let each = Dialect::ALL.into_iter().flat_map(|dialect| {
            [Face::First, Face::Second].map(|face| {
                let called = Spelling::Prefixed.write(room);
                Voice::for_seat(dialect, face, &called)
            })
        });
        let seats = self.people.iter().filter_map(|it| it.voices.get(&room));
        each.chain(seats.cloned()).collect()
    }

    fn resolve(&self, room: &RoomRef) -> Option<RoomId> {
        let exists = |id: &&RoomId| self.shell.logs.contains_key(*id);
        let named = |alias: &Name| {
            let rooms = self.shell.logs.keys().copied();
            let mut rooms = rooms.filter_map(|id| self.shell.room(id));
            rooms
                .find(|it| it.alias.as_ref() == Some(alias))
                .map(|it| it.id)
        };
        let own = room.own.as_ref().filter(exists).copied();
        let own = own.or_else(|| room.alias.as_ref().and_then(named));
        own.or_else(|| room.others.iter().find(exists).copied())
    }

    fn card(&self, room: RoomId) -> Result<chat_protocol::answer::RoomCard, Refusal> {
        let room = self.shell.room(room).ok_or(Code::RoomNotFound)?;
        Ok((&room).into())
    }
}

fn done(creates: bool, room: RoomId, seq: Seq, dup: bool) -> Answer {
    if creates {
        Answer::Created { room, seq, dup }
    } else {
        Answer::Done { seq, dup }
    }
}
