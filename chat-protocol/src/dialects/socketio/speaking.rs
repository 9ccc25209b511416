//! What the two front ends hear.

use std::borrow::Cow;

use chat_core::{Content, Event, Format, Name, Record};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Asked, Ticket};
use crate::answer::{Answer, RoomCard};
use crate::code::{Class, Code, Refusal};
use crate::dialect::Say;
use crate::signal::{Signal, What};
use crate::socketio::{Packet, event_text};
use crate::spelling::Spelling;
use crate::time::rfc3339_ms;
use crate::voice::{Face, Voice};

/// What a client hears that may not enter, whatever is wrong with its token.
const AUTHENTICATION_ERROR: &str = "Authentication error";

/// Spells the reply, if there is one: an event has one only if it asks for an acknowledgement.
pub(crate) fn answer(ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
    let packet = match (ticket, answer) {
        (Ticket::Connect, Ok(Answer::Connected { session })) => Packet::connected(session),
        (Ticket::Connect, Err(refusal)) => Packet::refused(kept_out(refusal)),
        (Ticket::Elsewhere(namespace), Err(refusal)) => {
            Packet::refused(&refusal.msg).within(namespace)
        }
        (Ticket::Event(asked, Some(id)), Ok(answer)) => {
            Packet::ack(*id, &[Ack::granted(*asked, answer)])
        }
        (Ticket::Event(_, Some(id)), Err(refusal)) => Packet::ack(*id, &[Ack::refused(refusal)]),
        (
            Ticket::Connect
            | Ticket::Elsewhere(_)
            | Ticket::Disconnect
            | Ticket::Event(..)
            | Ticket::Unreadable,
            _,
        ) => return None,
    };
    Some(packet.encode())
}

fn kept_out(refusal: &Refusal) -> &str {
    if refusal.class == Class::Auth || refusal.code == Code::Suspended {
        AUTHENTICATION_ERROR
    } else {
        &refusal.msg
    }
}

/// What is acknowledged.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ack<'a> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_name: Option<Cow<'a, str>>,
}

impl<'a> Ack<'a> {
    fn granted(asked: Asked, answer: &'a Answer) -> Self {
        let done = Self {
            success: true,
            ..Self::default()
        };
        match (asked, answer) {
            (Asked::Key, Answer::Created { room, .. }) => Self {
                room_id: Some(Spelling::Key.write(*room)),
                ..done
            },
            (Asked::Name, Answer::Entered { room, .. }) => Self {
                room_name: Some(name_of(room)),
                ..done
            },
            (Asked::Key | Asked::Name | Asked::Plain, _) => done,
        }
    }

    fn refused(refusal: &'a Refusal) -> Self {
        let error = if refusal.code == Code::RoomNotFound {
            "Room not found"
        } else {
            &refusal.msg
        };
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

fn name_of(room: &RoomCard) -> Cow<'_, str> {
    let name = room.name.as_ref().or(room.alias.as_ref());
    name.map_or_else(
        || Cow::Owned(Spelling::Key.write(room.id)),
        |name| Cow::Borrowed(name.as_str()),
    )
}

/// Spells a message; there is no word for any other record.
pub(crate) fn event(record: &Record, voice: &Voice) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<Json<'a>>,
        sender: &'a str,
        message: Json<'a>,
        timestamp: String,
    }
    let Event::Posted(posted) = &record.event else {
        return None;
    };
    let content = posted.content.as_ref()?;
    let (name, room_id) = match voice.manner() {
        (Face::First, Some(room)) => ("message", Some(Json::word(room))),
        // Who isn't in the room hears nothing of it.
        (Face::First, None) => return None,
        (Face::Second, _) => ("receive_message", None),
    };
    let message = Message {
        room_id,
        sender: record.by.name.as_ref().map_or("", Name::as_str),
        message: body(content),
        timestamp: rfc3339_ms(record.at),
    };
    Some(event_text(name, &message))
}

/// A message as its sender said it.
fn body(content: &Content) -> Json<'_> {
    let body = content.body.as_str();
    match content.format {
        Format::Plain | Format::Markdown => Json::Text(body),
        Format::Json => Json::read(body),
    }
}

/// Spells who comes, goes and types, which the first face alone has words for.
pub(crate) fn signal(signal: &Signal, voice: &Voice, say: Say<'_>) {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Somebody<'a> {
        room_id: Json<'a>,
        username: &'a str,
    }
    let (Face::First, Some(room)) = voice.manner() else {
        return;
    };
    let names: &[&str] = match &signal.what {
        What::Arrived => &["userJoined"],
        What::Departed => &["userLeft"],
        What::Typing { on: true } => &["typing", "userTyping"],
        What::Typing { on: false } | What::Read { .. } | What::Status { .. } => &[],
    };
    for name in names {
        let somebody = Somebody {
            room_id: Json::word(room),
            username: signal.by.name.as_ref().map_or("", Name::as_str),
        };
        say(&event_text(name, &somebody));
    }
}

/// A value that stands as it was said.
#[derive(Serialize)]
#[serde(untagged)]
enum Json<'a> {
    /// What is JSON already.
    Said(&'a RawValue),
    /// A text.
    Text(&'a str),
}

impl<'a> Json<'a> {
    /// Takes a client's word for a room, which is a JSON string or number, as it stands.
    fn word(text: &'a str) -> Self {
        serde_json::from_str(text).map_or(Self::Text(text), Self::Said)
    }

    /// Takes JSON as it stands, and anything else as a text: also what is nested so deep that some
    /// client might not read it.
    fn read(text: &'a str) -> Self {
        let is_shallow = serde_json::from_str::<Value>(text).is_ok();
        let said = is_shallow
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        said.map_or(Self::Text(text), Self::Said)
    }
}
