//! Socket.IO 5 over [Engine.IO lines](crate::engineio): namespaces, events with what is binary in
//! them, and acknowledgements both ways.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use chat_protocol::socketio::{Assembler, INVALID_NAMESPACE, Kind, MAIN, Malformed, Packet, Whole};
use serde_json::value::RawValue;
use tokio::time::{Sleep, sleep};

use crate::engineio::{self, Heard, Line};

/// How sessions are held. [`Settings::default`] has what clients are used to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The lines below.
    pub line: engineio::Settings,
    /// The namespaces that there are.
    pub namespaces: Vec<String>,
    /// How long a client may take to enter its first namespace, in milliseconds.
    pub connect_ms_max: u64,
    /// Binary attachments of one packet.
    pub attachments_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            line: engineio::Settings::default(),
            namespaces: vec![MAIN.to_owned()],
            connect_ms_max: 45_000,
            attachments_max: 16,
        }
    }
}

/// One client, in all the namespaces that it has entered.
#[derive(Debug)]
pub struct Peer<'a> {
    line: &'a mut Line,
    settings: &'a Settings,
    assembler: Assembler,
    /// The namespaces that it is in, and its name in each.
    entered: BTreeMap<String, String>,
    /// When it has to have entered one.
    patience: Option<Pin<Box<Sleep>>>,
    next_id: u64,
}

/// What a client says.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// It wants to enter a namespace, which there is: [`Peer::accept`] or [`Peer::refuse`].
    Connect {
        /// The namespace.
        namespace: String,
        /// What it says of itself.
        auth: Option<Box<RawValue>>,
    },
    /// An event, in a namespace that it has entered.
    Event(Whole<'static>),
    /// The acknowledgement of an event of ours.
    Ack(Whole<'static>),
    /// It has left a namespace.
    Disconnect {
        /// The namespace.
        namespace: String,
    },
}

impl<'a> Peer<'a> {
    pub(crate) fn new(line: &'a mut Line, settings: &'a Settings) -> Self {
        let patience = Duration::from_millis(settings.connect_ms_max);
        Self {
            line,
            settings,
            assembler: Assembler::new(settings.attachments_max),
            entered: BTreeMap::new(),
            patience: Some(Box::pin(sleep(patience))),
            next_id: 0,
        }
    }

    /// What the client says next; none when it is gone, or has said what can't be understood or may
    /// not be said.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let heard = match &mut self.patience {
                Some(patience) => tokio::select! {
                    biased;
                    heard = self.line.hear() => heard?,
                    () = patience => return None,
                },
                None => self.line.hear().await?,
            };
            match self.take(heard) {
                Ok(Some(incoming)) => return Some(incoming),
                Ok(None) => {}
                Err(why) => {
                    tracing::debug!(%why, "a socket.io client is sent away");
                    return None;
                }
            }
        }
    }

    fn take(&mut self, heard: Heard) -> Result<Option<Incoming>, Malformed> {
        let whole = match heard {
            Heard::Text(text) => self.assembler.text(&text)?.map(Whole::into_owned),
            Heard::Binary(bytes) => self.assembler.binary(bytes)?,
            Heard::Alive | Heard::TooLarge | Heard::Closed => None,
        };
        let bytes_max = BYTES_MAX_PER_PAYLOAD * self.settings.line.payload_bytes_max;
        if self.assembler.waiting_bytes() > bytes_max {
            return Err(Malformed::BadAttachments);
        }
        whole.map_or(Ok(None), |whole| self.sort(whole))
    }

    fn sort(&mut self, whole: Whole<'static>) -> Result<Option<Incoming>, Malformed> {
        let packet = &whole.packet;
        let namespace = packet.namespace.clone().into_owned();
        let is_in = self.entered.contains_key(&namespace);
        match packet.kind {
            Kind::Connect if is_in => Ok(None),
            Kind::Connect if !self.settings.namespaces.contains(&namespace) => {
                self.refuse(&namespace, INVALID_NAMESPACE);
                Ok(None)
            }
            Kind::Connect => {
                let auth = whole.packet.data.map(std::borrow::Cow::into_owned);
                Ok(Some(Incoming::Connect { namespace, auth }))
            }
            // Nobody speaks, or leaves, before he has entered.
            Kind::Event | Kind::Ack | Kind::Disconnect if !is_in => Err(Malformed::NotEntered),
            Kind::Event => Ok(Some(Incoming::Event(whole))),
            Kind::Ack => Ok(Some(Incoming::Ack(whole))),
            Kind::Disconnect => {
                self.entered.remove(&namespace);
                Ok(Some(Incoming::Disconnect { namespace }))
            }
            Kind::ConnectError => Err(Malformed::UnknownKind),
        }
    }

    /// Lets the client into a namespace, and tells it its name there.
    pub fn accept(&mut self, namespace: &str) {
        let sid = engineio::sid();
        let Some(sid) = sid else {
            return self.refuse(namespace, "no name could be drawn");
        };
        self.patience = None;
        self.send(&Packet::connected(&sid).within(namespace), &[]);
        self.entered.insert(namespace.to_owned(), sid);
    }

    /// Keeps the client out of a namespace, and says why.
    pub fn refuse(&mut self, namespace: &str, message: &str) {
        self.send(&Packet::refused(message).within(namespace), &[]);
    }

    /// Sends a packet, and what is binary in it.
    pub fn send(&self, packet: &Packet<'_>, attachments: &[Vec<u8>]) {
        self.line.outbox().send_text(&packet.encode());
        for attachment in attachments {
            self.line.outbox().send_binary(attachment);
        }
    }

    /// Sends an event that is to be acknowledged; gives the number that the acknowledgement bears.
    pub fn ask(&mut self, event: Packet<'static>, attachments: &[Vec<u8>]) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&event.asking(id), attachments);
        id
    }

    /// Puts the client out of a namespace.
    pub fn disconnect(&mut self, namespace: &str) {
        if self.entered.remove(namespace).is_some() {
            self.send(&Packet::disconnect().within(namespace), &[]);
        }
    }

    /// The client's name in a namespace that it has entered.
    #[must_use]
    pub fn sid(&self, namespace: &str) -> Option<&str> {
        self.entered.get(namespace).map(String::as_str)
    }

    /// The line below. Raw messages on it are the application's own risk.
    #[must_use]
    pub const fn line(&self) -> &Line {
        self.line
    }
}

/// Attachments of one packet may have as many times the bytes of a payload.
const BYTES_MAX_PER_PAYLOAD: usize = 4;
