//! A device that speaks the native dialect, as a good client does, and checks all that it hears.

mod doing;
mod hearing;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use chat_core::{Cid, RoomId, Seq, UserId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::{Connection, Next};
use super::dice::Dice;
use super::world::World;

/// One device of a user, over all its connections.
pub(super) struct Device {
    world: Rc<World>,
    who: String,
    number: u8,
    user: UserId,
    dice: Dice,
    /// How far it has heard each room, and under which epoch.
    places: BTreeMap<RoomId, (String, Seq)>,
    /// Commands that aren't answered for good.
    pending: Vec<Wish>,
    /// Some of those that are.
    done: Vec<Wish>,
    /// How many commands it gave.
    given: u64,
}

/// A command that takes effect once, however often it is sent.
#[derive(Clone, Debug)]
struct Wish {
    room: Option<RoomId>,
    cid: Cid,
    op: &'static str,
    d: Value,
    /// Where it took effect, as the first answer said.
    answered: Option<Seq>,
    /// How often it was sent, over whatever connection.
    times: u64,
}

/// What lasts as long as a connection.
struct Session {
    connection: Connection,
    welcome: bool,
    epoch: String,
    /// The rooms that it hears, each with the last record.
    live: BTreeMap<RoomId, Seq>,
    /// Up to where each room was resumed: who may read it by then may read what came before.
    resumed: BTreeMap<RoomId, Seq>,
    /// Rooms that it was told to have been removed from.
    gone: BTreeSet<RoomId>,
    /// Requests that wait for their answers, and since when.
    asked: BTreeMap<u64, (Instant, Asked)>,
    next_id: u64,
    /// Rooms whose state was compared, once the world is calm.
    compared: BTreeMap<RoomId, Seq>,
    leaving: bool,
    /// Whether it says nothing either for as long as it reads nothing.
    dozes: bool,
    since: Instant,
}

impl Session {
    fn is_away(&self) -> bool {
        self.connection.is_mute() || (self.dozes && self.connection.is_deaf())
    }
}

/// What a request was.
#[derive(Clone, Debug)]
enum Asked {
    Hello(BTreeMap<RoomId, (String, Seq)>),
    Command(Cid),
    /// A command whose cid was used for another one.
    Conflict,
    Snapshot(RoomId),
    Whatever,
}

/// How long any answer may take: longer than the store ever does.
const ANSWER: Duration = Duration::from_secs(40);

impl Device {
    pub(super) fn new(world: Rc<World>, number: u8, user: UserId, dice: Dice) -> Self {
        Self {
            world,
            who: format!("device {number} of {user}"),
            number,
            user,
            dice,
            places: BTreeMap::new(),
            pending: Vec::new(),
            done: Vec::new(),
            given: 0,
        }
    }

    /// Lives until the world ends.
    pub(super) async fn live(mut self) {
        loop {
            self.rest(Some("isn't connected".into()));
            let wait = self.dice.between(1, 600);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let ends = self.world.host.connect(self.number, &mut self.dice);
            let Some(ends) = ends else { continue };
            let protocol = "Sec-WebSocket-Protocol: chat.v1.json\r\n";
            if let Some(connection) = Connection::open(ends, "/v1/ws", protocol).await {
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

    fn rest(&self, lacks: Option<String>) {
        self.world.lacks(&self.who, lacks);
    }

    async fn converse(&mut self, connection: Connection) {
        let mut session = Session {
            connection,
            welcome: false,
            epoch: String::new(),
            live: BTreeMap::new(),
            resumed: BTreeMap::new(),
            gone: BTreeSet::new(),
            asked: BTreeMap::new(),
            next_id: 1,
            compared: BTreeMap::new(),
            leaving: false,
            dozes: false,
            since: Instant::now(),
        };
        self.hello(&mut session);
        loop {
            let pace = if self.world.calm.get() { 100 } else { 700 };
            let wait = Duration::from_millis(self.dice.between(1, pace));
            let until = Instant::now() + wait;
            loop {
                match session.connection.next(until).await {
                    Next::Text(text) => text.split('\n').for_each(|it| self.hear(&mut session, it)),
                    Next::Time => break,
                    Next::Closed(code) => return self.closed(&session, code),
                    Next::Ended => {
                        self.note("the connection ends");
                        return;
                    }
                }
            }
            self.check_answers(&session);
            if self.world.calm.get() {
                session.connection.listen();
                let lacks = self.come_to_rest(&mut session);
                self.rest(lacks);
            } else if session.welcome && !session.leaving && !session.is_away() {
                self.act(&mut session);
            }
        }
    }

    fn hello(&mut self, session: &mut Session) {
        let resume: BTreeMap<String, Value> = self
            .places
            .iter()
            .map(|(room, (epoch, seq))| (room.to_string(), json!([epoch, seq])))
            .collect();
        let token = format!("badge-{}", self.user.number());
        let d = json!({"token": token, "resume": resume, "subscribe": "mine"});
        self.ask(session, Asked::Hello(self.places.clone()), "hello", &d);
    }

    fn ask(&self, session: &mut Session, asked: Asked, op: &str, d: &Value) {
        let id = session.next_id;
        session.next_id += 1;
        let frame = json!({"id": id, "op": op, "d": d}).to_string();
        self.note(&format!("> {frame}"));
        session.connection.send(&frame);
        session.asked.insert(id, (Instant::now(), asked));
    }

    /// Sends a command, perhaps not for the first time.
    fn give(&mut self, session: &mut Session, cid: &Cid) {
        let wishes = self.pending.iter_mut().chain(&mut self.done);
        let Some(wish) = wishes.into_iter().find(|it| it.cid == *cid) else {
            return;
        };
        if wish.times > 0 {
            self.world.trace.reach("command sent again");
        }
        wish.times += 1;
        let (op, d) = (wish.op, wish.d.clone());
        self.ask(session, Asked::Command(cid.clone()), op, &d);
    }

    /// Nothing may wait for ever.
    fn check_answers(&self, session: &Session) {
        let late = |since: &Instant| since.elapsed() > ANSWER && !session.connection.was_deaf;
        let overdue = session.asked.values().find(|(since, _)| late(since));
        if let Some((_, asked)) = overdue {
            self.wrong(format_args!("no answer to {asked:?}"));
        }
    }

    fn closed(&self, session: &Session, code: u16) {
        self.note(&format!("closed with {code}"));
        let reached = match code {
            4000 => "closed: the server stops",
            4002 => "closed: lagging",
            4003 => "closed: no pong",
            4006 => "closed: the store failed while catching up",
            1000 => "closed: goodbye",
            _ => "closed otherwise",
        };
        self.world.trace.reach(reached);
        if !matches!(code, 1000 | 4000 | 4002 | 4003 | 4006) {
            self.wrong(format_args!("closed with {code}"));
        }
        let was_silent = session.connection.was_deaf || session.connection.was_mute;
        if code == 4003 && !was_silent {
            self.wrong("closed for being silent, and wasn't");
        }
        // What closed it may be long past when it is heard, but not before the session began.
        if code == 4006 && !self.world.host.ward.failed_since(session.since) {
            self.wrong("closed for a store that is well");
        }
    }
}
