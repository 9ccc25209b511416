//! One session: its ways, its heartbeat, and what is heard of it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_protocol::engineio::Malformed;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::hatch::{Hatch, Served};
use super::heartbeat::Heartbeat;
use super::posts::{Posts, judge};
use super::probe::{self, Probe, RELEASE, Trial};
use super::registry::{Caller, Errand, Intake, Membership, Opening, Said};
use super::sort::{Heard, Sort, sort, sort_read};
use super::{Refused, Settings};
use crate::message::Message;
use crate::outbox::{Outbox, State, Wire};
use crate::websocket::{GOODBYE, GOODBYE_STOPPING, Socket};
use crate::worker::Worker;

/// One Engine.IO session, as an application on the server sees it: messages in, messages out.
///
/// It is driven by [`Line::next`]: while an application does something else for long, requests wait
/// and pings are late.
pub struct Line {
    worker: Rc<Worker>,
    settings: Arc<Settings>,
    membership: Option<Membership>,
    errands: mpsc::Receiver<Box<Errand>>,
    intake: Arc<Intake>,
    outbox: Rc<Outbox>,
    /// Where polls are answered.
    hatch: Rc<Hatch>,
    posts: Posts,
    /// The WebSocket that carries the session, once one does.
    socket: Option<Socket>,
    probe: Option<Probe>,
    heartbeat: Heartbeat,
    fate: Fate,
    caller: Caller,
}

/// How far a session has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// The server stops.
    Stopped,
    /// The client has said that it ends, and may poll once more.
    Left,
    /// The client is told that it ends.
    Ending,
    Gone,
}

/// Bytes that one poll is answered with, unless a single packet is longer: what has left the outbox
/// isn't counted there any more, however slowly the answer is read.
const POLL_BYTES_MAX: usize = 64 * 1024;

const CLOSE: &[u8] = b"1";
const PING: &[u8] = b"2";
const NOOP: &[u8] = b"6";

impl Line {
    /// Begins a session on its worker; none if its connection has gone already.
    pub(crate) async fn begin(worker: Rc<Worker>, opening: Opening) -> Option<Box<Self>> {
        let settings = opening.settings;
        let bytes_max = settings.outbox_bytes_max;
        let socket = match opening.upgrade {
            Some(upgrade) => {
                let upgraded = upgrade.await.ok()?;
                let read_max = opening.membership.intake.bytes_max();
                let socket = Socket::over(upgraded, bytes_max, read_max).ok()?;
                let open = settings.open(&opening.membership.sid, &[]);
                socket.outbox.send_text(&open);
                Some(socket)
            }
            None => None,
        };
        let outbox = socket.as_ref().map_or_else(
            || Rc::new(Outbox::new(Wire::Held, bytes_max)),
            |socket| socket.outbox.clone(),
        );
        let (membership, turns) = (opening.membership, worker.turns_to_take.clone());
        let payload_max = settings.payload_bytes_max.min(POLL_BYTES_MAX);
        let hatch = Hatch::new(&membership, outbox.clone(), turns, payload_max);
        if socket.is_none() {
            hatch.enter();
        }
        Some(Box::new(Self {
            heartbeat: Heartbeat::new(&settings, opening.opened_at),
            worker,
            settings,
            intake: membership.intake.clone(),
            membership: Some(membership),
            errands: opening.errands,
            outbox,
            hatch,
            posts: Posts::default(),
            socket,
            probe: None,
            fate: Fate::Open,
            caller: opening.caller,
        }))
    }

    /// The next message; none when the session has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match self.hear().await? {
                Heard::Text(text) => {
                    let text = text.get(1..).unwrap_or_default();
                    return Some(Message::Text(text.to_owned()));
                }
                Heard::Binary(bytes) => return Some(Message::Binary(bytes)),
                Heard::Alive | Heard::TooLarge | Heard::Closed => {}
            }
        }
    }

    /// What is heard next; none when the session has ended.
    pub(crate) async fn hear(&mut self) -> Option<Heard> {
        let heard = poll_fn(|cx| {
            if self.outbox.state() == State::Lagging {
                return Poll::Ready(Heard::Closed);
            }
            self.poll_heard(cx)
        })
        .await;
        match &heard {
            Heard::Text(_) | Heard::Binary(_) => {
                // Whoever speaks isn't silent.
                self.caller.silent = None;
                Some(heard)
            }
            Heard::Alive => Some(heard),
            Heard::TooLarge | Heard::Closed => None,
        }
    }

    /// Sends a message. It never waits: a client that falls too far behind is sent away.
    pub fn send(&self, message: &Message) {
        match message {
            Message::Text(text) => {
                let mut packet = Vec::with_capacity(text.len() + 1);
                packet.push(b'4');
                packet.extend_from_slice(text.as_bytes());
                self.outbox.send_text(&packet);
            }
            Message::Binary(bytes) => self.outbox.send_binary(bytes),
        }
    }

    /// Where the client has connected from.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.caller.address
    }

    /// Ends the session, once what was sent has left; a client that doesn't take it isn't waited
    /// for long.
    pub async fn close(&mut self) {
        if self.outbox.state() == State::Lagging {
            self.outbox.cut();
        }
        let stopping = self.worker.node.is_stopping();
        let linger = if stopping { GOODBYE_STOPPING } else { GOODBYE };
        self.part(linger).await;
    }

    /// Who has opened the session, and what it counts against.
    pub(crate) const fn caller(&mut self) -> &mut Caller {
        &mut self.caller
    }

    /// What everybody writes to.
    pub(crate) const fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }

    /// Says that the session ends. Only a WebSocket carries why.
    pub(crate) fn hang_up(&mut self, code: u16, why: &str) {
        if matches!(self.fate, Fate::Open | Fate::Stopped) {
            self.fate = Fate::Ending;
            match &mut self.socket {
                Some(socket) => socket.close(code, why),
                None => self.outbox.send_text(CLOSE),
            }
            self.note_what_is_usual();
        }
    }

    /// Lets everything leave, and waits a little for the client to close, too.
    pub(crate) async fn part(&mut self, linger: Duration) {
        self.hang_up(1000, "");
        match &self.socket {
            Some(socket) => socket.part(linger).await,
            None => {
                let stopping = self.worker.node.is_stopping();
                let patience = if stopping { GOODBYE_STOPPING } else { GOODBYE };
                let parted = poll_fn(|cx| {
                    self.drive(cx);
                    let is_told = self.fate == Fate::Ending && self.outbox.waiting() == 0;
                    if is_told || self.fate == Fate::Gone {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                });
                drop(tokio::time::timeout(patience, parted).await);
            }
        }
        self.membership = None;
    }

    /// Hears what comes next; pending if there is nothing yet. What waits to leave goes on leaving.
    pub(crate) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        self.hatch.set_watched(false);
        self.pump(cx);
        let heard = self.poll_posted(cx);
        self.note_what_is_usual();
        heard
    }

    fn poll_posted(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        while self.fate == Fate::Open {
            let sort = if let Some(sort) = ready!(self.posts.poll_next(cx, sort)) {
                sort.unwrap_or(Sort::Bad)
            } else if let Some(socket) = &mut self.socket {
                match socket.poll_read(cx) {
                    Poll::Ready(read) => sort_read(read),
                    Poll::Pending => break,
                }
            } else {
                break;
            };
            match sort {
                Sort::Heard(Heard::Closed) => self.fate = Fate::Gone,
                Sort::Heard(heard) => return Poll::Ready(heard),
                Sort::Pong => {
                    self.heartbeat.pong(self.now());
                    return Poll::Ready(Heard::Alive);
                }
                Sort::Close => self.leave(),
                Sort::Nothing => {}
                Sort::Bad => self.fail(),
            }
        }
        // Judged only when everything has been read that was there.
        if self.fate == Fate::Open && self.heartbeat.is_overdue(self.now()) {
            self.fail();
        }
        if self.fate == Fate::Open {
            Poll::Pending
        } else {
            Poll::Ready(Heard::Closed)
        }
    }

    /// Lets what waits go on leaving, for somebody who waits for that.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        self.hatch.set_watched(true);
        self.pump(cx);
        if matches!(self.fate, Fate::Left | Fate::Gone) {
            self.outbox.break_off();
        }
        self.note_what_is_usual();
    }

    /// Allows longer payloads and messages, once the client has said who it is.
    pub(crate) fn allow(&mut self) {
        let bytes_max = self.settings.payload_bytes_max;
        self.intake.allow(bytes_max);
        if let Some(socket) = &mut self.socket {
            socket.allow(bytes_max);
        }
    }

    /// Polls needn't be shown to a session that goes on as usual.
    fn note_what_is_usual(&self) {
        let is_carried = self.socket.is_none() && self.probe.is_none();
        let is_alive = self.fate == Fate::Open && !self.heartbeat.is_pinged();
        self.hatch.set_open(is_carried && is_alive);
    }

    /// Does whatever doesn't wait for the application: requests, pings, what leaves.
    fn pump(&mut self, cx: &mut Context<'_>) {
        self.outbox.register(cx);
        self.poll_probe(cx);
        while self.fate != Fate::Stopped
            && let Poll::Ready(errand) = self.errands.poll_recv(cx)
        {
            match errand {
                Some(errand) => self.run(*errand),
                None if self.fate == Fate::Open => self.fate = Fate::Stopped,
                None => break,
            }
        }
        self.poll_probe(cx);
        let now = self.now();
        if self.fate == Fate::Open && self.heartbeat.poll_ping(cx, now) {
            self.outbox.send_text(PING);
        }
        if self.socket.is_some() {
            self.outbox.flush(cx);
            return;
        }
        self.serve_poll(cx);
    }

    /// Answers the poll that waits. A client that has given it up has missed what was in it.
    fn serve_poll(&mut self, cx: &mut Context<'_>) {
        match self.hatch.serve(cx) {
            Served::Idle | Served::Waiting | Served::Answered => {}
            Served::Gone => self.fate = Fate::Gone,
        }
    }

    fn run(&mut self, errand: Errand) {
        if self.socket.is_none() && self.fate == Fate::Open && self.heartbeat.is_overdue(self.now())
        {
            self.fail();
        }
        match errand {
            Errand::Poll(answer) => self.poll(answer),
            Errand::Post(payload, answer) => {
                if let Err(refused) = self.post(payload, answer) {
                    let (answer, why) = *refused;
                    drop(answer.send(Said::Refused(why)));
                }
            }
            Errand::Upgrade(upgrade, place) => {
                let is_free = self.socket.is_none() && self.probe.is_none();
                if is_free && self.fate == Fate::Open {
                    let (bytes_max, ms_max) =
                        (self.intake.bytes_max(), self.settings.upgrade_ms_max);
                    self.probe = Some(Probe::new(upgrade, place, bytes_max, ms_max));
                } else {
                    spawn_local(probe::turn_away(upgrade, place));
                }
            }
        }
    }

    fn poll(&mut self, answer: oneshot::Sender<Said>) {
        let refused = match self.fate {
            Fate::Open | Fate::Stopped | Fate::Ending if self.socket.is_none() => {
                let Err(second) = self.hatch.wait(answer) else {
                    if let Some(probe) = self.probe.as_mut().filter(|probe| probe.is_asked()) {
                        probe.release = Some(Box::pin(sleep(RELEASE)));
                    }
                    return;
                };
                self.fail();
                (second, Refused::BadRequest)
            }
            Fate::Open | Fate::Stopped | Fate::Ending => (answer, Refused::BadRequest),
            Fate::Left => {
                self.fate = Fate::Gone;
                drop(answer.send(Said::Payload(NOOP.to_vec())));
                return;
            }
            Fate::Gone => (answer, Refused::SidUnknown),
        };
        // Whoever doesn't wait for it needs no answer.
        drop(refused.0.send(Said::Refused(refused.1)));
    }

    fn post(
        &mut self,
        payload: String,
        answer: oneshot::Sender<Said>,
    ) -> Result<(), Box<(oneshot::Sender<Said>, Refused)>> {
        if self.fate != Fate::Open {
            return Err(Box::new((answer, Refused::SidUnknown)));
        }
        if self.socket.is_some() {
            return Err(Box::new((answer, Refused::BadRequest)));
        }
        let posted = match judge(&payload) {
            Ok(ponged) => {
                if ponged {
                    self.heartbeat.pong(self.now());
                }
                self.posts.post(payload, answer)
            }
            Err(Malformed) => Err(answer),
        };
        posted.map_err(|answer| {
            self.fail();
            Box::new((answer, Refused::BadRequest))
        })
    }

    /// Tries whether the session can go on over a socket, and lets it.
    fn poll_probe(&mut self, cx: &mut Context<'_>) {
        while let Some(probe) = &mut self.probe {
            match probe.poll(cx) {
                Poll::Ready(Trial::Asked) => {
                    // The client is to finish its poll before it goes on by the socket.
                    self.serve_poll(cx);
                    self.hatch.release(NOOP);
                }
                Poll::Ready(Trial::Passed(mut socket, place)) => {
                    self.probe = None;
                    self.hatch.end_poll(Said::Refused(Refused::BadRequest));
                    socket.move_below(&self.outbox);
                    socket.allow(self.intake.bytes_max());
                    self.socket = Some(*socket);
                    self.caller.places.extend(place);
                }
                Poll::Ready(Trial::Failed) => self.probe = None,
                Poll::Pending => {
                    if let Some(release) = &mut probe.release
                        && release.as_mut().poll(cx).is_ready()
                    {
                        probe.release = None;
                        self.hatch.end_poll(Said::Payload(NOOP.to_vec()));
                    }
                    return;
                }
            }
        }
    }

    /// The client has said that it ends.
    fn leave(&mut self) {
        self.fate = Fate::Gone;
        if let Some(socket) = &mut self.socket {
            socket.close(1000, "");
        } else if !self.hatch.end_poll(Said::Payload(NOOP.to_vec())) {
            self.fate = Fate::Left;
        }
    }

    /// Ends the session without any more ado.
    fn fail(&mut self) {
        self.fate = Fate::Gone;
        self.probe = None;
        self.hatch.end_poll(Said::Payload(CLOSE.to_vec()));
        self.posts.refuse_all();
        if let Some(socket) = &mut self.socket {
            socket.close(1000, "");
        }
    }

    fn now(&self) -> Duration {
        self.worker.node.clock().elapsed()
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The session's name is as good as a password.
        f.debug_struct("Line")
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}
