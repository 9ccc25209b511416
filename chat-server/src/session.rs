//! One connection's conversation: frames in, wishes out; answers, news and goodbyes.
//!
//! Plain commands go straight to their room's worker, and their answers come back by the hub.
//! Whatever takes longer is awaited here, one thing at a time, so that replies keep their order and
//! a client that asks for much waits for itself alone.

mod account;
mod carrier;
mod catch_up;
mod end;
mod enter;
mod hello;
mod news;
mod perform;
mod seats;
mod straight;

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Actor, Bucket, RoomId, Seq};
use chat_protocol::answer::Answer;
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Token;
use chat_protocol::dialect::{Call, Dialect, Form, Ticket, UNREADABLE_MAX};
use chat_protocol::system::System;
use hyper::upgrade::OnUpgrade;
use prometheus_client::metrics::gauge::Gauge;
use tungstenite::Utf8Bytes;

use self::carrier::{Carrier, Passed};
use self::seats::Seats;
use self::straight::Sent;
use crate::auth::Identity;
use crate::auth::limiter::Whence;
use crate::budgets;
use crate::desk::Desk;
use crate::engineio::{Host, Line, Talk};
use crate::hub::{Link, News};
use crate::node::Node;
use crate::outbox::State;
use crate::places::{Connected, Silent};
use crate::websocket::{Heard, Socket};
use crate::worker::Worker;

/// A connection that is about to become a WebSocket.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The connection, once its handshake has been answered.
    pub(crate) upgrade: OnUpgrade,
    /// Its dialect, if that is known from its path; else its first frame tells.
    pub(crate) dialect: Option<Dialect>,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The origin of the page that it comes from, if that is a foreign one.
    pub(crate) page: Option<Box<str>>,
    /// The token that its request brought.
    pub(crate) token: Option<Token>,
    /// The room that its request named, if its dialect has it so, and the record after which it
    /// hears it: whoever the token stands for may be in it.
    pub(crate) room: Option<(RoomId, Seq)>,
    /// Its place among the process's connections, if we accepted it.
    pub(crate) place: Option<Arc<Connected>>,
    /// Its place among the silent sockets of its address, until it has said who it is.
    pub(crate) silent: Silent,
}

/// One connection.
pub(crate) struct Session {
    worker: Rc<Worker>,
    link: Rc<Link>,
    address: IpAddr,
    /// The origin of the page that it comes from, if that is a foreign one.
    page: Option<Box<str>>,
    /// The token that came with the request.
    token: Option<Token>,
    /// Who it is, once it has said so.
    identity: Option<Identity>,
    /// Held until then, or until it has a seat.
    silent: Option<Silent>,
    /// Who it is where nobody has asked: a guest of its own.
    nobody: Option<Actor>,
    seats: Seats,
    /// The budget of commands.
    bucket: Bucket,
    /// Commands that were taken off what the guests of its address may give, and not given yet.
    credit: u64,
    /// Refused commands in a row.
    refused: u32,
    /// Frames in a row that nobody could read.
    unreadable: u32,
    /// Whether anything was granted of what was heard last.
    granted: Cell<bool>,
    /// Where the connection counts, once its dialect is known.
    connected: Option<Gauge>,
    /// The heads that pings have told.
    told: HashMap<RoomId, Seq>,
}

/// What is left to do after a reply has been sent.
enum After {
    Nothing,
    /// These rooms follow, from these positions on.
    CatchUp(Vec<(RoomId, Seq)>),
    /// The session ends.
    End(Close),
}

type Performed = Result<(Answer, After), Refusal>;

/// Commands that a session takes off what the guests of its address may give, so that it doesn't ask
/// for each.
const CREDIT: u64 = 16;

/// Commands refused in a row for coming too fast, before the socket closes.
const REFUSED_MAX: u32 = 200;

/// The chat, as what is spoken over Engine.IO lines, in this dialect.
pub(crate) struct Chat(pub(crate) Dialect);

impl Host for Chat {
    fn talk(self: Arc<Self>, worker: Rc<Worker>, mut line: Box<Line>) -> Talk {
        let caller = line.caller();
        let guest = Guest {
            dialect: Some(self.0),
            address: caller.address,
            page: None,
            token: caller.token.take().map(Token::new),
            silent: caller.silent.take(),
        };
        let mut carrier = Carrier::line(line);
        let mut session = Session::begin(worker, &carrier, guest);
        Box::pin(async move { session.talk(&mut carrier, None).await })
    }

    fn says_goodbye(&self) -> bool {
        true
    }
}

/// Runs a connection from its handshake to its end.
pub(crate) async fn run(worker: Rc<Worker>, arrival: Arrival) {
    let Ok(upgraded) = arrival.upgrade.await else {
        return;
    };
    let limits = worker.node.limits();
    let bytes_max = limits.frame_unauthenticated_bytes_max;
    let Ok(socket) = Socket::over(upgraded, limits.outbox_bytes_max, bytes_max) else {
        return;
    };
    let guest = Guest {
        dialect: arrival.dialect,
        address: arrival.address,
        page: arrival.page,
        token: arrival.token,
        silent: Some(arrival.silent),
    };
    let mut carrier = Carrier::Socket(socket);
    let mut session = Session::begin(worker, &carrier, guest);
    session.talk(&mut carrier, arrival.room).await;
    drop(arrival.place);
}

/// Who has come, before he has said a word.
struct Guest {
    dialect: Option<Dialect>,
    address: IpAddr,
    page: Option<Box<str>>,
    token: Option<Token>,
    silent: Option<Silent>,
}

impl Session {
    /// Takes up a session.
    fn begin(worker: Rc<Worker>, carrier: &Carrier, guest: Guest) -> Self {
        let dialect = guest.dialect;
        let link = Link::new(worker.session_key(), carrier.outbox().clone(), dialect);
        let link = Rc::new(link);
        link.heard_at.set(worker.node.clock().elapsed());
        let is_line = matches!(carrier, Carrier::Line(..));
        link.beats.set(is_line);
        worker.hub.borrow_mut().register(link.clone());
        let mut session = Self {
            worker,
            link,
            address: guest.address,
            page: guest.page,
            token: guest.token,
            identity: None,
            silent: guest.silent,
            nobody: None,
            seats: Seats::default(),
            bucket: Bucket::default(),
            credit: 0,
            refused: 0,
            unreadable: 0,
            granted: Cell::new(false),
            connected: None,
            told: HashMap::new(),
        };
        if is_line || dialect.is_some_and(Dialect::resumes) {
            session.link.hello_by.set(Some(session.hello_by()));
        }
        session.speak(dialect);
        session
    }

    /// Talks with whoever has come until one of both has had enough. What is passed on is borrowed,
    /// and what doesn't last is boxed: this is kept for every session, however long it is silent.
    async fn talk(&mut self, carrier: &mut Carrier, room: Option<(RoomId, Seq)>) {
        let refused = match room {
            Some(room) => {
                self.link.works.set(true);
                let refused = Box::pin(self.arrive(room, carrier)).await;
                self.link.works.set(false);
                refused
            }
            None => None,
        };
        let close = match refused {
            Some(close) => Some(close),
            None => self.converse(carrier).await,
        };
        Box::pin(self.end(carrier, close)).await;
    }

    /// Talks until one side has had enough; gives the reason if it is ours.
    async fn converse(&mut self, carrier: &mut Carrier) -> Option<Close> {
        loop {
            self.link.works.set(true);
            while let Some(news) = self.link.next_news() {
                if news == News::Ping {
                    self.ping(carrier);
                } else if let Some(close) =
                    driven(carrier, Box::pin(self.hear_news(news)).as_mut()).await
                {
                    return Some(close);
                }
            }
            self.link.works.set(false);
            match self.link.outbox.state() {
                State::Open => {}
                State::Lagging => return Some(Close::Lagging),
                State::Broken => return None,
            }
            let (text, form) = match self.next(carrier).await {
                None | Some(Heard::Alive) => continue,
                Some(Heard::Text(text, form)) => (text, form),
                Some(Heard::Unreadable) => (Utf8Bytes::default(), Form::Unreadable),
                Some(Heard::TooLarge) => return Some(Close::FrameTooLarge),
                Some(Heard::Closed) => return None,
            };
            let known = self.identity.is_some();
            self.granted.set(false);
            self.link.works.set(true);
            if let Some(close) = driven(carrier, Box::pin(self.hear(&text, form)).as_mut()).await {
                return Some(close);
            }
            match carrier.passed(self.granted.get()) {
                Some(Passed::In) => self.link.hello_by.set(None),
                Some(Passed::Out) => self.link.hello_by.set(Some(self.hello_by())),
                None => {}
            }
            if !known && (self.identity.is_some() || !self.seats.is_empty()) {
                carrier.allow(self.node().limits().frame_bytes_max);
            }
        }
    }

    /// By when somebody who comes at this moment has to have said who he is.
    fn hello_by(&self) -> Duration {
        let node = self.node();
        node.clock().elapsed() + Duration::from_millis(node.limits().hello_ms_max)
    }

    /// The next thing that is heard; none if there is news instead.
    async fn next(&self, carrier: &mut Carrier) -> Option<Heard> {
        let heard = poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.has_news() || self.link.outbox.state() != State::Open {
                return Poll::Ready(None);
            }
            carrier.poll_heard(cx).map(Some)
        })
        .await;
        if heard.is_some() {
            self.link.heard_at.set(self.node().clock().elapsed());
        }
        heard
    }

    /// Notes the dialect that is spoken.
    fn speak(&mut self, dialect: Option<Dialect>) {
        self.link.dialect.set(dialect);
        self.connected = dialect.map(|dialect| {
            let gauge = self.node().metrics().connections(dialect);
            gauge.inc();
            gauge
        });
    }

    /// Reads one message: all its calls, in order.
    async fn hear(&mut self, text: &str, form: Form) -> Option<Close> {
        self.node().metrics().frames_in.inc();
        if self.link.dialect.get().is_none() {
            self.speak(Dialect::recognise(text));
        }
        let Some(dialect) = self.link.dialect.get() else {
            self.unreadable += 1;
            return (self.unreadable >= UNREADABLE_MAX).then_some(Close::BadProtocol);
        };
        let mut calls = Vec::new();
        dialect.decode(text, form, &mut calls);
        let unreadable = |call: &Call| matches!(&call.op, Err(it) if it.code == Code::BadFrame);
        let unread = calls.iter().any(unreadable);
        self.unreadable = if unread { self.unreadable + 1 } else { 0 };
        // What asks for nothing is read all the same.
        if calls.is_empty() && self.afford().is_err() && self.refused >= REFUSED_MAX {
            return Some(Close::RateLimited);
        }
        for call in calls {
            if let Some(close) = self.call(dialect, call).await {
                return Some(close);
            }
        }
        let most = dialect.unreadable_max();
        most.filter(|most| self.unreadable >= *most)
            .map(|_| Close::BadProtocol)
    }

    async fn call(&mut self, dialect: Dialect, call: Call) -> Option<Close> {
        let Call { ticket, op } = call;
        let op = match self.afford().and(op) {
            Ok(op) => op,
            Err(refusal) => {
                self.settled(dialect).await;
                self.answer(&ticket, &Err(refusal));
                return (self.refused >= REFUSED_MAX).then_some(Close::RateLimited);
            }
        };
        let (op, ticket) = match self.straight(op, ticket).await {
            Sent::Away => return None,
            Sent::Refused(refusal, ticket) => {
                self.settled(dialect).await;
                self.answer(&ticket, &Err(refusal));
                return None;
            }
            Sent::Back(op, ticket) => (*op, ticket),
        };
        self.settled(dialect).await;
        let (answer, after) = match Box::pin(self.perform(op)).await {
            Ok((answer, after)) => (Ok(answer), after),
            Err(refusal) => (Err(refusal), After::Nothing),
        };
        // It may be large: whoever asks for much takes it before more is sent.
        self.drained().await;
        self.answer(&ticket, &answer);
        match after {
            After::Nothing => None,
            After::CatchUp(rooms) => {
                for (room, position) in rooms {
                    Box::pin(self.catch_up(room, position)).await;
                }
                None
            }
            After::End(close) => Some(close),
        }
    }

    /// Takes one command off the budget.
    fn afford(&mut self) -> Result<(), Refusal> {
        let node = self.node();
        match budgets::spend(self.bucket, node.steady_now(), node.limits()) {
            Ok(bucket) => {
                self.bucket = bucket;
                self.refused = 0;
                self.afford_as_guest()
            }
            Err(wait_ms) => {
                self.refused += 1;
                Err(Refusal::rate_limited(wait_ms))
            }
        }
    }

    /// Takes one command off what all guests of this address may give, unless an account speaks.
    fn afford_as_guest(&mut self) -> Result<(), Refusal> {
        if self.credit == 0 {
            let most = match &self.identity {
                Some(identity) if identity.user.is_guest() => CREDIT,
                Some(_) => return Ok(()),
                None if self.seats.is_empty() && self.is_older() => 1,
                None if self.seats.guest().is_some() => CREDIT,
                // He is about to say who he is, or has a seat under his own name.
                None => return Ok(()),
            };
            self.credit = self.node().spend_as_guest(self.whence(), most)?;
        }
        self.credit -= 1;
        Ok(())
    }

    /// Waits, where replies come in the order of requests, until none is owed.
    async fn settled(&self, dialect: Dialect) {
        if !dialect.resumes() {
            self.answered().await;
        }
    }

    /// Waits until no reply is owed.
    async fn answered(&self) {
        poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.in_flight.get() == 0 || self.link.outbox.state() != State::Open {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn answer(&self, ticket: &Ticket, answer: &Result<Answer, Refusal>) {
        match answer {
            Ok(_) => self.granted.set(true),
            Err(refusal) => self.node().metrics().refused(refusal.class),
        }
        let outbox = &self.link.outbox;
        ticket.answer(answer, &mut |text| outbox.send_text(text));
    }

    fn system(&self, system: &System) {
        let text = self
            .link
            .dialect
            .get()
            .and_then(|dialect| dialect.system(system));
        if let Some(text) = text {
            self.link.outbox.send_text(&text);
        }
    }

    fn node(&self) -> &Node {
        &self.worker.node
    }

    fn desk<'a>(&'a self, actor: &'a Actor) -> Desk<'a> {
        Desk {
            node: self.node(),
            actor,
            from: Some(self.link.key),
            whence: Some(self.whence()),
        }
    }

    /// From where it speaks.
    fn whence(&self) -> Whence<'_> {
        Whence::of(self.address).on_page(self.page.as_deref())
    }
}

/// Does something while what waits in the outbox goes on leaving.
async fn driven<T>(carrier: &mut Carrier, mut work: Pin<&mut impl Future<Output = T>>) -> T {
    poll_fn(|cx| {
        carrier.drive(cx);
        work.as_mut().poll(cx)
    })
    .await
}

/// Refuses what only somebody known may ask.
fn unauthenticated() -> Refusal {
    Refusal::new(Code::Unauthenticated)
}
