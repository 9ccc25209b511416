//! Socket.IO 5 packets: namespaces, events, acknowledgements, and what is binary in them.
//!
//! A packet travels as a message of [Engine.IO](crate::engineio), and is read and written here as
//! the text of that message, with the `4` that it begins with: `42["greet","ann"]`. What is binary
//! in its data follows in messages of its own, in the places of placeholders
//! (`{"_placeholder":true,"num":0}`); an [`Assembler`] waits for them.
//!
//! # Examples
//!
//! ```
//! use chat_protocol::socketio::{Kind, Packet};
//!
//! let asked = Packet::decode(r#"42/chat,7["greet",{"name":"ann"}]"#)?;
//! assert_eq!((asked.kind, &*asked.namespace, asked.id), (Kind::Event, "/chat", Some(7)));
//! assert_eq!(asked.name().as_deref(), Some("greet"));
//! assert_eq!(asked.args()[0].get(), r#"{"name":"ann"}"#);
//!
//! let done = Packet::ack(7, &["hello ann"]).within("/chat");
//! assert_eq!(done.encode(), br#"43/chat,7["hello ann"]"#);
//! # Ok::<(), chat_protocol::socketio::Malformed>(())
//! ```

mod assembler;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::assembler::{Assembler, Whole};
use crate::json::json_after;

/// The namespace that needs no name.
pub const MAIN: &str = "/";

/// What a client hears who asks for a namespace that there isn't.
pub const INVALID_NAMESPACE: &str = "Invalid namespace";

/// One packet, without its attachments.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where it belongs: [`MAIN`], or a name that begins with a slash.
    pub namespace: Cow<'a, str>,
    /// Of an event: the number that its acknowledgement is to bear. Of an acknowledgement: that
    /// number.
    pub id: Option<u64>,
    /// How many binary messages follow. An event or acknowledgement with attachments is a binary
    /// one.
    pub attachments: usize,
    /// Its JSON: an object or nothing in [`Kind::Connect`], an object or a text in
    /// [`Kind::ConnectError`], nothing in [`Kind::Disconnect`], an array in the others, which
    /// begins with the event's name in [`Kind::Event`].
    pub data: Option<Cow<'a, RawValue>>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0`: enters a namespace, or has entered it.
    Connect,
    /// `1`: leaves a namespace.
    Disconnect,
    /// `2`, or `5` with attachments.
    Event,
    /// `3`, or `6` with attachments.
    Ack,
    /// `4`: may not enter a namespace.
    ConnectError,
}

/// Why a packet is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no message of Engine.IO.
    #[error("no message")]
    NotAMessage,
    /// There is no such kind of packet.
    #[error("unknown kind of packet")]
    UnknownKind,
    /// The count of attachments is missing, unreadable or over the bound.
    #[error("bad count of attachments")]
    BadAttachments,
    /// The number of its acknowledgement is missing or unreadable.
    #[error("bad acknowledgement number")]
    BadId,
    /// Its data is no JSON, or not what its kind has.
    #[error("bad data")]
    BadData,
    /// An attachment came that nothing waits for.
    #[error("an attachment of no packet")]
    UnexpectedBinary,
    /// A packet came while attachments of another were awaited.
    #[error("an attachment is missing")]
    MissingBinary,
    /// It belongs to a namespace that its sender isn't in.
    #[error("not in this namespace")]
    NotEntered,
}

/// Names that the libraries of both sides use for themselves.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

impl<'a> Packet<'a> {
    /// Reads a packet from the text of its message.
    ///
    /// # Errors
    ///
    /// [`Malformed`] says what it lacks.
    pub fn decode(message: &'a str) -> Result<Self, Malformed> {
        let packet = message.strip_prefix('4').ok_or(Malformed::NotAMessage)?;
        let mut rest = packet.chars();
        let (kind, is_binary) = match rest.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Ack, false),
            Some('4') => (Kind::ConnectError, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Ack, true),
            Some(_) | None => return Err(Malformed::UnknownKind),
        };
        let rest = rest.as_str();
        let (attachments, rest) = if is_binary {
            let (count, rest) = rest.split_once('-').ok_or(Malformed::BadAttachments)?;
            let count = number(count).and_then(|count| usize::try_from(count).ok());
            (count.ok_or(Malformed::BadAttachments)?, rest)
        } else {
            (0, rest)
        };
        let (namespace, rest) = if rest.starts_with('/') {
            rest.split_once(',').unwrap_or((rest, ""))
        } else {
            (MAIN, rest)
        };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (id, data) = rest.split_at_checked(digits).ok_or(Malformed::BadId)?;
        let id = match id {
            "" => None,
            id => Some(number(id).ok_or(Malformed::BadId)?),
        };
        let data = match data {
            "" => None,
            data => Some(serde_json::from_str(data).map_err(|_| Malformed::BadData)?),
        };
        let packet = Self {
            kind,
            // Some clients leave a query in the name; it is no part of it.
            namespace: Cow::Borrowed(namespace.split('?').next().unwrap_or(namespace)),
            id,
            attachments,
            data: data.map(Cow::Borrowed),
        };
        packet.check().map(|()| packet)
    }

    /// Whether the packet has what its kind has.
    fn check(&self) -> Result<(), Malformed> {
        let data = self.data.as_deref().map_or("", RawValue::get);
        let first = data.as_bytes().first();
        let is_fit = match self.kind {
            Kind::Connect => matches!(first, None | Some(b'{')),
            Kind::Disconnect => first.is_none(),
            Kind::ConnectError => matches!(first, Some(b'{' | b'"')),
            Kind::Event => self.name().is_some_and(|name| !RESERVED.contains(&&*name)),
            Kind::Ack => first == Some(&b'['),
        };
        match (is_fit, self.kind) {
            (false, _) => Err(Malformed::BadData),
            (true, Kind::Ack) if self.id.is_none() => Err(Malformed::BadId),
            (true, _) => Ok(()),
        }
    }

    /// The text of the message that carries the packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = vec![b'4'];
        let is_binary = self.attachments > 0;
        text.push(match self.kind {
            Kind::Connect => b'0',
            Kind::Disconnect => b'1',
            Kind::Event if is_binary => b'5',
            Kind::Event => b'2',
            Kind::Ack if is_binary => b'6',
            Kind::Ack => b'3',
            Kind::ConnectError => b'4',
        });
        if is_binary && matches!(self.kind, Kind::Event | Kind::Ack) {
            text.extend_from_slice(self.attachments.to_string().as_bytes());
            text.push(b'-');
        }
        if self.namespace != MAIN {
            text.extend_from_slice(self.namespace.as_bytes());
            text.push(b',');
        }
        if let Some(id) = self.id {
            text.extend_from_slice(id.to_string().as_bytes());
        }
        if let Some(data) = &self.data {
            text.extend_from_slice(data.get().as_bytes());
        }
        text
    }

    /// The name of an event.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        if self.kind != Kind::Event {
            return None;
        }
        let name = first(self.data.as_deref()?.get())?;
        match name.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(name.get()).ok().map(|Text(name)| name),
            // Numbers are names, too.
            Some(b'0'..=b'9' | b'-') => Some(Cow::Borrowed(name.get())),
            Some(_) | None => None,
        }
    }

    /// The arguments of an event or an acknowledgement, an event's name not among them.
    #[must_use]
    pub fn args(&self) -> Vec<&RawValue> {
        let skipped = match self.kind {
            Kind::Event => 1,
            Kind::Ack => 0,
            Kind::Connect | Kind::Disconnect | Kind::ConnectError => return Vec::new(),
        };
        let data = self.data.as_deref().map_or("[]", RawValue::get);
        let mut args: Vec<&RawValue> = serde_json::from_str(data).unwrap_or_default();
        args.drain(..skipped.min(args.len()));
        args
    }

    /// The JSON of an event from its first argument on.
    pub(crate) fn args_json(&self) -> Option<&str> {
        let items = self.data.as_deref()?.get().strip_prefix('[')?;
        let mut name = serde_json::Deserializer::from_str(items).into_iter::<IgnoredAny>();
        name.next()?.ok()?;
        let rest = items.get(name.byte_offset()..)?;
        let args = rest.trim_ascii_start().strip_prefix(',')?;
        Some(args.trim_ascii_start())
    }

    /// The packet with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        Packet {
            kind: self.kind,
            namespace: Cow::Owned(self.namespace.into_owned()),
            id: self.id,
            attachments: self.attachments,
            data: self.data.map(|data| Cow::Owned(data.into_owned())),
        }
    }
}

impl Packet<'static> {
    /// An event in the main namespace that asks for no acknowledgement.
    ///
    /// # Panics
    ///
    /// If an argument isn't JSON, such as a map with keys that are no texts.
    #[must_use]
    pub fn event<T: Serialize>(name: &str, args: &[T]) -> Self {
        Self::new(Kind::Event, Some(array(Some(name), args)))
    }

    /// An acknowledgement in the main namespace.
    ///
    /// # Panics
    ///
    /// As [`Packet::event`].
    #[must_use]
    pub fn ack<T: Serialize>(id: u64, args: &[T]) -> Self {
        Self::new(Kind::Ack, Some(array(None, args))).asking(id)
    }

    /// That the main namespace was entered: the session's name in it.
    #[must_use]
    pub fn connected(sid: &str) -> Self {
        #[derive(Serialize)]
        struct Connected<'a> {
            sid: &'a str,
        }
        Self::new(Kind::Connect, Some(raw(crate::json(&Connected { sid }))))
    }

    /// That the main namespace may not be entered, and why, in words.
    #[must_use]
    pub fn refused(message: &str) -> Self {
        #[derive(Serialize)]
        struct Refused<'a> {
            message: &'a str,
        }
        let data = raw(crate::json(&Refused { message }));
        Self::new(Kind::ConnectError, Some(data))
    }

    /// That the main namespace was left.
    #[must_use]
    pub fn disconnect() -> Self {
        Self::new(Kind::Disconnect, None)
    }

    fn new(kind: Kind, data: Option<Box<RawValue>>) -> Self {
        Self {
            kind,
            namespace: Cow::Borrowed(MAIN),
            id: None,
            attachments: 0,
            data: data.map(Cow::Owned),
        }
    }

    /// The same in another namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Cow::Owned(namespace.to_owned());
        self
    }

    /// The same with the number of an acknowledgement.
    #[must_use]
    pub const fn asking(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// The same, followed by this many binary messages.
    #[must_use]
    pub const fn followed_by(mut self, attachments: usize) -> Self {
        self.attachments = attachments;
        self
    }
}

impl PartialEq for Packet<'_> {
    fn eq(&self, other: &Self) -> bool {
        let data = |it: &Self| it.data.as_deref().map(|data| data.get().to_owned());
        self.kind == other.kind
            && self.namespace == other.namespace
            && self.id == other.id
            && self.attachments == other.attachments
            && data(self) == data(other)
    }
}

/// The message of an [event](Packet::event) with one argument of ours, written in one go.
pub(crate) fn event_text(name: &str, arg: &impl Serialize) -> Vec<u8> {
    json_after(b"42", &(name, arg))
}

/// A text that is borrowed if nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn number(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

/// The first item of an array that is known to be JSON. What comes after it isn't read.
fn first(array: &str) -> Option<&RawValue> {
    let items = array.strip_prefix('[')?;
    serde_json::Deserializer::from_str(items)
        .into_iter()
        .next()?
        .ok()
}

fn array<T: Serialize>(name: Option<&str>, args: &[T]) -> Box<RawValue> {
    let mut text = vec![b'['];
    let items = name.map(serde_json::to_vec).into_iter();
    // What it is that others pass on is not known here, so it may also be a raw value.
    for item in items.chain(args.iter().map(serde_json::to_vec)) {
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend(item.expect("arguments are JSON"));
    }
    text.push(b']');
    raw(text)
}

fn raw(json: Vec<u8>) -> Box<RawValue> {
    let text = String::from_utf8(json).expect("our own JSON is text");
    RawValue::from_string(text).expect("our own JSON is JSON")
}
