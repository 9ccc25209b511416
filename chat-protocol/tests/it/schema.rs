//! The schema accepts what the codec accepts, and refuses what it refuses.

use std::collections::BTreeSet;

use chat_core::Command;
use chat_protocol::{Dialect, Frame, Op, schema};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::golden::frames;

fn validator(side: &str) -> Validator {
    jsonschema::validator_for(&schema::schema()[side]).unwrap()
}

/// The client frames of the transcripts that are well formed.
fn good_frames() -> Vec<Value> {
    frames(Dialect::Native, "C")
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| Frame::decode(line).op.is_ok())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_op_is_in_a_transcript() {
    let named: BTreeSet<String> = good_frames()
        .iter()
        .map(|frame| frame["op"].as_str().unwrap().to_owned())
        .collect();
    for name in Op::NAMES.iter().chain(Command::NAMES) {
        assert!(named.contains(*name), "{name}");
    }
}

#[test]
fn every_client_frame_of_the_transcripts_fits_the_schema() {
    let validator = validator("client");
    for frame in good_frames() {
        assert!(validator.is_valid(&frame), "{frame}");
    }
}

#[test]
fn every_server_frame_of_the_transcripts_fits_the_schema() {
    let validator = validator("server");
    for text in frames(Dialect::Native, "S") {
        let frame: Value = serde_json::from_str(&text).unwrap();
        assert!(validator.is_valid(&frame), "{frame}");
    }
}

#[test]
fn an_event_that_lacks_something_fits_neither_alone_nor_among_records() {
    let schema = schema::schema()["server"].clone();
    let records = json!({"$ref": "#/$defs/Records", "$defs": schema["$defs"]});
    let (alone, among) = (
        validator("server"),
        jsonschema::validator_for(&records).unwrap(),
    );
    let records = |event: &Value| json!({"events": [event], "upto": 9, "head": 9});
    let texts = frames(Dialect::Native, "S");
    let events = texts.iter().map(|text| serde_json::from_str(text).unwrap());
    let events: Vec<Value> = events
        .filter(|frame: &Value| frame["seq"].is_u64() && frame["d"].is_object())
        .collect();
    assert!(events.len() >= 5);
    for event in events {
        assert!(among.is_valid(&records(&event)), "{event}");
        for field in ["ev", "room", "seq", "at", "by", "d"] {
            let mut event = event.clone();
            event.as_object_mut().unwrap().remove(field);
            assert!(!alone.is_valid(&event), "{event}");
            assert!(!among.is_valid(&records(&event)), "{event}");
        }
        for field in ["events", "upto", "head"] {
            let mut records = records(&event);
            records.as_object_mut().unwrap().remove(field);
            assert!(!among.is_valid(&records), "{records}");
        }
    }
}

#[test]
fn a_frame_without_a_required_field_is_refused_by_both() {
    let validator = validator("client");
    let mut refused = 0;
    for frame in good_frames() {
        for path in paths(&frame) {
            let mut frame = frame.clone();
            let (last, parents) = path.split_last().unwrap();
            let parent = parents
                .iter()
                .fold(&mut frame, |value, key| &mut value[key.as_str()]);
            parent.as_object_mut().unwrap().remove(last);
            refused += agree(&validator, &frame);
        }
    }
    assert!(refused > 50, "{refused} frames lacked something");
}

#[test]
fn a_frame_with_a_field_of_the_wrong_type_is_refused_by_both() {
    let validator = validator("client");
    let mut refused = 0;
    for frame in good_frames() {
        for path in paths(&frame) {
            for wrong in [
                json!(-1),
                json!(1.5),
                json!(true),
                json!([{"no": 1}]),
                json!({}),
            ] {
                let mut frame = frame.clone();
                *path
                    .iter()
                    .fold(&mut frame, |value, key| &mut value[key.as_str()]) = wrong;
                refused += agree(&validator, &frame);
            }
        }
    }
    assert!(refused > 500, "{refused} frames were wrong");
}

#[test]
fn unknown_ops_are_refused_by_both() {
    let validator = validator("client");
    for frame in good_frames() {
        let mut frame = frame;
        frame["op"] = json!("shout");
        assert_eq!(agree(&validator, &frame), 1, "{frame}");
    }
}

#[test]
fn the_same_types_make_the_same_schema() {
    assert_eq!(schema::schema(), schema::schema());
}

/// Asserts that schema and codec say the same; 1 if they refuse.
fn agree(validator: &Validator, frame: &Value) -> usize {
    let op = Frame::decode(&frame.to_string()).op;
    assert_eq!(
        validator.is_valid(frame),
        op.is_ok(),
        "{frame} is read as {op:?}"
    );
    usize::from(op.is_err())
}

/// The ways to every field of an object, at any depth.
fn paths(value: &Value) -> Vec<Vec<String>> {
    let Some(fields) = value.as_object() else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, value) in fields {
        all.push(vec![key.clone()]);
        all.extend(
            paths(value)
                .into_iter()
                .map(|path| [vec![key.clone()], path].concat()),
        );
    }
    all
}
