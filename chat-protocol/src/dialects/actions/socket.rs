//! The WebSocket: coming, speaking and leaving in either face.

use std::borrow::Cow;

use chat_core::{Content, Event, Name, Record};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{room, words};
use crate::answer::{Answer, RoomCard};
use crate::code::Refusal;
use crate::command::{Enter, NameRule, Op, Token};
use crate::dialect::{Call, Say};
use crate::dialects::lenient::{Field, Plain, line, name, object, said};
use crate::room_ref::RoomRef;
use crate::signal::{Signal, What};
use crate::time::rfc3339;
use crate::voice::{Face, Voice};

/// Which request it was, in which face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// `join` or `join-room`: the face, and the room as the client spelled it.
    Join(Face, String),
    /// `send-message` or `chat`.
    Send(Face),
    /// `leave`.
    Leave,
    /// Nothing that could be read. What shows no face is answered in the first one, whose envelope
    /// holds all that the second one's does.
    Unreadable(Face),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame<F> {
    action: Option<F>,
    #[serde(rename = "type")]
    kind: Option<F>,
    username: Option<F>,
    room_id: Option<F>,
    room_name: Option<F>,
    message: Option<F>,
    token: Option<F>,
}

/// Whether a socket's first frame is in this dialect.
pub(crate) fn recognises(text: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape<'a> {
        #[serde(borrow, default)]
        action: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "type")]
        kind: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        room_name: Option<&'a RawValue>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
    }
    let Some(shape) = object::<Shape<'_>>(text) else {
        return false;
    };
    match shape.kind.as_deref() {
        _ if shape.action.is_some() => true,
        Some("join-room") => true,
        Some("chat") => shape.room_name.is_some() && shape.payload.is_none(),
        Some(_) | None => false,
    }
}

/// Reads one frame.
pub(crate) fn decode(text: &str, calls: &mut Vec<Call>) {
    let plain = object::<Frame<Plain<'_>>>(text).map(|frame| frame.read());
    let reading = plain.or_else(|| object::<Frame<&RawValue>>(text).map(|frame| frame.read()));
    let (ticket, op) = reading.unwrap_or_else(|| unreadable(Face::First));
    calls.push(Call {
        ticket: ticket.into(),
        op,
    });
}

type Reading = (Ticket, Result<Op, Refusal>);

fn unreadable(face: Face) -> Reading {
    let refusal = Refusal::bad_frame("Invalid message format");
    (Ticket::Unreadable(face), Err(refusal))
}

/// The room that a client calls so. The second face knows rooms by their names alone.
fn called(face: Face, spelled: &str) -> RoomRef {
    match face {
        Face::First => room(spelled),
        Face::Second => RoomRef::named(spelled),
    }
}

impl<F: Field> Frame<F> {
    fn read(&self) -> Reading {
        let face = match (&self.action, &self.kind) {
            (None, Some(_)) => Face::Second,
            (_, _) => Face::First,
        };
        let (verb, spelled) = match face {
            Face::First => (said(&self.action), said(&self.room_id)),
            Face::Second => (said(&self.kind), said(&self.room_name)),
        };
        let reading = match (face, verb.as_deref(), spelled) {
            (Face::First, Some("join"), Some(spelled))
            | (Face::Second, Some("join-room"), Some(spelled)) => Some(self.join(face, &spelled)),
            (Face::First, Some("send-message"), Some(spelled))
            | (Face::Second, Some("chat"), Some(spelled)) => self.send(face, &spelled),
            (Face::First, Some("leave"), Some(spelled)) => {
                let room = Some(room(&spelled));
                Some((Ticket::Leave, Ok(Op::Exit { room })))
            }
            (_, _, _) => None,
        };
        reading.unwrap_or_else(|| unreadable(face))
    }

    fn join(&self, face: Face, spelled: &str) -> Reading {
        let op = self.name().map(|name| {
            Op::Enter(Box::new(Enter {
                face,
                name,
                token: said(&self.token)
                    .filter(|it| !it.is_empty())
                    .map(Token::new),
                rule: NameRule::Address,
                ..Enter::new(called(face, spelled), spelled)
            }))
        });
        (Ticket::Join(face, spelled.to_owned()), op)
    }

    /// The name one wants to go by; whoever has a token may leave it out.
    fn name(&self) -> Result<Option<Name>, Refusal> {
        let wanted = said(&self.username);
        wanted.map(|said| name("username", &said)).transpose()
    }

    fn send(&self, face: Face, spelled: &str) -> Option<Reading> {
        let message = said(&self.message)?;
        let op = line(called(face, spelled), "message", &message);
        Some((Ticket::Send(face), op))
    }
}

/// Spells the reply: a join has one, and whatever was refused.
pub(crate) fn answer(ticket: &Ticket, answer: &Result<Answer, Refusal>, say: Say<'_>) {
    match (ticket, answer) {
        (_, Err(refusal)) => say(&refused(ticket, refusal)),
        (
            Ticket::Join(face, spelled),
            Ok(Answer::Entered {
                room,
                name,
                already,
            }),
        ) => match face {
            Face::First => say(&crate::json(&Joined {
                action: "joined",
                room_id: spelled,
                message: &format!("Welcome to {}!", title(room).unwrap_or(spelled)),
            })),
            Face::Second => {
                if !already {
                    say(&has_joined(name.as_str()));
                }
                say(&status("success", "Joined room successfully"));
            }
        },
        (_, Ok(_)) => {}
    }
}

fn refused(ticket: &Ticket, refusal: &Refusal) -> Vec<u8> {
    #[derive(Serialize)]
    struct Failed<'a> {
        action: &'static str,
        status: &'static str,
        message: &'a str,
    }
    let message = words(refusal, "Invalid message format");
    match ticket {
        Ticket::Join(Face::First, _)
        | Ticket::Send(Face::First)
        | Ticket::Leave
        | Ticket::Unreadable(Face::First) => crate::json(&Failed {
            action: "error",
            status: "failed",
            message,
        }),
        Ticket::Join(Face::Second, _)
        | Ticket::Send(Face::Second)
        | Ticket::Unreadable(Face::Second) => status("failed", message),
    }
}

/// What a room is called, if it is called anything.
pub(super) fn title(room: &RoomCard) -> Option<&str> {
    let name = room.name.as_ref().or(room.alias.as_ref());
    name.map(Name::as_str)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined<'a> {
    action: &'static str,
    room_id: &'a str,
    message: &'a str,
}

fn status(status: &str, message: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Status<'a> {
        status: &'a str,
        message: &'a str,
    }
    crate::json(&Status { status, message })
}

fn has_joined(name: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Notice<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: &'a str,
    }
    crate::json(&Notice {
        kind: "system",
        message: &format!("{name} has joined the room"),
    })
}

/// Spells a line of the conversation; there is no word for anything else that lasts.
pub(crate) fn event(record: &Record, voice: &Voice) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct First<'a> {
        action: &'static str,
        room_id: &'a str,
        sender: &'a str,
        message: &'a str,
        timestamp: &'a str,
    }
    #[derive(Serialize)]
    struct Second<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        username: &'a str,
        message: &'a str,
    }
    let Event::Posted(posted) = &record.event else {
        return None;
    };
    let Content { body, .. } = posted.content.as_ref()?;
    let sender = record.by.name.as_ref().map_or("", Name::as_str);
    let message = body.as_str();
    Some(match voice.manner() {
        (Face::First, called) => crate::json(&First {
            action: "new-message",
            room_id: &called.map_or_else(
                || super::Spelling::Prefixed.write(record.room).into(),
                Cow::Borrowed,
            ),
            sender,
            message,
            timestamp: &rfc3339(record.at),
        }),
        (Face::Second, _) => crate::json(&Second {
            kind: "chat",
            username: sender,
            message,
        }),
    })
}

/// Spells a coming or a going. The second face has no word for a going.
pub(crate) fn signal(signal: &Signal, voice: &Voice, say: Say<'_>) {
    #[derive(Serialize)]
    struct Moved<'a> {
        action: &'static str,
        username: &'a str,
    }
    let username = signal.by.name.as_ref().map_or("", Name::as_str);
    let (face, _) = voice.manner();
    match (face, &signal.what) {
        (Face::First, What::Arrived) => say(&crate::json(&Moved {
            action: "user-joined",
            username,
        })),
        (Face::First, What::Departed) => say(&crate::json(&Moved {
            action: "user-left",
            username,
        })),
        (Face::Second, What::Arrived) => say(&has_joined(username)),
        (Face::Second, What::Departed)
        | (_, What::Typing { .. } | What::Read { .. } | What::Status { .. }) => {}
    }
}
