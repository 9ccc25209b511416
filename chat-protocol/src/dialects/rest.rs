//! Accounts and rooms over HTTP below `/v1/api`, and one room per WebSocket, which the handshake
//! names.
//!
//! Keys are matched without regard to case, and unknown ones are passed over. On the socket
//! nothing is refused in words: a bad frame is ignored.

pub(crate) mod http;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chat_core::commands::Post;
use chat_core::{Content, Event, Name, Record, RoomId, Text, UserId};
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::Refusal;
use crate::command::Op;
use crate::dialect::{Call, Form};
use crate::dialects::lenient::{Quoted, string};

/// The label of a message that holds the name by which its sender called the room.
pub(crate) const ROOM_NAME: &str = "rest.chatRoomName";

/// The label of a message that came in a binary frame; its value is `2`, the frame's type.
pub(crate) const TYPE: &str = "rest.Type";

/// The type of a text message (RFC 6455, section 5.2), and that of a binary one.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// What there is to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// A chat line.
    Chat,
    /// Nothing that could be read.
    Unreadable,
}

/// Reads one frame: a chat line for the room that the socket is in, whatever room it names.
pub(crate) fn decode(text: &str, form: Form, calls: &mut Vec<Call>) {
    let (ticket, op) = match said(text) {
        Some((body, called)) => (Ticket::Chat, chat(&body, called, form)),
        None => unreadable(),
    };
    calls.push(Call {
        ticket: ticket.into(),
        op,
    });
}

/// The message of a frame, and the name by which its sender calls the room.
fn said(text: &str) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
    const NAMES: [&str; 2] = ["chatMessage", "chatRoomName"];
    if let Some([body, called]) = fields(text, NAMES) {
        let text = |Quoted(text)| text;
        return body.map(|body| (text(body), called.map(text)));
    }
    // Something in it is no string.
    let [body, called] = fields::<&RawValue, 2>(text, NAMES)?;
    Some((string(body?)?, called.and_then(string)))
}

fn unreadable() -> (Ticket, Result<Op, Refusal>) {
    (Ticket::Unreadable, Err(Refusal::bad_frame("bad message")))
}

fn chat(body: &str, called: Option<Cow<'_, str>>, form: Form) -> Result<Op, Refusal> {
    let text = |field: &str, text: &str| {
        Text::new(text).map_err(|bad| Refusal::bad_argument(field).with_words(bad.to_string()))
    };
    let mut ext = BTreeMap::new();
    if let Some(called) = called.filter(|called| !called.is_empty()) {
        ext.insert(label(ROOM_NAME), text("chatRoomName", &called)?);
    }
    if form == Form::Binary {
        ext.insert(label(TYPE), label("2"));
    }
    let body = text("chatMessage", body)?;
    let post = Post {
        ext,
        ..Post::plain(body)
    };
    Ok(Op::InRoom {
        room: None,
        cid: None,
        command: post.into(),
    })
}

fn label(text: &str) -> Text {
    Text::new(text).expect("a plain word holds no NUL")
}

/// Spells a chat line; there is no word for anything else.
pub(crate) fn event(record: &Record) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line<'a> {
        #[serde(rename = "Type")]
        kind: u8,
        body: Body<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        chat_room_name: Option<&'a str>,
        chat_room_id: RoomId,
        chat_message: &'a str,
        chat_user: &'a str,
        chat_user_id: UserId,
    }
    let Event::Posted(posted) = &record.event else {
        return None;
    };
    let Content { body, ext, .. } = posted.content.as_ref()?;
    let said = |name: &str| {
        let mut labels = ext.iter();
        let found = labels.find(|(key, _)| key.as_str() == name);
        found.map(|(_, value)| value.as_str())
    };
    let mut line = crate::json(&Line {
        kind: if said(TYPE) == Some("2") {
            BINARY
        } else {
            TEXT
        },
        body: Body {
            chat_room_name: said(ROOM_NAME),
            chat_room_id: record.room,
            chat_message: body.as_str(),
            chat_user: record.by.name.as_ref().map_or("", Name::as_str),
            chat_user_id: record.by.id,
        },
    });
    line.push(b'\n');
    Some(line)
}

/// What an object says under the names that are asked for; none if there is no object.
///
/// Null says nothing. A name that comes twice, in whatever case, is refused: the older server took
/// the last, others may take the first, and no client of the dialect writes two.
fn fields<'a, F: Deserialize<'a>, const N: usize>(
    json: &'a str,
    names: [&'static str; N],
) -> Option<[Option<F>; N]> {
    struct Named<F, const N: usize>([&'static str; N], PhantomData<F>);

    #[derive(Deserialize)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

    impl<'de, F: Deserialize<'de>, const N: usize> Visitor<'de> for Named<F, N> {
        type Value = [Option<F>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut found, mut seen) = ([const { None }; N], [false; N]);
            while let Some(Key(key)) = map.next_key()? {
                let mut slots = self.0.iter().zip(found.iter_mut().zip(&mut seen));
                let slot = slots.find(|(name, _)| key.eq_ignore_ascii_case(name));
                let Some((name, (slot, seen))) = slot else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                };
                let twice = std::mem::replace(seen, true);
                #[cfg(sabotage)]
                let twice = twice && !chat_core::sabotage::planted("last_key_counts");
                if twice {
                    return Err(A::Error::duplicate_field(name));
                }
                if let Some(value) = map.next_value()? {
                    *slot = Some(value);
                }
            }
            Ok(found)
        }
    }

    let mut json = serde_json::Deserializer::from_str(json);
    let found = json.deserialize_map(Named(names, PhantomData)).ok()?;
    json.end().ok().map(|()| found)
}
