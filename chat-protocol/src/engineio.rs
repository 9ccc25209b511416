//! Engine.IO 4 packets: what goes over a WebSocket one by one, and over HTTP several at once.
//!
//! A text packet is a digit and its data; a binary one is a message. A WebSocket carries each as a
//! frame of its kind. A payload of HTTP is a text of packets with [`SEPARATOR`] between them, in
//! which a binary one is the letter `b` and base64.
//!
//! # Examples
//!
//! ```
//! use chat_protocol::engineio::{Packet, Payload, packets};
//!
//! let mut payload = Payload::default();
//! payload.push_text(b"4hello");
//! payload.push_binary(&[1, 2, 3, 4]);
//! assert_eq!(payload.as_bytes(), b"4hello\x1ebAQIDBA==");
//!
//! let read: Result<Vec<_>, _> = packets("4hello\x1ebAQIDBA==").collect();
//! assert_eq!(read?, [Packet::Message("hello"), Packet::Binary(vec![1, 2, 3, 4])]);
//! # Ok::<(), chat_protocol::engineio::Malformed>(())
//! ```

mod base64;

use serde::{Deserialize, Serialize};

/// What stands between the packets of a payload.
pub const SEPARATOR: u8 = 0x1e;

/// The version that requests name in `EIO`.
pub const VERSION: &str = "4";

/// A packet as a client sends it; what a server sends is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: a session has begun; the data is an [`Open`].
    Open(&'a str),
    /// `1`: the session ends.
    Close,
    /// `2`: asks for a sign of life, or, with `probe`, whether this way is open.
    Ping(&'a str),
    /// `3`: a sign of life, or, with `probe`, that this way is open.
    Pong(&'a str),
    /// `4`: a text for the application.
    Message(&'a str),
    /// Bytes for the application.
    Binary(Vec<u8>),
    /// `5`: from here on by this way.
    Upgrade,
    /// `6`: nothing; it ends a poll.
    Noop,
}

/// A packet that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed engine.io packet")]
pub struct Malformed;

/// What a server says at the beginning of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The session's name in requests.
    pub sid: String,
    /// The transports that it may change to.
    pub upgrades: Vec<String>,
    /// How often the server pings, in milliseconds.
    #[serde(rename = "pingInterval")]
    pub ping_interval_ms: u64,
    /// How long a client may take to answer, in milliseconds.
    #[serde(rename = "pingTimeout")]
    pub ping_timeout_ms: u64,
    /// Bytes of one payload.
    #[serde(rename = "maxPayload")]
    pub payload_bytes_max: usize,
}

/// A payload that is being put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl<'a> Packet<'a> {
    /// Reads a text packet, such as a text frame of a WebSocket.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if its first character names no packet, or a packet without data has some.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(Malformed)?;
        match (kind, rest.as_str()) {
            ('0', data) => Ok(Self::Open(data)),
            ('1', "") => Ok(Self::Close),
            ('2', data) => Ok(Self::Ping(data)),
            ('3', data) => Ok(Self::Pong(data)),
            ('4', data) => Ok(Self::Message(data)),
            ('5', "") => Ok(Self::Upgrade),
            ('6', "") => Ok(Self::Noop),
            (_, _) => Err(Malformed),
        }
    }

    /// Appends the packet to a payload.
    pub fn push_to(&self, payload: &mut Payload) {
        let (kind, data) = match self {
            Self::Open(data) => (b'0', *data),
            Self::Close => (b'1', ""),
            Self::Ping(data) => (b'2', *data),
            Self::Pong(data) => (b'3', *data),
            Self::Message(data) => (b'4', *data),
            Self::Binary(bytes) => return payload.push_binary(bytes),
            Self::Upgrade => (b'5', ""),
            Self::Noop => (b'6', ""),
        };
        payload.separate();
        payload.0.push(kind);
        payload.0.extend_from_slice(data.as_bytes());
    }
}

/// Reads the packets of a payload, in order.
pub fn packets(payload: &str) -> impl Iterator<Item = Result<Packet<'_>, Malformed>> {
    payload.split(char::from(SEPARATOR)).map(|packet| {
        packet.strip_prefix('b').map_or_else(
            || Packet::decode(packet),
            |coded| base64::decode(coded).map(Packet::Binary).ok_or(Malformed),
        )
    })
}

impl Open {
    /// The packet that says this.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut packet = vec![b'0'];
        packet.extend(crate::json(self));
        packet
    }
}

impl Payload {
    /// An empty payload with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends a text packet: its digit and its data.
    pub fn push_text(&mut self, packet: &[u8]) {
        self.separate();
        self.0.extend_from_slice(packet);
    }

    /// Appends a binary packet.
    pub fn push_binary(&mut self, bytes: &[u8]) {
        self.separate();
        self.0.push(b'b');
        base64::encode(bytes, &mut self.0);
    }

    /// Bytes that it would have with one more text packet of this length.
    #[must_use]
    pub fn len_with_text(&self, packet_bytes: usize) -> usize {
        self.0.len() + usize::from(!self.is_empty()) + packet_bytes
    }

    /// Bytes that it would have with one more binary packet of this length.
    #[must_use]
    pub fn len_with_binary(&self, packet_bytes: usize) -> usize {
        self.len_with_text(1 + packet_bytes.div_ceil(3).saturating_mul(4))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The payload so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn separate(&mut self) {
        if !self.0.is_empty() {
            self.0.push(SEPARATOR);
        }
    }
}
