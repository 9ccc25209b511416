//! One conversation, printed in six spellings: the protocol crate alone, without a server.
//!
//! Six people come into a room and say a line each. What somebody sends goes through his dialect's
//! codec into the engine; what the engine makes of it is printed as each of the six would hear it.
//!
//! ```text
//! cargo run -p chat-examples --bin dialects
//! ```

use std::error::Error;

use chat_core::commands::{CreateRoom, Join};
use chat_core::{
    Actor, Command, Decision, Engine, Facts, Name, Record, Request, RoomId, Standing, Timestamp,
    UserId,
};
use chat_protocol::signal::What;
use chat_protocol::{Dialect, Face, Form, Hearer, Op, Signal, Voice};

/// Somebody who talks: his dialect, what he calls the room, and what his front end sends.
struct Person {
    dialect: Dialect,
    name: &'static str,
    called: &'static str,
    /// What he comes in with; none if the address of his socket says it all.
    enters: Option<&'static str>,
    says: &'static str,
}

const DEN: RoomId = RoomId::new(1);

const PEOPLE: [Person; 6] = [
    Person {
        dialect: Dialect::Native,
        name: "ann",
        called: "1",
        enters: Some(r#"{"id":2,"op":"join","d":{"room":1}}"#),
        says: r#"{"id":3,"op":"post","d":{"room":1,"cid":"a1","body":"Is anybody here?"}}"#,
    },
    Person {
        dialect: Dialect::Rooms,
        name: "bob",
        called: "Den",
        enters: Some(r#"{"type":"join","payload":{"name":"bob","roomId":"Den","pass":""}}"#),
        says: r#"{"type":"chat","payload":{"roomId":"Den","msg":"I am."}}"#,
    },
    Person {
        dialect: Dialect::Socketio,
        name: "cyd",
        called: "Den",
        enters: Some(r#"421["joinRoom",{"roomId":"Den","username":"cyd"}]"#),
        says: r#"42["message",{"roomId":"Den","message":"So am I.","sender":"cyd"}]"#,
    },
    Person {
        dialect: Dialect::Rest,
        name: "dan",
        called: "1",
        enters: None,
        says: r#"{"chatRoomId":1,"chatMessage":"Me too."}"#,
    },
    Person {
        dialect: Dialect::Actions,
        name: "eve",
        called: "room_1",
        enters: Some(r#"{"action":"join","username":"eve","roomId":"room_1"}"#),
        says: r#"{"action":"send-message","roomId":"room_1","message":"Who isn't?"}"#,
    },
    Person {
        dialect: Dialect::Groups,
        name: "fay",
        called: "Den",
        enters: Some(r#"{"type":"first-connect","name":"fay","group":"Den"}"#),
        says: r#"{"type":"message","name":"fay","group":"Den","Text":"Hello, all of you!"}"#,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut den = Den::made()?;
    for (place, person) in PEOPLE.iter().enumerate() {
        let actor = Actor::new(UserId::new(place as u64 + 1), Name::new(person.name)?);
        match person.enters {
            Some(frame) => println!("{} comes in\n  sends     {frame}", person.name),
            None => println!(
                "{} comes in\n  opens     /ws?room_id=1&jwt=...",
                person.name
            ),
        }
        let wish = match person.enters {
            Some(frame) => wish(person.dialect, frame)?,
            None => Join::default().into(),
        };
        let record = den.carry_out(&actor, wish)?;
        let arrived = Signal {
            room: DEN,
            by: record.by.clone(),
            what: What::Arrived,
        };
        for (voice, dialect) in voices() {
            voice.event(&record, Hearer::Other, &mut |said| show(dialect, said));
            voice.signal(&arrived, &mut |said| show(dialect, said));
        }
        println!("{} says a line\n  sends     {}", person.name, person.says);
        let record = den.carry_out(&actor, wish_of(person)?)?;
        for (voice, dialect) in voices() {
            voice.event(&record, Hearer::Other, &mut |said| show(dialect, said));
        }
    }
    Ok(())
}

fn wish_of(person: &Person) -> Result<Command, Box<dyn Error>> {
    wish(person.dialect, person.says)
}

/// What a frame asks of the room.
fn wish(dialect: Dialect, frame: &str) -> Result<Command, Box<dyn Error>> {
    let mut calls = Vec::new();
    dialect.decode(frame, Form::Text, &mut calls);
    let call = calls.pop().ok_or("the frame asks for nothing")?;
    let op = call.op.map_err(|refusal| refusal.msg)?;
    if let Op::InRoom { command, .. } = op {
        Ok(command)
    } else if let Op::Enter(_) = op {
        Ok(Join::default().into())
    } else {
        Err(format!("{} isn't part of this conversation", op.name()).into())
    }
}

/// How each of the six hears the room.
fn voices() -> impl Iterator<Item = (Voice, Dialect)> {
    PEOPLE.iter().map(|it| {
        let voice = Voice::for_seat(it.dialect, Face::First, it.called);
        (voice, it.dialect)
    })
}

fn show(dialect: Dialect, said: &[u8]) {
    let said = String::from_utf8_lossy(said);
    println!("  {:<9} {}", dialect.name(), said.trim_end());
}

/// The room, in an engine without a server around it.
struct Den(Engine);

impl Den {
    fn made() -> Result<Self, Box<dyn Error>> {
        let mut den = Self(Engine::default());
        let house = Actor::new(UserId::new(99), Name::new("landlord")?);
        den.carry_out(&house, CreateRoom::named(Name::new("Den")?))?;
        Ok(den)
    }

    fn carry_out(
        &mut self,
        actor: &Actor,
        command: impl Into<Command>,
    ) -> Result<Record, Box<dyn Error>> {
        let request = Request {
            room: DEN,
            actor: actor.clone(),
            at: Timestamp::new(1_790_000_000_123),
            cid: None,
            command: command.into(),
            facts: Facts {
                standing: Some(Standing::default()),
                ..Facts::default()
            },
        };
        let Decision::New(record) = self.0.decide(&request)? else {
            return Err("the engine makes no fact of it".into());
        };
        assert!(self.0.evolve(&record));
        Ok(record)
    }
}
