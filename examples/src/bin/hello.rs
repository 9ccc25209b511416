//! Two people talk, and one of them may not at first: the core alone, without a server.
//!
//! Shows the three verbs of the engine. `decide` judges a wish, `evolve` applies the fact that it
//! became, and `effects` tells a shell whom to tell; here the shell is `println!`.
//!
//! ```text
//! cargo run -p chat-examples --bin hello
//! ```

use std::error::Error;

use chat_core::commands::{Command, CreateRoom, Join, Post};
use chat_core::{
    Actor, Decision, Engine, Facts, Name, Request, RoomId, Standing, Text, Timestamp, UserId,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut engine = Engine::default();
    let alice = Actor::new(UserId::new(1), Name::new("alice")?);
    let bob = Actor::new(UserId::new(2), Name::new("bob")?);

    wish(&mut engine, &alice, CreateRoom::named(Name::new("den")?));
    wish(&mut engine, &bob, Post::plain(Text::new("am I in?")?));
    wish(&mut engine, &bob, Join::default());
    wish(&mut engine, &bob, Post::plain(Text::new("hello alice")?));
    wish(&mut engine, &alice, Post::plain(Text::new("hello bob")?));
    Ok(())
}

/// Carries out a wish, and prints what became of it.
fn wish(engine: &mut Engine, actor: &Actor, command: impl Into<Command>) {
    let command = command.into();
    let (who, what) = (actor.name.as_str(), command.name());
    let request = Request {
        // Whoever owns a store draws these two: the number of the room, and the time.
        room: RoomId::new(1),
        at: Timestamp::new(1_730_000_000_000),
        actor: actor.clone(),
        cid: None,
        command,
        facts: Facts {
            standing: Some(Standing::default()),
            ..Facts::default()
        },
    };
    match engine.decide(&request) {
        Ok(Decision::New(record)) => {
            assert!(engine.evolve(&record), "it is the next record of its room");
            let effects: Vec<_> = record.effects().iter().collect();
            println!("{} {who} {}: {effects:?}", record.seq, record.event.name());
        }
        Ok(Decision::Repeat { seq }) => println!("{who} {what}: it is so since {seq}"),
        Ok(Decision::Signal(signal)) => println!("{who} {what}: {signal:?}"),
        Ok(Decision::Need(need)) => println!("{who} {what}: the engine asks for {need:?}"),
        Err(rejection) => println!("{who} {what}: refused, {rejection}"),
    }
}
