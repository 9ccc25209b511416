//! Transcripts, one conversation per file, compared to the byte.
//!
//! Each line is an object with one key. `C`: a frame of a client; `B`: a binary one. `op`: what it was read as, once
//! per call; null if it leaves none. `answer`, `event`, `own_event`, `signal`, `system`: what the
//! dialect is given to spell. `S`: what it makes of that; null if it stays silent. Frames stand as
//! they are; those that are no JSON, as strings; several in a row, as a list of strings. `voice`
//! says how the seat hears from here on: `{"face":"second","room":"General"}`. `GOLDEN_WRITE=1` writes down what is.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::{env, fs};

use chat_core::{Author, Name, RoomId, Seq};
use chat_protocol::answer::{
    Answer, BanCard, InviteCard, LobbyRoom, MarkerCard, Me, MemberCard, Message, MyRoom, Page,
    PresenceCard, PublishedLimits, Records, ResumeState, RoomCard, SignedInCard, Snapshot,
    Transcript, Welcome,
};
use chat_protocol::dialect::Say;
use chat_protocol::{Call, Code, Dialect, Face, Form, Refusal, ServerFrame, Signal, System, Voice};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

#[test]
fn native_transcripts_hold() {
    hold(Dialect::Native);
}

#[test]
fn rooms_transcripts_hold() {
    hold(Dialect::Rooms);
}

#[test]
fn groups_transcripts_hold() {
    hold(Dialect::Groups);
}

#[test]
fn socketio_transcripts_hold() {
    hold(Dialect::Socketio);
}

#[test]
fn actions_transcripts_hold() {
    hold(Dialect::Actions);
}

#[test]
fn rest_transcripts_hold() {
    hold(Dialect::Rest);
}

#[test]
fn a_client_reads_whatever_a_server_writes() {
    let mut events = 0;
    for text in frames(Dialect::Native, "S") {
        match ServerFrame::decode(&text) {
            Ok(ServerFrame::Event(heard)) => {
                assert_eq!(
                    heard.event.map(|event| event.name()),
                    Some(&*heard.name),
                    "{text}"
                );
                events += 1;
            }
            Ok(ServerFrame::Signal(_) | ServerFrame::System(_)) => {}
            Ok(ServerFrame::Reply { result, .. }) => {
                assert!(result.is_ok_and(|it| it.starts_with('{')) || text.contains("err"));
            }
            Ok(ServerFrame::Unknown) | Err(_) => panic!("{text}"),
        }
    }
    assert!(events >= 5);
}

fn hold(dialect: Dialect) {
    for path in transcripts(dialect) {
        let text = fs::read_to_string(&path).unwrap();
        let actual = replay(dialect, &text);
        if env::var_os("GOLDEN_WRITE").is_some() {
            fs::write(&path, &actual).unwrap();
            continue;
        }
        for (number, (expected, actual)) in text.lines().zip(actual.lines()).enumerate() {
            assert_eq!(actual, expected, "{}:{}", path.display(), number + 1);
        }
    }
}

/// The transcripts of a dialect.
pub(crate) fn transcripts(dialect: Dialect) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    let mut paths: Vec<_> = fs::read_dir(root.join(dialect.name()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "transcripts of {}", dialect.name());
    paths
}

/// The frames of one side, as they stand.
pub(crate) fn frames(dialect: Dialect, side: &str) -> Vec<String> {
    let texts = transcripts(dialect)
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .filter_map(|line| {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(&line).unwrap();
            fields
                .get(side)
                .map(|raw| spoken(raw))
                .filter(|frame| frame != "null")
        })
        .collect()
}

/// A frame as it stands, or what a string says.
fn spoken(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// The transcript with `op` and `S` as they come out.
fn replay(dialect: Dialect, text: &str) -> String {
    let mut read: VecDeque<Call> = VecDeque::new();
    let mut call: Option<Call> = None;
    let mut spelled: Vec<String> = Vec::new();
    let mut voice = Voice::of(dialect);
    let mut actual = String::new();
    for line in text.lines() {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(line).expect(line);
        let (key, raw) = fields.iter().next().expect("one key");
        let line = match key.as_str() {
            "C" | "B" => {
                assert!(read.is_empty(), "every call has its op line: {read:?}");
                let mut calls = Vec::new();
                let form = if key == "B" { Form::Binary } else { Form::Text };
                dialect.decode(&spoken(raw), form, &mut calls);
                read = calls.into();
                line.to_owned()
            }
            "op" => {
                call = read.pop_front();
                if let Some(Call {
                    ticket,
                    op: Err(refusal),
                }) = &call
                {
                    let refused = Err(refusal.clone());
                    spelled = said(|say| dialect.answer(ticket, &refused, say));
                }
                let shown = call.as_ref().map(|call| match &call.op {
                    Ok(op) => format!("{op:?}"),
                    Err(refusal) => format!("refused: {}", refusal.code),
                });
                format!("{{\"op\":{}}}", Value::from(shown))
            }
            "S" => {
                let is_object = |it: &str| it.starts_with('{') || it.starts_with('[');
                match std::mem::take(&mut spelled).as_slice() {
                    [] => "{\"S\":null}".to_owned(),
                    [frame] if is_object(frame) && !frame.ends_with('\n') => {
                        format!("{{\"S\":{frame}}}")
                    }
                    [frame] => format!("{{\"S\":{}}}", Value::from(frame.as_str())),
                    frames => format!("{{\"S\":{}}}", Value::from(frames)),
                }
            }
            "voice" => {
                let manner: GivenVoice = parsed(raw.get());
                voice = manner.voice(dialect);
                line.to_owned()
            }
            given => {
                spelled = match given {
                    "answer" => {
                        let ticket = &call.as_ref().unwrap().ticket;
                        said(|say| dialect.answer(ticket, &answer(raw.get()), say))
                    }
                    "event" => said(|say| voice.event(&parsed(raw.get()), false, say)),
                    "own_event" => said(|say| voice.event(&parsed(raw.get()), true, say)),
                    "signal" => said(|say| voice.signal(&signal(raw.get()), say)),
                    "system" => said(|say| {
                        if let Some(text) = dialect.system(&system(raw.get())) {
                            say(&text);
                        }
                    }),
                    other => panic!("{other} is no key of a transcript"),
                };
                line.to_owned()
            }
        };
        actual.push_str(&line);
        actual.push('\n');
    }
    actual
}

/// What is said, message by message.
pub(crate) fn said(speak: impl FnOnce(Say<'_>)) -> Vec<String> {
    let mut said = Vec::new();
    speak(&mut |text| said.push(String::from_utf8(text.to_vec()).unwrap()));
    said
}

#[derive(Deserialize)]
struct GivenVoice {
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
    fn voice(&self, dialect: Dialect) -> Voice {
        let face = match self.face {
            GivenFace::First => Face::First,
            GivenFace::Second => Face::Second,
        };
        Voice::for_seat(dialect, face, &self.room)
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn signal(text: &str) -> Signal {
    match ServerFrame::decode(text) {
        Ok(ServerFrame::Signal(signal)) => signal,
        other => panic!("{other:?} is no signal"),
    }
}

fn system(text: &str) -> System {
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
    access: chat_protocol::answer::Mode,
    people: Vec<Name>,
}

fn galaxy() -> Name {
    Name::new("galaxy").unwrap()
}

/// A room's card.
pub(crate) fn card(id: u64, name: Option<Name>, access: chat_protocol::answer::Mode) -> RoomCard {
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
    use chat_protocol::answer::Mode;

    Ok(match parsed::<Given>(text) {
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
        Given::Transcript(it) => Answer::Transcript(it),
        Given::Connected { session } => Answer::Connected { session },
        Given::SignedIn(it) => Answer::SignedIn(it),
        Given::Founded(room) => Answer::Founded {
            room,
            already: false,
        },
        Given::Entered {
            name,
            room,
            already,
        } => Answer::Entered {
            room: Box::new(card(1, Some(room), Mode::Open)),
            name,
            already,
        },
        Given::Exited { name } => Answer::Exited {
            room: RoomId::new(1),
            name,
        },
        Given::ExitedAll => Answer::ExitedAll {},
        Given::Inside(it) => Answer::Inside(it),
        Given::Lobby(rooms) => {
            let list = rooms.into_iter().map(|it| LobbyRoom {
                card: RoomCard {
                    alias: it.alias,
                    ..card(it.id, Some(it.name), it.access)
                },
                people: it.people,
            });
            Answer::Lobby(list.collect())
        }
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
