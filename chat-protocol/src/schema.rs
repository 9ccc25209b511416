//! JSON Schema of the native dialect's frames, generated from the types that read and write them.

use chat_core::{Author, Cid, Command, Event, NUMBER_MAX, RoomId, Seq, Timestamp};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Records};
use crate::code::Refusal;
use crate::command::Op;
use crate::room_ref::RoomRef;
use crate::signal;
use crate::system::System;

/// Two documents, `client` and `server`: what each side may send, one frame at a time.
///
/// # Examples
///
/// ```
/// let schema = chat_protocol::schema::schema();
/// assert_eq!(schema["client"]["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// ```
#[must_use]
pub fn schema() -> Value {
    json!({ "client": client(), "server": server() })
}

fn client() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator();
    let ops = Op::schemas(&mut generator);
    let commands = Command::schemas(&mut generator);
    let mut frames = Vec::new();
    for (name, payload) in ops {
        frames.push(client_frame(name, &payload, requires(&generator, &payload)));
    }
    for (name, payload) in commands {
        let creates = matches!(name, "create_room" | "open_direct");
        let target = target(&mut generator, creates);
        let required = !creates || requires(&generator, &payload);
        frames.push(client_frame(
            name,
            &json_schema!({ "allOf": [payload, target] }),
            required,
        ));
    }
    document("A frame from a client", &frames, &mut generator)
}

/// What a command's payload has beside the command's own fields.
fn target(generator: &mut SchemaGenerator, creates: bool) -> Schema {
    let cid = generator.subschema_for::<Option<Cid>>();
    if creates {
        return json_schema!({ "type": "object", "properties": { "cid": cid } });
    }
    json_schema!({
        "type": "object",
        "properties": { "cid": cid, "room": generator.subschema_for::<RoomRef>() },
        "required": ["room"],
    })
}

fn client_frame(name: &str, payload: &Schema, required: bool) -> Value {
    let required: &[&str] = if required { &["op", "d"] } else { &["op"] };
    json!({
        "type": "object",
        "properties": {
            "id": { "type": ["integer", "null"], "minimum": 0, "maximum": NUMBER_MAX },
            "op": { "const": name },
            "d": payload,
        },
        "required": required,
    })
}

/// Whether a payload has fields that can't be left out.
fn requires(generator: &SchemaGenerator, payload: &Schema) -> bool {
    let reference = payload
        .get("$ref")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = reference.rsplit('/').next().unwrap_or_default();
    let definition = generator.definitions().get(name);
    definition.is_some_and(|it| it.get("required").is_some())
}

fn server() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let number = json!({ "type": ["integer", "null"], "minimum": 0, "maximum": NUMBER_MAX });
    let mut frames = vec![
        json!({
            "type": "object",
            "properties": { "re": number, "ok": generator.subschema_for::<Answer>() },
            "required": ["re", "ok"],
        }),
        json!({
            "type": "object",
            "properties": { "re": number, "err": generator.subschema_for::<Refusal>() },
            "required": ["re", "err"],
        }),
        generator.subschema_for::<EventFrame>().to_value(),
        generator.subschema_for::<System>().to_value(),
    ];
    for (name, payload) in signal::schemas(&mut generator) {
        frames.push(json!({
            "type": "object",
            "properties": {
                "sig": { "const": name },
                "room": generator.subschema_for::<RoomId>(),
                "by": generator.subschema_for::<Author>(),
                "d": payload,
            },
            "required": ["sig", "room", "by", "d"],
        }));
    }
    document("A frame from a server", &frames, &mut generator)
}

fn document(title: &str, frames: &[Value], generator: &mut SchemaGenerator) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "anyOf": frames,
        "$defs": generator.take_definitions(true),
    })
}

/// A record as it is told.
struct EventFrame;

impl JsonSchema for EventFrame {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EventFrame".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let events: Vec<Value> = Event::schemas(generator)
            .into_iter()
            .map(|(name, payload)| json!({ "properties": { "ev": { "const": name }, "d": payload } }))
            .collect();
        let fields: Map<String, Value> = [
            ("room", generator.subschema_for::<RoomId>()),
            ("seq", generator.subschema_for::<Seq>()),
            ("prev", generator.subschema_for::<Seq>()),
            ("at", generator.subschema_for::<Timestamp>()),
            ("by", generator.subschema_for::<Author>()),
            ("cid", generator.subschema_for::<Cid>()),
        ]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.to_value()))
        .collect();
        json_schema!({
            "type": "object",
            "properties": fields,
            "required": ["ev", "room", "seq", "at", "by", "d"],
            "anyOf": events,
        })
    }
}

impl JsonSchema for Records {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Records".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Records to fill a gap, as frames; nothing is missing up to `upto`.",
            "type": "object",
            "properties": {
                "events": { "type": "array", "items": generator.subschema_for::<EventFrame>() },
                "upto": generator.subschema_for::<Seq>(),
                "head": generator.subschema_for::<Seq>(),
            },
            "required": ["events", "upto", "head"],
        })
    }
}
