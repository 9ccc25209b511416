//! A WebSocket over an outbox: tungstenite reads the socket, and writes into the outbox as
//! everybody else does. An application's own service has its clients as [`Peer`]s.

mod peer;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_protocol::dialect::Form;
use hyper::upgrade::Upgraded;
use tokio::task::consume_budget;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

pub(crate) use self::peer::{Door, Opening, Service, serve};
pub use self::peer::{Peer, Settings};
pub use crate::message::Message;
use crate::outbox::Outbox;

/// One connection's WebSocket.
pub(crate) struct Socket {
    protocol: WebSocket<Stream>,
    pub(crate) outbox: Rc<Outbox>,
}

/// What is read of a socket.
#[derive(Debug)]
pub(crate) enum Read {
    /// A message, or a sign of life.
    Message(tungstenite::Message),
    /// A frame over the limit.
    TooLarge,
    /// The end.
    Closed,
}

/// What can be heard of a socket whose frames are texts.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text message, or a binary one that holds text.
    Text(tungstenite::Utf8Bytes, Form),
    /// A ping or a pong: a sign of life.
    Alive,
    /// A binary message that holds no text.
    Unreadable,
    /// A frame over the limit.
    TooLarge,
    /// The end.
    Closed,
}

/// How long a goodbye may take.
pub(crate) const GOODBYE: Duration = Duration::from_secs(2);

/// How long one of an application's connections may, for which a server waits that stops.
pub(crate) const GOODBYE_STOPPING: Duration = Duration::from_millis(200);

/// The bytes read at once.
const READ_BYTES: usize = 1024;

/// The bytes that tungstenite is given at once. It keeps a buffer of that size for each connection,
/// however long nothing comes.
const SIP_BYTES: usize = 128;

impl Socket {
    /// Takes over a connection after its handshake.
    pub(crate) fn over(
        upgraded: Upgraded,
        outbox_bytes_max: usize,
        frame_bytes_max: usize,
    ) -> io::Result<Self> {
        let (wire, read) = crate::listener::wire(upgraded)?;
        let outbox = Rc::new(Outbox::new(wire, outbox_bytes_max));
        let config = WebSocketConfig::default()
            .read_buffer_size(SIP_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(64 * 1024)
            .max_message_size(Some(frame_bytes_max))
            .max_frame_size(Some(frame_bytes_max));
        let stream = Stream {
            outbox: outbox.clone(),
            rest: read.into(),
        };
        let protocol = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
        Ok(Self { protocol, outbox })
    }

    /// Allows longer frames, once the client has said who it is.
    pub(crate) fn allow(&mut self, frame_bytes_max: usize) {
        self.protocol.set_config(|config| {
            config.max_message_size = Some(frame_bytes_max);
            config.max_frame_size = Some(frame_bytes_max);
        });
    }

    /// Bytes of the longest frame that is read.
    pub(crate) fn frame_bytes_max(&self) -> Option<usize> {
        self.protocol.get_config().max_frame_size
    }

    /// Reads the next text; pending if there is none yet. What waits to leave goes on leaving.
    pub(crate) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        self.poll_read(cx).map(|read| match read {
            Read::Message(message) => heard(message),
            Read::TooLarge => Heard::TooLarge,
            Read::Closed => Heard::Closed,
        })
    }

    /// Reads the next message; pending if there is none yet. What waits to leave goes on leaving.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        self.outbox.register(cx);
        if let Poll::Ready(Err(_)) = self.outbox.poll_flush(cx) {
            return Poll::Ready(Read::Closed);
        }
        // Somebody whose messages never end isn't read until they do.
        ready!(pin!(consume_budget()).poll(cx));
        self.outbox.begin_reading();
        loop {
            match self.protocol.read() {
                Ok(message) => {
                    if matches!(message, tungstenite::Message::Close(_)) {
                        // Its answer is ready, and leaves with the next thing that is written.
                        drop(self.protocol.flush());
                    }
                    return Poll::Ready(Read::Message(message));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.outbox.has_read_enough() {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    match self.outbox.poll_readable(cx) {
                        Poll::Ready(Ok(())) if self.outbox.reads_by_itself() => {
                            return Poll::Pending;
                        }
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Poll::Ready(Read::Closed),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Err(Error::Capacity(_)) => return Poll::Ready(Read::TooLarge),
                Err(Error::Utf8(_)) => return Poll::Ready(self.fail(1007)),
                Err(Error::Protocol(_)) => return Poll::Ready(self.fail(1002)),
                Err(_) => return Poll::Ready(Read::Closed),
            }
        }
    }

    /// Says that the connection ends, and why.
    pub(crate) fn close(&mut self, code: u16, why: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: why.into(),
        };
        // It may be closing already, which is as good.
        drop(self.protocol.close(Some(frame)));
        drop(self.protocol.flush());
    }

    /// Puts the socket below another outbox: what waits in its own leaves first, then what waits
    /// there.
    pub(crate) fn move_below(&mut self, outbox: &Rc<Outbox>) {
        outbox.adopt(&self.outbox);
        self.protocol.get_mut().outbox = outbox.clone();
        self.outbox = outbox.clone();
    }

    /// Lets everything leave, and waits a little for the other side to close, too.
    pub(crate) async fn part(&self, linger: Duration) {
        // A peer that doesn't read its goodbye isn't waited for.
        let flushed = tokio::time::timeout(GOODBYE, Flushed(&self.outbox)).await;
        if flushed.is_ok() {
            drop(tokio::time::timeout(linger, Parted::from(&self.outbox)).await);
        }
    }

    /// Sends a ping.
    pub(crate) fn ping(&mut self) {
        drop(
            self.protocol
                .send(tungstenite::Message::Ping(tungstenite::Bytes::new())),
        );
    }

    fn fail(&mut self, code: u16) -> Read {
        self.close(code, "");
        Read::Closed
    }
}

fn heard(message: tungstenite::Message) -> Heard {
    match message {
        tungstenite::Message::Text(text) => Heard::Text(text, Form::Text),
        // Some clients send their JSON as binary.
        tungstenite::Message::Binary(bytes) => match tungstenite::Utf8Bytes::try_from(bytes) {
            Ok(text) => Heard::Text(text, Form::Binary),
            Err(_) => Heard::Unreadable,
        },
        tungstenite::Message::Ping(_)
        | tungstenite::Message::Pong(_)
        | tungstenite::Message::Frame(_) => Heard::Alive,
        tungstenite::Message::Close(_) => Heard::Closed,
    }
}

/// Waits until everything has left that waits, or the stream breaks.
struct Flushed<'a>(&'a Outbox);

impl Future for Flushed<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.register(cx);
        self.0.poll_flush(cx).map(drop)
    }
}

/// Closes our half of the connection, and waits until the peer has closed his, or the stream
/// breaks.
///
/// What the peer still sends is passed over: to close with bytes unread would reset the connection,
/// and our last words might never be read.
struct Parted<'a> {
    outbox: &'a Outbox,
    shut: bool,
}

impl<'a> Parted<'a> {
    const fn from(outbox: &'a Outbox) -> Self {
        let shut = false;
        Self { outbox, shut }
    }

    fn poll_parted(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(self.outbox.poll_shutdown(cx))?;
            self.shut = true;
        }
        let mut passed_over = [0; READ_BYTES];
        self.outbox.begin_reading();
        loop {
            match self.outbox.read(&mut passed_over) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.outbox.has_read_enough() {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    ready!(self.outbox.poll_readable(cx))?;
                    if self.outbox.reads_by_itself() {
                        return Poll::Pending;
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Future for Parted<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.outbox.register(cx);
        self.poll_parted(cx).map(drop)
    }
}

/// The outbox as tungstenite sees it: it takes whatever is written, at once. What is read is passed
/// on in sips.
struct Stream {
    outbox: Rc<Outbox>,
    /// What was read and isn't passed on yet.
    rest: VecDeque<u8>,
}

impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            let mut read = [0; READ_BYTES];
            let length = self.outbox.read(&mut read)?;
            let mut read = read.get(..length).unwrap_or_default();
            let sip = read.read(buffer)?;
            self.rest = read.to_vec().into();
            return Ok(sip);
        }
        let sip = self.rest.read(buffer)?;
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
        Ok(sip)
    }
}

impl Write for Stream {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        self.outbox.send(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
