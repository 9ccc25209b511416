//! A WebSocket of `{"type":..,"payload":..}`, where somebody has a name per room and no account.
//!
//! It has no tokens of its own, no history, and one word for what happens: a chat line. Unknown
//! requests are passed over in silence; refusals without a phrase of their own are said in words.

use std::borrow::Cow;

use chat_core::commands::{CreateRoom, Entry};
use chat_core::{Content, Event, Name, Password, Record};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::answer::{Answer, LobbyRoom, Mode};
use crate::code::{Code, Refusal};
use crate::command::{Enter, Lobby, Op, Token};
use crate::dialect::Call;
use crate::dialects::lenient::{self, Field, Plain, line, object, said};
use crate::dialects::lists::{self, Space};
use crate::json::json_after;
use crate::room_ref::RoomRef;
use crate::spelling::Spelling;

/// What `rooms` asks for.
const EVERYBODY: Lobby = Lobby {
    people: true,
    ..lists::ALL
};

/// Which request it was, and the room as the client spelled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// `create`.
    Create,
    /// `query` for `rooms`.
    Rooms,
    /// `query` for `userInRoom`.
    UserInRoom,
    /// `join`.
    Join(String),
    /// `chat`.
    Chat,
    /// `leave`; of all rooms if it names none.
    Leave(Option<String>),
    /// Nothing that could be read.
    Unreadable,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<F> {
    name: Option<F>,
    visibility: Option<F>,
    pass: Option<F>,
    query: Option<F>,
    room_id: Option<F>,
    msg: Option<F>,
    token: Option<F>,
}

/// Whether a socket's first frame is in this dialect.
pub(crate) fn recognises(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
        #[serde(borrow, default)]
        action: Option<&'a RawValue>,
    }
    match object::<Shape<'_>>(text) {
        Some(shape) if shape.action.is_some() => false,
        Some(shape) => match &*shape.kind {
            "create" | "query" | "join" | "leave" => true,
            "chat" => shape.payload.is_some(),
            _ => false,
        },
        None => false,
    }
}

/// Reads one frame; unknown requests leave no call.
pub(crate) fn decode(text: &str, calls: &mut Vec<Call>) {
    let call = match object::<Request<'_>>(text) {
        Some(request) => request.call(),
        None => Some(unreadable()),
    };
    if let Some((ticket, op)) = call {
        calls.push(Call {
            ticket: ticket.into(),
            op,
        });
    }
}

type Reading = (Ticket, Result<Op, Refusal>);

fn unreadable() -> Reading {
    (
        Ticket::Unreadable,
        Err(Refusal::bad_frame("Invalid message")),
    )
}

impl Request<'_> {
    fn call(&self) -> Option<Reading> {
        let known = matches!(&*self.kind, "create" | "query" | "join" | "chat" | "leave");
        if !known {
            return None;
        }
        let payload = match self.payload {
            None if self.kind == "leave" => {
                return Some((Ticket::Leave(None), Ok(Op::Exit { room: None })));
            }
            None => return Some(unreadable()),
            Some(raw) => raw.get(),
        };
        let kind = &*self.kind;
        let plain = object::<Payload<Plain<'_>>>(payload).map(|it| it.read(kind));
        let reading = plain.or_else(|| {
            let payload = object::<Payload<&RawValue>>(payload);
            payload.map(|it| it.read(kind))
        });
        reading.unwrap_or_else(|| Some(unreadable()))
    }
}

impl<F: Field> Payload<F> {
    /// Reads a known request; none is one to be passed over.
    fn read(&self, kind: &str) -> Option<Reading> {
        let reading = match kind {
            "create" => self.create(),
            "query" => return self.query(),
            "join" => self.join(),
            "chat" => self.chat(),
            _ => Some(self.leave()),
        };
        Some(reading.unwrap_or_else(unreadable))
    }

    fn create(&self) -> Option<Reading> {
        let name = said(&self.name)?;
        Some((Ticket::Create, self.create_op(&name)))
    }

    fn create_op(&self, name: &str) -> Result<Op, Refusal> {
        let name = lenient::name("name", name)?;
        let visibility = said(&self.visibility).unwrap_or(Cow::Borrowed("public"));
        let private = match &*visibility {
            "public" => false,
            "private" => true,
            _ => {
                let refusal = Refusal::bad_argument("visibility");
                return Err(refusal.with_words("Visibility is public or private"));
            }
        };
        let access = match self.pass() {
            Some(password) => Entry::Password { password },
            None if private => {
                let refusal = Refusal::bad_argument("pass");
                return Err(refusal.with_words("Private rooms need a password"));
            }
            None => Entry::Open,
        };
        let command = CreateRoom {
            access: Some(access),
            listed: Some(true),
            join: false,
            ..CreateRoom::named(name)
        };
        Ok(Op::Create {
            command,
            alias_if_free: true,
        })
    }

    fn query(&self) -> Option<Reading> {
        let Some(query) = said(&self.query) else {
            return Some(unreadable());
        };
        match &*query {
            "rooms" => Some((Ticket::Rooms, Ok(Op::Lobby(EVERYBODY)))),
            "userInRoom" => {
                let room = room(&said(&self.room_id).unwrap_or_default());
                Some((Ticket::UserInRoom, Ok(Op::Inside { room })))
            }
            _ => None,
        }
    }

    fn join(&self) -> Option<Reading> {
        let (name, spelled) = (said(&self.name)?, said(&self.room_id)?);
        let op = lenient::name("name", &name).map(|name| {
            Op::Enter(Box::new(Enter {
                name: Some(name),
                password: self.pass(),
                token: said(&self.token)
                    .filter(|it| !it.is_empty())
                    .map(Token::new),
                ..Enter::new(room(&spelled), &*spelled)
            }))
        });
        Some((Ticket::Join(spelled.into_owned()), op))
    }

    fn chat(&self) -> Option<Reading> {
        let (spelled, body) = (said(&self.room_id)?, said(&self.msg)?);
        Some((Ticket::Chat, line(room(&spelled), "msg", &body)))
    }

    fn leave(&self) -> Reading {
        let spelled = said(&self.room_id);
        let op = Op::Exit {
            room: spelled.as_deref().map(room),
        };
        (Ticket::Leave(spelled.map(Cow::into_owned)), Ok(op))
    }

    fn pass(&self) -> Option<Password> {
        said(&self.pass)
            .filter(|pass| !pass.is_empty())
            .map(Password::new)
    }
}

fn room(spelled: &str) -> RoomRef {
    RoomRef::read(Spelling::Code, spelled)
}

/// Spells the reply, if there is one: a chat line that went well has none.
pub(crate) fn answer(ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
    match answer {
        Ok(answer) => granted(ticket, answer),
        Err(refusal) => Some(say(1, refused(ticket, refusal))),
    }
}

fn granted(ticket: &Ticket, answer: &Answer) -> Option<Vec<u8>> {
    match (ticket, answer) {
        (Ticket::Create, Answer::Created { room, .. }) => {
            let code = Spelling::Code.write(*room);
            Some(say(
                0,
                format!("Room created successfully, Room id: {code}"),
            ))
        }
        (Ticket::Rooms, Answer::Lobby(rooms)) => Some(lobby(rooms)),
        (Ticket::UserInRoom, Answer::Inside(true)) => Some(say(0, "User exists in the room")),
        (Ticket::UserInRoom, Answer::Inside(false)) => {
            Some(say(1, "User does not exist in the room"))
        }
        (Ticket::Join(room), Answer::Entered { already: true, .. }) => {
            Some(say(1, format!("You are already in the Room: {room}")))
        }
        (Ticket::Join(room), Answer::Entered { already: false, .. }) => {
            Some(say(0, format!("Successfully joined the Room: {room}")))
        }
        // Clients know it by its missing quote.
        (Ticket::Leave(Some(room)), Answer::Exited { name, .. }) => {
            Some(say(0, format!("User '{name}' left the Room '{room}")))
        }
        (Ticket::Leave(None), Answer::ExitedAll {}) => Some(say(0, "Left all rooms")),
        _ => None,
    }
}

fn refused<'a>(ticket: &Ticket, refusal: &'a Refusal) -> Cow<'a, str> {
    match (ticket, refusal.code) {
        (Ticket::Unreadable, Code::BadFrame) => Cow::Borrowed("Invalid message"),
        (_, Code::RoomNotFound) => Cow::Borrowed("Room does not exist"),
        (Ticket::Join(_), Code::WrongPassword) => Cow::Borrowed("Invalid Pass Key!"),
        (Ticket::Chat, Code::NotAMember) => Cow::Borrowed("You are not in the Room"),
        (Ticket::Leave(Some(room)), Code::NotAMember) => {
            Cow::Owned(format!("You are not in the Room: {room}"))
        }
        _ => Cow::Borrowed(&refusal.msg),
    }
}

fn say(code: u8, message: impl AsRef<str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Said<'a> {
        code: u8,
        message: &'a str,
    }
    crate::json(&Said {
        code,
        message: message.as_ref(),
    })
}

/// The bare list of rooms, as much of it as a list may hold. A room with a crowd that doesn't fit
/// stands there without names.
fn lobby(rooms: &[LobbyRoom]) -> Vec<u8> {
    let mut space = Space::new();
    let rooms = rooms.iter().take(lists::ROOMS_MAX).map(Listed::from);
    let rooms = rooms.map_while(|room| {
        if space.take(&room) {
            return Some(room);
        }
        let people = Vec::new();
        Some(Listed { people, ..room }).filter(|room| space.take(room))
    });
    crate::json(&rooms.collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Listed<'a> {
    id: String,
    name: &'a str,
    people: Vec<Person<'a>>,
    visibility: &'static str,
}

#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
}

impl<'a> From<&'a LobbyRoom> for Listed<'a> {
    fn from(room: &'a LobbyRoom) -> Self {
        let card = &room.card;
        let name = card.name.as_ref().or(card.alias.as_ref());
        Self {
            id: Spelling::Code.write(card.id),
            name: name.map_or("", Name::as_str),
            people: room
                .people
                .iter()
                .map(|name| Person {
                    name: name.as_str(),
                })
                .collect(),
            visibility: match card.access {
                Mode::Open => "public",
                Mode::Password | Mode::Invite | Mode::Groups => "private",
            },
        }
    }
}

/// Spells a chat line; there is no word for anything else.
pub(crate) fn event(record: &Record) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    struct Line<'a> {
        msg: &'a str,
        user: &'a str,
    }
    let Event::Posted(posted) = &record.event else {
        return None;
    };
    let Content { body, .. } = posted.content.as_ref()?;
    let user = record.by.name.as_ref().map_or("", Name::as_str);
    let msg = body.as_str();
    Some(json_after(b"message: ", &Line { msg, user }))
}
