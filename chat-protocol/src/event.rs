//! What happened, as the native dialect tells it: `{"ev":"posted","room":12,"seq":42,...}`.

use chat_core::event::{AccessChanged, RoomCreated};
use chat_core::{Access, Author, Cid, Event, Record, RoomId, Seq, Timestamp};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::answer::Records;
use crate::voice::Hearer;

/// Encodes a record for those who hear it.
///
/// `prev` is the last record that the same hearers got; it is left out where it is the one before.
/// The hash of a room's password never leaves.
///
/// # Examples
///
/// ```
/// use chat_core::event::Left;
/// use chat_core::{Author, Record, RoomId, Seq, Timestamp, UserId};
/// use chat_protocol::{Hearer, encode_record};
///
/// let record = Record {
///     room: RoomId::new(12),
///     seq: Seq::new(42),
///     at: Timestamp::new(1_730_000_000_123),
///     by: Author { id: UserId::new(3), name: None },
///     via: None,
///     cid: None,
///     event: Left {}.into(),
/// };
/// assert_eq!(
///     encode_record(&record, Hearer::Other, Some(Seq::new(40))),
///     br#"{"ev":"left","room":12,"seq":42,"prev":40,"at":1730000000123,"by":{"id":3},"d":{}}"#,
/// );
/// ```
#[must_use]
pub fn encode_record(record: &Record, hearer: Hearer, prev: Option<Seq>) -> Vec<u8> {
    crate::json(&Told {
        record,
        hearer,
        prev,
    })
}

/// Makes what a record's author hears of what all others do: the same with his cid at the end.
pub(crate) fn with_cid(others: &[u8], cid: &Cid) -> Vec<u8> {
    let open = others.strip_suffix(b"}").unwrap_or(others);
    let mut text = Vec::with_capacity(others.len() + CID_BYTES);
    text.extend_from_slice(open);
    text.extend_from_slice(br#","cid":"#);
    text.extend_from_slice(&crate::json(cid));
    text.push(b'}');
    text
}

/// Bytes that a cid of usual length takes.
const CID_BYTES: usize = 64;

/// A record in the shape that clients know.
struct Told<'a> {
    record: &'a Record,
    hearer: Hearer,
    prev: Option<Seq>,
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let prev = self.prev.filter(|prev| prev.next() != record.seq);
        let mut frame = serializer.serialize_struct("Event", 8)?;
        frame.serialize_field("ev", record.event.name())?;
        frame.serialize_field("room", &record.room)?;
        frame.serialize_field("seq", &record.seq)?;
        if let Some(prev) = prev {
            frame.serialize_field("prev", &prev)?;
        }
        frame.serialize_field("at", &record.at)?;
        frame.serialize_field("by", &record.by)?;
        frame.serialize_field("d", &Public(&record.event))?;
        // At the end, where it can be put into what the others hear.
        if let (Some(cid), Hearer::Author) = (&record.cid, self.hearer) {
            frame.serialize_field("cid", cid)?;
        }
        frame.end()
    }
}

/// An event's payload without secrets.
struct Public<'a>(&'a Event);

impl Serialize for Public<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Event::RoomCreated(it) = self.0 {
            let it = RoomCreated {
                access: it.access.public(),
                ..it.clone()
            };
            return it.serialize(serializer);
        }
        if let Event::AccessChanged(it) = self.0 {
            let it = AccessChanged {
                access: it.access.as_ref().map(Access::public),
                ..it.clone()
            };
            return it.serialize(serializer);
        }
        self.0.serialize_payload(serializer)
    }
}

/// Serializes the answer to `records`: the same frames in a list.
pub(crate) fn serialize_records<S: Serializer>(
    records: &Records,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut prev = records.since;
    let told: Vec<Told<'_>> = records
        .events
        .iter()
        .map(|record| {
            let told = Told {
                record,
                hearer: Hearer::of(record, records.reader),
                prev: Some(prev),
            };
            prev = record.seq;
            told
        })
        .collect();
    let mut answer = serializer.serialize_struct("Records", 3)?;
    answer.serialize_field("events", &told)?;
    answer.serialize_field("upto", &records.upto)?;
    answer.serialize_field("head", &records.head)?;
    answer.end()
}

/// A record as a client got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The room.
    pub room: RoomId,
    /// The record's position.
    pub seq: Seq,
    /// The record before it, as far as this client may see.
    pub prev: Seq,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Author,
    /// The client's own id of the command, if it was one of this user's.
    pub cid: Option<Cid>,
    /// The event's name.
    pub name: String,
    /// What happened; none if this client is older than the event.
    pub event: Option<Event>,
}
