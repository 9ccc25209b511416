//! A guest on an older client: a socket is in one room at a time, and nothing has a number.

mod tongue;
mod wire;

use std::rc::Rc;
use std::time::Duration;

use chat_core::{Event, Name, Record, RoomId, Seq};
use tokio::time::Instant;

use self::tongue::{Heard, Tongue};
use self::wire::Wire;
use super::connection::{Connection, Next};
use super::dice::Dice;
use super::polling::{Carriage, Line};
use super::world::World;

/// Somebody without an account.
pub(super) struct Guest {
    world: Rc<World>,
    who: String,
    number: u8,
    tongue: Tongue,
    dice: Dice,
    comings: u64,
    said: u64,
}

/// What lasts as long as a connection.
struct Visit {
    wire: Wire,
    /// The name that nobody else ever has.
    name: String,
    /// The room that it asked for, and the room's head at that time.
    wanted: Option<(RoomId, Seq)>,
    /// The heads at which it asked for that room, and the passwords that it said.
    asked: Vec<(Seq, String)>,
    inside: bool,
    /// The last message that it heard there.
    last: Option<Seq>,
}

impl Guest {
    pub(super) fn new(world: Rc<World>, number: u8, mut dice: Dice) -> Self {
        let tongue = dice.pick(&Tongue::ALL).copied().unwrap_or(Tongue::Rooms);
        Self {
            world,
            who: format!("guest {number} ({tongue:?})"),
            number,
            tongue,
            dice,
            comings: 0,
            said: 0,
        }
    }

    /// Lives until the world ends.
    pub(super) async fn live(mut self) {
        loop {
            self.world.lacks(&self.who, None);
            let wait = self.dice.between(1, 2_000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if let Some(wire) = self.connect().await {
                self.converse(wire).await;
            }
        }
    }

    async fn connect(&mut self) -> Option<Wire> {
        let path = match self.tongue {
            Tongue::Rooms | Tongue::Groups => "/",
            Tongue::Actions => "/chat",
            Tongue::Events => {
                let carriages = [Carriage::Polls, Carriage::Socket, Carriage::Both];
                let carriage = self.dice.pick(&carriages).copied()?;
                self.note(&format!("comes by {carriage:?}"));
                let world = self.world.clone();
                let line = Line::open(world, carriage, self.number, self.dice.fork());
                let mut line = line.await?;
                line.send("0");
                return Some(Wire::Line(Box::new(line)));
            }
        };
        let ends = self.world.host.connect(self.number, &mut self.dice)?;
        Some(Wire::Socket(Connection::open(ends, path, "").await?))
    }

    fn note(&self, what: &str) {
        self.world.trace.note(&self.who, what);
    }

    fn wrong(&self, what: impl std::fmt::Display) {
        self.world.trace.wrong(format!("{}: {what}", self.who));
    }

    async fn converse(&mut self, wire: Wire) {
        self.comings += 1;
        let mut visit = Visit {
            wire,
            name: format!("g{}x{}", self.number, self.comings),
            wanted: None,
            asked: Vec::new(),
            inside: false,
            last: None,
        };
        loop {
            let wait = Duration::from_millis(self.dice.between(1, 900));
            let until = Instant::now() + wait;
            loop {
                match visit.wire.next(until).await {
                    Next::Text(text) => self.hear(&mut visit, &text),
                    Next::Time => break,
                    Next::Closed(_) | Next::Ended => return self.note("the connection ends"),
                }
            }
            if self.world.calm.get() {
                visit.wire.listen();
                self.world.lacks(&self.who, self.lacking(&visit));
            } else {
                self.act(&mut visit);
                if visit.inside && !visit.wire.rise().await {
                    return self.note("the session ends");
                }
            }
        }
    }

    /// Somebody who is in a room has heard its last message.
    fn lacking(&self, visit: &Visit) -> Option<String> {
        let (room, _) = visit.wanted.filter(|_| visit.inside)?;
        let last = visit.last?;
        let missing = self.missing(visit, room, last, Seq::MAX)?;
        Some(format!("hasn't heard {missing} of room {room}"))
    }

    fn act(&mut self, visit: &mut Visit) {
        self.world.deed();
        let Some((room, _)) = visit.wanted else {
            return self.enter(visit);
        };
        match self.dice.between(0, 20) {
            0 => {
                self.note("cuts its connection");
                self.world.trace.harm("connection cut");
                visit.wire.cut();
            }
            1 => {
                self.world.trace.harm("reader stalled");
                let still = Duration::from_millis(self.dice.between(500, 9_000));
                visit.wire.be_deaf(Instant::now() + still);
            }
            2 if visit.inside => {
                if let Some(frame) = self.tongue.leave(room) {
                    self.send(visit, &frame);
                }
            }
            3 if !visit.inside => self.enter(visit),
            _ if visit.inside => {
                let body = format!("{}:{}", visit.name, self.said);
                self.said += 1;
                let frame = self.tongue.say(room, &visit.name, &body);
                self.send(visit, &frame);
            }
            _ => {}
        }
    }

    fn send(&self, visit: &mut Visit, frame: &str) {
        self.note(&format!("> {frame}"));
        visit.wire.send(frame);
    }

    fn enter(&mut self, visit: &mut Visit) {
        let rooms = match visit.wanted {
            Some((room, _)) => vec![room],
            None => self.world.ledger.public_rooms(),
        };
        let Some(room) = self.dice.pick(&rooms).copied() else {
            return;
        };
        let pass = match self.world.ledger.password(room) {
            Some(key) if self.tongue == Tongue::Rooms => {
                if self.dice.chance(70) {
                    key
                } else {
                    "a guess".into()
                }
            }
            Some(_) | None => String::new(),
        };
        let since = self.world.ledger.head(room);
        visit.wanted = Some((room, since));
        let frame = self.tongue.enter(room, &visit.name, &pass);
        self.send(visit, &frame);
        visit.asked.push((since, pass));
    }

    fn hear(&self, visit: &mut Visit, text: &str) {
        self.note(&format!("< {text}"));
        match self.tongue.read(text) {
            Heard::Line { body, sender } => {
                self.hear_line(visit, body.as_deref(), sender.as_deref());
            }
            Heard::Came => self.come(visit),
            Heard::Out => {
                visit.inside = false;
                visit.last = None;
            }
            Heard::Other => {}
            Heard::Unreadable => self.wrong("heard what is no frame"),
        }
    }

    fn come(&self, visit: &mut Visit) {
        visit.inside = true;
        visit.last = None;
        self.world.trace.reach(match self.tongue {
            Tongue::Rooms | Tongue::Actions => "a guest came in",
            Tongue::Groups => "a guest came into a group",
            Tongue::Events => "a guest came in by events",
        });
        let Some((room, _)) = visit.wanted else {
            return self.wrong("came into no room that it asked for");
        };
        // A machine that hasn't heard yet who may come in lets in whoever might before.
        let is_alone = self.world.host.machines() == 1;
        let let_in = self.world.ledger.of(room, |book| {
            let fits = |(since, pass): &(Seq, String)| {
                book.let_in(if is_alone { *since } else { Seq::default() }, pass)
            };
            visit.asked.iter().any(fits)
        });
        if let_in != Some(true) {
            let asked = &visit.asked;
            self.wrong(format_args!("came into room {room} with {asked:?}"));
        }
        if visit.asked.iter().any(|(_, pass)| !pass.is_empty()) {
            self.world.trace.reach("a guest knew the password");
        }
    }

    fn hear_line(&self, visit: &mut Visit, body: Option<&str>, sender: Option<&str>) {
        let Some((room, since)) = visit.wanted.filter(|_| visit.inside) else {
            return self.wrong("hears a room that it isn't in");
        };
        let says = |record: &&std::sync::Arc<Record>| body_of(record) == body;
        let found = self
            .world
            .ledger
            .of(room, |book| book.records.iter().rev().find(says).cloned());
        let Some(record) = found.flatten() else {
            return self.wrong(format_args!(
                "heard what room {room} doesn't have: {body:?}"
            ));
        };
        let seq = record.seq;
        if record.by.name.as_ref().map(Name::as_str) != sender {
            self.wrong(format_args!("{seq} of room {room} isn't {sender:?}'s"));
        }
        if !self.tongue.echoes() && sender == Some(&visit.name) {
            self.wrong(format_args!("hears itself: {body:?}"));
        }
        let removed = self
            .world
            .ledger
            .of(room, |book| book.removed_after(&visit.name, since));
        if let Some(removed) = removed.flatten().filter(|removed| *removed < seq) {
            self.wrong(format_args!(
                "heard {seq} of room {room}, removed by {removed}"
            ));
        }
        match visit.last {
            Some(last) if last >= seq => {
                self.wrong(format_args!("{seq} of room {room} after {last}"));
            }
            Some(last) => {
                if let Some(missing) = self.missing(visit, room, last, seq) {
                    self.wrong(format_args!("{missing} of room {room} passed it by"));
                }
            }
            None => {}
        }
        visit.last = Some(seq);
        self.world.trace.reach("a guest heard a line");
    }

    /// The first message between two that it had to hear.
    fn missing(&self, visit: &Visit, room: RoomId, after: Seq, before: Seq) -> Option<Seq> {
        let own = |record: &Record| {
            let name = record.by.name.as_ref().map(Name::as_str);
            !self.tongue.echoes() && name == Some(&visit.name)
        };
        let removed = |book: &super::ledger::Book| {
            let (_, since) = visit.wanted?;
            book.removed_after(&visit.name, since)
        };
        let missing = self.world.ledger.of(room, |book| {
            let last = removed(book).unwrap_or(before);
            let between = |record: &Record| record.seq > after && record.seq < before.min(last);
            let due = |record: &Record| between(record) && !own(record) && !book.is_erased(record);
            let mut records = book.records.iter();
            records
                .find(|it| body_of(it).is_some() && due(it))
                .map(|it| it.seq)
        });
        missing.flatten()
    }
}

/// What a message said at first.
fn body_of(record: &Record) -> Option<&str> {
    if let Event::Posted(posted) = &record.event {
        posted.content.as_ref().map(|content| content.body.as_str())
    } else {
        None
    }
}
