//! The dialect over HTTP: signing up, logging in, rooms, and what was said in them.

use std::borrow::Cow;

use chat_core::commands::{CreateRoom, Entry};
use chat_core::{Name, Password, RoomId, Timestamp, UserId};
use serde::Serialize;

use super::{fields, string};
use crate::answer::{Answer, RoomCard, SignedInCard, Transcript};
use crate::code::{Class, Code, Refusal};
use crate::command::{Lobby, Op, SignUp};
use crate::http::{Asked, Cors, Proof, Reply, Request};
use crate::room_ref::RoomRef;
use crate::spelling::Spelling;
use crate::time::rfc3339_ms;

/// What pages of other origins may do.
pub(crate) const CORS: Cors = Cors {
    methods: "POST, GET, OPTIONS, PUT, DELETE",
    headers: "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization",
};

/// Rooms of a list, and messages of a room.
const ITEMS_MAX: u8 = 50;

/// What a request lacks is said in these words; clients know them as they are.
const BAD_REQUEST: &str = "invalid/bad request paramenters";

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// `auth/signup`.
    SignUp,
    /// `auth/login`.
    LogIn,
    /// `chat/create`.
    Create,
    /// `chat/rooms`.
    Rooms,
    /// `chat/room-messages`.
    Messages,
}

impl Ticket {
    fn of(path: &str) -> Option<Self> {
        Some(match path.strip_prefix("/v1/api/")? {
            "auth/signup" => Self::SignUp,
            "auth/login" => Self::LogIn,
            "chat/create" => Self::Create,
            "chat/rooms" => Self::Rooms,
            "chat/room-messages" => Self::Messages,
            _ => return None,
        })
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::SignUp | Self::LogIn | Self::Create | Self::Messages => "POST, OPTIONS",
            Self::Rooms => "GET, POST, OPTIONS",
        }
    }

    fn op(self, body: &str) -> Result<Op, Refusal> {
        match self {
            Self::SignUp => sign_up(body),
            Self::LogIn => log_in(body),
            Self::Create => create(body),
            Self::Rooms => Ok(Op::Lobby(Lobby {
                people: false,
                newest: true,
                limit: ITEMS_MAX.into(),
            })),
            Self::Messages => messages(body),
        }
    }
}

/// Reads a request. What type its content has isn't looked at.
pub(crate) fn ask(request: &Request<'_>) -> Result<Asked, Reply> {
    let Some(ticket) = Ticket::of(request.path) else {
        return Err(said(404, "there is nothing here"));
    };
    let methods = ticket.methods();
    if !methods.split(", ").any(|it| it == request.method) {
        return Err(Reply {
            allow: Some(methods),
            ..said(405, "this method is not allowed here")
        });
    }
    let proof = match ticket {
        Ticket::SignUp | Ticket::LogIn => Proof::Unasked,
        Ticket::Create | Ticket::Rooms | Ticket::Messages => Proof::of(request.authorization),
    };
    let op = match std::str::from_utf8(request.body) {
        Ok(body) => ticket.op(body),
        Err(_) => Err(lacking()),
    };
    Ok(Asked {
        ticket: ticket.into(),
        proof,
        op,
    })
}

fn lacking() -> Refusal {
    Refusal::bad_frame(BAD_REQUEST)
}

/// The strings that an object holds under these names, if it holds them all.
fn strings<'a, const N: usize>(
    body: &'a str,
    names: [&'static str; N],
) -> Result<[Cow<'a, str>; N], Refusal> {
    let found = fields(body, names).ok_or_else(lacking)?;
    let found: Vec<_> = found.into_iter().flatten().filter_map(string).collect();
    found.try_into().map_err(|_| lacking())
}

fn sign_up(body: &str) -> Result<Op, Refusal> {
    let [name, email, password] = strings(body, ["user_name", "email", "password"])?;
    Ok(Op::SignUp(Box::new(SignUp {
        name: name.into_owned(),
        email: Some(email.into_owned()),
        handle: None,
        password: Password::new(password),
        rooms: Vec::new(),
    })))
}

fn log_in(body: &str) -> Result<Op, Refusal> {
    let [email, password] = strings(body, ["email", "password"])?;
    Ok(Op::LogIn {
        login: email.into_owned(),
        password: Password::new(password),
        make: false,
    })
}

fn create(body: &str) -> Result<Op, Refusal> {
    let [name] = strings(body, ["name"])?;
    let name = Name::new(&name)
        .map_err(|error| Refusal::bad_argument("name").with_words(error.to_string()))?;
    Ok(Op::Found {
        command: CreateRoom {
            access: Some(Entry::Open),
            listed: Some(true),
            ..CreateRoom::named(name)
        },
    })
}

fn messages(body: &str) -> Result<Op, Refusal> {
    let [room] = fields(body, ["roomId"]).ok_or_else(lacking)?;
    let room = room.ok_or_else(lacking)?;
    // A number or a string: it says the same.
    let spelled = string(room).unwrap_or(Cow::Borrowed(room.get()));
    Ok(Op::Transcript {
        room: RoomRef::read(Spelling::Number, &spelled),
        limit: ITEMS_MAX.into(),
    })
}

/// Spells the reply to a request.
pub(crate) fn reply(ticket: Ticket, answer: &Result<Answer, Refusal>) -> Reply {
    match (ticket, answer) {
        (Ticket::SignUp | Ticket::LogIn, Ok(Answer::SignedIn(card))) => signed_in(card),
        (Ticket::Create, Ok(Answer::Founded { room, .. })) => founded(room),
        (Ticket::Rooms, Ok(Answer::Lobby(rooms))) => {
            lobby(rooms.iter().map(|it| &it.card).collect())
        }
        (Ticket::Messages, Ok(Answer::Transcript(it))) => transcript(it),
        (_, Ok(_)) => refuse(&Refusal::new(Code::Unavailable)),
        (Ticket::SignUp, Err(refusal)) if refusal.class == Class::Conflict => {
            said(400, conflict(refusal))
        }
        (_, Err(refusal)) => refuse(refusal),
    }
}

fn conflict(refusal: &Refusal) -> &str {
    match detail(refusal, "field") {
        "email" => "email already exists",
        _ => &refusal.msg,
    }
}

/// Spells a refusal: in the words that clients know, if there are such.
pub(crate) fn refuse(refusal: &Refusal) -> Reply {
    let status = match (refusal.code, refusal.class) {
        (Code::BadCredentials | Code::BadArgument | Code::EmptyBody, _) => 400,
        (code, _) => code.http_status(),
    };
    let words: Cow<'_, str> = match (refusal.code, detail(refusal, "fault")) {
        (Code::BadFrame, _) => BAD_REQUEST.into(),
        (Code::BadCredentials, _) => "invalid login credentials".into(),
        (Code::Unauthenticated, _) => "malformed jwt token".into(),
        (Code::TokenExpired, _) => "Token is expired".into(),
        (Code::TokenInvalid, "segments") => "token contains an invalid number of segments".into(),
        (Code::TokenInvalid, "signature" | "key") => "signature is invalid".into(),
        (Code::TokenInvalid, "algorithm") => {
            let algorithm = detail(refusal, "alg");
            format!("unexpected signing method: {algorithm}").into()
        }
        (_, _) => refusal.msg.as_str().into(),
    };
    said(status, &words)
}

fn detail<'a>(refusal: &'a Refusal, name: &str) -> &'a str {
    let value = refusal.details.get(name);
    value.and_then(|value| value.as_str()).unwrap_or_default()
}

fn said(status: u16, message: &str) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Said<'a> {
        message: &'a str,
        code: u16,
        status: bool,
    }
    Reply::json(
        status,
        &Said {
            message,
            code: status,
            status: false,
        },
    )
}

fn signed_in(card: &SignedInCard) -> Reply {
    #[derive(Serialize)]
    struct Said<'a> {
        user: User<'a>,
        token: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct User<'a> {
        #[serde(flatten)]
        row: Row<UserId>,
        user_name: &'a str,
        email: &'a str,
    }
    let user = User {
        row: Row::of(card.user.id, card.created_at, card.updated_at),
        user_name: card.user.name.as_ref().map_or("", Name::as_str),
        email: card.email.as_deref().unwrap_or_default(),
    };
    let token = card.token.expose();
    Reply::json(200, &Said { user, token })
}

/// What everything that is kept begins with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<I> {
    #[serde(rename = "ID")]
    id: I,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
}

impl<I> Row<I> {
    fn of(id: I, created_at: Timestamp, updated_at: Timestamp) -> Self {
        Self {
            id,
            created_at: rfc3339_ms(created_at),
            updated_at: rfc3339_ms(updated_at),
            deleted_at: None,
        }
    }
}

#[derive(Serialize)]
struct ChatRoom<'a> {
    #[serde(flatten)]
    row: Row<RoomId>,
    name: &'a str,
}

impl<'a> From<&'a RoomCard> for ChatRoom<'a> {
    fn from(card: &'a RoomCard) -> Self {
        Self {
            row: Row::of(card.id, card.created.at, card.updated_at),
            name: name_of(card),
        }
    }
}

fn name_of(card: &RoomCard) -> &str {
    let name = card.name.as_ref().or(card.alias.as_ref());
    name.map_or("", Name::as_str)
}

fn founded(room: &RoomCard) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Said<'a> {
        chat_room: ChatRoom<'a>,
    }
    let chat_room = room.into();
    Reply::json(200, &Said { chat_room })
}

fn lobby(rooms: Vec<&RoomCard>) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Said<'a> {
        chat_rooms: Vec<ChatRoom<'a>>,
    }
    let rooms = rooms.into_iter().take(ITEMS_MAX.into());
    let chat_rooms = rooms.map(ChatRoom::from).collect();
    Reply::json(200, &Said { chat_rooms })
}

fn transcript(it: &Transcript) -> Reply {
    #[derive(Serialize)]
    struct Said<'a> {
        chats: Vec<Chat<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Chat<'a> {
        chat_message: &'a str,
        chat_user_id: UserId,
        chat_user: &'a str,
        chat_room_id: RoomId,
        chat_room_name: &'a str,
        #[serde(rename = "ChatMessageTs")]
        at: String,
    }
    let mut chats = Vec::with_capacity(it.messages.len());
    for message in &it.messages {
        // What was deleted says nothing.
        let Some(content) = &message.content else {
            continue;
        };
        chats.push(Chat {
            chat_message: content.body.as_str(),
            chat_user_id: message.by.id,
            chat_user: message.by.name.as_ref().map_or("", Name::as_str),
            chat_room_id: it.room.id,
            chat_room_name: name_of(&it.room),
            at: rfc3339_ms(message.at),
        });
    }
    Reply::json(200, &Said { chats })
}
