//! One socket: what waits to be sent, what comes, and whether anything comes at all.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open socket.
pub(super) struct Line {
    socket: Socket,
    /// Frames that are yet to be sent.
    pub(super) waiting: VecDeque<String>,
    /// Whether the server knows the user.
    pub(super) welcome: bool,
    /// The longest silence before the server counts as gone: the other end may have vanished
    /// without a word.
    pub(super) silence: Duration,
    patience: Pin<Box<Sleep>>,
    /// The code that the server closed with.
    code: u16,
}

pub(super) enum Heard {
    /// A message.
    Text(String),
    /// The end, and the code that it came with.
    End(u16),
}

impl Line {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            welcome: false,
            silence: SILENCE,
            patience: Box::pin(sleep(SILENCE)),
            code: NO_CODE,
        }
    }

    /// Sends what waits, and gives what comes.
    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if self.poll_send(cx).is_err() || self.patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Heard::End(self.code));
            }
            let message = match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return Poll::Ready(Heard::End(self.code)),
            };
            self.patience.set(sleep(self.silence));
            match message {
                Message::Text(text) => return Poll::Ready(Heard::Text(text.to_string())),
                Message::Close(frame) => self.code = frame.map_or(NO_CODE, |it| it.code.into()),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while !self.waiting.is_empty() {
            let Poll::Ready(ready) = self.socket.poll_ready_unpin(cx) else {
                break;
            };
            ready?;
            if let Some(frame) = self.waiting.pop_front() {
                self.socket.start_send_unpin(Message::text(frame))?;
            }
        }
        match self.socket.poll_flush_unpin(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }
}

/// Opens a socket.
pub(super) async fn dial(address: Uri) -> Result<Socket, Error> {
    let request = ClientRequestBuilder::new(address).with_sub_protocol("chat.v1.json");
    let dialing = tokio_tungstenite::connect_async(request);
    let Ok(dialed) = timeout(SILENCE, dialing).await else {
        return Err(Error::ConnectionClosed);
    };
    dialed.map(|(socket, _)| socket)
}

/// The code of a socket that closed without one (RFC 6455, section 7.1.5).
pub(super) const NO_CODE: u16 = 1006;

/// How long to wait for a server that has said nothing yet.
const SILENCE: Duration = Duration::from_secs(20);
