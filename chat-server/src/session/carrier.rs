//! What carries a session: a WebSocket whose messages are the dialect's own, an Engine.IO line with
//! Socket.IO packets on it, or a response whose reader only listens.

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_protocol::dialect::Form;
use chat_protocol::socketio::{Assembler, INVALID_NAMESPACE, Kind, MAIN, Malformed, Packet, Whole};
use tungstenite::Utf8Bytes;

use crate::engineio::{self, Line};
use crate::events::Feed;
use crate::outbox::Outbox;
use crate::websocket::{Heard, Socket};

/// One of the three.
pub(super) enum Carrier {
    Socket(Socket),
    Line(Box<Line>, Gate),
    Feed(Box<Feed>),
}

/// The door of the main namespace: the dialect is told of nothing that may not pass it.
pub(super) struct Gate {
    assembler: Assembler,
    /// Which way the client wants to pass it.
    passing: Option<Passed>,
    entered: bool,
}

/// A way through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    In,
    Out,
}

/// Attachments that a packet may have. The chat has no words for them, so none is kept.
const ATTACHMENTS_MAX: usize = 16;

/// Bytes of a packet that waits for its attachments, for as long as its sender likes.
const WAITING_BYTES_MAX: usize = 64 * 1024;

impl Carrier {
    pub(super) fn line(line: Box<Line>) -> Self {
        let gate = Gate {
            assembler: assembler(),
            passing: None,
            entered: false,
        };
        Self::Line(line, gate)
    }

    pub(super) const fn outbox(&self) -> &Rc<Outbox> {
        match self {
            Self::Socket(socket) => &socket.outbox,
            Self::Line(line, _) => line.outbox(),
            Self::Feed(feed) => feed.outbox(),
        }
    }

    /// Hears what comes next; what waits to leave goes on leaving.
    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let (line, gate) = match self {
            Self::Socket(socket) => return socket.poll_heard(cx),
            Self::Line(line, gate) => (line, gate),
            Self::Feed(feed) => {
                let taken = feed.poll_taken(cx);
                return taken.map(|taken| taken.map_or(Heard::Closed, |()| Heard::Alive));
            }
        };
        loop {
            let passed = match ready!(line.poll_heard(cx)) {
                engineio::Heard::Text(text) => gate.text(text, line.outbox()),
                engineio::Heard::Binary(bytes) => gate.binary(bytes, line.outbox()),
                engineio::Heard::Alive => return Poll::Ready(Heard::Alive),
                engineio::Heard::TooLarge => return Poll::Ready(Heard::TooLarge),
                engineio::Heard::Closed => return Poll::Ready(Heard::Closed),
            };
            match passed {
                Ok(Some(text)) => return Poll::Ready(Heard::Text(text, Form::Text)),
                Ok(None) => {}
                Err(why) => {
                    tracing::debug!(%why, "a socket.io client is sent away");
                    return Poll::Ready(Heard::Closed);
                }
            }
        }
    }

    /// Lets what waits go on leaving while something else is done.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Socket(socket) => {
                socket.outbox.register(cx);
                socket.outbox.flush(cx);
            }
            Self::Line(line, _) => line.drive(cx),
            Self::Feed(feed) => feed.pump(cx),
        }
    }

    /// Notes whether what was heard last was granted. Tells whether the client has come in or gone
    /// out by it, where there is a door.
    pub(super) fn passed(&mut self, granted: bool) -> Option<Passed> {
        match self {
            Self::Socket(_) | Self::Feed(_) => None,
            Self::Line(_, gate) => {
                let passed = gate.passing.take();
                if passed == Some(Passed::In) && !granted {
                    return None;
                }
                gate.entered = passed.map_or(gate.entered, |passed| passed == Passed::In);
                passed
            }
        }
    }

    /// Allows longer frames: over a line as long as it was told in the beginning. Of a reader nothing
    /// comes.
    pub(super) fn allow(&mut self, frame_bytes_max: usize) {
        match self {
            Self::Socket(socket) => socket.allow(frame_bytes_max),
            Self::Line(line, _) => line.allow(),
            Self::Feed(_) => {}
        }
    }

    /// Bytes of the longest frame that is read; none for a line, which knows its own bound, and where
    /// nothing is read.
    pub(super) fn frame_bytes_max(&self) -> Option<usize> {
        match self {
            Self::Socket(socket) => socket.frame_bytes_max(),
            Self::Line(..) | Self::Feed(_) => None,
        }
    }

    /// Asks for a sign of life: of a reader, that he takes what he is sent. A line does so by itself.
    pub(super) fn ping(&mut self) {
        match self {
            Self::Socket(socket) => socket.ping(),
            Self::Line(..) => {}
            Self::Feed(feed) => feed.beat(),
        }
    }

    /// Says that the connection ends, and why. A response has no word for that beside its events.
    pub(super) fn close(&mut self, code: u16, why: &str) {
        match self {
            Self::Socket(socket) => socket.close(code, why),
            Self::Line(line, _) => line.hang_up(code, why),
            Self::Feed(_) => {}
        }
    }

    /// Lets everything leave, and waits a little for the other side to close, too.
    pub(super) async fn part(&mut self, linger: Duration) {
        match self {
            Self::Socket(socket) => socket.part(linger).await,
            Self::Line(line, _) => line.part(linger).await,
            Self::Feed(feed) => feed.part(linger).await,
        }
    }
}

const fn assembler() -> Assembler {
    Assembler::counting(ATTACHMENTS_MAX)
}

impl Gate {
    /// Lets a message pass that is whole and is the dialect's business.
    fn text(&mut self, text: Utf8Bytes, outbox: &Outbox) -> Result<Option<Utf8Bytes>, Malformed> {
        let passes = match self.assembler.text(&text)? {
            Some(whole) => self.admit(&whole.packet, outbox)?,
            None if !self.entered => return Err(Malformed::NotEntered),
            None if text.len() > WAITING_BYTES_MAX => return Err(Malformed::BadAttachments),
            None => false,
        };
        Ok(passes.then_some(text))
    }

    /// Takes an attachment; with the last one its packet passes, without them.
    fn binary(&mut self, bytes: Vec<u8>, outbox: &Outbox) -> Result<Option<Utf8Bytes>, Malformed> {
        let Some(Whole { packet, .. }) = self.assembler.binary(bytes)? else {
            return Ok(None);
        };
        let passes = self.admit(&packet, outbox)?;
        let text = String::from_utf8(packet.encode()).unwrap_or_default();
        Ok(passes.then(|| text.into()))
    }

    /// Whether a packet is the dialect's business.
    fn admit(&mut self, packet: &Packet<'_>, outbox: &Outbox) -> Result<bool, Malformed> {
        let is_main = packet.namespace == MAIN;
        match packet.kind {
            Kind::Connect if !is_main => {
                let refused = Packet::refused(INVALID_NAMESPACE).within(&packet.namespace);
                outbox.send_text(&refused.encode());
                Ok(false)
            }
            Kind::Connect if self.entered => Ok(false),
            Kind::Connect => {
                self.passing = Some(Passed::In);
                Ok(true)
            }
            Kind::Event | Kind::Ack if is_main && self.entered => Ok(true),
            Kind::Disconnect if is_main && self.entered => {
                self.passing = Some(Passed::Out);
                Ok(true)
            }
            // Nobody speaks, or leaves, before he has entered.
            Kind::Event | Kind::Ack | Kind::Disconnect | Kind::ConnectError => {
                Err(Malformed::NotEntered)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_counted_and_none_is_kept() {
        let mut assembler = assembler();
        let asked = assembler.text(r#"4516-["message",{}]"#);
        assert!(asked.unwrap().is_none());
        for _ in 1..ATTACHMENTS_MAX {
            assert!(assembler.binary(vec![7; 100_000]).unwrap().is_none());
            assert_eq!(assembler.waiting_bytes(), 0);
        }
        let whole = assembler.binary(vec![7; 100_000]).unwrap().unwrap();
        assert!(whole.attachments.is_empty());
    }
}
