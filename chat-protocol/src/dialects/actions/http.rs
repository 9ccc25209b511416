//! The routes below `/api`: logging in, rooms, and what was said in them.
//!
//! Every reply that isn't a list says `status`, and every one that failed says in `message` why.

use std::borrow::Cow;

use chat_core::commands::{CreateRoom, Entry};
use chat_core::{Name, Password};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::socket::title;
use super::{room, words};
use crate::answer::{Answer, LobbyRoom, SignedInCard, Transcript};
use crate::code::{Class, Code, Refusal};
use crate::command::{Enter, NameRule, Op, Token};
use crate::dialects::lenient::{self, object, text};
use crate::dialects::lists::{self, Space};
use crate::http::{Asked, Cors, Proof, Reply, Request};
use crate::spelling::Spelling;
use crate::time::rfc3339;

/// Most messages of a history.
const HISTORY_MESSAGES_MAX: u64 = 200;

/// What pages of other origins may do.
pub(crate) const CORS: Cors = Cors {
    methods: "GET, POST, OPTIONS",
    headers: "Content-Type, Authorization",
};

/// Which request it was, and the room as the client spelled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// `POST /api/login`.
    LogIn,
    /// `POST /api/create-room`, with the room's name.
    CreateRoom(String),
    /// `GET /api/rooms`.
    Rooms,
    /// `POST /api/join-room`.
    JoinRoom(String),
    /// `GET /api/chat-history/:roomId`.
    History(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields<'a> {
    #[serde(borrow)]
    username: Option<&'a RawValue>,
    #[serde(borrow)]
    password: Option<&'a RawValue>,
    #[serde(borrow)]
    room_id: Option<&'a RawValue>,
    #[serde(borrow)]
    room_name: Option<&'a RawValue>,
}

/// Reads a request to a path below `/api`.
pub(crate) fn ask(request: &Request<'_>) -> Result<Asked, Reply> {
    let path = request.path.strip_suffix('/').unwrap_or(request.path);
    let history = path.strip_prefix("/api/chat-history/");
    let history = history.filter(|room| !room.is_empty() && !room.contains('/'));
    let (ticket, op) = match (request.method, path, history) {
        ("POST", "/api/login", _) => (Ticket::LogIn, log_in(request.body)),
        ("POST", "/api/create-room", _) => create_room(request.body),
        ("GET", "/api/rooms", _) => (Ticket::Rooms, Ok(Op::Lobby(lists::ALL))),
        ("POST", "/api/join-room", _) => join_room(request.body),
        ("GET", _, Some(spelled)) => {
            let (room, limit) = (room(spelled), HISTORY_MESSAGES_MAX);
            let op = Op::Transcript { room, limit };
            (Ticket::History(spelled.to_owned()), Ok(op))
        }
        (_, "/api/login" | "/api/create-room" | "/api/join-room", _) => {
            return Err(wrong_method("POST, OPTIONS"));
        }
        (_, "/api/rooms", _) | (_, _, Some(_)) => return Err(wrong_method("GET, OPTIONS")),
        (_, _, None) => return Err(failed(404, "Not found")),
    };
    let proof = match ticket {
        Ticket::LogIn => Proof::Unasked,
        Ticket::CreateRoom(_) | Ticket::Rooms | Ticket::JoinRoom(_) | Ticket::History(_) => {
            proof(request.authorization)
        }
    };
    Ok(Asked {
        ticket: ticket.into(),
        proof,
        op,
    })
}

fn wrong_method(methods: &'static str) -> Reply {
    Reply {
        allow: Some(methods),
        ..failed(405, "Method not allowed")
    }
}

/// What a header proves. Some clients leave the scheme out.
fn proof(authorization: Option<&str>) -> Proof {
    let said = authorization.map(str::trim).filter(|it| !it.is_empty());
    let Some(said) = said else {
        return Proof::Missing;
    };
    let token = match said.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) | None => said,
    };
    Proof::Token(Token::new(token))
}

fn fields(body: &[u8]) -> Result<Fields<'_>, Refusal> {
    let text = std::str::from_utf8(body).ok();
    text.and_then(object)
        .ok_or_else(|| Refusal::bad_frame("Invalid request body"))
}

/// A field that has to be there and say something.
fn needed<'a>(
    value: Option<&'a RawValue>,
    field: &str,
    missing: &str,
) -> Result<Cow<'a, str>, Refusal> {
    text(value)
        .filter(|it| !it.is_empty())
        .ok_or_else(|| Refusal::bad_argument(field).with_words(missing))
}

fn log_in(body: &[u8]) -> Result<Op, Refusal> {
    const MISSING: &str = "Username and password are required";
    let fields = fields(body)?;
    let login = needed(fields.username, "username", MISSING)?;
    let password = needed(fields.password, "password", MISSING)?;
    Ok(Op::LogIn {
        login: login.into_owned(),
        password: Password::new(password),
        make: true,
    })
}

/// The one who makes a room is whoever's token it is.
fn create_room(body: &[u8]) -> (Ticket, Result<Op, Refusal>) {
    let named = fields(body)
        .and_then(|fields| needed(fields.room_name, "roomName", "roomName is required"));
    let name = match named {
        Ok(name) => name,
        Err(refusal) => return (Ticket::CreateRoom(String::new()), Err(refusal)),
    };
    let op = lenient::name("roomName", &name).map(create);
    (Ticket::CreateRoom(name.into_owned()), op)
}

/// An open room that nobody is in yet, if there is none of that name.
fn create(name: Name) -> Op {
    Op::Found {
        command: CreateRoom {
            access: Some(Entry::Open),
            listed: Some(true),
            join: false,
            ..CreateRoom::named(name)
        },
    }
}

fn join_room(body: &[u8]) -> (Ticket, Result<Op, Refusal>) {
    let wanted = fields(body).and_then(|fields| {
        let spelled = needed(fields.room_id, "roomId", "roomId is required")?;
        Ok((spelled, text(fields.username)))
    });
    let (spelled, name) = match wanted {
        Ok(wanted) => wanted,
        Err(refusal) => return (Ticket::JoinRoom(String::new()), Err(refusal)),
    };
    let name = name.map(|name| lenient::name("username", &name));
    let op = name.transpose().map(|name| {
        Op::Enter(Box::new(Enter {
            name,
            rule: NameRule::Address,
            ..Enter::new(room(&spelled), &*spelled)
        }))
    });
    (Ticket::JoinRoom(spelled.into_owned()), op)
}

/// Spells the reply.
pub(crate) fn reply(ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Reply {
    match (ticket, answer) {
        (_, Err(refusal)) => match (ticket, refusal.code) {
            (Ticket::LogIn, Code::BadCredentials) => failed(401, "Invalid username or password"),
            (Ticket::CreateRoom(_), Code::NameTaken) => failed(200, "RoomName already exists"),
            (Ticket::JoinRoom(_), Code::RoomNotFound) => failed(200, words(refusal, "")),
            (_, _) => refuse(refusal),
        },
        (Ticket::LogIn, Ok(Answer::SignedIn(card))) => Reply::json(200, &token(card)),
        (Ticket::CreateRoom(_), Ok(Answer::Founded { already: true, .. })) => {
            failed(200, "RoomName already exists")
        }
        (Ticket::CreateRoom(name), Ok(Answer::Founded { room, .. })) => Reply::json(
            201,
            &Said {
                room_id: Some(&Spelling::Prefixed.write(room.id)),
                room_name: Some(name),
                ..Said::of("success", "Room created successfully")
            },
        ),
        (Ticket::Rooms, Ok(Answer::Lobby(rooms))) => Reply {
            status: 200,
            allow: None,
            body: list(rooms),
        },
        (Ticket::JoinRoom(spelled), Ok(Answer::Entered { room, .. })) => {
            let message = format!("Joined room {}", title(room).unwrap_or(spelled));
            let said = Said {
                room_id: Some(spelled),
                ..Said::of("success", &message)
            };
            Reply::json(200, &said)
        }
        (Ticket::History(spelled), Ok(Answer::Transcript(it))) => {
            Reply::json(200, &Conversation::of(spelled, it))
        }
        (_, Ok(_)) => refuse(&Refusal::new(Code::Unavailable)),
    }
}

/// Refuses a request that can't be read, or somebody who may not come in.
pub(crate) fn refuse(refusal: &Refusal) -> Reply {
    let message = if refusal.code == Code::Unauthenticated {
        "Authorization header missing"
    } else {
        words(refusal, &refusal.msg)
    };
    failed(status(refusal), message)
}

fn failed(status: u16, message: &str) -> Reply {
    Reply::json(status, &Said::of("failed", message))
}

/// The status of a refusal. Clients of this dialect know one for all that is wrong with a request.
fn status(refusal: &Refusal) -> u16 {
    match refusal.class {
        Class::Invalid if refusal.code != Code::TooLarge => 400,
        Class::Invalid
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::Conflict
        | Class::Limit
        | Class::Position
        | Class::Server => refusal.code.http_status(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    status: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_name: Option<&'a str>,
}

impl<'a> Said<'a> {
    const fn of(status: &'static str, message: &'a str) -> Self {
        Self {
            status,
            message,
            room_id: None,
            room_name: None,
        }
    }
}

fn token(card: &SignedInCard) -> impl Serialize + '_ {
    #[derive(Serialize)]
    struct Admitted<'a> {
        status: &'static str,
        token: &'a Token,
    }
    Admitted {
        status: "success",
        token: &card.token,
    }
}

/// The bare list of rooms, as much of it as a list may hold.
fn list(rooms: &[LobbyRoom]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed<'a> {
        room_id: String,
        room_name: &'a str,
    }
    let mut space = Space::new();
    let rooms = rooms.iter().take(lists::ROOMS_MAX);
    let rooms = rooms.map(|LobbyRoom { card, .. }| Listed {
        room_id: Spelling::Prefixed.write(card.id),
        // By what is listed here the second face joins, so it is what names the room alone.
        room_name: card
            .alias
            .as_ref()
            .map_or_else(|| title(card).unwrap_or_default(), Name::as_str),
    });
    let rooms = rooms.take_while(|room| space.take(room));
    crate::json(&rooms.collect::<Vec<_>>())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversation<'a> {
    room_id: &'a str,
    messages: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    sender: &'a str,
    message: &'a str,
    timestamp: String,
}

impl<'a> Conversation<'a> {
    fn of(spelled: &'a str, transcript: &'a Transcript) -> Self {
        let lines = transcript.messages.iter().filter_map(|message| {
            Some(Line {
                sender: message.by.name.as_ref().map_or("", Name::as_str),
                message: message.content.as_ref()?.body.as_str(),
                timestamp: rfc3339(message.at),
            })
        });
        Self {
            room_id: spelled,
            messages: lines.collect(),
        }
    }
}
