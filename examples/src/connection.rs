//! A connection to a chat server that keeps itself up: how to write a client in Rust.
//!
//! [`Client`] knows what to say, what was missed and how long to stay away; it is pure state. Here
//! is what it leaves to its owner: the socket, the timers, and chance.

mod line;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_core::{Cid, Command, RoomId};
use chat_protocol::client::{Client, Output, TooManyPending};
use chat_protocol::close::Close;
use chat_protocol::code::{Class, Code};
use chat_protocol::command::{Hello, Op, Token};
use chat_protocol::server_frame::Refused;
use serde_json::Value;
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::Uri;

use self::line::{Heard, Line, NO_CODE, Socket, dial};

/// A client, and its socket while it has one.
///
/// Nothing happens by itself: whoever owns it calls [`Connection::next`] in a loop. What is wished
/// or asked while the server is away is sent when it is back.
pub struct Connection {
    address: Uri,
    client: Client,
    link: Link,
    /// What [`Connection::next`] is yet to give.
    outputs: VecDeque<Output>,
    /// What waits for a reply, by the number that the client gave it.
    asked: BTreeMap<u64, Asked>,
    /// What the server was too busy for.
    later: Vec<(Pin<Box<Sleep>>, Asked)>,
    last_ticket: u64,
}

enum Link {
    Away(Pin<Box<Sleep>>),
    Dialing(Pin<Box<dyn Future<Output = Result<Socket, Error>> + Send>>),
    Open(Box<Line>),
    Ended,
}

/// What was wished or asked, to be said again if the server is too busy.
#[derive(Clone)]
struct Asked {
    ticket: u64,
    what: What,
}

#[derive(Clone)]
enum What {
    Command(Option<RoomId>, Cid, Box<Command>),
    Question(Box<Op>),
}

impl Connection {
    /// A connection to the server at this address, such as `ws://127.0.0.1:8080/v1/ws`.
    #[must_use]
    pub fn new(address: Uri, hello: Hello) -> Self {
        Self {
            link: Link::Dialing(Box::pin(dial(address.clone()))),
            address,
            client: Client::new(hello),
            outputs: VecDeque::new(),
            asked: BTreeMap::new(),
            later: Vec::new(),
            last_ticket: 0,
        }
    }

    /// The next thing to know about; none when there is nothing to come back for.
    ///
    /// May be dropped and called again, so it fits into a `select!`. The `id` of a reply is what
    /// [`Connection::command`] or [`Connection::ask`] gave.
    pub async fn next(&mut self) -> Option<Output> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Wishes something; the reply comes from [`Connection::next`]. It happens once, however often
    /// it has to be sent.
    ///
    /// # Errors
    ///
    /// [`TooManyPending`] if too much waits already.
    pub fn command(
        &mut self,
        room: Option<RoomId>,
        cid: Cid,
        command: impl Into<Command>,
    ) -> Result<u64, TooManyPending> {
        self.request(What::Command(room, cid, Box::new(command.into())))
    }

    /// Asks something; the reply comes from [`Connection::next`].
    ///
    /// # Errors
    ///
    /// [`TooManyPending`] if too much waits already.
    pub fn ask(&mut self, op: Op) -> Result<u64, TooManyPending> {
        self.request(What::Question(Box::new(op)))
    }

    /// Goes on with a fresh token.
    pub fn refresh(&mut self, token: Token) {
        let sent = self.client.refresh(token);
        self.take(sent);
    }

    /// Whether the server is there and knows the user.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(&self.link, Link::Open(line) if line.welcome)
    }

    fn request(&mut self, what: What) -> Result<u64, TooManyPending> {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.send(Asked { ticket, what })?;
        Ok(ticket)
    }

    fn send(&mut self, asked: Asked) -> Result<(), TooManyPending> {
        let (id, sent) = match &asked.what {
            What::Command(room, cid, command) => self.client.command(*room, cid, command)?,
            What::Question(op) => self.client.ask(op)?,
        };
        self.asked.insert(id, asked);
        self.take(sent);
        Ok(())
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Poll::Ready(Some(output));
            }
            self.poll_later(cx);
            match &mut self.link {
                Link::Away(rest) => {
                    ready!(rest.as_mut().poll(cx));
                    self.link = Link::Dialing(Box::pin(dial(self.address.clone())));
                }
                Link::Dialing(dialing) => match ready!(dialing.as_mut().poll(cx)) {
                    Ok(socket) => {
                        self.link = Link::Open(Box::new(Line::new(socket)));
                        let hello = self.client.connected();
                        self.take(hello);
                    }
                    Err(_) => self.lost(NO_CODE),
                },
                Link::Open(line) => match ready!(line.poll_heard(cx)) {
                    Heard::Text(text) => {
                        let outputs = self.client.received(&text);
                        self.take(outputs);
                    }
                    Heard::End(code) => self.lost(code),
                },
                Link::Ended => return Poll::Ready(None),
            }
        }
    }

    /// Says again what the server was too busy for, when its time has come.
    fn poll_later(&mut self, cx: &mut Context<'_>) {
        for (mut rest, asked) in std::mem::take(&mut self.later) {
            let due = rest.as_mut().poll(cx).is_ready();
            if !due || self.send(asked.clone()).is_err() {
                self.later.push((rest, asked));
            }
        }
    }

    fn lost(&mut self, code: u16) {
        let outputs = self.client.disconnected(code, draw());
        self.take(outputs);
    }

    /// Follows the client's instructions, and keeps its news.
    fn take(&mut self, outputs: impl IntoIterator<Item = Output>) {
        for output in outputs {
            match output {
                Output::Send(frame) => {
                    // Without a socket it is lost, and the client sends it again.
                    if let Link::Open(line) = &mut self.link {
                        line.waiting.push_back(frame);
                    }
                    continue;
                }
                Output::Reply { id, result } => {
                    self.replied(id, result);
                    continue;
                }
                Output::Welcome(ref welcome) => self.welcomed(welcome),
                Output::Unwelcome(ref refused) => {
                    let code = code_of(refused);
                    self.outputs.push_back(output);
                    self.lost(code);
                    continue;
                }
                Output::Reconnect { after_ms } => {
                    self.link = Link::Away(Box::pin(sleep(Duration::from_millis(after_ms))));
                }
                Output::Stop { .. } => self.link = Link::Ended,
                Output::Event(_)
                | Output::Signal(_)
                | Output::Synced { .. }
                | Output::Reset { .. }
                | Output::Gone { .. }
                | Output::TokenExpiring { .. } => {}
            }
            self.outputs.push_back(output);
        }
    }

    fn welcomed(&mut self, welcome: &Value) {
        let Link::Open(line) = &mut self.link else {
            return;
        };
        line.welcome = true;
        if let Some(ping_ms) = welcome.get("ping_ms").and_then(Value::as_u64) {
            line.silence = Duration::from_millis(ping_ms.saturating_mul(2));
        }
    }

    fn replied(&mut self, id: u64, result: Result<Value, Refused>) {
        let Some(asked) = self.asked.remove(&id) else {
            return;
        };
        match wait_of(&result) {
            Some(wait) => self.later.push((Box::pin(sleep(wait)), asked)),
            None => {
                let id = asked.ticket;
                self.outputs.push_back(Output::Reply { id, result });
            }
        }
    }
}

/// A cid that nobody else draws.
///
/// # Panics
///
/// Never: sixteen digits are a cid.
#[must_use]
pub fn draw_cid() -> Cid {
    Cid::new(format!("{:016x}", draw())).expect("sixteen digits are a cid")
}

/// A random number. The standard library keys its hashers by chance.
fn draw() -> u64 {
    RandomState::new().hash_one(())
}

/// How long to wait with saying it again, if that makes sense without asking the person.
fn wait_of(result: &Result<Value, Refused>) -> Option<Duration> {
    let refused = result.as_ref().err()?;
    let code = refused.known()?;
    let passes = code.class() == Class::Server || code == Code::RateLimited;
    passes.then(|| Duration::from_millis(refused.retry_ms.unwrap_or(RETRY_MS)))
}

/// The close code that a refused hello amounts to: whether it makes sense to come back.
fn code_of(refused: &Refused) -> u16 {
    match refused.known() {
        Some(Code::TokenExpired) => Close::TokenExpired.code(),
        Some(code) if matches!(code.class(), Class::Server | Class::Limit) => NO_CODE,
        Some(_) | None => Close::Unauthenticated.code(),
    }
}

/// How long to wait with saying it again, where the server doesn't tell.
const RETRY_MS: u64 = 1_000;
