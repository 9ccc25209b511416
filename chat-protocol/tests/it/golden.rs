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

use chat_core::Record;
use chat_protocol::dialect::Say;
use chat_protocol::{Call, Dialect, Form, Hearer, ServerFrame, Voice};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::given::{GivenVoice, answer, parsed, signal, system};

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
        compare(&path, &text, &actual);
    }
}

/// Holds what came out against a transcript, to its last line.
pub(crate) fn compare(path: &Path, expected: &str, actual: &str) {
    let (mut left, mut right) = (expected.lines(), actual.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => return,
            (expected, actual) => assert_eq!(actual, expected, "{}:{number}", path.display()),
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
                    spelled = said(|say| ticket.answer(&refused, say));
                }
                let shown = call.as_ref().map(|call| match &call.op {
                    Ok(op) => format!("{op:?}"),
                    Err(refusal) => format!("refused: {}", refusal.code),
                });
                format!("{{\"op\":{}}}", Value::from(shown))
            }
            "S" => shown(&std::mem::take(&mut spelled)),
            "voice" => {
                voice = parsed::<GivenVoice>(raw.get()).voice(dialect);
                line.to_owned()
            }
            given => {
                spelled = match given {
                    "answer" => {
                        let ticket = &call.as_ref().unwrap().ticket;
                        said(|say| ticket.answer(&answer(raw.get()), say))
                    }
                    "event" => said(|say| voice.event(&parsed(raw.get()), Hearer::Other, say)),
                    "own_event" => own_event(&voice, &parsed(raw.get())),
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

/// What an author hears, which is the same when it is made of what the others do.
fn own_event(voice: &Voice, record: &Record) -> Vec<String> {
    let own = said(|say| voice.event(record, Hearer::Author, say));
    let others = said(|say| voice.event(record, Hearer::Other, say));
    let made = said(|say| {
        for text in &others {
            voice.own(record, text.as_bytes(), say);
        }
    });
    assert_eq!(made, own);
    own
}

/// What is said, as a line of a transcript.
fn shown(frames: &[String]) -> String {
    let is_object = |it: &str| it.starts_with('{') || it.starts_with('[');
    match frames {
        [] => "{\"S\":null}".to_owned(),
        [frame] if is_object(frame) && !frame.ends_with('\n') => format!("{{\"S\":{frame}}}"),
        [frame] => format!("{{\"S\":{}}}", Value::from(frame.as_str())),
        frames => format!("{{\"S\":{}}}", Value::from(frames)),
    }
}

/// What is said, message by message.
pub(crate) fn said(speak: impl FnOnce(Say<'_>)) -> Vec<String> {
    let mut said = Vec::new();
    speak(&mut |text| said.push(String::from_utf8(text.to_vec()).unwrap()));
    said
}
