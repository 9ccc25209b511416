//! A WebSocket of `{"type":..,"group":..}`: groups by name, and log-in on the socket itself.
//!
//! Requests say `group` and replies `Group`; what is said is `Text`. What happens is a line, or
//! that somebody was added; nobody is told of those who leave. Unknown requests are passed over in
//! silence; refusals without a phrase of their own are said in words.

use std::borrow::Cow;

use chat_core::commands::{CreateRoom, Entry};
use chat_core::{Author, Event, Kind, Name, Password, Record, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::answer::{Answer, RoomCard, SignedInCard};
use crate::code::{Code, Refusal};
use crate::command::{Enter, Op, SignUp};
use crate::dialect::{Call, Say};
use crate::dialects::lenient::{Field, Plain, line, name, object, said, text};
use crate::dialects::lists::{self, Space};
use crate::room_ref::RoomRef;
use crate::signal::{Signal, What};
use crate::spelling::Spelling;
use crate::voice::Voice;

/// Groups that somebody joins by signing up.
const SIGN_UP_GROUPS_MAX: usize = 50;

/// Which request it was, and the group as the client spelled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// `log_in`.
    LogIn,
    /// `sign-up`.
    SignUp,
    /// `get_groups`.
    Groups,
    /// `first-connect`.
    FirstConnect(String),
    /// `message`.
    Message,
    /// `make_group`.
    MakeGroup,
    /// Nothing that could be read.
    Unreadable,
}

/// The group of this name, as this dialect makes it: listed, and open to everybody.
#[must_use]
pub fn group(name: Name) -> CreateRoom {
    CreateRoom {
        kind: Some(Kind::Group),
        access: Some(Entry::Open),
        listed: Some(true),
        // Who makes it enters it like everybody else: an account as a member, a guest as a visitor.
        join: false,
        ..CreateRoom::named(name)
    }
}

#[derive(Deserialize)]
struct Request<'a, F> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    name: Option<F>,
    pwrd: Option<F>,
    id: Option<F>,
    group: Option<F>,
    group_name: Option<F>,
    #[serde(borrow, default)]
    groups: Option<&'a RawValue>,
    #[serde(rename = "Text")]
    text: Option<F>,
}

/// Whether a socket's first frame is in this dialect.
pub(crate) fn recognises(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow, default)]
        action: Option<&'a RawValue>,
    }
    let shape = object::<Shape<'_>>(text);
    shape.is_some_and(|shape| shape.action.is_none() && is_known(&shape.kind))
}

fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "log_in" | "sign-up" | "get_groups" | "first-connect" | "message" | "make_group"
    )
}

/// Reads one frame; unknown requests leave no call.
pub(crate) fn decode(text: &str, calls: &mut Vec<Call>) {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    let plain = object::<Request<'_, Plain<'_>>>(text).map(|request| request.read());
    let reading = plain.or_else(|| {
        let request = object::<Request<'_, &RawValue>>(text);
        request.map(|request| request.read())
    });
    let reading = reading.flatten();
    let is_unknown = |shape: Shape<'_>| !is_known(&shape.kind);
    if reading.is_none() && object(text).is_some_and(is_unknown) {
        return;
    }
    let (ticket, op) = reading.unwrap_or_else(|| {
        let refusal = Refusal::bad_frame("Invalid message");
        (Ticket::Unreadable, Err(refusal))
    });
    calls.push(Call {
        ticket: ticket.into(),
        op,
    });
}

type Reading = (Ticket, Result<Op, Refusal>);

impl<F: Field> Request<'_, F> {
    fn read(&self) -> Option<Reading> {
        match &*self.kind {
            "log_in" => self.log_in(),
            "sign-up" => self.sign_up(),
            "get_groups" => Some((Ticket::Groups, Ok(Op::Lobby(lists::ALL)))),
            "first-connect" => self.first_connect(),
            "message" => self.message(),
            "make_group" => self.make_group(),
            _ => None,
        }
    }

    fn log_in(&self) -> Option<Reading> {
        let op = Op::LogIn {
            login: said(&self.name)?.into_owned(),
            password: Password::new(said(&self.pwrd)?),
            make: false,
        };
        Some((Ticket::LogIn, Ok(op)))
    }

    fn sign_up(&self) -> Option<Reading> {
        let (name, password) = (said(&self.name)?, said(&self.pwrd)?);
        let groups = match self.groups {
            Some(list) => serde_json::from_str::<Vec<&RawValue>>(list.get()).ok()?,
            None => Vec::new(),
        };
        if groups.len() > SIGN_UP_GROUPS_MAX {
            let words = format!("at most {SIGN_UP_GROUPS_MAX} groups");
            let refusal = Refusal::bad_argument("groups").with_words(words);
            return Some((Ticket::SignUp, Err(refusal)));
        }
        let groups = groups.into_iter().filter_map(|group| text(Some(group)));
        let op = Op::SignUp(Box::new(SignUp {
            name: name.into_owned(),
            email: None,
            handle: said(&self.id)
                .filter(|id| !is_blank(id))
                .map(Cow::into_owned),
            password: Password::new(password),
            rooms: groups.map(|group| RoomRef::named(&group)).collect(),
        }));
        Some((Ticket::SignUp, Ok(op)))
    }

    fn first_connect(&self) -> Option<Reading> {
        let group = said(&self.group)?;
        let op = self.user().map(|name| {
            Op::Enter(Box::new(Enter {
                name,
                unique: true,
                ..Enter::new(RoomRef::named(&group), &*group)
            }))
        });
        Some((Ticket::FirstConnect(group.into_owned()), op))
    }

    fn make_group(&self) -> Option<Reading> {
        let called = said(&self.group_name)?;
        let op = || {
            let make = Some(group(name("group_name", &called)?));
            Ok(Op::Enter(Box::new(Enter {
                name: self.user()?,
                unique: true,
                make,
                ..Enter::new(RoomRef::named(&called), &*called)
            })))
        };
        Some((Ticket::MakeGroup, op()))
    }

    fn message(&self) -> Option<Reading> {
        let (group, body) = (said(&self.group)?, said(&self.text)?);
        let op = line(RoomRef::named(&group), "Text", &body);
        Some((Ticket::Message, op))
    }

    /// The name that a guest wants; whoever is signed in needs none.
    fn user(&self) -> Result<Option<Name>, Refusal> {
        let wanted = said(&self.name).filter(|said| !is_blank(said));
        wanted.map(|said| name("name", &said)).transpose()
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Something that is said to a client.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Said<'a> {
    #[serde(rename = "login-accept")]
    LoginAccept { data: LogInData<'a> },
    #[serde(rename = "sign-up")]
    SignUp { data: SignUpData<'a> },
    #[serde(rename = "active-groups")]
    ActiveGroups { groups: Vec<Cow<'a, str>> },
    #[serde(rename = "acknowledge-connect")]
    AcknowledgeConnect {
        name: &'a str,
        #[serde(rename = "Group")]
        group: &'a str,
    },
    #[serde(rename = "user-added")]
    UserAdded {
        name: &'a str,
        #[serde(rename = "Group")]
        group: &'a str,
    },
    #[serde(rename = "message")]
    Message {
        name: &'a str,
        #[serde(rename = "Text")]
        text: &'a str,
    },
    #[serde(rename = "reject-connect")]
    RejectConnect { err: &'a str },
    // Clients know it by this spelling.
    #[serde(rename = "recomend-sign_up")]
    RecommendSignUp { err: &'a str },
    #[serde(rename = "err")]
    Error { err: &'a str },
}

#[derive(Serialize)]
struct LogInData<'a> {
    name: &'a str,
    id: &'a str,
    groups: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct SignUpData<'a> {
    name: &'a str,
    #[serde(rename = "receiverName")]
    receiver_name: &'a str,
    id: &'a str,
    groups: Vec<Cow<'a, str>>,
}

/// Spells the reply, if there is one: a message that went well has none, nor has a group made.
pub(crate) fn answer(ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
    let said = match answer {
        Ok(answer) => granted(ticket, answer)?,
        Err(refusal) => refused(ticket, refusal),
    };
    Some(crate::json(&said))
}

fn granted<'a>(ticket: &'a Ticket, answer: &'a Answer) -> Option<Said<'a>> {
    match (ticket, answer) {
        (Ticket::LogIn, Answer::SignedIn(card)) => {
            let (name, id, groups) = own(card);
            let data = LogInData { name, id, groups };
            Some(Said::LoginAccept { data })
        }
        (Ticket::SignUp, Answer::SignedIn(card)) => {
            let (name, id, groups) = own(card);
            let receiver_name = name;
            let data = SignUpData {
                name,
                receiver_name,
                id,
                groups,
            };
            Some(Said::SignUp { data })
        }
        (Ticket::Groups, Answer::Lobby(rooms)) => {
            let groups = words(rooms.iter().map(|room| &room.card));
            Some(Said::ActiveGroups { groups })
        }
        // A member whom the log-in brought here is welcomed again.
        (Ticket::FirstConnect(group), Answer::Entered { name, .. }) => {
            let name = name.as_str();
            Some(Said::AcknowledgeConnect { name, group })
        }
        _ => None,
    }
}

/// Name, id and groups of whoever is signed in. The id is whatever logs him in: his handle, or his
/// name if he has none.
fn own(card: &SignedInCard) -> (&str, &str, Vec<Cow<'_, str>>) {
    let name = author(&card.user);
    let id = card.handle.as_ref().map_or(name, Name::as_str);
    (name, id, words(&card.rooms))
}

/// As many rooms as one list may hold.
fn words<'a>(rooms: impl IntoIterator<Item = &'a RoomCard>) -> Vec<Cow<'a, str>> {
    let mut space = Space::new();
    let words = rooms.into_iter().take(lists::ROOMS_MAX);
    let words = words.map(RoomCard::word);
    words.take_while(|word| space.take(word)).collect()
}

fn author(by: &Author) -> &str {
    by.name.as_ref().map_or("", Name::as_str)
}

fn refused<'a>(ticket: &Ticket, refusal: &'a Refusal) -> Said<'a> {
    let err = match (ticket, refusal.code) {
        (Ticket::Unreadable, Code::BadFrame) => "Invalid message",
        (Ticket::LogIn, Code::UserNotFound) => {
            let err = "No such user";
            return Said::RecommendSignUp { err };
        }
        // No account has a password that can't be one.
        (Ticket::LogIn, Code::BadCredentials | Code::BadArgument) => "wrong-password",
        (Ticket::SignUp, Code::NameTaken) => "Similar IDs",
        (Ticket::FirstConnect(_), Code::NameTaken) => {
            let err = "User Exists";
            return Said::RejectConnect { err };
        }
        (Ticket::FirstConnect(_), Code::RoomNotFound) => {
            let err = "No such group";
            return Said::RejectConnect { err };
        }
        // A group that he may not know of has the name.
        (Ticket::MakeGroup, Code::RoomNotFound) => "this name is taken",
        (Ticket::Message, Code::RoomNotFound) => "No such group",
        (Ticket::Message, Code::NotAMember) => "Join the group first",
        _ => &refusal.msg,
    };
    Said::Error { err }
}

/// Spells a line, and that somebody with an account has become a member.
pub(crate) fn event(record: &Record, voice: &Voice) -> Option<Vec<u8>> {
    let name = author(&record.by);
    if let Event::Posted(posted) = &record.event {
        let text = posted.content.as_ref()?.body.as_str();
        return Some(crate::json(&Said::Message { name, text }));
    }
    let joined = matches!(record.event, Event::Joined(_)) && !record.by.id.is_guest();
    joined.then(|| added(name, record.room, voice))
}

/// Spells that a guest has come. Those who are members came when they joined: that they are here
/// again is no news.
pub(crate) fn signal(signal: &Signal, voice: &Voice, say: Say<'_>) {
    if signal.what == What::Arrived && signal.by.id.is_guest() {
        say(&added(author(&signal.by), signal.room, voice));
    }
}

fn added(name: &str, room: RoomId, voice: &Voice) -> Vec<u8> {
    let (_, called) = voice.manner();
    let group = called.map_or_else(|| Cow::Owned(Spelling::Prefixed.write(room)), Cow::Borrowed);
    let group = &group;
    crate::json(&Said::UserAdded { name, group })
}
