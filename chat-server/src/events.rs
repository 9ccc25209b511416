//! Sessions that only listen: the native dialect's frames as server-sent events, in the body of an
//! HTTP response that doesn't end (WHATWG HTML, section 9.2).
//!
//! What leaves waits in an outbox as whole WebSocket frames, as for everybody else. The session takes
//! them out, spells each as an event, and lays what it has into the one place between itself and the
//! response; whoever writes the response may be on another thread. Nothing of a listener is kept but
//! his connection: each event that moves a position names all of them, and that is all that is needed
//! to go on, on any node.

mod cursor;
mod pipe;

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_core::{RoomId, Seq};

pub(crate) use self::cursor::{Cursor, ROOMS_MAX};
use self::pipe::Flow;
pub(crate) use self::pipe::{Pipe, pipe};
use crate::outbox::{Outbox, Wire};

/// The carrier of such a session.
pub(crate) struct Feed {
    outbox: Rc<Outbox>,
    pipe: Pipe,
    cursor: Cursor,
    /// What the first event begins with: how long a reader waits before he comes back.
    head: Vec<u8>,
    /// Whether a sign of life is due.
    beat: bool,
    /// Whether something was taken that the session hasn't heard of.
    taken: bool,
}

/// Bytes that leave at once, unless a single event is longer.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// A line that readers pass over.
const COMMENT: &[u8] = b":\n\n";

impl Feed {
    pub(crate) fn new(pipe: Pipe, epoch: String, outbox_bytes_max: usize, retry_ms: u64) -> Self {
        Self {
            outbox: Rc::new(Outbox::new(Wire::Held, outbox_bytes_max)),
            pipe,
            cursor: Cursor::new(epoch),
            head: format!("retry: {retry_ms}\n").into_bytes(),
            beat: false,
            taken: false,
        }
    }

    pub(crate) const fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }

    /// Whether the reader has taken something, or has gone: all that is ever heard of him. What waits
    /// to leave goes on leaving.
    pub(crate) fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.pump(cx);
        if self.pipe.is_gone() {
            return Poll::Ready(Err(Gone));
        }
        match std::mem::take(&mut self.taken) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    /// Lets what waits leave, as far as the reader has taken what left before.
    pub(crate) fn pump(&mut self, cx: &mut Context<'_>) {
        self.outbox.register(cx);
        match self.pipe.poll(cx) {
            Flow::Gone => return self.outbox.break_off(),
            Flow::Full => return,
            Flow::Taken => self.taken = true,
            Flow::Empty => {}
        }
        // What is corked leaves with what follows it.
        if !self.outbox.is_idle() {
            let events = self.events(CHUNK_BYTES_MAX);
            self.pipe.lay(&events);
        } else if std::mem::take(&mut self.beat) {
            self.pipe.lay(COMMENT);
        }
    }

    /// Lets the reader find out whether anybody is there.
    pub(crate) const fn beat(&mut self) {
        self.beat = true;
    }

    /// Lets the last words follow what leaves already, and ends the response. It is waited for, but
    /// only so long: what was laid down leaves without the session, too.
    pub(crate) async fn part(&mut self, linger: Duration) {
        if self.pipe.is_gone() {
            return;
        }
        self.outbox.uncork();
        let rest = self.events(usize::MAX);
        self.pipe.lay(&rest);
        self.pipe.end();
        let gone = std::future::poll_fn(|cx| match self.pipe.poll(cx) {
            Flow::Gone => Poll::Ready(()),
            Flow::Full | Flow::Taken | Flow::Empty => Poll::Pending,
        });
        drop(tokio::time::timeout(linger, gone).await);
    }

    /// Takes out what waits, as events: one at least, and no further one past this.
    fn events(&mut self, bytes_max: usize) -> Vec<u8> {
        self.beat = false;
        let Self { cursor, head, .. } = self;
        let mut events = Vec::new();
        self.outbox.take(|is_text, message| {
            if events.len() >= bytes_max {
                return false;
            }
            if is_text {
                events.append(head);
                write(&mut events, cursor, message);
            } else {
                cursor.mark(message);
            }
            true
        });
        events
    }
}

/// The reader has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// Notes, in its place among what is sent, that a room is heard from this record on.
pub(crate) fn follow(outbox: &Outbox, room: RoomId, position: Seq) {
    outbox.send_binary(&cursor::followed(room, position));
}

/// Notes that a room is heard no more.
pub(crate) fn forget(outbox: &Outbox, room: RoomId) {
    outbox.send_binary(&cursor::forgotten(room));
}

/// Appends one event: where it leaves the reader, if that is news, and the frame.
fn write(events: &mut Vec<u8>, cursor: &mut Cursor, frame: &[u8]) {
    #[cfg(sabotage)]
    let trails = chat_core::sabotage::planted("cursor_trails_its_event");
    #[cfg(sabotage)]
    let before = trails.then(|| cursor.id()).flatten();
    cursor.hear(frame);
    let id = cursor.id();
    #[cfg(sabotage)]
    let id = if trails { before } else { id };
    if let Some(id) = id {
        events.extend_from_slice(b"id: ");
        events.extend_from_slice(id.as_bytes());
        events.push(b'\n');
    }
    // No frame has more than one line; if one had, it would be one event all the same.
    for line in frame.split(|byte| *byte == b'\n') {
        events.extend_from_slice(b"data: ");
        events.extend_from_slice(line);
        events.push(b'\n');
    }
    events.push(b'\n');
}
