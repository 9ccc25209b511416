//! The words of messages, and in which they stand.
//!
//! Words are taken in behind the log, a few messages at a time: an append doesn't wait for them. What
//! changes a message that was taken in changes its words in the same transaction.

use chat_core::{Content, RoomId, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{int, number, rows};
use super::fault::{Fault, Result};
use super::project::known;
use crate::store::words::terms;

/// Records that are taken in at a time, and words after which it is enough.
const MOST: (usize, usize) = (64, 1_000);

/// The same while somebody waits.
const BESIDE_MOST: (usize, usize) = (32, 300);

/// Takes in the words of a message.
pub(super) fn add(db: &Connection, room: i64, message: Seq, said: Option<&Content>) -> Result<()> {
    each(
        db,
        "INSERT OR IGNORE INTO terms (room, term, message) VALUES (?1, ?2, ?3)",
        (room, message),
        said,
    )?;
    Ok(())
}

/// Forgets the words of a message.
pub(super) fn remove(
    db: &Connection,
    room: i64,
    message: Seq,
    said: Option<&Content>,
) -> Result<()> {
    each(
        db,
        "DELETE FROM terms WHERE room = ?1 AND term = ?2 AND message = ?3",
        (room, message),
        said,
    )?;
    Ok(())
}

fn each(
    db: &Connection,
    sql: &str,
    (room, message): (i64, Seq),
    said: Option<&Content>,
) -> Result<usize> {
    let terms = said.map(|said| terms(said.body.as_str()));
    let terms = terms.unwrap_or_default();
    let mut statement = db.prepare_cached(sql)?;
    for term in &terms {
        statement.execute(params![room, term, int(message)])?;
    }
    Ok(terms.len())
}

/// Whether a message was taken in.
pub(super) fn has(db: &Connection, room: i64, message: Seq) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM rooms WHERE id = ?1 AND indexed >= ?2")?
        .query_row([room, int(message)], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Takes in some of what was not taken in yet, in the rooms after one; returns in which room it was
/// left off, and none if there is nothing left.
pub(super) fn catch_up(
    db: &Connection,
    after: RoomId,
    is_waited_for: bool,
) -> Result<Option<RoomId>> {
    let (mut records, mut terms) = if is_waited_for { BESIDE_MOST } else { MOST };
    let mut last = None;
    let (mut place, mut again) = (int(after), false);
    while records > 0 && terms > 0 {
        let Some((room, from)) = behind(db, place)? else {
            if again {
                break;
            }
            // From the first room again, once.
            (place, again) = (-1, true);
            continue;
        };
        place = int(room);
        if again && room > after {
            break;
        }
        let upto = take_in(db, (room, from), &mut records, &mut terms)?;
        if upto == from {
            // A log that ends too early: whoever loads the room says so.
            continue;
        }
        db.prepare_cached("UPDATE rooms SET indexed = ?2 WHERE id = ?1")?
            .execute([int(room), int(upto)])?;
        last = Some(room);
    }
    Ok(last)
}

/// Takes in some of the messages of a room after a position; returns how far it came.
fn take_in(
    db: &Connection,
    (room, from): (RoomId, Seq),
    records: &mut usize,
    terms: &mut usize,
) -> Result<Seq> {
    let mut query = db.prepare_cached(
        "SELECT seq, message = seq FROM records WHERE room = ?1 AND seq > ?2
         ORDER BY seq LIMIT ?3",
    )?;
    let mut found = query.query([int(room), int(from), rows(*records)])?;
    let mut upto = from;
    while *terms > 0
        && let Some(row) = found.next()?
    {
        upto = number(row, 0)?;
        *records = records.saturating_sub(1);
        if !row.get(1)? {
            continue;
        }
        match known(db, int(room), upto) {
            Ok(known) => {
                let said = known.as_ref().and_then(|known| known.content.as_ref());
                let sql = "INSERT OR IGNORE INTO terms (room, term, message) VALUES (?1, ?2, ?3)";
                *terms = terms.saturating_sub(each(db, sql, (int(room), upto), said)?);
            }
            // It isn't found, and isn't served either. All the others are to be found.
            Err(Fault::Damaged(why)) => {
                tracing::error!(%room, seq = %upto, why, "a damaged message has no words");
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(upto)
}

fn behind(db: &Connection, after: i64) -> Result<Option<(RoomId, Seq)>> {
    let mut query = db.prepare_cached(
        "SELECT id, indexed FROM rooms INDEXED BY rooms_behind
         WHERE indexed < head_seq AND id > ?1 ORDER BY id LIMIT 1",
    )?;
    let mut found = query.query([after])?;
    found
        .next()?
        .map(|row| Ok((number(row, 0)?, number(row, 1)?)))
        .transpose()
}
