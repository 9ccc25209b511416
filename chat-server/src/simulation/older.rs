//! A guest on an older client: a socket is in one room at a time, and nothing has a number.

use std::rc::Rc;
use std::time::Duration;

use chat_core::{Event, Name, Record, RoomId, Seq};
use chat_protocol::spelling::Spelling;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::{Connection, Next};
use super::dice::Dice;
use super::world::World;

/// What an older client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    /// The `rooms` dialect: nobody hears himself.
    Rooms,
    /// The `actions` dialect: everybody does.
    Actions,
}

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
    connection: Connection,
    /// The name that nobody else ever has.
    name: String,
    /// The room that it asked for, and the room's head at that time.
    wanted: Option<(RoomId, Seq)>,
    inside: bool,
    /// The last message that it heard there.
    last: Option<Seq>,
}

impl Guest {
    pub(super) fn new(world: Rc<World>, number: u8, tongue: Tongue, dice: Dice) -> Self {
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
            let ends = self.world.host.connect(self.number, &mut self.dice);
            let Some(ends) = ends else { continue };
            let path = match self.tongue {
                Tongue::Rooms => "/",
                Tongue::Actions => "/chat",
            };
            if let Some(connection) = Connection::open(ends, path, "").await {
                self.converse(connection).await;
            }
        }
    }

    fn note(&self, what: &str) {
        self.world.trace.note(&self.who, what);
    }

    fn wrong(&self, what: impl std::fmt::Display) {
        self.world.trace.wrong(format!("{}: {what}", self.who));
    }

    async fn converse(&mut self, connection: Connection) {
        self.comings += 1;
        let mut visit = Visit {
            connection,
            name: format!("g{}x{}", self.number, self.comings),
            wanted: None,
            inside: false,
            last: None,
        };
        loop {
            let wait = Duration::from_millis(self.dice.between(1, 900));
            let until = Instant::now() + wait;
            loop {
                match visit.connection.next(until).await {
                    Next::Text(text) => self.hear(&mut visit, &text),
                    Next::Time => break,
                    Next::Closed(_) | Next::Ended => return self.note("the connection ends"),
                }
            }
            if self.world.calm.get() {
                visit.connection.listen();
                self.world.lacks(&self.who, self.lacking(&visit));
            } else {
                self.act(&mut visit);
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
        let spelled = self.spell(room);
        match self.dice.between(0, 20) {
            0 => {
                self.note("cuts its connection");
                self.world.trace.harm("connection cut");
                visit.connection.cut();
            }
            1 => {
                self.world.trace.harm("reader stalled");
                let still = Duration::from_millis(self.dice.between(500, 9_000));
                visit.connection.be_deaf(Instant::now() + still);
            }
            2 if self.tongue == Tongue::Rooms && visit.inside => {
                self.send(
                    visit,
                    &json!({"type": "leave", "payload": {"roomId": spelled}}),
                );
            }
            3 if !visit.inside => self.enter(visit),
            _ if visit.inside => {
                let body = format!("{}:{}", visit.name, self.said);
                self.said += 1;
                let frame = match self.tongue {
                    Tongue::Rooms => {
                        json!({"type": "chat", "payload": {"roomId": spelled, "msg": body}})
                    }
                    Tongue::Actions => {
                        json!({"action": "send-message", "roomId": spelled, "message": body})
                    }
                };
                self.send(visit, &frame);
            }
            _ => {}
        }
    }

    fn spell(&self, room: RoomId) -> String {
        match self.tongue {
            Tongue::Rooms => Spelling::Code.write(room),
            Tongue::Actions => Spelling::Prefixed.write(room),
        }
    }

    fn send(&self, visit: &mut Visit, frame: &Value) {
        let frame = frame.to_string();
        self.note(&format!("> {frame}"));
        visit.connection.send(&frame);
    }

    fn enter(&mut self, visit: &mut Visit) {
        let rooms = match visit.wanted {
            Some((room, _)) => vec![room],
            None => self.world.ledger.open_rooms(),
        };
        let Some(room) = self.dice.pick(&rooms).copied() else {
            return;
        };
        visit.wanted = Some((room, self.world.ledger.head(room)));
        let (spelled, name) = (self.spell(room), visit.name.clone());
        let frame = match self.tongue {
            Tongue::Rooms => {
                json!({"type": "join", "payload": {"name": name, "roomId": spelled, "pass": ""}})
            }
            Tongue::Actions => json!({"action": "join", "username": name, "roomId": spelled}),
        };
        self.send(visit, &frame);
    }

    fn hear(&self, visit: &mut Visit, text: &str) {
        self.note(&format!("< {text}"));
        let plain = text.strip_prefix("message: ");
        let Ok(frame) = serde_json::from_str::<Value>(plain.unwrap_or(text)) else {
            return self.wrong("heard what is no frame");
        };
        match self.tongue {
            Tongue::Rooms if plain.is_some() => {
                self.hear_line(visit, frame["msg"].as_str(), frame["user"].as_str());
            }
            Tongue::Rooms => {
                let words = frame["message"].as_str().unwrap_or_default();
                if words.starts_with("Successfully joined") {
                    self.come(visit);
                } else if words.contains(" left the Room ") || words.contains("not in the Room") {
                    visit.inside = false;
                    visit.last = None;
                }
            }
            Tongue::Actions => match frame["action"].as_str() {
                Some("joined") => self.come(visit),
                Some("new-message") => {
                    let (said, sender) = (frame["message"].as_str(), frame["sender"].as_str());
                    self.hear_line(visit, said, sender);
                }
                Some("error") if frame["message"] == "You are not in this room" => {
                    visit.inside = false;
                    visit.last = None;
                }
                Some(_) | None => {}
            },
        }
    }

    fn come(&self, visit: &mut Visit) {
        visit.inside = true;
        visit.last = None;
        self.world.trace.reach("a guest came in");
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
        if self.tongue == Tongue::Rooms && sender == Some(&visit.name) {
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
            self.tongue == Tongue::Rooms && name == Some(&visit.name)
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
