//! What transcripts give a dialect to spell.

use std::collections::BTreeMap;

use chat_core::{Author, Name, RoomId, Seq};
use chat_protocol::answer::{
    Answer, BanCard, FoundCard, InviteCard, LobbyRoom, MarkerCard, Me, MemberCard, Message, Mode,
    MyRoom, Page, PresenceCard, PublishedLimits, Records, ResumeState, RoomCard, SignedInCard,
    Snapshot, Transcript, Welcome,
};
use chat_protocol::{Code, Dialect, Face, Refusal, ServerFrame, Signal, System, Voice};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct GivenVoice {
    #[serde(default)]
    face: GivenFace,
    #[serde(default)]
    room: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GivenFace {
    #[default]
    First,
    Second,
}

impl GivenVoice {
    pub(crate) fn voice(&self, dialect: Dialect) -> Voice {
        let face = match self.face {
            GivenFace::First => Face::First,
            GivenFace::Second => Face::Second,
        };
        Voice::for_seat(dialect, face, &self.room)
    }
}

pub(crate) fn parsed<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub(crate) fn signal(text: &str) -> Signal {
    match ServerFrame::decode(text) {
        Ok(ServerFrame::Signal(signal)) => signal,
        other => panic!("{other:?} is no signal"),
    }
}

pub(crate) fn system(text: &str) -> System {
    match ServerFrame::decode(text) {
        Ok(ServerFrame::System(system)) => system,
        other => panic!("{other:?} is no word about the connection"),
    }
}

/// An answer as a transcript gives it: an object with its name as the key.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    Done {
        seq: Seq,
        #[serde(default)]
        dup: bool,
    },
    Created {
        room: RoomId,
        seq: Seq,
        #[serde(default)]
        dup: bool,
    },
    Accepted,
    Welcome(GivenWelcome),
    Subscribed(BTreeMap<RoomId, ResumeState>),
    Snapshot(Box<Snapshot>),
    Records {
        since: Seq,
        events: Vec<Value>,
        upto: Seq,
        head: Seq,
        reader: chat_core::UserId,
    },
    Room(Box<RoomCard>),
    Rooms(Page<MyRoom>),
    Directory(Page<RoomCard>),
    Search(Page<FoundCard>),
    Members(Page<MemberCard>),
    Bans(Page<BanCard>),
    Invites(Page<InviteCard>),
    History(Page<Message>),
    Message(Box<Message>),
    Pins(Page<Message>),
    Markers(Page<MarkerCard>),
    Presence(Page<PresenceCard>),
    Permissions(Me),
    Explain(chat_core::Explanation),
    User(Author),
    Limits(serde_json::Map<String, Value>),
    Refused(Code),
    RefusedFor {
        code: Code,
        details: BTreeMap<String, Value>,
    },
    RefusedIn {
        code: Code,
        words: String,
        retry_ms: u64,
    },
    Rejected(chat_core::Rejection),
}

/// What only the older dialects are answered.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Older {
    Founded(Box<RoomCard>),
    Entered {
        name: Name,
        #[serde(default = "galaxy")]
        room: Name,
        #[serde(default)]
        already: bool,
    },
    Exited {
        name: Name,
    },
    ExitedAll,
    Inside(bool),
    Lobby(Vec<GivenLobbyRoom>),
    Transcript(Box<Transcript>),
    Connected {
        session: String,
    },
    SignedIn(Box<SignedInCard>),
}

#[derive(Deserialize)]
struct GivenWelcome {
    session: String,
    user: Author,
    time: chat_core::Timestamp,
    rooms: BTreeMap<RoomId, Value>,
    guest_token: Option<String>,
}

#[derive(Deserialize)]
struct GivenLobbyRoom {
    id: u64,
    name: Name,
    #[serde(default)]
    alias: Option<Name>,
    access: Mode,
    people: Vec<Name>,
}

fn galaxy() -> Name {
    Name::new("galaxy").unwrap()
}

/// A room's card.
pub(crate) fn card(id: u64, name: Option<Name>, access: Mode) -> RoomCard {
    let card = serde_json::json!({
        "id": id, "kind": "channel", "access": access, "listed": true, "lifecycle": "active",
        "members": 0, "created": {"by": 0, "at": 1}, "updated_at": 1, "head_seq": 1, "head_idx": 0,
    });
    RoomCard {
        name,
        ..parsed(&card.to_string())
    }
}

fn limits(server: serde_json::Map<String, Value>) -> PublishedLimits {
    PublishedLimits {
        engine: chat_core::Limits::default(),
        server,
    }
}

fn welcome(it: GivenWelcome) -> Welcome {
    let rooms = it
        .rooms
        .into_iter()
        .map(|(room, state)| (room, parsed(&state.to_string())));
    Welcome {
        session: it.session,
        user: it.user,
        time: it.time,
        ping_ms: 25_000,
        limits: limits(serde_json::Map::new()),
        rooms: rooms.collect(),
        epoch: "k3".to_owned(),
        guest_token: it.guest_token,
    }
}

pub(crate) fn answer(text: &str) -> Result<Answer, Refusal> {
    let Ok(given) = serde_json::from_str(text) else {
        return Ok(older(parsed(text)));
    };
    Ok(match given {
        Given::Done { seq, dup } => Answer::Done { seq, dup },
        Given::Created { room, seq, dup } => Answer::Created { room, seq, dup },
        Given::Accepted => Answer::Accepted {},
        Given::Welcome(it) => Answer::Welcome(Box::new(welcome(it))),
        Given::Subscribed(rooms) => Answer::Subscribed { rooms },
        Given::Snapshot(it) => Answer::Snapshot(it),
        Given::Records {
            since,
            events,
            upto,
            head,
            reader,
        } => {
            let read = |event: &Value| std::sync::Arc::new(parsed(&event.to_string()));
            let events = events.iter().map(read).collect();
            Answer::Records(Records {
                since,
                events,
                upto,
                head,
                reader,
            })
        }
        Given::Room(it) => Answer::Room(it),
        Given::Rooms(it) => Answer::Rooms(it),
        Given::Directory(it) => Answer::Directory(it),
        Given::Search(it) => Answer::Search(it),
        Given::Members(it) => Answer::Members(it),
        Given::Bans(it) => Answer::Bans(it),
        Given::Invites(it) => Answer::Invites(it),
        Given::History(it) => Answer::History(it),
        Given::Message(it) => Answer::Message(it),
        Given::Pins(it) => Answer::Pins(it),
        Given::Markers(it) => Answer::Markers(it),
        Given::Presence(it) => Answer::Presence(it),
        Given::Permissions(it) => Answer::Permissions(it),
        Given::Explain(it) => Answer::Explain(it),
        Given::User(it) => Answer::User(it),
        Given::Limits(server) => Answer::Limits(Box::new(limits(server))),
        Given::Refused(code) => return Err(Refusal::new(code)),
        Given::RefusedFor { code, details } => {
            let with = |refusal: Refusal, (name, value): (String, Value)| {
                refusal.with_detail(&name, value)
            };
            return Err(details.into_iter().fold(Refusal::new(code), with));
        }
        Given::RefusedIn {
            code,
            words,
            retry_ms,
        } => {
            return Err(Refusal::new(code).with_words(words).with_retry(retry_ms));
        }
        Given::Rejected(rejection) => return Err(rejection.into()),
    })
}

fn older(it: Older) -> Answer {
    match it {
        Older::Transcript(it) => Answer::Transcript(it),
        Older::Connected { session } => Answer::Connected { session },
        Older::SignedIn(it) => Answer::SignedIn(it),
        Older::Founded(room) => Answer::Founded {
            room,
            already: false,
        },
        Older::Entered {
            name,
            room,
            already,
        } => Answer::Entered {
            room: Box::new(card(1, Some(room), Mode::Open)),
            name,
            already,
        },
        Older::Exited { name } => Answer::Exited {
            room: RoomId::new(1),
            name,
        },
        Older::ExitedAll => Answer::ExitedAll {},
        Older::Inside(it) => Answer::Inside(it),
        Older::Lobby(rooms) => {
            let list = rooms.into_iter().map(|it| LobbyRoom {
                card: RoomCard {
                    alias: it.alias,
                    ..card(it.id, Some(it.name), it.access)
                },
                people: it.people,
            });
            Answer::Lobby(list.collect())
        }
    }
}
