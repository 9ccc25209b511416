//! What the two front ends emit.

use std::borrow::Cow;

use chat_core::commands::{CreateRoom, Entry, Post, Typing};
use chat_core::{Command, Format, Name, Text};
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Asked;
use crate::code::{Code, Refusal};
use crate::command::{Enter, Op};
use crate::dialects::lenient::string;
use crate::dialects::unambiguous::Unambiguous;
use crate::room_ref::RoomRef;
use crate::socketio::Packet;
use crate::spelling::Spelling;
use crate::voice::Face;

type Wish = Result<Op, Refusal>;

/// Reads an event.
pub(super) fn read(packet: &Packet<'_>) -> (Asked, Wish) {
    let name = packet.name().unwrap_or_default();
    let asked = match &*name {
        "create_room" => Asked::Key,
        "join_room" => Asked::Name,
        "joinRoom" | "message" | "leaveRoom" | "typing" | "leave_room" | "send_message" => {
            Asked::Plain
        }
        _ => return (Asked::Plain, Err(Refusal::unknown_command(&name))),
    };
    if packet.attachments > 0 {
        let refusal = Refusal::new(Code::BadArgument).with_words("binary data can't be sent");
        return (asked, Err(refusal));
    }
    let arg = Arg::first_of(packet);
    let wish = match &*name {
        "create_room" => arg.create_room(),
        "join_room" => arg.join(),
        "joinRoom" => arg.join_by_name(),
        "typing" => arg.command(Typing::default()),
        "leaveRoom" | "leave_room" => arg.room().map(|(room, _)| Op::Exit { room: Some(room) }),
        _ => arg.post(),
    };
    (asked, wish)
}

/// The argument of an event. Whatever else it has is passed over.
#[derive(Default)]
struct Arg<'a> {
    /// The argument itself, if it is no object.
    word: Option<&'a RawValue>,
    room_id: Option<&'a RawValue>,
    username: Option<&'a RawValue>,
    message: Option<Message<'a>>,
}

/// A message as it came: mostly a string, which is read on the way.
enum Message<'a> {
    Text(Text),
    Json(&'a RawValue),
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "M: Deserialize<'de>"))]
struct Fields<'a, M> {
    #[serde(borrow, default)]
    room_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    username: Option<&'a RawValue>,
    /// Null is a message, too.
    #[serde(default = "Option::default", deserialize_with = "present")]
    message: Option<M>,
}

fn present<'de, D: Deserializer<'de>, M: Deserialize<'de>>(
    value: D,
) -> Result<Option<M>, D::Error> {
    M::deserialize(value).map(Some)
}

/// Reads the value that a text begins with, whatever follows it.
fn read_first<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    let mut values = serde_json::Deserializer::from_str(json).into_iter();
    values.next()?.ok()
}

impl<'a> Arg<'a> {
    fn first_of(packet: &'a Packet<'_>) -> Self {
        let Some(json) = packet.args_json() else {
            return Self::default();
        };
        if !json.starts_with('{') {
            let word = read_first(json);
            return Self {
                word,
                ..Self::default()
            };
        }
        if let Some(fields) = read_first(json) {
            return Self::of(fields, Message::Text);
        }
        let fields = read_first(json);
        fields.map_or_else(Self::default, |it| Self::of(it, Message::Json))
    }

    fn of<M>(fields: Fields<'a, M>, message: impl FnOnce(M) -> Message<'a>) -> Self {
        Self {
            word: None,
            room_id: fields.room_id,
            username: fields.username,
            message: fields.message.map(message),
        }
    }

    /// The room that is meant, and the JSON that names it: `{roomId}`, or the word alone.
    fn room(&self) -> Result<(RoomRef, &'a str), Refusal> {
        let json = self.room_id.or(self.word);
        let word = json.and_then(|json| Some((word(json)?, json.get())));
        let (word, json) = word.ok_or_else(|| missing("roomId"))?;
        Ok((RoomRef::read(Spelling::Key, &word), json))
    }

    fn create_room(&self) -> Wish {
        let name = self.word.and_then(word).ok_or_else(|| missing("name"))?;
        let command = CreateRoom {
            join: true,
            ..open_room(read_name("name", &name)?)
        };
        Ok(Op::Create {
            command,
            alias_if_free: true,
        })
    }

    fn join(&self) -> Wish {
        let (room, called) = self.room()?;
        Ok(Op::Enter(Box::new(Enter {
            face: Face::Second,
            ..Enter::new(room, called)
        })))
    }

    fn join_by_name(&self) -> Wish {
        let (room, called) = self.room()?;
        let room_name = room.alias.clone().ok_or_else(|| missing("roomId"))?;
        let name = self.username.and_then(word);
        let name = name.filter(|name| !name.trim().is_empty());
        let name = name.map(|name| read_name("username", &name)).transpose()?;
        Ok(Op::Enter(Box::new(Enter {
            name,
            make: Some(open_room(room_name)),
            ..Enter::new(room, called)
        })))
    }

    fn post(&self) -> Wish {
        let message = self.message.as_ref().and_then(said);
        self.command(message.ok_or_else(|| missing("message"))?)
    }

    fn command(&self, command: impl Into<Command>) -> Wish {
        let (room, _) = self.room()?;
        Ok(Op::InRoom {
            room: Some(room),
            cid: None,
            command: command.into(),
        })
    }
}

/// A room as the older server of this dialect has them: open to all, and listed.
fn open_room(name: Name) -> CreateRoom {
    CreateRoom {
        access: Some(Entry::Open),
        listed: Some(true),
        join: false,
        ..CreateRoom::named(name)
    }
}

/// A message as it is kept: what a string says, or the JSON of anything else; none if that can't
/// be, or if some client might not read it or read something else.
fn said(message: &Message<'_>) -> Option<Post> {
    let json = match message {
        Message::Text(text) => return Some(Post::plain(text.clone())),
        Message::Json(json) => json.get(),
    };
    // It would have been read as one.
    if json.starts_with('"') {
        return None;
    }
    serde_json::from_str::<Unambiguous>(json).ok()?;
    Some(Post {
        format: Format::Json,
        ..Post::plain(Text::new(json).ok()?)
    })
}

/// A value that names something: what a string says, or the digits of a number.
fn word(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first() {
        Some(b'"') => string(value),
        Some(b'0'..=b'9') => Some(Cow::Borrowed(value.get())),
        Some(_) | None => None,
    }
}

fn read_name(field: &str, text: &str) -> Result<Name, Refusal> {
    Name::new(text).map_err(|error| Refusal::bad_argument(field).with_words(error.to_string()))
}

fn missing(field: &str) -> Refusal {
    Refusal::bad_argument(field)
}
