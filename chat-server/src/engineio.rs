//! Engine.IO 4 sessions: one line between two ends, carried by polls, by a WebSocket, or by the one
//! and then the other.
//!
//! What leaves waits in an outbox as whole WebSocket frames. A poll takes them out and turns them
//! into a payload; an upgrade puts a socket below the outbox, and what waits leaves as it is. So a
//! line costs whoever writes to many the same as any other socket.
//!
//! A session lives on one worker. Its requests may come in anywhere; they are passed to it by the
//! name that only its client knows.
//!
//! The server closes a session whose client doesn't answer a ping in time, who polls twice at once,
//! or whose packets are none. An application is given its messages, and nothing of that.

mod door;
mod hatch;
mod heartbeat;
mod line;
mod posts;
mod probe;
mod registry;
mod sort;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use chat_protocol::engineio::Open;

pub(crate) use self::door::{Answer, Door, serve};
pub use self::line::Line;
pub(crate) use self::registry::{Lines, Opening, sid};
pub(crate) use self::sort::Heard;
pub use crate::message::Message;
use crate::worker::Worker;

/// How sessions are held. [`Settings::default`] has what clients are used to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How often the server pings, in milliseconds. The first ping comes one interval after the
    /// session has opened.
    pub ping_interval_ms: u64,
    /// How long a client may take to answer, in milliseconds.
    pub ping_timeout_ms: u64,
    /// How long a change from polling to a WebSocket may take, in milliseconds.
    pub upgrade_ms_max: u64,
    /// Bytes of one payload, and of one message.
    pub payload_bytes_max: usize,
    /// Bytes that wait for a client before it counts as too slow.
    pub outbox_bytes_max: usize,
    /// Whose pages may poll.
    pub cors: Cors,
}

/// Whose pages may read what they are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Those of the server itself.
    Nobody,
    /// Everybody's.
    Everybody,
    /// Those of these origins, and with credentials.
    Origins(Vec<String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            upgrade_ms_max: 10_000,
            payload_bytes_max: 1_000_000,
            outbox_bytes_max: 4 * 1024 * 1024,
            cors: Cors::Nobody,
        }
    }
}

impl Settings {
    /// What a session hears first.
    fn open(&self, sid: &str, upgrades: &[&str]) -> Vec<u8> {
        let open = Open {
            sid: sid.to_owned(),
            upgrades: upgrades.iter().map(|name| (*name).to_owned()).collect(),
            ping_interval_ms: self.ping_interval_ms,
            ping_timeout_ms: self.ping_timeout_ms,
            payload_bytes_max: self.payload_bytes_max,
        };
        open.encode()
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TransportUnknown,
    SidUnknown,
    BadMethod,
    BadRequest,
    BadVersion,
}

impl Refused {
    /// The number and the words that clients know.
    const fn told(self) -> (u8, &'static str) {
        match self {
            Self::TransportUnknown => (0, "Transport unknown"),
            Self::SidUnknown => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::BadVersion => (5, "Unsupported protocol version"),
        }
    }
}

/// Whoever talks over the lines of one door.
pub(crate) trait Host: Send + Sync {
    /// Talks over one, on its worker, until it ends.
    fn talk(self: Arc<Self>, worker: Rc<Worker>, line: Box<Line>) -> Talk;

    /// Whether lines end by themselves when the server stops, as sessions of the chat do.
    fn says_goodbye(&self) -> bool;
}

/// A conversation over a line.
pub(crate) type Talk = Pin<Box<dyn Future<Output = ()>>>;

/// An application's own service.
pub(crate) struct Service<F>(pub(crate) F);

impl<F: AsyncFn(&mut Line) + Send + Sync + 'static> Host for Service<F> {
    fn talk(self: Arc<Self>, _: Rc<Worker>, mut line: Box<Line>) -> Talk {
        Box::pin(async move {
            (self.0)(&mut line).await;
            line.close().await;
        })
    }

    fn says_goodbye(&self) -> bool {
        false
    }
}
