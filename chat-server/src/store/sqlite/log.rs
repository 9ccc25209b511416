//! The log as it is read: each record verified against the one before it.

use std::sync::Arc;

use chat_core::{Record, Room, RoomId, Seq};
use chat_protocol::log::{Entry, Mac, Sealed, Sum, WordsKey, decode};
use rusqlite::{Connection, OptionalExtension, Row};

use super::column::{bytes16, int, number, rows};
use super::fault::{Fault, Result};
use super::{erase, trim};

/// The columns of an entry in the order in which [`entry`] reads them.
macro_rules! entry_columns {
    ($table:literal) => {
        concat!(
            $table,
            ".version, ",
            $table,
            ".fact, ",
            $table,
            ".mac, ",
            $table,
            ".sum, ",
            $table,
            ".key, ",
            $table,
            ".words"
        )
    };
}

/// Reads an entry whose columns begin here.
fn entry(row: &Row<'_>, first: usize) -> Result<Entry> {
    let key: Option<[u8; 16]> = row.get(first + 4)?;
    let words: Option<Vec<u8>> = row.get(first + 5)?;
    Ok(Entry {
        version: row.get(first)?,
        fact: row.get(first + 1)?,
        mac: row.get::<_, Option<[u8; 16]>>(first + 2)?.map(Mac),
        sum: Sum(bytes16(row, first + 3)?),
        words: match (key, words) {
            (Some(key), Some(words)) => Some(Sealed {
                key: WordsKey(key),
                words,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Fault::damaged("a record has half of its words"));
            }
        },
    })
}

/// Verifies an entry and makes sure that it stands where it belongs.
fn verified(entry: &Entry, prev: &Sum, room: RoomId, seq: Seq) -> Result<Record> {
    let damaged = |why: String| Fault::Damaged(format!("room {room}, record {seq}: {why}"));
    let record = decode(entry, prev).map_err(|error| damaged(error.to_string()))?;
    if record.room == room && record.seq == seq {
        Ok(record)
    } else {
        Err(damaged("another record stands in its place".into()))
    }
}

/// The sum up to a record.
fn sum(db: &Connection, room: RoomId, seq: Seq) -> Result<Option<Sum>> {
    if seq.number() == 0 {
        return Ok(Some(Sum::START));
    }
    let mut query = db.prepare_cached("SELECT sum FROM records WHERE room = ?1 AND seq = ?2")?;
    let mut rows = query.query([int(room), int(seq)])?;
    rows.next()?.map(|row| bytes16(row, 0).map(Sum)).transpose()
}

/// The records of a room after a position, oldest first, without the words of erased people, and
/// without those of before it was trimmed.
pub(super) fn records(
    db: &Connection,
    room: RoomId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Arc<Record>>> {
    let Some(start) = sum(db, room, after)? else {
        return Ok(Vec::new());
    };
    let kept_from = trim::kept_from(db, room)?;
    let mut records = Vec::new();
    follow(db, room, after, start, limit, |record| {
        records.push(Arc::new(trim::told(kept_from, erase::told(db, record)?)));
        Ok(())
    })?;
    Ok(records)
}

/// Walks a log from a position on, whose sum is known, and returns the sum at the end.
pub(super) fn follow(
    db: &Connection,
    room: RoomId,
    after: Seq,
    mut sum: Sum,
    limit: usize,
    mut visit: impl FnMut(Record) -> Result<()>,
) -> Result<Sum> {
    let mut query = db.prepare_cached(concat!(
        "SELECT seq, ",
        entry_columns!("r"),
        " FROM records r WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
    ))?;
    let mut found = query.query([int(room), int(after), rows(limit)])?;
    let mut expected = after;
    while let Some(row) = found.next()? {
        expected = expected.next();
        let seq: Seq = number(row, 0)?;
        if seq != expected {
            return Err(Fault::Damaged(format!(
                "room {room}: record {expected} is missing"
            )));
        }
        let entry = entry(row, 1)?;
        let record = verified(&entry, &sum, room, seq)?;
        sum = entry.sum;
        visit(record)?;
    }
    Ok(sum)
}

/// A room from its latest snapshot and its log's tail.
pub(super) fn load(db: &Connection, room: RoomId) -> Result<Option<Room>> {
    let mut query = db.prepare_cached("SELECT head_seq, head_sum FROM rooms WHERE id = ?1")?;
    let mut rows = query.query([int(room)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (head, head_sum): (Seq, _) = (number(row, 0)?, Sum(bytes16(row, 1)?));

    let snapshot = snapshot(db, room)?;
    let (mut state, after, start) = match snapshot {
        Some((state, sum)) => {
            let after = state.head_seq;
            (Some(state), after, sum)
        }
        None => (None, Seq::default(), Sum::START),
    };
    let hole = |seq: Seq| Fault::Damaged(format!("room {room}: record {seq} doesn't follow"));
    let end = follow(db, room, after, start, usize::MAX, |record| {
        match &mut state {
            Some(state) => state.follow(&record).ok_or_else(|| hole(record.seq))?,
            None => state = Some(Room::founded(&record).ok_or_else(|| hole(record.seq))?),
        }
        Ok(())
    })?;
    match state {
        Some(state) if state.head_seq == head && end == head_sum => Ok(Some(state)),
        Some(_) | None => Err(Fault::Damaged(format!(
            "room {room}: the log ends too early"
        ))),
    }
}

/// The latest snapshot and the sum at its position; none if this program can't read it, for then
/// the log says the same.
pub(super) fn snapshot(db: &Connection, room: RoomId) -> Result<Option<(Room, Sum)>> {
    let mut query =
        db.prepare_cached("SELECT seq, state, sum, seal FROM snapshots WHERE room = ?1")?;
    let mut rows = query.query([int(room)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let damaged = || Fault::Damaged(format!("room {room}: the snapshot is damaged"));
    let (seq, state): (Seq, Vec<u8>) = (number(row, 0)?, row.get(1)?);
    let at = Sum(bytes16(row, 2)?);
    if at.seal(&state).0 != bytes16(row, 3)? || sum(db, room, seq)?.is_some_and(|sum| sum != at) {
        return Err(damaged());
    }
    let Ok(state) = serde_json::from_slice::<Room>(&state) else {
        return Ok(None);
    };
    if state.id == room && state.head_seq == seq {
        Ok(Some((state, at)))
    } else {
        Err(damaged())
    }
}

/// One record as it stands, for the writer, which looks at what it wrote itself.
pub(super) fn record(db: &Connection, room: i64, seq: Seq) -> Result<Option<Record>> {
    let mut query = db.prepare_cached(concat!(
        "SELECT room, ",
        entry_columns!("r"),
        ", (SELECT p.sum FROM records p WHERE p.room = r.room AND p.seq = r.seq - 1)",
        " FROM records r WHERE room = ?1 AND seq = ?2"
    ))?;
    let mut rows = query.query([room, int(seq)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let prev = row.get::<_, Option<[u8; 16]>>(7)?.map_or(Sum::START, Sum);
    verified(&entry(row, 1)?, &prev, number(row, 0)?, seq).map(Some)
}

/// The last record of each of these rooms.
pub(super) fn heads(db: &Connection, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>> {
    let mut read = db.prepare_cached("SELECT head_seq FROM rooms WHERE id = ?1")?;
    let mut heads = Vec::with_capacity(rooms.len());
    for room in rooms {
        let head = read.query_row([int(*room)], |row| Ok(number(row, 0)));
        if let Some(head) = head.optional()? {
            heads.push((*room, head?));
        }
    }
    Ok(heads)
}

/// Whether a position that was heard under an epoch still means the same record.
pub(super) fn continues(db: &Connection, room: RoomId, epoch: &str, seq: Seq) -> Result<bool> {
    if seq.number() == 0 {
        return Ok(true);
    }
    let found = db
        .prepare_cached(
            "SELECT 1 FROM records WHERE room = ?1 AND seq = ?2
             AND run <= (SELECT run FROM runs WHERE epoch = ?3)",
        )?
        .query_row(rusqlite::params![int(room), int(seq), epoch], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
