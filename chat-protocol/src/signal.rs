//! What passes: shown while it is true, never stored, and dropped first when a reader is slow.

use chat_core::{Author, Idx, RoomId, Text};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::command::Status;

/// Something that passes in a room. It serializes as a native frame:
/// `{"sig":"typing","room":12,"by":{...},"d":{"on":true}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The room.
    pub room: RoomId,
    /// Whom it is about.
    pub by: Author,
    /// What it is.
    pub what: What,
}

/// What passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// He is typing, or stopped.
    Typing {
        /// Whether he still is.
        on: bool,
    },
    /// His first session is attached.
    Arrived,
    /// His last session is gone.
    Departed,
    /// He has read up to this message.
    Read {
        /// The message's position.
        idx: Idx,
    },
    /// He is here or away.
    Status {
        /// Which.
        status: Status,
        /// In his own words.
        text: Option<Text>,
    },
}

impl What {
    /// The names of all signals, as the wire spells them.
    pub const NAMES: [&'static str; 5] = ["typing", "arrived", "departed", "read", "status"];

    /// The signal's name, as the wire spells it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Typing { .. } => "typing",
            Self::Arrived => "arrived",
            Self::Departed => "departed",
            Self::Read { .. } => "read",
            Self::Status { .. } => "status",
        }
    }

    /// Reads the signal of this name; none if there is no such signal, or not in this shape.
    pub(crate) fn read(name: &str, payload: &str) -> Option<Self> {
        Some(match name {
            "typing" => Self::Typing {
                on: serde_json::from_str::<Typing>(payload).ok()?.on,
            },
            "arrived" => Self::Arrived,
            "departed" => Self::Departed,
            "read" => Self::Read {
                idx: serde_json::from_str::<Read>(payload).ok()?.idx,
            },
            "status" => {
                let it: StatusChange = serde_json::from_str(payload).ok()?;
                Self::Status {
                    status: it.status,
                    text: it.text,
                }
            }
            _ => return None,
        })
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut frame = serializer.serialize_struct("Signal", 4)?;
        frame.serialize_field("sig", self.what.name())?;
        frame.serialize_field("room", &self.room)?;
        frame.serialize_field("by", &self.by)?;
        match &self.what {
            What::Typing { on } => frame.serialize_field("d", &Typing { on: *on })?,
            What::Arrived | What::Departed => frame.serialize_field("d", &Nothing {})?,
            What::Read { idx } => frame.serialize_field("d", &Read { idx: *idx })?,
            What::Status { status, text } => {
                let change = StatusChange {
                    status: *status,
                    text: text.clone(),
                };
                frame.serialize_field("d", &change)?;
            }
        }
        frame.end()
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Nothing {}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Typing {
    on: bool,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Read {
    idx: Idx,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct StatusChange {
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
}

/// The schema of each signal's payload, in the order of [`What::NAMES`].
#[cfg(feature = "schema")]
pub(crate) fn schemas(
    generator: &mut schemars::SchemaGenerator,
) -> Vec<(&'static str, schemars::Schema)> {
    let schemas = [
        generator.subschema_for::<Typing>(),
        generator.subschema_for::<Nothing>(),
        generator.subschema_for::<Nothing>(),
        generator.subschema_for::<Read>(),
        generator.subschema_for::<StatusChange>(),
    ];
    What::NAMES.into_iter().zip(schemas).collect()
}
