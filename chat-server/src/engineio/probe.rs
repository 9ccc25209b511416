//! A WebSocket that a polling session may go on over: asked whether it works, then taken.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_protocol::engineio::Packet;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Sleep, sleep};
use tungstenite::Message;

use crate::places::Connected;
use crate::websocket::{GOODBYE, Read, Socket};

/// The socket on trial.
pub(super) struct Probe {
    stage: Stage,
    place: Option<Arc<Connected>>,
    payload_bytes_max: usize,
    timer: Pin<Box<Sleep>>,
    /// When a poll that comes while the socket is on trial is let go.
    pub(super) release: Option<Pin<Box<Sleep>>>,
}

enum Stage {
    Coming(Box<OnUpgrade>),
    Here { socket: Box<Socket>, asked: bool },
    Gone,
}

/// What a trial comes to.
pub(super) enum Trial {
    /// The client has asked, and was answered.
    Asked,
    /// The session goes on over this socket.
    Passed(Box<Socket>, Option<Arc<Connected>>),
    /// It was none.
    Failed,
}

/// How long a poll waits that comes during a trial, for the client to have made up its mind.
pub(super) const RELEASE: Duration = Duration::from_millis(50);

/// Bytes of a socket's frames before it belongs to a session: `2probe` and `5`.
const OUTBOX_BYTES_MAX: usize = 1024;

impl Probe {
    pub(super) fn new(
        upgrade: OnUpgrade,
        place: Option<Arc<Connected>>,
        payload_bytes_max: usize,
        ms_max: u64,
    ) -> Self {
        Self {
            stage: Stage::Coming(Box::new(upgrade)),
            place,
            payload_bytes_max,
            timer: Box::pin(sleep(Duration::from_millis(ms_max))),
            release: None,
        }
    }

    /// Whether the client was told that this way is open.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self.stage, Stage::Here { asked: true, .. })
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Trial> {
        if self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Trial::Failed);
        }
        if let Stage::Coming(upgrade) = &mut self.stage {
            let Ok(upgraded) = ready!(Pin::new(upgrade).poll(cx)) else {
                return Poll::Ready(Trial::Failed);
            };
            let Ok(socket) = Socket::over(upgraded, OUTBOX_BYTES_MAX, self.payload_bytes_max)
            else {
                return Poll::Ready(Trial::Failed);
            };
            let (socket, asked) = (Box::new(socket), false);
            self.stage = Stage::Here { socket, asked };
        }
        let Stage::Here { socket, asked } = &mut self.stage else {
            return Poll::Pending;
        };
        loop {
            let text = match ready!(socket.poll_read(cx)) {
                Read::Message(Message::Text(text)) => text,
                Read::Message(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    continue;
                }
                Read::Message(Message::Binary(_) | Message::Close(_))
                | Read::TooLarge
                | Read::Closed => return Poll::Ready(Trial::Failed),
            };
            match Packet::decode(&text) {
                Ok(Packet::Ping("probe")) => {
                    socket.outbox.send_text(b"3probe");
                    socket.outbox.flush(cx);
                    *asked = true;
                    return Poll::Ready(Trial::Asked);
                }
                Ok(Packet::Upgrade) if *asked => return Poll::Ready(self.pass()),
                Ok(_) | Err(_) => return Poll::Ready(Trial::Failed),
            }
        }
    }

    fn pass(&mut self) -> Trial {
        match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Here { socket, .. } => Trial::Passed(socket, self.place.take()),
            Stage::Coming(_) | Stage::Gone => Trial::Failed,
        }
    }
}

/// Ends a WebSocket that no session wants, with words of the WebSocket's own.
pub(super) async fn turn_away(upgrade: OnUpgrade, place: Option<Arc<Connected>>) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(mut socket) = Socket::over(upgraded, OUTBOX_BYTES_MAX, OUTBOX_BYTES_MAX) else {
        return;
    };
    socket.close(1000, "");
    socket.part(GOODBYE).await;
    drop(place);
}
