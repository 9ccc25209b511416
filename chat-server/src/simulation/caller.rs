//! Somebody with an account on a client of the `rest` dialect: what was said he reads over HTTP, and
//! what is said he hears over a socket that is in one room.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use chat_core::{Event, RoomId, Seq, UserId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::{Connection, Next};
use super::dice::Dice;
use super::exchange::Exchange;
use super::world::World;

/// One client of a user.
pub(super) struct Caller {
    world: Rc<World>,
    who: String,
    number: u8,
    user: UserId,
    dice: Dice,
    said: u64,
    /// The rooms that it has read since the world came to rest, with the last record.
    read: BTreeMap<RoomId, Seq>,
}

/// What lasts as long as a socket.
struct Visit {
    connection: Connection,
    room: RoomId,
    /// The room's head before the handshake.
    asked: Seq,
    /// The room's head after it: all later lines are to be heard.
    from: Seq,
    /// The last message that it heard.
    last: Seq,
}

impl Caller {
    pub(super) fn new(world: Rc<World>, number: u8, user: UserId, dice: Dice) -> Self {
        Self {
            world,
            who: format!("caller {number} of {user}"),
            number,
            user,
            dice,
            said: 0,
            read: BTreeMap::new(),
        }
    }

    /// Lives until the world ends.
    pub(super) async fn live(mut self) {
        loop {
            let wait = self.dice.between(1, 1_500);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if self.world.calm.get() {
                self.read_all().await;
                continue;
            }
            self.world.lacks(&self.who, Some("has read nothing".into()));
            let rooms = self.world.ledger.rooms();
            let Some(room) = self.dice.pick(&rooms).copied() else {
                continue;
            };
            self.world.deed();
            if self.dice.chance(50) {
                self.read(room).await;
            } else {
                self.visit(room).await;
            }
        }
    }

    fn note(&self, what: &str) {
        self.world.trace.note(&self.who, what);
    }

    fn wrong(&self, what: impl std::fmt::Display) {
        self.world.trace.wrong(format!("{}: {what}", self.who));
    }

    /// Once nothing goes wrong any more, reads every room that is his.
    async fn read_all(&mut self) {
        let ledger = &self.world.ledger;
        let is_due = |room: &RoomId| {
            let is_read = self.read.get(room) == Some(&ledger.head(*room));
            ledger.is_member(*room, self.user) && !is_read
        };
        let room = ledger.rooms().into_iter().find(is_due);
        let lacks = room.map(|room| format!("hasn't read room {room} as it is"));
        self.world.lacks(&self.who, lacks);
        if let Some(room) = room {
            self.read(room).await;
        }
    }

    fn texts(&self, room: RoomId) -> BTreeMap<u64, String> {
        let texts = self.world.ledger.of(room, |book| book.texts(self.user));
        texts.unwrap_or_default()
    }

    /// Reads what was said last in a room.
    async fn read(&mut self, room: RoomId) {
        let Some(ends) = self.world.host.connect(self.number, &mut self.dice) else {
            return;
        };
        self.note(&format!("> reads room {room}"));
        let (before, head) = (self.texts(room), self.world.ledger.head(room));
        let token = self.user.number();
        let bearer = format!("Authorization: Bearer badge-{token}\r\n");
        let body = json!({"roomId": room}).to_string();
        let asked = ("POST", "/v1/api/chat/room-messages");
        let said = Exchange::begin(ends, asked, &bearer, &body).end().await;
        let Ok(said) = said else {
            return self.wrong("no answer to a request");
        };
        let Some((status, body)) = said else {
            return self.note("the connection ends");
        };
        self.note(&format!("< {status} {body}"));
        let is_calm = self.world.calm.get();
        match status {
            200 => {
                self.world.trace.reach("history was read");
                self.check_history(room, &body, (&before, head));
                let is_whole = before.last_key_value().is_none_or(|(_, text)| {
                    let last = json!(text).to_string();
                    body.contains(&format!("\"chatMessage\":{last}"))
                });
                if is_calm && is_whole && head == self.world.ledger.head(room) {
                    self.read.insert(room, head);
                }
            }
            // He isn't let in, or the server can't.
            401 => self.wrong(format_args!("isn't known: {body}")),
            _ => {}
        }
    }

    /// Compares what was read with what there was to read before and after.
    fn check_history(
        &self,
        room: RoomId,
        body: &str,
        (before, head): (&BTreeMap<u64, String>, Seq),
    ) {
        let now = self.texts(room);
        let frame = serde_json::from_str::<Value>(body).unwrap_or_default();
        let chats = frame["chats"].as_array().into_iter().flatten();
        let texts: Vec<&str> = chats.filter_map(|it| it["chatMessage"].as_str()).collect();
        let was_in = |book: &super::ledger::Book| book.was_in(self.user, head);
        if !texts.is_empty() && self.world.ledger.of(room, was_in) != Some(true) {
            return self.wrong(format_args!("read room {room}, which it isn't in: {body}"));
        }
        let mut heard = BTreeSet::new();
        let mut last = 0;
        for text in &texts {
            let Some(seq) = self.said_at(room, text) else {
                return self.wrong(format_args!("read what room {room} doesn't have: {text:?}"));
            };
            let number = seq.number();
            if number <= last {
                return self.wrong(format_args!("read {seq} of room {room} after {last}"));
            }
            let may_read = before.contains_key(&number) || now.contains_key(&number) || seq > head;
            if !may_read {
                return self.wrong(format_args!("read {seq} of room {room}, which is gone"));
            }
            last = number;
            heard.insert(number);
        }
        // What was there all the time is read, from the first that is.
        let stays = |seq: &u64, text: &String| now.get(seq) == Some(text);
        let first = heard.first().copied().unwrap_or(0);
        // Of several machines one may not have heard of the last yet.
        let is_alone = self.world.host.machines() == 1;
        let last = if is_alone { u64::MAX } else { last };
        let mut due = before.iter().filter(|(seq, text)| stays(seq, text));
        if let Some((missing, _)) =
            due.find(|(seq, _)| (first..=last).contains(*seq) && !heard.contains(seq))
        {
            self.wrong(format_args!("{missing} of room {room} is missing: {body}"));
        }
    }

    /// The message that says this, or has said it.
    fn said_at(&self, room: RoomId, text: &str) -> Option<Seq> {
        let found = self.world.ledger.of(room, |book| {
            book.records.iter().find_map(|record| {
                let (message, content) = if let Event::Posted(it) = &record.event {
                    (record.seq, &it.content)
                } else if let Event::Edited(it) = &record.event {
                    (it.message, &it.content)
                } else {
                    return None;
                };
                let body = content.as_ref()?.body.as_str();
                (body == text).then_some(message)
            })
        });
        found.flatten()
    }

    /// Opens a socket in a room, and stays for a while.
    async fn visit(&mut self, room: RoomId) {
        let Some(ends) = self.world.host.connect(self.number, &mut self.dice) else {
            return;
        };
        let asked = self.world.ledger.head(room);
        let path = format!("/ws?room_id={room}&jwt=badge-{}", self.user.number());
        let Some(connection) = Connection::open(ends, &path, "").await else {
            return self.note("isn't let in");
        };
        self.note(&format!("comes into room {room}"));
        self.world.trace.reach("a caller came in");
        let from = self.world.ledger.head(room);
        let visit = Visit {
            connection,
            room,
            asked,
            from,
            last: asked,
        };
        self.converse(visit).await;
    }

    async fn converse(&mut self, mut visit: Visit) {
        loop {
            let wait = Duration::from_millis(self.dice.between(1, 900));
            let until = Instant::now() + wait;
            loop {
                match visit.connection.next(until).await {
                    Next::Text(text) => self.hear(&mut visit, &text),
                    Next::Time => break,
                    Next::Closed(code) => return self.note(&format!("closed with {code}")),
                    Next::Ended => return self.note("the connection ends"),
                }
            }
            if self.world.calm.get() {
                visit.connection.listen();
                let missing = self.missing(&visit, Seq::MAX);
                let lacks = missing.map(|seq| format!("hasn't heard {seq} of room {}", visit.room));
                if lacks.is_none() && self.dice.chance(30) {
                    visit.connection.close();
                }
                let lacks = lacks.unwrap_or_else(|| "reads what was said next".into());
                self.world.lacks(&self.who, Some(lacks));
            } else {
                self.act(&mut visit);
            }
        }
    }

    fn act(&mut self, visit: &mut Visit) {
        self.world.deed();
        match self.dice.between(0, 14) {
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
            2 => visit.connection.close(),
            _ => {
                let body = format!("c{}:{}", self.number, self.said);
                self.said += 1;
                let frame = json!({"chatRoomId": visit.room, "chatMessage": body}).to_string();
                self.note(&format!("> {frame}"));
                visit.connection.send(&frame);
            }
        }
    }

    fn hear(&self, visit: &mut Visit, text: &str) {
        self.note(&format!("< {text}"));
        let room = visit.room;
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return self.wrong("heard what is no frame");
        };
        let body = &frame["Body"];
        let says = |record: &&std::sync::Arc<chat_core::Record>| {
            matches!(&record.event, Event::Posted(it)
                if it.content.as_ref().map(|it| it.body.as_str()) == body["chatMessage"].as_str())
        };
        let ledger = &self.world.ledger;
        let found = ledger.of(room, |book| book.records.iter().find(says).cloned());
        let Some(record) = found.flatten() else {
            return self.wrong(format_args!("heard what room {room} doesn't have: {text}"));
        };
        let seq = record.seq;
        if body["chatUserId"] != record.by.id.number() || body["chatRoomId"] != room.number() {
            self.wrong(format_args!("{seq} of room {room} reads otherwise: {text}"));
        }
        if ledger.of(room, |book| book.may_hear(&record, self.user)) != Some(true) {
            self.wrong(format_args!("heard {seq} of room {room}, which it may not"));
        }
        if seq <= visit.last {
            self.wrong(format_args!("{seq} of room {room} after {}", visit.last));
        }
        if let Some(missing) = self.missing(visit, seq) {
            self.wrong(format_args!("{missing} of room {room} passed it by"));
        }
        visit.last = seq;
        self.world.trace.reach("a caller heard a line");
    }

    /// The first message after the last one, and before this one, that it had to hear.
    fn missing(&self, visit: &Visit, before: Seq) -> Option<Seq> {
        let missing = self.world.ledger.of(visit.room, |book| {
            let gone = book.parted_after(self.user, visit.asked);
            let last = before.min(gone.unwrap_or(before));
            let after = visit.last.max(visit.from);
            let mut records = book.records.iter();
            let due = records.find(|record| {
                let is_post = matches!(record.event, Event::Posted(_));
                // What was said before he left and came back may not be his any more.
                let stays = !book.is_erased(record) && !book.hides(self.user, record.seq);
                is_post && record.seq > after && record.seq < last && stays
            });
            due.map(|record| record.seq)
        });
        missing.flatten()
    }
}
