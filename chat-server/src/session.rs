//! One connection's conversation: frames in, wishes out; answers, news and goodbyes.
//!
//! Plain commands go straight to their room's worker, and their answers come back by the hub.
//! Whatever takes longer is awaited here, one thing at a time, so that replies keep their order and
//! a client that asks for much waits for itself alone.

mod account;
mod arrival;
mod carrier;
mod catch_up;
mod end;
mod enter;
mod hearing;
mod hello;
mod listening;
mod news;
mod perform;
mod seats;
mod straight;

use std::cell::Cell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Actor, Bucket, RoomId, Seq};
use chat_protocol::answer::Answer;
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Token;
use chat_protocol::dialect::{Dialect, Form, Ticket};
use chat_protocol::system::System;
use prometheus_client::metrics::gauge::Gauge;
use tungstenite::Utf8Bytes;

pub(crate) use self::arrival::{Arrival, run};
use self::carrier::{Carrier, Passed};
pub(crate) use self::listening::{Listener, listen};
use self::seats::Seats;
use crate::auth::Identity;
use crate::auth::limiter::Whence;
use crate::desk::Desk;
use crate::engineio::{Host, Line, Talk};
use crate::hub::{Link, News};
use crate::node::Node;
use crate::outbox::State;
use crate::places::Silent;
use crate::websocket::Heard;
use crate::worker::Worker;

/// One connection.
pub(crate) struct Session {
    worker: Rc<Worker>,
    link: Rc<Link>,
    address: IpAddr,
    /// The origin of the page that it comes from, if that is a foreign one.
    page: Option<Box<str>>,
    /// The token that came with the request.
    token: Option<Box<Token>>,
    /// Who it is, once it has said so.
    identity: Option<Identity>,
    /// Held until then, or until it has a seat.
    silent: Option<Silent>,
    /// Who it is where nobody has asked: a guest of its own.
    nobody: Option<Box<Actor>>,
    seats: Seats,
    /// The budget of commands.
    bucket: Bucket,
    /// Commands that were taken off what the guests of its address may give, and not given yet.
    credit: u64,
    /// Refused commands in a row.
    refused: u32,
    /// Frames in a row that nobody could read.
    unreadable: u32,
    /// Whether it only listens: what it hears are events, which say where its reader is.
    listens: bool,
    /// Whether anything was granted of what was heard last.
    granted: Cell<bool>,
    /// Where the connection counts, once its dialect is known.
    connected: Option<Gauge>,
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
        Box::pin(async move {
            let close = session.converse(&mut carrier).await;
            session.end(&mut carrier, close).await;
        })
    }

    fn says_goodbye(&self) -> bool {
        true
    }
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
            token: guest.token.map(Box::new),
            identity: None,
            silent: guest.silent,
            nobody: None,
            seats: Seats::default(),
            bucket: Bucket::default(),
            credit: 0,
            refused: 0,
            unreadable: 0,
            listens: matches!(carrier, Carrier::Feed(_)),
            granted: Cell::new(false),
            connected: None,
        };
        if is_line || dialect.is_some_and(Dialect::resumes) {
            session.link.hello_by.set(Some(session.hello_by()));
        }
        session.speak(dialect);
        session
    }

    /// Talks until one side has had enough; gives the reason if it is ours.
    async fn converse(&mut self, carrier: &mut Carrier) -> Option<Close> {
        loop {
            while let Some(news) = self.link.next_news() {
                if news == News::Ping {
                    self.ping(carrier);
                } else if let Some(close) = Box::pin(self.follow(news, carrier)).await {
                    return Some(close);
                }
            }
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
            let slow = match self.hear(&text, form) {
                Ok(slow) => slow,
                Err(close) => return Some(close),
            };
            if let Some(slow) = slow {
                self.link.works.set(true);
                let close = driven(carrier, Box::pin(self.take_time(slow)).as_mut()).await;
                self.link.works.set(false);
                if close.is_some() {
                    return close;
                }
            }
            if self.is_unreadable() {
                return Some(Close::BadProtocol);
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

    async fn follow(&mut self, news: News, carrier: &mut Carrier) -> Option<Close> {
        self.link.works.set(true);
        let close = driven(carrier, pin!(self.hear_news(news))).await;
        self.link.works.set(false);
        close
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

    /// Waits, where replies come in the order of requests, until none is owed.
    async fn settled(&self, dialect: Dialect) {
        if !dialect.resumes() {
            self.answered().await;
        }
    }

    /// Waits until no reply is owed.
    async fn answered(&self) {
        self.owes_fewer_than(1).await;
    }

    /// Waits until fewer replies than this are owed.
    async fn owes_fewer_than(&self, replies: usize) {
        poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.in_flight.get() < replies || self.link.outbox.state() != State::Open {
                Poll::Ready(())
            } else {
                self.link.awaits_answer.set(true);
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
