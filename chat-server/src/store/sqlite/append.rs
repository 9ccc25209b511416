//! Records into the log, and the refusal of those that don't fit.

use std::sync::Arc;

use chat_core::{Event, NUMBER_MAX, Record, Room, RoomId, Seq};
use chat_protocol::log::{Entry, Sum, WordsKey, encode};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::column::{bytes16, int, number};
use super::fault::{Fault, Result};
use super::messages::Spot;
use super::writer::Desk;
use super::{keys, project, retention};
use crate::store::project::{kept, touches_retention, without_names};
use crate::store::{Append, Appended};

/// Keys of words that are drawn at a time: a system call for each would cost more than the key.
const KEYS_DRAWN: usize = 64;

/// Where a room's log ends.
struct End {
    seq: Seq,
    sum: Sum,
    spot: Spot,
    /// Whether a record more may make the room due to be trimmed.
    falls_due: bool,
}

/// Appends to each room of a batch, or refuses.
pub(super) fn append(desk: &mut Desk, batch: &[Append]) -> Result<Vec<Appended>> {
    batch
        .iter()
        .map(|append| append_room(desk, append))
        .collect()
}

fn append_room(desk: &mut Desk, append: &Append) -> Result<Appended> {
    let end = end(&desk.db, append.room)?;
    if end.seq != append.after {
        return Ok(Appended::Conflict { head: end.seq });
    }
    // Claimed before anything else is written: a refusal has only claims to undo.
    let taken = keys::claim(&desk.db, append.room, &append.records)?;
    if !taken.is_empty() {
        return Ok(Appended::Taken(taken));
    }
    let Some(sum) = write(desk, &end, &append.records)? else {
        return Ok(Appended::Done);
    };
    if let Some(room) = &append.snapshot {
        if desk.gone.is_empty() {
            keep_snapshot(&desk.db, room, &sum)?;
        } else {
            let room = without_names(Room::clone(room), &desk.gone);
            keep_snapshot(&desk.db, &room, &sum)?;
        }
    }
    Ok(Appended::Done)
}

fn end(db: &Connection, room: RoomId) -> Result<End> {
    let mut query = db.prepare_cached(
        "SELECT head_seq, head_sum, head_idx, head_message,
             keep_records IS NOT NULL OR (keep_days IS NOT NULL AND due_at IS NULL)
         FROM rooms WHERE id = ?1",
    )?;
    let mut rows = query.query([int(room)])?;
    match rows.next()? {
        Some(row) => Ok(End {
            seq: number(row, 0)?,
            sum: Sum(bytes16(row, 1)?),
            spot: Spot {
                idx: number(row, 2)?,
                message: number(row, 3)?,
            },
            falls_due: row.get(4)?,
        }),
        None => Ok(End {
            seq: Seq::default(),
            sum: Sum::START,
            spot: Spot::default(),
            falls_due: false,
        }),
    }
}

/// Writes the records and what lists show of them; returns the sum after the last one.
fn write(desk: &mut Desk, end: &End, records: &[Arc<Record>]) -> Result<Option<Sum>> {
    let Some(last) = records.last() else {
        return Ok(None);
    };
    let (mut sum, mut spot) = (end.sum, end.spot);
    let keys = words_keys(desk, records.len())?;
    // Taken from the cache once, not for each record.
    let mut log = desk.db.prepare_cached(
        "INSERT INTO records
             (room, seq, run, idx, message, version, fact, mac, sum, key, words)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let (mut erased, mut falls_due) = (false, end.falls_due);
    for (record, key) in records.iter().zip(keys) {
        let record = &kept(record, &desk.gone);
        let entry = encode(record, key, &sum);
        sum = entry.sum;
        if let Event::Posted(it) = &record.event {
            spot = Spot {
                idx: it.idx,
                message: record.seq,
            };
        }
        falls_due |= touches_retention(&record.event);
        insert(&mut log, desk.run, record, &entry, spot)?;
        erased |= project::project(&desk.db, record, spot.idx)?;
    }
    drop(log);
    if erased {
        desk.note_erased()?;
    }
    keep_end(&desk.db, last.room, last.seq, &sum, spot)?;
    if falls_due {
        retention::settle(&desk.db, last.room)?;
    }
    Ok(Some(sum))
}

/// Keys for so many records' words, each of them used once.
fn words_keys(desk: &mut Desk, count: usize) -> Result<Vec<WordsKey>> {
    if desk.keys.len() < count {
        let mut drawn = vec![[0; 16]; count.max(KEYS_DRAWN)];
        getrandom::fill(drawn.as_flattened_mut())
            .map_err(|error| Fault::Unavailable(error.to_string()))?;
        desk.keys.extend(drawn.into_iter().map(WordsKey));
    }
    Ok(desk.keys.split_off(desk.keys.len() - count))
}

/// Notes where a room's log ends.
pub(super) fn keep_end(
    db: &Connection,
    room: RoomId,
    seq: Seq,
    sum: &Sum,
    spot: Spot,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE rooms SET head_seq = ?2, head_sum = ?3, head_idx = ?4, head_message = ?5
         WHERE id = ?1",
    )?
    .execute(params![
        int(room),
        int(seq),
        sum.0,
        int(spot.idx),
        int(spot.message)
    ])?;
    Ok(())
}

fn insert(
    log: &mut CachedStatement<'_>,
    run: i64,
    record: &Record,
    entry: &Entry,
    spot: Spot,
) -> Result<()> {
    let sealed = entry.words.as_ref();
    log.execute(params![
        int(record.room),
        int(record.seq),
        run,
        int(spot.idx),
        int(spot.message),
        entry.version,
        entry.fact,
        entry.mac.map(|mac| mac.0),
        entry.sum.0,
        sealed.map(|sealed| sealed.key.0),
        sealed.map(|sealed| &sealed.words),
    ])?;
    Ok(())
}

pub(super) fn keep_snapshot(db: &Connection, room: &Room, sum: &Sum) -> Result<()> {
    let state = serde_json::to_vec(room).map_err(|error| Fault::Unavailable(error.to_string()))?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO snapshots (room, seq, state, sum, seal)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        int(room.id),
        int(room.head_seq),
        state,
        sum.0,
        sum.seal(&state).0
    ])?;
    Ok(())
}

/// The number that the next room gets, if no room was made under a higher one.
pub(super) fn reserve_rooms(desk: &mut Desk, count: u64) -> Result<u64> {
    let db = &desk.db;
    let kept: Option<String> = db
        .query_row(
            "SELECT value FROM settings WHERE name = 'next_room'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let kept = match kept {
        Some(text) => text
            .parse()
            .map_err(|_| Fault::damaged("the next room's number is no number"))?,
        None => 1,
    };
    let highest: Option<i64> = db.query_row("SELECT max(id) FROM rooms", [], |row| row.get(0))?;
    let above = u64::try_from(highest.unwrap_or_default())
        .unwrap_or_default()
        .saturating_add(1);
    let next = u64::max(kept, above);
    let after = next.checked_add(count).filter(|it| *it <= NUMBER_MAX);
    let after = after.ok_or_else(|| Fault::damaged("the next room's number is out of range"))?;
    db.execute(
        "INSERT OR REPLACE INTO settings (name, value) VALUES ('next_room', ?1)",
        [after.to_string()],
    )?;
    Ok(next)
}
