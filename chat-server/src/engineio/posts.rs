//! What was posted to a session.

use std::pin::pin;
use std::task::{Context, Poll, ready};

use chat_protocol::engineio::{Malformed, Packet, SEPARATOR, packets};
use tokio::sync::oneshot;
use tokio::task::consume_budget;

use super::Refused;
use super::registry::Said;

/// The payloads that were posted.
#[derive(Default)]
pub(super) struct Posts {
    /// What was posted, and how much of it has been read.
    posted: Option<(String, usize)>,
    /// What was posted since.
    next: Option<(String, oneshot::Sender<Said>)>,
}

impl Posts {
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

    /// The next packet that was posted; none if all were read. Pending when others have to have their
    /// turn first: a payload holds packets that ask for nothing, and cost nothing, in any number.
    pub(super) fn poll_next<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnOnce(Packet<'_>) -> T,
    ) -> Poll<Option<Result<T, Malformed>>> {
        if self.posted.is_some() {
            ready!(pin!(consume_budget()).poll(cx));
        }
        Poll::Ready(self.next(read))
    }

    fn next<T>(&mut self, read: impl FnOnce(Packet<'_>) -> T) -> Option<Result<T, Malformed>> {
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

    /// Refuses what waits.
    pub(super) fn refuse_all(&mut self) {
        if let Some((_, answer)) = self.next.take() {
            drop(answer.send(Said::Refused(Refused::BadRequest)));
        }
    }
}

/// Whether a payload is one that a client may post, and whether it holds a pong.
pub(super) fn judge(payload: &str) -> Result<bool, Malformed> {
    packets(payload).try_fold(false, |ponged, packet| match packet? {
        Packet::Pong(_) => Ok(true),
        Packet::Open(_) | Packet::Ping(_) => Err(Malformed),
        Packet::Message(_) | Packet::Binary(_) | Packet::Close | Packet::Upgrade | Packet::Noop => {
            Ok(ponged)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn however_many_packets_a_payload_holds_others_have_their_turn() {
        const PACKETS: usize = 10_000;
        let mut posts = Posts::default();
        let payload = ["6"; PACKETS].join("\u{1e}");
        posts.post(payload, oneshot::channel().0).unwrap();
        let mut turns = Vec::new();
        poll_fn(|cx| {
            let mut read = 0;
            loop {
                match posts.poll_next(cx, |_| ()) {
                    Poll::Ready(Some(packet)) => packet.unwrap(),
                    Poll::Ready(None) => break,
                    Poll::Pending => {
                        turns.push(read);
                        return Poll::Pending;
                    }
                }
                read += 1;
            }
            turns.push(read);
            Poll::Ready(())
        })
        .await;
        assert_eq!(turns.iter().sum::<usize>(), PACKETS);
        assert!(turns.iter().all(|read| *read < 1_000), "{turns:?}");
    }
}
