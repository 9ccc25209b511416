//! A room as a client named it, before anybody has looked whether there is one.

use chat_core::{Name, RoomId};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::spelling::Spelling;

/// What a client's word for a room may mean, in the order in which to try: the dialect's own
/// spelling of a number, an alias, the other dialects' spellings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomRef {
    /// The room that the dialect's own spelling names.
    pub own: Option<RoomId>,
    /// The alias it may be.
    pub alias: Option<Name>,
    /// The rooms that other spellings name, each once.
    pub others: Vec<RoomId>,
}

impl RoomRef {
    /// A room by its number, and nothing else.
    #[must_use]
    pub const fn id(room: RoomId) -> Self {
        Self {
            own: Some(room),
            alias: None,
            others: Vec::new(),
        }
    }

    /// Everything that a word may mean in a dialect whose rooms go by their names.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let Self { own, alias, others } = Self::read(Spelling::Prefixed, text);
        Self {
            own: None,
            alias,
            others: own.into_iter().chain(others).collect(),
        }
    }

    /// Everything that a word may mean in a dialect of this spelling.
    ///
    /// # Examples
    ///
    /// ```
    /// use chat_core::RoomId;
    /// use chat_protocol::{RoomRef, Spelling};
    ///
    /// let room = RoomRef::read(Spelling::Number, "room_7");
    /// assert_eq!(room.own, None);
    /// assert_eq!(room.alias.unwrap().as_str(), "room_7");
    /// assert_eq!(room.others, [RoomId::new(7)]);
    /// ```
    #[must_use]
    pub fn read(own: Spelling, text: &str) -> Self {
        let mut others = Vec::new();
        for spelling in Spelling::ALL.into_iter().filter(|it| *it != own) {
            others.extend(spelling.read(text).filter(|room| !others.contains(room)));
        }
        Self {
            own: own.read(text),
            alias: Name::new(text).ok(),
            others,
        }
    }
}

impl From<RoomId> for RoomRef {
    fn from(room: RoomId) -> Self {
        Self::id(room)
    }
}

/// Native JSON: a number, or a text.
impl<'de> Deserialize<'de> for RoomRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl Visitor<'_> for Words {
            type Value = RoomRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a room's number or alias")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<RoomRef, E> {
                RoomId::try_from(number).map(RoomRef::id).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RoomRef, E> {
                Ok(RoomRef::read(Spelling::Number, text))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

/// The number if there is one, else the alias, else a number that it may be: the first of what
/// reading it again would try.
impl Serialize for RoomRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.own, &self.alias, self.others.first()) {
            (Some(room), _, _) | (None, None, Some(&room)) => room.serialize(serializer),
            (None, Some(alias), _) => alias.serialize(serializer),
            (None, None, None) => serializer.serialize_str(""),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for RoomRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RoomRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A room: its number, or its alias.",
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": chat_core::NUMBER_MAX },
                { "type": "string" },
            ],
        })
    }
}
