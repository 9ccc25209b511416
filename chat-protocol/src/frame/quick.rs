//! The common frame, read in one pass: a command to a room, with `op` before `d`.
//!
//! It reads what [`Frame::decode`] would read in three passes, and reports nothing: whatever isn't
//! well with a frame, or only unusual, is left to that.

use std::fmt;

use chat_core::{Cid, Command, NUMBER_MAX};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::{Frame, Target};
use crate::command::Op;
use crate::room_ref::RoomRef;

/// Reads a frame that is well and usual.
pub(super) fn decode(text: &str) -> Option<Frame> {
    let mut json = serde_json::Deserializer::from_str(text);
    let frame = json.deserialize_map(Envelope).ok()?;
    json.end().is_ok().then_some(frame)
}

struct Envelope;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Id,
    Op,
    D,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for Envelope {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Frame, A::Error> {
        let (mut id, mut name, mut op) = (None, None, None);
        while let Some(field) = fields.next_key()? {
            match (field, name) {
                (Field::Id, _) => once(&mut id, fields.next_value::<Option<u64>>()?)?,
                (Field::Op, _) => once(&mut name, fields.next_value::<&str>()?)?,
                (Field::D, Some(name)) => once(&mut op, fields.next_value_seed(Payload(name))?)?,
                (Field::D, None) => return Err(unusual()),
                (Field::Other, _) => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let id = id.flatten();
        if id.is_some_and(|id| id > NUMBER_MAX) {
            return Err(unusual());
        }
        let op = Ok(op.ok_or_else(unusual)?);
        Ok(Frame { id, op })
    }
}

/// Takes the value of a field; one that comes twice is nothing usual.
fn once<T, E: Error>(field: &mut Option<T>, value: T) -> Result<(), E> {
    match field.replace(value) {
        #[cfg(sabotage)]
        Some(_) if chat_core::sabotage::planted("second_field_counts") => Ok(()),
        None => Ok(()),
        Some(_) => Err(unusual()),
    }
}

/// Nobody hears of it.
fn unusual<E: Error>() -> E {
    E::custom("left to a thorough reader")
}

/// What stands under `d` in a frame of this op.
struct Payload<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Payload<'_> {
    type Value = Op;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Op, D::Error> {
        let mut laid = Laid::default();
        let apart = Apart {
            inner: json,
            laid: &mut laid,
        };
        let command = Command::deserialize_payload(self.0, apart)?.ok_or_else(unusual)?;
        let target = Target {
            room: laid.room.flatten(),
            cid: laid.cid.flatten(),
        };
        target.op(command).map_err(|_| unusual())
    }
}

/// What a command's payload has beside the command's own.
#[derive(Default)]
struct Laid {
    room: Option<Option<RoomRef>>,
    cid: Option<Option<Cid>>,
}

/// Has a command read its payload, and lays aside what isn't its own: a deserializer, the visitor that
/// is given to it, and the fields that the visitor is given.
struct Apart<'a, T> {
    inner: T,
    laid: &'a mut Laid,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Apart<'_, D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, laid } = self;
        inner.deserialize_map(Apart {
            inner: visitor,
            laid,
        })
    }

    /// Every command is a struct.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, D::Error> {
        Err(unusual())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Apart<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        let Self { inner, laid } = self;
        inner.visit_map(Apart {
            inner: fields,
            laid,
        })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Apart<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.inner.next_key::<&str>()? {
            match name {
                "room" => once(&mut self.laid.room, self.inner.next_value()?)?,
                "cid" => once(&mut self.laid.cid, self.inner.next_value()?)?,
                own => {
                    return seed
                        .deserialize(BorrowedStrDeserializer::new(own))
                        .map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}
