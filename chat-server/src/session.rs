//! One connection's conversation: frames in, wishes out; answers, news and goodbyes.
//!
//! Plain commands go straight to their room's worker, and their answers come back by the hub.
//! Whatever takes longer is awaited here, one thing at a time, so that replies keep their order and
//! a client that asks for much waits for itself alone.

mod enter;
mod hello;
mod perform;
mod seats;

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Actor, Bucket, Command, RoomId, Seq, Timestamp};
use chat_protocol::answer::Answer;
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Op;
use chat_protocol::dialect::{Call, Dialect, Ticket};
use chat_protocol::room_ref::RoomRef;
use chat_protocol::system::System;
use hyper::upgrade::OnUpgrade;
use prometheus_client::metrics::gauge::Gauge;

use self::seats::Seats;
use crate::auth::Identity;
use crate::desk::{self, Desk};
use crate::hub::{Link, News};
use crate::mail::{Mail, Wish};
use crate::node::{Connected, Node};
use crate::outbox::{Outbox, State};
use crate::websocket::{Flushed, Heard, Parted, Socket};
use crate::worker::{Address, Worker};

/// A connection that is about to become a WebSocket.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The connection, once its handshake has been answered.
    pub(crate) upgrade: OnUpgrade,
    /// Its dialect, if that is known from its path; else its first frame tells.
    pub(crate) dialect: Option<Dialect>,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The token of its request's `Authorization`.
    pub(crate) token: Option<String>,
    /// Its place among the process's connections, if we accepted it.
    pub(crate) place: Option<Arc<Connected>>,
}

/// One connection.
pub(crate) struct Session {
    worker: Rc<Worker>,
    link: Rc<Link>,
    address: IpAddr,
    /// The token that came with the request.
    token: Option<String>,
    /// Who it is, once it has said so.
    identity: Option<Identity>,
    /// Who it is where nobody has asked: a guest of its own.
    nobody: Option<Actor>,
    seats: Seats,
    /// The budget of commands.
    bucket: Bucket,
    /// Refused commands in a row.
    refused: u32,
    /// Frames in a row that nobody could read.
    unreadable: u32,
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

/// Frames that nobody can read, before a socket closes of which the dialect isn't known.
const UNREADABLE_MAX: u32 = 10;

/// Commands refused in a row for coming too fast, before the socket closes.
const REFUSED_MAX: u32 = 200;

/// Commands of one session that wait for their rooms.
const IN_FLIGHT_MAX: usize = 256;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long a server that stops waits for a client which has been told everything to close too.
const LINGER_STOPPING: Duration = Duration::from_millis(200);

/// Runs a connection from its handshake to its end.
pub(crate) async fn run(worker: Rc<Worker>, arrival: Arrival) {
    let Ok(upgraded) = arrival.upgrade.await else {
        return;
    };
    let Ok((wire, read)) = crate::listener::wire(upgraded) else {
        return;
    };
    let limits = worker.node.limits();
    let outbox = Rc::new(Outbox::new(wire, limits.outbox_bytes_max));
    let mut socket = Socket::new(outbox.clone(), read, limits.frame_unauthenticated_bytes_max);
    let link = Rc::new(Link::new(worker.session_key(), outbox, arrival.dialect));
    let now = worker.node.clock().elapsed();
    link.heard_at.set(now);
    if arrival.dialect.is_some_and(Dialect::resumes) {
        link.hello_by
            .set(Some(now + Duration::from_millis(limits.hello_ms_max)));
    }
    worker.hub.borrow_mut().register(link.clone());
    let mut session = Session {
        worker,
        link,
        address: arrival.address,
        token: arrival.token,
        identity: None,
        nobody: None,
        seats: Seats::default(),
        bucket: Bucket::default(),
        refused: 0,
        unreadable: 0,
        connected: None,
        told: HashMap::new(),
    };
    session.speak(arrival.dialect);
    let close = session.converse(&mut socket).await;
    session.end(&mut socket, close).await;
    drop(arrival.place);
}

impl Session {
    /// Talks until one side has had enough; gives the reason if it is ours.
    async fn converse(&mut self, socket: &mut Socket) -> Option<Close> {
        loop {
            while let Some(news) = self.link.next_news() {
                let outbox = socket.outbox.clone();
                if news == News::Ping {
                    self.ping(socket);
                } else if let Some(close) = driven(&outbox, self.hear_news(news)).await {
                    return Some(close);
                }
            }
            match self.link.outbox.state() {
                State::Open => {}
                State::Lagging => return Some(Close::Lagging),
                State::Broken => return None,
            }
            match self.next(socket).await {
                None => {}
                Some(Heard::Text(text)) => {
                    let known = self.identity.is_some();
                    let outbox = socket.outbox.clone();
                    if let Some(close) = driven(&outbox, self.hear(&text)).await {
                        return Some(close);
                    }
                    if !known && (self.identity.is_some() || !self.seats.is_empty()) {
                        socket.allow(self.node().limits().frame_bytes_max);
                    }
                }
                Some(Heard::Alive) => {}
                Some(Heard::Unreadable) => {
                    if let Some(close) = self.hear("\u{0}").await {
                        return Some(close);
                    }
                }
                Some(Heard::TooLarge) => return Some(Close::FrameTooLarge),
                Some(Heard::Closed) => return None,
            }
        }
    }

    /// The next thing that is heard; none if there is news instead.
    async fn next(&self, socket: &mut Socket) -> Option<Heard> {
        let heard = poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.has_news() || self.link.outbox.state() != State::Open {
                return Poll::Ready(None);
            }
            socket.poll_heard(cx).map(Some)
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
    async fn hear(&mut self, text: &str) -> Option<Close> {
        self.node().metrics().frames_in.inc();
        if self.link.dialect.get().is_none() {
            self.speak(Dialect::recognise(text));
        }
        let Some(dialect) = self.link.dialect.get() else {
            self.unreadable += 1;
            return (self.unreadable >= UNREADABLE_MAX).then_some(Close::BadProtocol);
        };
        let mut calls = Vec::new();
        dialect.decode(text, &mut calls);
        for call in calls {
            if let Some(close) = self.call(dialect, call).await {
                return Some(close);
            }
        }
        None
    }

    async fn call(&mut self, dialect: Dialect, call: Call) -> Option<Close> {
        let Call { ticket, op } = call;
        let op = match self.afford().and(op) {
            Ok(op) => op,
            Err(refusal) => {
                self.settled(dialect).await;
                self.answer(dialect, &ticket, &Err(refusal));
                return (self.refused >= REFUSED_MAX).then_some(Close::RateLimited);
            }
        };
        let (op, ticket) = match self.straight(op, ticket).await {
            Sent::Away => return None,
            Sent::Refused(refusal, ticket) => {
                self.settled(dialect).await;
                self.answer(dialect, &ticket, &Err(refusal));
                return None;
            }
            Sent::Back(op, ticket) => (*op, ticket),
        };
        self.settled(dialect).await;
        let (answer, after) = match self.perform(op).await {
            Ok((answer, after)) => (Ok(answer), after),
            Err(refusal) => (Err(refusal), After::Nothing),
        };
        self.answer(dialect, &ticket, &answer);
        match after {
            After::Nothing => None,
            After::CatchUp(rooms) => {
                for (room, position) in rooms {
                    self.catch_up(room, position).await;
                }
                None
            }
            After::End(close) => Some(close),
        }
    }

    /// Takes one command off the budget.
    fn afford(&mut self) -> Result<(), Refusal> {
        let limits = self.node().limits();
        let now = Timestamp::new(
            u64::try_from(self.node().clock().elapsed().as_millis()).unwrap_or(u64::MAX),
        );
        let (burst, refill_ms) = (limits.commands_burst, limits.command_refill_ms);
        let wait = self.bucket.wait_ms(now, burst, refill_ms);
        if limits.rate_limits && wait > 0 {
            self.refused += 1;
            return Err(Refusal::rate_limited(wait));
        }
        self.bucket = self.bucket.spent(now, refill_ms);
        self.refused = 0;
        Ok(())
    }

    /// Sends a command straight to its room if it needs nothing but the room's word: its answer
    /// comes with the room's news, and so before the event that it makes.
    async fn straight(&mut self, op: Op, ticket: Ticket) -> Sent {
        let (room, cid, command) = match op {
            Op::InRoom {
                room: Some(room),
                cid,
                command,
            } if is_plain(&command) => (room, cid, command),
            op => return Sent::Back(Box::new(op), ticket),
        };
        let known = match self.known_room(&room) {
            Some(known) => Ok(known),
            None => desk::resolve(self.node(), &room).await,
        };
        let target = match known {
            Ok(target) => target,
            Err(refusal) => return Sent::Refused(refusal, ticket),
        };
        let actor = match self.actor_in(target) {
            Ok(actor) => actor,
            Err(refusal) => return Sent::Refused(refusal, ticket),
        };
        if let Err(refusal) = self.desk(&actor).check_target(&command).await {
            return Sent::Refused(refusal, ticket);
        }
        self.room_for_one_more().await;
        let mail = Mail {
            room: target,
            actor,
            from: Some(self.link.key),
            wish: Wish::Command {
                command,
                cid,
                used: None,
            },
            reply: Address::Ticket(self.link.key, ticket),
        };
        self.link.in_flight.set(self.link.in_flight.get() + 1);
        // Refused only if the worker ends, and then the session does too.
        drop(self.node().send(mail).await);
        Sent::Away
    }

    /// Waits while too many commands of this session wait for their rooms.
    async fn room_for_one_more(&self) {
        poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.in_flight.get() < IN_FLIGHT_MAX || self.link.outbox.state() != State::Open
            {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// The room that a word means, if that can be told without asking anybody.
    fn known_room(&self, room: &RoomRef) -> Option<RoomId> {
        let own = room.own?;
        let plain = room.alias.is_none() && room.others.is_empty();
        (plain || self.seats.contains(own)).then_some(own)
    }

    /// Who acts in a room: whoever took the seat there, else whoever said hello.
    fn actor_in(&self, room: RoomId) -> Result<Actor, Refusal> {
        match self.seats.actor(room) {
            Some(actor) => Ok(actor.clone()),
            // A socket of an older dialect acts only where it is.
            None if self.identity.is_none() && self.is_older() => {
                Err(Refusal::new(Code::NotAMember))
            }
            None => self.actor(),
        }
    }

    /// Waits, where replies come in the order of requests, until none is owed.
    async fn settled(&self, dialect: Dialect) {
        if dialect.resumes() {
            return;
        }
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

    fn answer(&self, dialect: Dialect, ticket: &Ticket, answer: &Result<Answer, Refusal>) {
        if let Some(text) = dialect.answer(ticket, answer) {
            self.link.outbox.send_text(&text);
        }
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

    /// Follows what the hub has noticed; gives the reason if the session has to end.
    async fn hear_news(&mut self, news: News) -> Option<Close> {
        match news {
            News::Joined(room, before) => {
                if let Some(actor) = self.identity.as_ref().map(Identity::actor)
                    && !self.seats.contains(room)
                    && self.take_seat(room, actor).await.is_ok()
                {
                    self.catch_up(room, before).await;
                }
                None
            }
            News::Detached(room) => {
                self.seats.remove(room);
                self.told.remove(&room);
                None
            }
            News::Gap(room, from) => {
                self.catch_up(room, from).await;
                None
            }
            News::Expiring(at) => {
                self.system(&System::TokenExpiring { at });
                None
            }
            News::Ping => None,
            News::End(close) => Some(close),
        }
    }

    /// Asks for a sign of life, and tells which heads have moved.
    fn ping(&mut self, socket: &mut Socket) {
        let mut heads = std::collections::BTreeMap::new();
        for room in self.seats.rooms() {
            if let Some(head) = self.worker.position(room)
                && self.told.insert(room, head) != Some(head)
            {
                heads.insert(room, head);
            }
        }
        self.system(&System::Ping { heads });
        socket.ping();
    }

    /// Says goodbye and lets go of everything.
    async fn end(mut self, socket: &mut Socket, close: Option<Close>) {
        if let Some(close) = close {
            self.link.outbox.cut();
            if close == Close::Lagging {
                self.node().metrics().sessions_lagging.inc();
                self.system(&System::Lagged {});
            }
            let dialect = self.link.dialect.get();
            if close == Close::FrameTooLarge
                && let Some(text) =
                    dialect.and_then(|it| it.too_large(self.node().limits().frame_bytes_max as u64))
            {
                self.link.outbox.send_text(&text);
            }
            let retry_ms = close.reconnect().then_some(crate::node::RECONNECT_MS);
            self.system(&System::Bye {
                code: close.code(),
                why: close.why().into(),
                retry_ms,
            });
            let code = dialect.map_or(1007, |dialect| dialect.close_code(close));
            socket.close(code, close.why());
        }
        self.worker.parting.set(self.worker.parting.get() + 1);
        let seats = self.worker.hub.borrow_mut().forget(self.link.key);
        self.let_go(seats).await;
        if let Some(connected) = &self.connected {
            connected.dec();
        }
        // A peer that doesn't read its goodbye isn't waited for.
        let flushed = tokio::time::timeout(GOODBYE, Flushed(&socket.outbox)).await;
        if flushed.is_ok() {
            let linger = if self.node().is_stopping() {
                LINGER_STOPPING
            } else {
                GOODBYE
            };
            drop(tokio::time::timeout(linger, Parted::from(&socket.outbox)).await);
        }
        self.worker.parting.set(self.worker.parting.get() - 1);
    }

    /// Tells the rooms that this session is gone.
    async fn let_go(&mut self, seats: Vec<(RoomId, chat_core::UserId)>) {
        for (room, user) in seats.into_iter().chain(self.seats.visits()) {
            let name = self
                .seats
                .actor(room)
                .or(self.nobody.as_ref())
                .map(|it| it.name.clone());
            let name = name.or_else(|| self.identity.as_ref().map(|it| it.name.clone()));
            let Some(name) = name else { continue };
            self.detach(room, Actor::new(user, name)).await;
        }
        if let Some(identity) = &self.identity {
            self.node().release(identity.user);
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
        }
    }
}

/// What became of an op on the straight way.
enum Sent {
    Away,
    Refused(Refusal, Ticket),
    Back(Box<Op>, Ticket),
}

/// Whether a command needs nothing but its room, and somebody it names to exist.
fn is_plain(command: &Command) -> bool {
    match command {
        Command::CreateRoom(_) | Command::OpenDirect(_) | Command::Join(_) | Command::Visit(_) => {
            false
        }
        Command::UpdateRoom(_)
        | Command::SetAccess(_)
        | Command::SetGrant(_)
        | Command::Archive(_)
        | Command::Unarchive(_)
        | Command::DeleteRoom(_)
        | Command::TransferOwnership(_)
        | Command::Leave(_)
        | Command::Invite(_)
        | Command::RevokeInvite(_)
        | Command::DeclineInvite(_)
        | Command::Kick(_)
        | Command::Ban(_)
        | Command::Unban(_)
        | Command::Mute(_)
        | Command::Unmute(_)
        | Command::SetRole(_)
        | Command::SetNickname(_)
        | Command::Post(_)
        | Command::Edit(_)
        | Command::Delete(_)
        | Command::React(_)
        | Command::Unreact(_)
        | Command::Pin(_)
        | Command::Unpin(_)
        | Command::MarkRead(_)
        | Command::Typing(_) => true,
    }
}

/// Does something while what waits in the outbox goes on leaving.
async fn driven<T>(outbox: &Outbox, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        outbox.register(cx);
        // A broken stream shows in the outbox's state, or at the next read.
        let _ = outbox.poll_flush(cx).map(drop);
        work.as_mut().poll(cx)
    })
    .await
}

/// Refuses what only somebody known may ask.
fn unauthenticated() -> Refusal {
    Refusal::new(Code::Unauthenticated)
}
