//! The client's half of the native dialect: positions, gaps, repeats, as pure state.
//!
//! Text comes in, instructions come out. It owns no socket, no clock and no randomness: the
//! caller connects, waits, and draws cids and numbers.
//!
//! # Examples
//!
//! ```
//! use chat_core::commands::Post;
//! use chat_core::{Cid, RoomId, Seq, Text};
//! use chat_protocol::client::{Client, Output};
//! use chat_protocol::command::{Hello, Token};
//!
//! let hello = Hello { token: Some(Token::new("secret")), ..Hello::default() };
//! let mut client = Client::new(hello);
//! client.follow(RoomId::new(12), "k3", Seq::new(42));
//!
//! let sent = client.connected();
//! assert_eq!(sent, [Output::Send(
//!     r#"{"id":1,"op":"hello","d":{"resume":{"12":["k3",42]},"subscribe":"none","token":"secret"}}"#.into(),
//! )]);
//! client.received(r#"{"re":1,"ok":{"epoch":"k3","rooms":{"12":{"st":"ok","from":42,"to":42}}}}"#);
//!
//! // A record is missing: nothing is shown before it is there.
//! let text = r#"{"ev":"left","room":12,"seq":44,"at":9,"by":{"id":3},"d":{}}"#;
//! let asked = client.received(text);
//! assert_eq!(asked, [Output::Send(r#"{"id":2,"op":"records","d":{"room":12,"since":42}}"#.into())]);
//! let missing = r#"{"ev":"joined","room":12,"seq":43,"at":8,"by":{"id":3},"d":{"way":"open","role":"member"}}"#;
//! let shown = client.received(&format!(r#"{{"re":2,"ok":{{"events":[{missing}],"upto":43,"head":44}}}}"#));
//! let seqs: Vec<u64> = shown
//!     .iter()
//!     .filter_map(|output| if let Output::Event(heard) = output { Some(heard.seq.number()) } else { None })
//!     .collect();
//! assert_eq!(seqs, [43, 44]);
//!
//! // A command is sent again after a reconnect, under the same cid.
//! let post = Post::plain(Text::new("hello")?).into();
//! let (_, first) = client.command(Some(RoomId::new(12)), &Cid::new("01JC")?, &post)?;
//! client.disconnected(1006, 0);
//! client.connected();
//! let again = client.received(r#"{"re":4,"ok":{"epoch":"k3","rooms":{}}}"#);
//! assert!(again.contains(&first.unwrap()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backoff;
mod output;
mod tail;

use std::collections::BTreeMap;

use chat_core::{Cid, Command, RoomId, Seq};
use serde::Deserialize;
use serde_json::{Map, Value};

use self::tail::Tail;
use crate::answer::{Position, ResumeState};
use crate::close::may_reconnect;
use crate::code::{Class, Code};
use crate::command::{Hello, Op, Token};
use crate::event::Heard;
use crate::room_ref::RoomRef;
use crate::server_frame::{Filling, Refused, ServerFrame};
use crate::system::System;

pub use self::backoff::{WAIT_MS_MAX, WAIT_MS_MIN, backoff};
pub use self::output::{Output, TooManyPending};

/// Commands and questions that wait for their replies.
pub const PENDING_MAX: usize = 1_000;

/// A client's state across any number of connections.
#[derive(Clone, Debug)]
pub struct Client {
    hello: Hello,
    epoch: String,
    rooms: BTreeMap<RoomId, Tail>,
    pending: BTreeMap<u64, Pending>,
    last_id: u64,
    welcome: bool,
    attempt: u32,
    stay_away_ms: u64,
}

#[derive(Clone, Debug)]
enum Pending {
    Hello,
    Filling(RoomId),
    Asked {
        frame: String,
        /// Whether the answer says where to go on in a room.
        moves: bool,
    },
}

impl Client {
    /// A client that will say this hello, with the positions it has by then.
    #[must_use]
    pub fn new(hello: Hello) -> Self {
        let mut client = Self {
            hello: Hello {
                resume: BTreeMap::new(),
                ..hello.clone()
            },
            epoch: String::new(),
            rooms: BTreeMap::new(),
            pending: BTreeMap::new(),
            last_id: 0,
            welcome: false,
            attempt: 0,
            stay_away_ms: 0,
        };
        for (room, (epoch, seq)) in hello.resume {
            client.follow(room, &epoch, seq);
        }
        client
    }

    /// Goes on from a position, such as one that was kept on disk.
    pub fn follow(&mut self, room: RoomId, epoch: &str, seq: Seq) {
        self.rooms.insert(room, Tail::at(epoch.to_owned(), seq));
    }

    /// Follows a room no longer.
    pub fn forget(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// The positions, to be kept on disk.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<RoomId, (String, Seq)> {
        self.rooms
            .iter()
            .map(|(room, tail)| (*room, (tail.epoch.clone(), tail.last)))
            .collect()
    }

    /// A socket is open: says hello.
    pub fn connected(&mut self) -> Vec<Output> {
        self.drop_connection();
        let id = self.next_id();
        self.pending.insert(id, Pending::Hello);
        let guest = self.hello.guest.clone();
        let hello = Op::Hello(Hello {
            resume: self.positions(),
            guest: guest.filter(|_| self.hello.token.is_none()),
            ..self.hello.clone()
        });
        vec![Output::Send(frame(Some(id), &hello))]
    }

    /// The socket is gone. `draw` is any random number, for the length of the wait.
    pub fn disconnected(&mut self, code: u16, draw: u64) -> Vec<Output> {
        self.drop_connection();
        if !may_reconnect(code) {
            return vec![Output::Stop { code }];
        }
        self.attempt = self.attempt.saturating_add(1);
        let wait = backoff(self.attempt, draw).max(std::mem::take(&mut self.stay_away_ms));
        vec![Output::Reconnect { after_ms: wait }]
    }

    fn drop_connection(&mut self) {
        self.welcome = false;
        self.rooms.values_mut().for_each(Tail::give_up);
        self.pending
            .retain(|_, pending| matches!(pending, Pending::Asked { .. }));
    }

    /// Wishes something. It is sent at once or when the server is there, and again after a
    /// reconnect, until there is a reply; the cid keeps it from happening twice.
    ///
    /// # Errors
    ///
    /// [`TooManyPending`] if too many wait already.
    pub fn command(
        &mut self,
        room: Option<RoomId>,
        cid: &Cid,
        command: &Command,
    ) -> Result<(u64, Option<Output>), TooManyPending> {
        self.ask(&Op::InRoom {
            room: room.map(RoomRef::id),
            cid: Some(cid.clone()),
            command: command.clone(),
        })
    }

    /// Asks something that changes nothing, so that it may be asked again after a reconnect. A
    /// [`Op::Snapshot`] moves the room's position when it is answered. What only older dialects
    /// have, the server refuses.
    ///
    /// # Errors
    ///
    /// [`TooManyPending`] if too many wait already.
    pub fn ask(&mut self, op: &Op) -> Result<(u64, Option<Output>), TooManyPending> {
        if self.pending.len() >= PENDING_MAX {
            return Err(TooManyPending);
        }
        let id = self.next_id();
        let frame = frame(Some(id), op);
        let sent = self.welcome.then(|| Output::Send(frame.clone()));
        let moves = matches!(op, Op::Snapshot { .. });
        self.pending.insert(id, Pending::Asked { frame, moves });
        Ok((id, sent))
    }

    /// Shows something that passes, such as typing: without reply, and only if the server is
    /// there.
    #[must_use]
    pub fn hint(&self, room: RoomId, command: &Command) -> Option<Output> {
        let op = || Op::InRoom {
            room: Some(room.into()),
            cid: None,
            command: command.clone(),
        };
        self.welcome.then(|| Output::Send(frame(None, &op())))
    }

    /// Goes on with a fresh token.
    #[must_use]
    pub fn refresh(&mut self, token: Token) -> Option<Output> {
        self.hello.token = Some(token.clone());
        let sent = || Output::Send(frame(None, &Op::Refresh { token }));
        self.welcome.then(sent)
    }

    /// Takes a message of the server's. What is no frame is passed over.
    pub fn received(&mut self, text: &str) -> Vec<Output> {
        let mut outputs = Vec::new();
        for line in text
            .split('\n')
            .filter(|line| !line.trim_ascii().is_empty())
        {
            match ServerFrame::decode(line) {
                Ok(ServerFrame::Reply { re, result }) => self.reply(re, result, &mut outputs),
                Ok(ServerFrame::Event(heard)) => self.event(*heard, &mut outputs),
                Ok(ServerFrame::Signal(signal)) => outputs.push(Output::Signal(signal)),
                Ok(ServerFrame::System(system)) => self.system(system, &mut outputs),
                Ok(ServerFrame::Unknown) | Err(_) => {}
            }
        }
        outputs
    }

    fn event(&mut self, heard: Heard, outputs: &mut Vec<Output>) {
        let room = heard.room;
        let (epoch, prev) = (&self.epoch, heard.prev);
        let tail = self
            .rooms
            .entry(room)
            .or_insert_with(|| Tail::at(epoch.clone(), prev));
        let mut shown = Vec::new();
        tail.hear(heard, &mut shown);
        outputs.extend(shown.into_iter().map(Output::Event));
        self.settle(room, outputs);
    }

    fn system(&mut self, system: System, outputs: &mut Vec<Output>) {
        match system {
            System::Ping { heads } => {
                for (room, head) in heads {
                    if let Some(tail) = self.rooms.get_mut(&room) {
                        tail.learn(head);
                    }
                    self.settle(room, outputs);
                }
            }
            System::Synced { room, seq } => {
                if let Some(tail) = self.rooms.get_mut(&room) {
                    tail.expect(seq);
                }
                self.settle(room, outputs);
            }
            System::Lagged {} => {}
            System::TokenExpiring { at } => outputs.push(Output::TokenExpiring { at }),
            System::Bye { retry_ms, .. } => self.stay_away_ms = retry_ms.unwrap_or(0),
        }
    }

    fn reply(&mut self, re: Option<u64>, result: Result<String, Refused>, out: &mut Vec<Output>) {
        let Some(id) = re else { return };
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        match (self.pending.remove(&id), result) {
            (None, _) => {}
            (Some(Pending::Hello), Ok(text)) => {
                out.push(Output::Welcome(parsed(&text)));
                self.welcomed(&text, out);
            }
            (Some(Pending::Hello), Err(refused)) => out.push(Output::Unwelcome(refused)),
            (Some(Pending::Filling(room)), Ok(text)) => self.filled(room, &text, out),
            (Some(Pending::Filling(room)), Err(refused)) => self.unfilled(room, &refused, out),
            (Some(Pending::Asked { moves, .. }), Ok(text)) => {
                out.push(Output::Reply {
                    id,
                    result: Ok(parsed(&text)),
                });
                if moves {
                    self.placed(&text);
                }
            }
            (Some(Pending::Asked { .. }), Err(refused)) => {
                out.push(Output::Reply {
                    id,
                    result: Err(refused),
                });
            }
        }
    }

    fn welcomed(&mut self, text: &str, outputs: &mut Vec<Output>) {
        #[derive(Deserialize)]
        struct Greeting {
            #[serde(default)]
            epoch: String,
            #[serde(default)]
            rooms: BTreeMap<RoomId, ResumeState>,
            guest_token: Option<String>,
        }
        let Ok(greeting) = serde_json::from_str::<Greeting>(text) else {
            return;
        };
        self.welcome = true;
        self.attempt = 0;
        self.epoch = greeting.epoch;
        if let Some(token) = greeting.guest_token {
            self.hello.token = Some(Token::new(token));
        }
        for (room, state) in greeting.rooms {
            match state {
                ResumeState::Ok { .. } => {}
                ResumeState::New { epoch, head } => self.follow(room, &epoch, head),
                ResumeState::Reset { why, epoch, head } => {
                    self.follow(room, &epoch, head);
                    outputs.push(Output::Reset {
                        room,
                        why: Some(why),
                    });
                }
                ResumeState::Gone => {
                    self.forget(room);
                    outputs.push(Output::Gone { room });
                }
            }
        }
        for pending in self.pending.values() {
            if let Pending::Asked { frame, .. } = pending {
                outputs.push(Output::Send(frame.clone()));
            }
        }
    }

    fn filled(&mut self, room: RoomId, text: &str, outputs: &mut Vec<Output>) {
        let Some(tail) = self.rooms.get_mut(&room) else {
            return;
        };
        let mut shown = Vec::new();
        let further = Filling::decode(text).is_some_and(|filling| tail.fill(filling, &mut shown));
        outputs.extend(shown.into_iter().map(Output::Event));
        if further {
            self.settle(room, outputs);
        } else {
            self.reset(room, outputs);
        }
    }

    fn unfilled(&mut self, room: RoomId, refused: &Refused, outputs: &mut Vec<Output>) {
        match refused.known().map(Code::class) {
            // It passes; the next event or ping asks again.
            Some(Class::Limit | Class::Server) => {
                if let Some(tail) = self.rooms.get_mut(&room) {
                    tail.give_up();
                }
            }
            Some(Class::NotFound | Class::Forbidden) => {
                self.forget(room);
                outputs.push(Output::Gone { room });
            }
            Some(Class::Invalid | Class::Auth | Class::Conflict | Class::Position) | None => {
                self.reset(room, outputs);
            }
        }
    }

    /// A gap that can't be filled: what comes next is taken from where it stands.
    fn reset(&mut self, room: RoomId, outputs: &mut Vec<Output>) {
        self.forget(room);
        outputs.push(Output::Reset { room, why: None });
    }

    /// Goes on from where a snapshot stands, of the room that it is of.
    fn placed(&mut self, text: &str) {
        #[derive(Deserialize)]
        struct Placed {
            room: Card,
            position: Position,
        }
        #[derive(Deserialize)]
        struct Card {
            id: RoomId,
        }
        if let Ok(Placed { room, position }) = serde_json::from_str(text) {
            self.follow(room.id, &position.epoch, position.seq);
        }
    }

    /// Asks for what is missing, or says that nothing is.
    fn settle(&mut self, room: RoomId, outputs: &mut Vec<Output>) {
        let Some(tail) = self.rooms.get_mut(&room) else {
            return;
        };
        if let Some(seq) = tail.synced() {
            outputs.push(Output::Synced { room, seq });
        }
        if !self.welcome || !tail.wants() {
            return;
        }
        let since = tail.last;
        let id = self.next_id();
        self.pending.insert(id, Pending::Filling(room));
        let missing = Op::Records {
            room: room.into(),
            since,
            limit: None,
        };
        outputs.push(Output::Send(frame(Some(id), &missing)));
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// A frame of the native dialect. What is absent isn't mentioned.
fn frame(id: Option<u64>, op: &Op) -> String {
    let mut d = match op.serialize_payload(serde_json::value::Serializer) {
        Ok(Value::Object(fields)) => fields,
        // A payload is a struct.
        Ok(_) | Err(_) => Map::new(),
    };
    d.retain(|_, value| !value.is_null());
    let head = id.map_or_else(|| "{".to_owned(), |id| format!("{{\"id\":{id},"));
    let (op, d) = (Value::from(op.name()), Value::Object(d));
    format!("{head}\"op\":{op},\"d\":{d}}}")
}
