//! How a record lies on disk: a versioned, chained entry whose words can be erased.
//!
//! An entry has two parts. The *fact* is the record without its words; it stays. The *words* lie
//! beside it with a random key of their own; key and words can be taken away at any time.
//!
//! ```text
//! mac   = BLAKE2b-128 keyed with the words' key (words)
//! sum_n = BLAKE2b-128 (sum_(n-1), version, length of the fact, fact, mac)
//! ```
//!
//! The sum runs over the words' mac, not over the words. So the chain verifies after they are
//! erased, and without the key the mac that remains is no help to somebody who guesses at them.

use blake2::digest::consts::U16;
use blake2::digest::{Digest, KeyInit, Mac as _};
use blake2::{Blake2b128, Blake2bMac};
use chat_core::event::Via;
use chat_core::{Author, Cid, Event, Record, RoomId, Seq, Timestamp, Words};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;

/// The version that [`encode`] writes. [`decode`] reads it and every one before it.
pub const VERSION: u8 = 1;

/// A link of the chain: what everything up to a record amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sum(pub [u8; 16]);

impl Sum {
    /// The link before a log's first record.
    pub const START: Self = Self([0; 16]);

    /// The sum of a text that stands beside the chain, such as a snapshot, and belongs to this
    /// link of it.
    #[must_use]
    pub fn seal(&self, text: &[u8]) -> Self {
        let mut hash = Blake2b128::new();
        hash.update(b"seal");
        hash.update(self.0);
        hash.update(text);
        Self(hash.finalize().into())
    }
}

/// A keyed hash of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 16]);

/// The key of one record's words: random, used once, erased with them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WordsKey(pub [u8; 16]);

impl std::fmt::Debug for WordsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WordsKey(hidden)")
    }
}

/// The part of an entry that can be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key of the mac.
    pub key: WordsKey,
    /// The words, as JSON.
    pub words: Vec<u8>,
}

/// One record as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of this format.
    pub version: u8,
    /// The record without its words, as JSON.
    pub fact: Vec<u8>,
    /// The mac of the words; none for a record that never had any.
    pub mac: Option<Mac>,
    /// The chain's link after this record.
    pub sum: Sum,
    /// The words; none if there never were any, or if they were erased.
    pub words: Option<Sealed>,
}

impl Entry {
    /// Takes the words and their key away. The chain stays whole.
    pub fn erase(&mut self) {
        self.words = None;
    }

    /// Whether there were words once.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.mac.is_some() && self.words.is_none()
    }
}

/// Why an entry can't be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It was written by a later version of this program.
    #[error("log format {0} is unknown; this program knows up to {VERSION}")]
    Version(u8),
    /// The fact, or what comes before it in the log, is not what was written.
    #[error("the chain of the log is broken")]
    Chain,
    /// The words are not those that were written.
    #[error("the words don't belong to their record")]
    Words,
    /// It is as it was written, and still makes no sense.
    #[error("the record can't be read: {0}")]
    Unreadable(String),
}

/// Spells a record for the disk, as the link after `prev`.
///
/// The key has to be drawn at random for this record alone.
#[must_use]
pub fn encode(record: &Record, key: WordsKey, prev: &Sum) -> Entry {
    let mut fact = record.clone();
    let words = fact.take_words();
    let sealed = (words != Words::default()).then(|| Sealed {
        key,
        words: json(&words),
    });
    let fact = json(&fact);
    let mac = sealed.as_ref().map(mac_of);
    let sum = link(prev, VERSION, &fact, mac.as_ref());
    Entry {
        version: VERSION,
        fact,
        mac,
        sum,
        words: sealed,
    }
}

/// Reads a record from the disk and makes sure that it is what was written after `prev`.
///
/// A record whose words were erased comes back without them.
///
/// # Errors
///
/// [`LogError`] says what is wrong with the entry.
pub fn decode(entry: &Entry, prev: &Sum) -> Result<Record, LogError> {
    if entry.version != VERSION {
        return Err(LogError::Version(entry.version));
    }
    let is_whole = link(prev, entry.version, &entry.fact, entry.mac.as_ref()) == entry.sum;
    #[cfg(sabotage)]
    let is_whole = is_whole || chat_core::sabotage::planted("chain_not_verified");
    if !is_whole {
        return Err(LogError::Chain);
    }
    let fact = read(&entry.fact)?;
    match (&entry.words, &entry.mac) {
        (None, _) => Ok(fact),
        (Some(sealed), Some(mac)) if mac_of(sealed) == *mac => {
            Ok(fact.with_words(parse(&sealed.words)?))
        }
        (Some(_), _) => Err(LogError::Words),
    }
}

fn mac_of(sealed: &Sealed) -> Mac {
    let mut mac = <Blake2bMac<U16> as KeyInit>::new_from_slice(&sealed.key.0)
        .expect("16 bytes are within the 64 that BLAKE2b takes as a key");
    mac.update(&sealed.words);
    Mac(mac.finalize().into_bytes().into())
}

fn link(prev: &Sum, version: u8, fact: &[u8], mac: Option<&Mac>) -> Sum {
    let mut hash = Blake2b128::new();
    hash.update(prev.0);
    hash.update([version]);
    hash.update((fact.len() as u64).to_le_bytes());
    hash.update(fact);
    if let Some(mac) = mac {
        hash.update(mac.0);
    }
    Sum(hash.finalize().into())
}

/// A record as [`encode`] spells it. What happened is read by its name, and not through a buffer of
/// all fields, as the record itself would be.
#[derive(Deserialize)]
struct Fact<'a> {
    room: RoomId,
    seq: Seq,
    at: Timestamp,
    by: Author,
    #[serde(default)]
    via: Option<Via>,
    #[serde(default)]
    cid: Option<Cid>,
    ev: &'a str,
    #[serde(borrow)]
    d: &'a RawValue,
}

/// Reads a record from its JSON, with whatever words stand there.
///
/// # Errors
///
/// [`LogError::Unreadable`] if there is none, or of an event that this program doesn't know.
pub fn read(text: &[u8]) -> Result<Record, LogError> {
    let fact: Fact<'_> = parse(text)?;
    let mut json = serde_json::Deserializer::from_str(fact.d.get());
    let event = Event::deserialize_payload(fact.ev, &mut json);
    let event = event.map_err(|error| LogError::Unreadable(error.to_string()))?;
    Ok(Record {
        room: fact.room,
        seq: fact.seq,
        at: fact.at,
        by: fact.by,
        via: fact.via,
        cid: fact.cid,
        event: event.ok_or_else(|| LogError::Unreadable(format!("unknown event {:?}", fact.ev)))?,
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, LogError> {
    let unreadable = |error: &dyn std::error::Error| LogError::Unreadable(error.to_string());
    let text = std::str::from_utf8(text).map_err(|error| unreadable(&error))?;
    serde_json::from_str(text).map_err(|error| unreadable(&error))
}
