//! Who somebody is, and where he was.

use std::collections::BTreeMap;

use chat_core::{Name, RoomId, Seq, Text};
use serde::{Deserialize, Deserializer, Serialize};

use super::Token;

/// Who one is, and where one was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Hello {
    /// Proof of who one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// A guest without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestHello>,
    /// The client's own name and version, for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Text>,
    /// The positions to go on from: epoch and last record of each room.
    #[serde(deserialize_with = "chat_core::distinct_keys")]
    pub resume: BTreeMap<RoomId, (String, Seq)>,
    /// The rooms to attach beside those.
    pub subscribe: Subscribe,
}

/// A guest who says hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GuestHello {
    /// The name he wants to go by.
    pub name: Name,
}

/// The rooms that a session attaches when it says hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subscribe {
    /// All rooms of the user: `"mine"`.
    Mine,
    /// These: a list.
    Rooms(Vec<RoomId>),
    /// None: `"none"`.
    #[default]
    None,
}

impl<'de> Deserialize<'de> for Subscribe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match SubscribeWire::deserialize(deserializer)? {
            SubscribeWire::Word(SubscribeWord::Mine) => Self::Mine,
            SubscribeWire::Word(SubscribeWord::None) => Self::None,
            SubscribeWire::Rooms(rooms) => Self::Rooms(rooms),
        })
    }
}

impl Serialize for Subscribe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Mine => serializer.serialize_str("mine"),
            Self::Rooms(rooms) => rooms.serialize(serializer),
            Self::None => serializer.serialize_str("none"),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Subscribe {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Subscribe".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        SubscribeWire::json_schema(generator)
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "neither \"mine\" nor \"none\" nor a list of rooms"
)]
enum SubscribeWire {
    Word(SubscribeWord),
    Rooms(Vec<RoomId>),
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum SubscribeWord {
    Mine,
    None,
}
