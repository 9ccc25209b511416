//! A session's requests over HTTP: the poll that waits, and the payloads that were posted.

use std::task::{Context, Poll};

use chat_protocol::engineio::{Malformed, Packet, Payload, SEPARATOR, packets};
use tokio::sync::oneshot;

use super::Refused;
use super::registry::Said;
use crate::outbox::Outbox;

/// What polling has to remember.
#[derive(Default)]
pub(super) struct Polling {
    /// The poll that waits for something to hear.
    poll: Option<oneshot::Sender<Said>>,
    /// What was posted, and how much of it has been read.
    posted: Option<(String, usize)>,
    /// What was posted since.
    next: Option<(String, oneshot::Sender<Said>)>,
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

impl Polling {
    /// Takes a poll; gives it back if one waits already.
    pub(super) fn wait(
        &mut self,
        poll: oneshot::Sender<Said>,
    ) -> Result<(), oneshot::Sender<Said>> {
        if self.poll.is_some() {
            return Err(poll);
        }
        self.poll = Some(poll);
        Ok(())
    }

    /// Answers the poll that waits, if anything is there to be heard.
    pub(super) fn serve(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &Outbox,
        payload_bytes_max: usize,
    ) -> Served {
        let Some(poll) = &mut self.poll else {
            return Served::Idle;
        };
        if let Poll::Ready(()) = poll.poll_closed(cx) {
            return Served::Gone;
        }
        let payload = take(outbox, payload_bytes_max);
        if payload.is_empty() {
            return Served::Waiting;
        }
        if self.end_poll(Said::Payload(payload.into_bytes())) {
            Served::Answered
        } else {
            Served::Gone
        }
    }

    /// Answers the poll that waits, if one does. Tells whether the answer is heard.
    pub(super) fn end_poll(&mut self, said: Said) -> bool {
        let poll = self.poll.take();
        poll.is_some_and(|poll| poll.send(said).is_ok())
    }

    /// Takes a payload whose packets are packets, to be read when the one before it has been.
    /// Too many at once are none.
    pub(super) fn post(
        &mut self,
        payload: String,
        answer: oneshot::Sender<Said>,
    ) -> Result<(), oneshot::Sender<Said>> {
        if self.next.is_some() {
            return Err(answer);
        }
        self.next = Some((payload, answer));
        self.advance();
        Ok(())
    }

    /// Begins to read what was posted next, if all before it has been read.
    fn advance(&mut self) {
        if self.posted.is_none()
            && let Some((payload, answer)) = self.next.take()
        {
            self.posted = Some((payload, 0));
            // Whoever doesn't wait for the answer has posted all the same.
            drop(answer.send(Said::Taken));
        }
    }

    /// The next packet that was posted.
    pub(super) fn next<T>(
        &mut self,
        read: impl FnOnce(Packet<'_>) -> T,
    ) -> Option<Result<T, Malformed>> {
        let (payload, start) = self.posted.as_mut()?;
        let rest = payload.get(*start..).unwrap_or_default();
        let end = rest.bytes().position(|byte| byte == SEPARATOR);
        let packet = end.map_or(Some(rest), |end| rest.get(..end));
        let read = packets(packet.unwrap_or_default())
            .next()
            .map(|packet| packet.map(read));
        match end {
            Some(end) => *start += end + 1,
            None => {
                self.posted = None;
                self.advance();
            }
        }
        read
    }

    /// Refuses whatever waits.
    pub(super) fn refuse_all(&mut self) {
        self.end_poll(Said::Refused(Refused::BadRequest));
        if let Some((_, answer)) = self.next.take() {
            drop(answer.send(Said::Refused(Refused::BadRequest)));
        }
    }
}

/// Takes out what waits, as far as one payload may hold it: one packet at least.
fn take(outbox: &Outbox, payload_bytes_max: usize) -> Payload {
    let mut payload = Payload::default();
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
    payload
}
