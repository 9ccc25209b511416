//! The way out of a session for polls that come in on its own worker: they wait for what leaves,
//! and take it, without the session's help.
//!
//! Whatever is out of the ordinary is the session's business: a second poll, an upgrade, a ping that
//! waits for its answer, the end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_protocol::engineio::Payload;
use tokio::sync::oneshot;

use super::Refused;
use super::registry::{Asking, Lines, Membership, Said};
use crate::outbox::{Outbox, State, Turns};

thread_local! {
    /// The sessions of this thread, by their names.
    static HATCHES: RefCell<HashMap<Arc<str>, Rc<Hatch>, foldhash::fast::RandomState>> =
        RefCell::default();
}

/// Where polls are answered. The session and the requests on its thread share it.
pub(super) struct Hatch {
    sid: Arc<str>,
    lines: Arc<Lines>,
    door: usize,
    outbox: Rc<Outbox>,
    turns: Rc<Turns>,
    payload_bytes_max: usize,
    /// Whether polls are as usual, so that the session needn't see them.
    open: Cell<bool>,
    /// Whether the session waits for what waits to be taken.
    watched: Cell<bool>,
    /// The poll that waits for something to hear.
    poll: RefCell<Option<oneshot::Sender<Said>>>,
    /// Whether it takes that by itself.
    takes: Cell<bool>,
    /// Whether its client has gone meanwhile.
    given_up: Cell<bool>,
}

/// What has become of the poll that waited.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// There is none.
    Idle,
    /// It waits.
    Waiting,
    /// It was answered.
    Answered,
    /// Nobody waits for its answer.
    Gone,
}

impl Hatch {
    /// The hatch of a session that begins on this thread.
    pub(super) fn new(
        membership: &Membership,
        outbox: Rc<Outbox>,
        turns: Rc<Turns>,
        payload_bytes_max: usize,
    ) -> Rc<Self> {
        Rc::new(Self {
            sid: membership.sid.clone(),
            lines: membership.lines.clone(),
            door: membership.door,
            outbox,
            turns,
            payload_bytes_max,
            open: Cell::new(false),
            watched: Cell::new(false),
            poll: RefCell::default(),
            takes: Cell::new(false),
            given_up: Cell::new(false),
        })
    }

    /// Lets polls of this thread come to it.
    pub(super) fn enter(self: &Rc<Self>) {
        HATCHES.with_borrow_mut(|hatches| hatches.insert(self.sid.clone(), self.clone()));
        self.open.set(true);
    }

    /// Notes whether polls are as usual.
    pub(super) fn set_open(&self, open: bool) {
        self.open.set(open);
    }

    /// Notes whether the session waits for what waits to be taken.
    pub(super) fn set_watched(&self, watched: bool) {
        self.watched.set(watched);
    }

    /// Takes a poll that came by the session; gives it back if one waits already.
    pub(super) fn wait(&self, poll: oneshot::Sender<Said>) -> Result<(), oneshot::Sender<Said>> {
        let mut waiting = self.poll.borrow_mut();
        if waiting.is_some() || self.given_up.get() {
            return Err(poll);
        }
        self.outbox.forget_taker();
        *waiting = Some(poll);
        Ok(())
    }

    /// Answers the poll that waits, if anything is there to be heard and it doesn't take that by
    /// itself.
    pub(super) fn serve(&self, cx: &mut Context<'_>) -> Served {
        if self.given_up.get() {
            return Served::Gone;
        }
        {
            let mut poll = self.poll.borrow_mut();
            let Some(poll) = &mut *poll else {
                return Served::Idle;
            };
            if self.takes.get() {
                return Served::Waiting;
            }
            if poll.poll_closed(cx).is_ready() {
                return Served::Gone;
            }
        }
        let payload = self.take();
        if payload.is_empty() {
            return Served::Waiting;
        }
        if self.end_poll(Said::Payload(payload)) {
            Served::Answered
        } else {
            Served::Gone
        }
    }

    /// Answers the poll that waits, if one does: what there is to be heard, or this packet.
    pub(super) fn release(&self, packet: &[u8]) {
        if self.poll.borrow().is_some() {
            let mut payload = self.take();
            if payload.is_empty() {
                payload.extend_from_slice(packet);
            }
            self.end_poll(Said::Payload(payload));
        }
    }

    /// Answers the poll that waits, if one does. Tells whether the answer is heard.
    pub(super) fn end_poll(&self, said: Said) -> bool {
        self.takes.set(false);
        self.outbox.forget_taker();
        let poll = self.poll.take();
        poll.is_some_and(|poll| poll.send(said).is_ok())
    }

    /// Takes out what waits, as far as one payload may hold it: one packet at least.
    fn take(&self) -> Vec<u8> {
        take(&self.outbox, self.payload_bytes_max)
    }

    /// Takes a poll of this thread, if all is as usual.
    fn ask(&self) -> Option<Here> {
        let is_usual = self.open.get() && self.outbox.state() == State::Open;
        if !is_usual || self.poll.borrow().is_some() || self.given_up.get() {
            return None;
        }
        if self.turns.is_idle() {
            let payload = self.take();
            if !payload.is_empty() {
                self.has_taken();
                return Some(Here(Stage::Heard(payload)));
            }
        }
        let (poll, said) = oneshot::channel();
        self.poll.replace(Some(poll));
        self.takes.set(true);
        Some(Here(Stage::Waits(Waits {
            sid: self.sid.clone(),
            said,
            asking: Some(self.lines.ask()),
            has_turn: false,
        })))
    }

    /// What the poll that waits has to hear.
    fn poll_payload(&self, cx: &Context<'_>, has_turn: &mut bool) -> Poll<Vec<u8>> {
        let waits = self.outbox.state() == State::Open && self.outbox.waiting() > 0;
        if waits && !*has_turn && !self.turns.is_idle() {
            *has_turn = true;
            self.turns.push(cx.waker().clone());
            return Poll::Pending;
        }
        let payload = if waits { self.take() } else { Vec::new() };
        if payload.is_empty() {
            *has_turn = true;
            self.outbox.set_taker(cx, &self.turns);
            return Poll::Pending;
        }
        self.takes.set(false);
        self.outbox.leave_taker();
        self.poll.take();
        self.has_taken();
        Poll::Ready(payload)
    }

    /// Tells the session that something has been taken, if it waits for that.
    fn has_taken(&self) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("taken_behind_its_back") {
            return;
        }
        if self.watched.get() || !self.open.get() {
            self.outbox.wake();
        }
    }

    /// Nobody waits for the answer of the poll that waits.
    fn give_up(&self) {
        if self.takes.get() {
            self.end_poll(Said::Taken);
            self.given_up.set(true);
            self.outbox.wake();
        }
    }
}

/// A poll on its session's thread. It belongs to the request, and stays on this thread, too.
pub(super) struct Here(Stage);

enum Stage {
    Heard(Vec<u8>),
    Waits(Waits),
    Over,
}

struct Waits {
    sid: Arc<str>,
    /// What the session says to it.
    said: oneshot::Receiver<Said>,
    asking: Option<Asking>,
    /// Whether it has its place among those that wait.
    has_turn: bool,
}

/// Takes a poll, if its session is on this thread and all is as usual.
pub(super) fn ask(lines: &Arc<Lines>, sid: &str, door: usize) -> Option<Here> {
    let hatch = find(sid)?;
    // Several servers may share a thread.
    let is_known = hatch.door == door && Arc::ptr_eq(&hatch.lines, lines);
    is_known.then(|| hatch.ask()).flatten()
}

/// Closes the hatch of a session that has ended.
pub(super) fn close(sid: &str) {
    let closed = HATCHES.try_with(|hatches| hatches.borrow_mut().remove(sid));
    drop(closed);
}

fn find(sid: &str) -> Option<Rc<Hatch>> {
    let found = HATCHES.try_with(|hatches| hatches.borrow().get(sid).cloned());
    found.ok().flatten()
}

impl Future for Here {
    type Output = Said;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Said> {
        let said = match &mut self.0 {
            Stage::Heard(payload) => Said::Payload(std::mem::take(payload)),
            Stage::Waits(waits) => std::task::ready!(waits.poll(cx)),
            Stage::Over => Said::Refused(Refused::SidUnknown),
        };
        self.0 = Stage::Over;
        Poll::Ready(said)
    }
}

impl Waits {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        let said = match Pin::new(&mut self.said).poll(cx) {
            // A session that ends without an answer is known no more.
            Poll::Ready(said) => said.unwrap_or(Said::Refused(Refused::SidUnknown)),
            Poll::Pending => {
                let Some(hatch) = find(&self.sid) else {
                    return Poll::Pending;
                };
                let payload = hatch.poll_payload(cx, &mut self.has_turn);
                Said::Payload(std::task::ready!(payload))
            }
        };
        self.asking = None;
        Poll::Ready(said)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if self.asking.is_some()
            && let Some(hatch) = find(&self.sid)
        {
            hatch.give_up();
        }
    }
}

/// Takes out what waits, as far as one payload may hold it: one packet at least.
fn take(outbox: &Outbox, payload_bytes_max: usize) -> Vec<u8> {
    // Frames are longer than what a payload makes of them, except for those with bytes.
    let mut payload = Payload::with_capacity(outbox.waiting().min(payload_bytes_max));
    outbox.take(|is_text, packet| {
        let length = if is_text {
            payload.len_with_text(packet.len())
        } else {
            payload.len_with_binary(packet.len())
        };
        if length > payload_bytes_max && !payload.is_empty() {
            return false;
        }
        if is_text {
            payload.push_text(packet);
        } else {
            payload.push_binary(packet);
        }
        true
    });
    payload.into_bytes()
}

#[cfg(test)]
mod tests;
