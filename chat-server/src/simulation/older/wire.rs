//! What carries a guest's words: a WebSocket, or a session of Engine.IO.

use tokio::time::Instant;

use crate::simulation::connection::{Connection, Next};
use crate::simulation::polling::Line;

pub(super) enum Wire {
    Socket(Connection),
    Line(Box<Line>),
}

impl Wire {
    pub(super) fn send(&mut self, text: &str) {
        match self {
            Self::Socket(socket) => socket.send(text),
            Self::Line(line) => line.send(text),
        }
    }

    pub(super) fn cut(&self) {
        match self {
            Self::Socket(socket) => socket.cut(),
            Self::Line(line) => line.cut(),
        }
    }

    pub(super) fn be_deaf(&mut self, until: Instant) {
        match self {
            Self::Socket(socket) => socket.be_deaf(until),
            Self::Line(line) => line.be_deaf(until),
        }
    }

    pub(super) fn listen(&mut self) {
        match self {
            Self::Socket(socket) => socket.listen(),
            Self::Line(line) => line.listen(),
        }
    }

    pub(super) async fn next(&mut self, until: Instant) -> Next {
        match self {
            Self::Socket(socket) => socket.next(until).await,
            Self::Line(line) => line.next(until).await,
        }
    }

    /// Goes on over a WebSocket, if that was meant; tells whether it goes on at all.
    pub(super) async fn rise(&mut self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Line(line) => line.rise().await,
        }
    }
}
