//! What a native client hears: the server's frames, read tolerantly.
//!
//! A client may be older than its server. Unknown fields, events, signals and codes never stop
//! it; an unknown event still has its position.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chat_core::{Author, Cid, Event, RoomId, Seq, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::code::Code;
use crate::event::Heard;
use crate::signal::{Signal, What};
use crate::system::System;

/// One frame from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// The reply to a frame of the client's.
    Reply {
        /// Which frame; none if the server couldn't read its number.
        re: Option<u64>,
        /// The answer's JSON, or why there is none.
        result: Result<String, Refused>,
    },
    /// A record.
    Event(Box<Heard>),
    /// Something that passes.
    Signal(Signal),
    /// A word about the connection.
    System(System),
    /// A frame of a sort that this client doesn't know.
    Unknown,
}

/// A refusal as a client got it, perhaps with a code that it doesn't know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The reason.
    pub code: String,
    /// What to do about it.
    #[serde(default)]
    pub class: String,
    /// Words for a person.
    #[serde(default)]
    pub msg: String,
    /// Milliseconds after which asking again makes sense.
    #[serde(default)]
    pub retry_ms: Option<u64>,
    /// Particulars, by code.
    #[serde(default)]
    pub details: Map<String, Value>,
}

impl Refused {
    /// The reason, if this client knows it.
    #[must_use]
    pub fn known(&self) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == self.code)
    }
}

/// Text that is no frame of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no frame of a server")]
pub struct NoFrame;

#[derive(Deserialize)]
struct Raw<'a> {
    re: Option<u64>,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    err: Option<Refused>,
    #[serde(borrow)]
    ev: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sys: Option<Cow<'a, str>>,
    room: Option<RoomId>,
    seq: Option<Seq>,
    prev: Option<Seq>,
    at: Option<Timestamp>,
    by: Option<Author>,
    cid: Option<Cid>,
    #[serde(borrow)]
    d: Option<&'a RawValue>,
    #[serde(default)]
    heads: BTreeMap<RoomId, Seq>,
    code: Option<u16>,
    why: Option<String>,
    retry_ms: Option<u64>,
}

impl ServerFrame {
    /// Reads one frame.
    ///
    /// # Errors
    ///
    /// [`NoFrame`] if it isn't JSON, or lacks what a frame of its sort has.
    pub fn decode(text: &str) -> Result<Self, NoFrame> {
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|_| NoFrame)?;
        if let Some(err) = raw.err {
            return Ok(Self::Reply {
                re: raw.re,
                result: Err(err),
            });
        }
        if let Some(ok) = raw.ok {
            return Ok(Self::Reply {
                re: raw.re,
                result: Ok(ok.get().to_owned()),
            });
        }
        if raw.ev.is_some() {
            return raw
                .event()
                .map(|heard| Self::Event(Box::new(heard)))
                .ok_or(NoFrame);
        }
        if raw.sig.is_some() {
            return raw.signal();
        }
        if raw.sys.is_some() {
            return raw.system();
        }
        Ok(Self::Unknown)
    }
}

impl Raw<'_> {
    fn payload(&self) -> &str {
        self.d.map_or("{}", RawValue::get)
    }

    fn event(self) -> Option<Heard> {
        let name = self.ev.as_deref()?;
        let mut json = serde_json::Deserializer::from_str(self.payload());
        let event = Event::deserialize_payload(name, &mut json).ok().flatten();
        let seq = self.seq?;
        Some(Heard {
            room: self.room?,
            seq,
            prev: self.prev.unwrap_or(seq.prev()),
            at: self.at?,
            name: name.to_owned(),
            event,
            by: self.by?,
            cid: self.cid,
        })
    }

    fn signal(self) -> Result<ServerFrame, NoFrame> {
        let what = What::read(self.sig.as_deref().unwrap_or_default(), self.payload());
        let Some(what) = what else {
            return Ok(ServerFrame::Unknown);
        };
        let (Some(room), Some(by)) = (self.room, self.by) else {
            return Err(NoFrame);
        };
        Ok(ServerFrame::Signal(Signal { room, by, what }))
    }

    fn system(self) -> Result<ServerFrame, NoFrame> {
        let system = match self.sys.as_deref().unwrap_or_default() {
            "ping" => Some(System::Ping { heads: self.heads }),
            "synced" => self
                .room
                .zip(self.seq)
                .map(|(room, seq)| System::Synced { room, seq }),
            "lagged" => Some(System::Lagged {}),
            "token_expiring" => self.at.map(|at| System::TokenExpiring { at }),
            "bye" => self.code.map(|code| System::Bye {
                code,
                why: self.why.unwrap_or_default(),
                retry_ms: self.retry_ms,
            }),
            _ => return Ok(ServerFrame::Unknown),
        };
        system.map(ServerFrame::System).ok_or(NoFrame)
    }
}

/// The answer to `records` as a client got it.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) events: Vec<Heard>,
    pub(crate) upto: Seq,
    pub(crate) head: Seq,
}

impl Filling {
    pub(crate) fn decode(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Shape<'a> {
            #[serde(borrow)]
            events: Vec<&'a RawValue>,
            upto: Seq,
            head: Seq,
        }
        let shape: Shape<'_> = serde_json::from_str(text).ok()?;
        let read = |raw: &&RawValue| serde_json::from_str::<Raw<'_>>(raw.get()).ok()?.event();
        let events = shape.events.iter().map(read).collect::<Option<_>>()?;
        Some(Self {
            events,
            upto: shape.upto,
            head: shape.head,
        })
    }
}
