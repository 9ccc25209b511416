//! Two people talk, and one of them may not at first: the core alone, without a server.
//!
//! Shows the verbs of the engine. `decide` judges a wish, and asks for what it can't know: then one
//! adds that to the facts and decides again. `evolve` applies the fact that the wish became, and
//! `effects` tells a shell whom to tell; here the shell is `println!`, and its store a list.
//!
//! ```text
//! cargo run -p chat-examples --bin hello
//! ```

use std::error::Error;

use chat_core::commands::{Command, CreateRoom, Entry, Join, Post};
use chat_core::{
    Actor, Decision, Engine, Kind, MessageFact, Name, Need, Password, Proof, Record, Rejection,
    Request, RoomId, SecretHash, Standing, Text, Timestamp, Used, UserId,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut house = House::default();
    let alice = Actor::new(UserId::new(1), Name::new("alice")?);
    let bob = Actor::new(UserId::new(2), Name::new("bob")?);
    let password = Password::new("sesame");
    let access = Some(Entry::Password {
        password: password.clone(),
    });
    let den = CreateRoom::named(Name::new("den")?);

    house.wish(&alice, CreateRoom { access, ..den });
    house.wish(&bob, Post::plain(Text::new("am I in?")?));
    let password = Some(password);
    house.wish(&bob, Join { password });
    house.wish(&bob, Post::plain(Text::new("hello alice")?));
    house.wish(&alice, Post::plain(Text::new("hello bob")?));
    Ok(())
}

/// An engine, and what a store would keep.
#[derive(Default)]
struct House {
    engine: Engine,
    log: Vec<Record>,
}

impl House {
    /// Carries out a wish, and prints what became of it.
    fn wish(&mut self, actor: &Actor, command: impl Into<Command>) {
        // Whoever owns a store draws these two: the number of the room, and the time.
        let (room, at) = (RoomId::new(1), Timestamp::new(1_730_000_000_000));
        let mut request = Request::new(room, actor.clone(), at, command);
        let (who, what) = (actor.name.as_str(), request.command.name());
        match self.decide(&mut request) {
            Ok(Decision::New(record)) => {
                assert!(self.engine.evolve(&record), "it is the next of its room");
                let effects: Vec<_> = record.effects().iter().collect();
                println!("{} {who} {}: {effects:?}", record.seq, record.event.name());
                self.log.push(record);
            }
            Ok(Decision::Repeat { seq }) => println!("{who} {what}: it is so since {seq}"),
            Ok(Decision::Signal(signal)) => println!("{who} {what}: {signal:?}"),
            Ok(Decision::Need(need)) => println!("{who} {what}: nobody knows {need:?}"),
            Err(rejection) => println!("{who} {what}: refused, {rejection}"),
        }
    }

    /// Decides, supplies what the engine asks for, and decides again.
    fn decide(&mut self, request: &mut Request) -> Result<Decision, Rejection> {
        loop {
            let decision = self.engine.decide(request)?;
            let is_supplied = match &decision {
                Decision::Need(need) => self.supply(request, need),
                Decision::New(_) | Decision::Repeat { .. } | Decision::Signal(_) => false,
            };
            if !is_supplied {
                return Ok(decision);
            }
        }
    }

    /// Adds what the engine asks for, where somebody knows it.
    fn supply(&mut self, request: &mut Request, need: &Need) -> bool {
        let (actor, facts) = (request.actor.id, &mut request.facts);
        match need {
            // There is no more than is loaded, and one room has one number.
            Need::Room(_) | Need::NewRoom => return false,
            Need::Group(group) => match self.engine.room(*group).cloned() {
                Some(room) if room.kind == Kind::Group => {
                    let members = room.members.into_keys();
                    let directory = self.engine.directory_mut();
                    directory.learn(*group, room.head_seq, members);
                }
                Some(_) | None => self.engine.directory_mut().learn_none(*group),
            },
            // So short a conversation is in memory as a whole.
            Need::Message(message) => {
                let as_of = self.log.last().map(|record| record.seq).unwrap_or_default();
                facts.message = Some(MessageFact {
                    message: *message,
                    as_of,
                    head: None,
                });
            }
            // A server hashes passwords, and takes its time for it.
            Need::Hash(password) => facts.hash = Some(SecretHash::new(password.expose())),
            Need::Proof {
                password,
                hash,
                version,
            } => {
                facts.proof = Some(Proof {
                    version: *version,
                    fits: password.expose() == hash.expose(),
                });
            }
            Need::Standing => {
                let rooms = || self.engine.rooms();
                let joined = rooms().filter(|room| room.members.contains_key(&actor));
                let created = rooms().filter(|room| room.created.by == actor);
                facts.standing = Some(Standing {
                    rooms_joined: joined.count() as u64,
                    rooms_created: created.count() as u64,
                });
            }
            Need::Blocked(_) => facts.blocked = Some(false),
            Need::Used(seq) => {
                let record = self.log.iter().find(|record| record.seq == *seq).cloned();
                facts.used = Some(Box::new(Used { seq: *seq, record }));
            }
        }
        true
    }
}
