//! A client of Engine.IO: over polls, over a WebSocket, or over the one and then the other.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, Next};
use super::dice::Dice;
use super::exchange::Exchange;
use super::network::{Cable, End};
use super::world::World;

/// A session, as its client sees it: texts in, texts out.
pub(super) struct Line {
    dialer: Dialer,
    sid: String,
    hears: Option<Exchange>,
    says: Option<Exchange>,
    /// Packets that nobody has carried away yet.
    outgoing: Vec<String>,
    incoming: VecDeque<String>,
    /// The WebSocket that carries the session, once one does.
    socket: Option<Connection>,
    /// Whether it is to go on over a WebSocket.
    is_to_rise: bool,
    deaf_until: Option<Instant>,
}

/// How its connections are made: a session lives on one machine.
struct Dialer {
    world: Rc<World>,
    machine: usize,
    number: u8,
    dice: Dice,
}

impl Dialer {
    fn dial(&mut self) -> Option<(End, Cable)> {
        let host = &self.world.host;
        host.connect_to(self.machine, self.number, &mut self.dice)
    }
}

/// How a session is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    Polls,
    Socket,
    /// Polls, and then a WebSocket.
    Both,
}

/// Where it all happens.
const PATH: &str = "/socket.io/?EIO=4&transport=";

/// Between the packets of a payload.
const SEPARATOR: char = '\u{1e}';

/// How long the steps to a WebSocket may take.
const RISE: Duration = Duration::from_secs(8);

impl Line {
    /// Begins a session; none if there is nobody, or he refuses.
    pub(super) async fn open(
        world: Rc<World>,
        carriage: Carriage,
        number: u8,
        mut dice: Dice,
    ) -> Option<Self> {
        let machine = world.host.machine(&mut dice)?;
        let dialer = Dialer {
            world,
            machine,
            number,
            dice,
        };
        let mut line = Self {
            dialer,
            sid: String::new(),
            hears: None,
            says: None,
            outgoing: Vec::new(),
            incoming: VecDeque::new(),
            socket: None,
            is_to_rise: carriage == Carriage::Both,
            deaf_until: None,
        };
        if carriage == Carriage::Socket {
            let ends = line.dialer.dial()?;
            let socket = Connection::open(ends, &format!("{PATH}websocket"), "").await?;
            line.socket = Some(socket);
        } else {
            let ends = line.dialer.dial()?;
            let asked = Exchange::begin(ends, ("GET", &format!("{PATH}polling")), "", "");
            let (status, body) = asked.end().await.ok()??;
            let open: Value = serde_json::from_str(body.get(1..)?).ok()?;
            line.sid = open["sid"].as_str().filter(|_| status == 200)?.to_owned();
        }
        Some(line)
    }

    /// Sends a message.
    pub(super) fn send(&mut self, text: &str) {
        self.send_packet(format!("4{text}"));
    }

    fn send_packet(&mut self, packet: String) {
        match &mut self.socket {
            Some(socket) => socket.send(&packet),
            None => self.outgoing.push(packet),
        }
    }

    /// Cuts its connections, wherever they are.
    pub(super) fn cut(&self) {
        let exchanges = self.hears.iter().chain(&self.says);
        exchanges.for_each(Exchange::cut);
        if let Some(socket) = &self.socket {
            socket.cut();
        }
    }

    /// Reads nothing for a while.
    pub(super) fn be_deaf(&mut self, until: Instant) {
        match &mut self.socket {
            Some(socket) => socket.be_deaf(until),
            None => self.deaf_until = Some(until),
        }
    }

    /// Reads again, whatever was meant before.
    pub(super) fn listen(&mut self) {
        self.deaf_until = None;
        let exchanges = self.hears.iter().chain(&self.says);
        exchanges.for_each(Exchange::clear);
        if let Some(socket) = &mut self.socket {
            socket.listen();
        }
    }

    /// Waits for the next thing.
    pub(super) async fn next(&mut self, until: Instant) -> Next {
        loop {
            while let Some(packet) = self.incoming.pop_front() {
                if let Some(next) = self.take(packet) {
                    return next;
                }
            }
            if let Some(socket) = &mut self.socket {
                match socket.next(until).await {
                    Next::Text(packet) => self.incoming.push_back(packet),
                    over @ (Next::Closed(_) | Next::Ended | Next::Time) => return over,
                }
                continue;
            }
            if let Some(deaf) = self.deaf_until {
                tokio::time::sleep_until(until.min(deaf)).await;
                if Instant::now() >= deaf {
                    self.deaf_until = None;
                }
                return Next::Time;
            }
            match timeout_at(until, poll_fn(|cx| self.poll(cx, true))).await {
                Ok(true) => {}
                Ok(false) => return Next::Ended,
                Err(_) => return Next::Time,
            }
        }
    }

    /// Goes on over a WebSocket, if that was meant; tells whether the session goes on at all.
    pub(super) async fn rise(&mut self) -> bool {
        if !std::mem::take(&mut self.is_to_rise) {
            return true;
        }
        let Some(ends) = self.dialer.dial() else {
            return true;
        };
        let path = format!("{PATH}websocket&sid={}", self.sid);
        let Some(mut socket) = Connection::open(ends, &path, "").await else {
            return true;
        };
        socket.send("2probe");
        match socket.next(Instant::now() + RISE).await {
            Next::Text(text) if text == "3probe" => {}
            Next::Text(_) | Next::Closed(_) | Next::Ended | Next::Time => return true,
        }
        // No poll is begun any more, and those that are there come to their end.
        let over = poll_fn(|cx| self.poll(cx, false));
        if timeout_at(Instant::now() + RISE, over).await != Ok(true) {
            return false;
        }
        socket.send("5");
        self.socket = Some(socket);
        self.dialer.world.trace.reach("a session rose to a socket");
        true
    }

    /// What a packet means to whoever listens.
    fn take(&mut self, packet: String) -> Option<Next> {
        match packet.chars().next() {
            Some('0' | '3' | '6') => None,
            Some('1') => Some(Next::Closed(1000)),
            Some('2') => {
                self.send_packet("3".to_owned());
                None
            }
            Some('4') => Some(Next::Text(packet.get(1..).unwrap_or_default().to_owned())),
            Some(_) | None => Some(Next::Text(packet)),
        }
    }

    /// Says what there is to be said, and polls; ready with whether the session goes on, once
    /// something was heard, or nothing is on its way where no poll is to begin.
    fn poll(&mut self, cx: &mut Context<'_>, begins: bool) -> Poll<bool> {
        loop {
            if self.says.is_none() && !self.outgoing.is_empty() {
                let payload = self.outgoing.join(&SEPARATOR.to_string());
                self.outgoing.clear();
                self.says = self.begin("POST", &payload);
                if self.says.is_none() {
                    return Poll::Ready(false);
                }
            }
            if let Some(says) = &mut self.says
                && let Poll::Ready(said) = says.poll(cx)
            {
                self.says = None;
                if said.is_none_or(|(status, _)| status != 200) {
                    return Poll::Ready(false);
                }
                continue;
            }
            if self.hears.is_none() && begins {
                self.hears = self.begin("GET", "");
                if self.hears.is_none() {
                    return Poll::Ready(false);
                }
            }
            let Some(hears) = &mut self.hears else {
                return match self.says {
                    Some(_) => Poll::Pending,
                    None => Poll::Ready(true),
                };
            };
            match std::task::ready!(hears.poll(cx)) {
                Some((200, payload)) => {
                    self.hears = None;
                    self.dialer.world.trace.reach("a poll was answered");
                    let packets = payload.split(SEPARATOR).map(str::to_owned);
                    self.incoming.extend(packets);
                    if begins {
                        return Poll::Ready(true);
                    }
                }
                Some(_) | None => return Poll::Ready(false),
            }
        }
    }

    fn begin(&mut self, method: &str, payload: &str) -> Option<Exchange> {
        let ends = self.dialer.dial()?;
        let path = format!("{PATH}polling&sid={}", self.sid);
        Some(Exchange::begin(ends, (method, &path), "", payload))
    }
}
