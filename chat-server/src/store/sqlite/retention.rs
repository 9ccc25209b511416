//! When rooms have messages that are past their time.
//!
//! Each room that doesn't keep everything has a moment at which there is something to be trimmed. It
//! is set when that changes: by what the first kept record is, by how many there are, by a wish. So
//! those that are due are read off an index, and rooms that keep everything cost nothing.

use chat_core::{Retention, RoomId, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{int, maybe, number, rows};
use super::fault::{Fault, Result};
use super::log;
use crate::store::project::{Kept, TRIMS_PASSED_OVER, days_ms};
use crate::store::{Overdue, TRIMMED_EVERY_MS};

/// The moment of what is due at once. (Zero says that it isn't known.)
const AT_ONCE: Timestamp = Timestamp::new(1);

/// Rooms whose retention is looked up at a time.
const LOOKED_UP: usize = 32;

/// The first record that may be kept because it is young enough.
fn by_age(kept: &Kept, db: &Connection, room: RoomId, now: Timestamp) -> Result<Seq> {
    let Some(days) = kept.retention.days else {
        return Ok(Seq::default());
    };
    let since = now.minus_ms(days_ms(days));
    let (mut low, mut end) = (kept.first(), kept.head.next());
    while low < end {
        let middle = Seq::new(low.number().midpoint(end.number()));
        if line(db, room, middle)?.at > since {
            end = middle;
        } else {
            low = middle.next();
        }
    }
    Ok(low)
}

/// As much of a record as says when it was, and what.
#[derive(serde::Deserialize)]
struct Line {
    at: Timestamp,
    ev: String,
}

fn read_line(fact: &[u8]) -> Result<Line> {
    serde_json::from_slice(fact).map_err(|_| Fault::damaged("a record can't be read"))
}

fn line(db: &Connection, room: RoomId, seq: Seq) -> Result<Line> {
    let fact: Option<Vec<u8>> = db
        .prepare_cached("SELECT fact FROM records WHERE room = ?1 AND seq = ?2")?
        .query_row([int(room), int(seq)], |row| row.get(0))
        .optional()?;
    let fact = fact.ok_or_else(|| Fault::Damaged(format!("room {room}: no record {seq}")))?;
    read_line(&fact)
}

/// The columns of [`Kept`] in the order in which [`kept`] reads them.
macro_rules! kept_columns {
    () => {
        "keep_days, keep_records, kept_from, head_seq"
    };
}

fn kept(row: &rusqlite::Row<'_>, first: usize) -> Result<Kept> {
    Ok(Kept {
        retention: Retention {
            days: maybe::<u64>(row, first)?.map(|days| u32::try_from(days).unwrap_or(u32::MAX)),
            records: maybe(row, first + 1)?,
        },
        from: number(row, first + 2)?,
        head: number(row, first + 3)?,
    })
}

/// Notes how long a room keeps messages.
pub(super) fn note(db: &Connection, room: i64, retention: Retention) -> Result<()> {
    let records = retention.records.map(int);
    db.prepare_cached("UPDATE rooms SET keep_days = ?2, keep_records = ?3 WHERE id = ?1")?
        .execute(params![room, retention.days, records])?;
    Ok(())
}

/// Sets when a room is due, as its log ends today.
pub(super) fn settle(db: &Connection, room: RoomId) -> Result<()> {
    let mut query = db.prepare_cached(concat!(
        "SELECT due_at, trimmed_at, lifecycle = 'deleted', ",
        kept_columns!(),
        " FROM rooms WHERE id = ?1 AND due_at IS NOT 0"
    ))?;
    let mut found = query.query([int(room)])?;
    let Some(row) = found.next()? else {
        return Ok(());
    };
    let before: Option<i64> = row.get(0)?;
    let (trimmed_at, is_deleted): (Timestamp, bool) = (number(row, 1)?, row.get(2)?);
    let kept = kept(row, 3)?;
    let due = match is_deleted || kept.is_for_ever() {
        true => None,
        false => due(db, room, &kept)?,
    };
    // Every trimming is heard, so it has its pace.
    let pace = match trimmed_at.number() {
        0 => trimmed_at,
        _ => trimmed_at.plus_ms(TRIMMED_EVERY_MS),
    };
    let due = due.map(|due| int(due.max(pace)));
    if due != before {
        db.prepare_cached("UPDATE rooms SET due_at = ?2 WHERE id = ?1")?
            .execute(params![int(room), due])?;
    }
    Ok(())
}

fn due(db: &Connection, room: RoomId, kept: &Kept) -> Result<Option<Timestamp>> {
    if kept.by_count() > kept.first() {
        return Ok(Some(AT_ONCE));
    }
    let Some(days) = kept.retention.days else {
        return Ok(None);
    };
    let mut query = db.prepare_cached(
        "SELECT fact FROM records WHERE room = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let limit = rows(TRIMS_PASSED_OVER);
    let mut found = query.query([int(room), int(kept.first()), limit])?;
    let (mut first, mut count) = (None, 0);
    while let Some(row) = found.next()? {
        count += 1;
        // Damage is told by whoever reads the room; an append doesn't.
        let Ok(line) = read_line(row.get_ref(0)?.as_blob().unwrap_or_default()) else {
            continue;
        };
        // That a room was trimmed is no reason to trim it.
        let is_trim = line.ev == "room_trimmed";
        #[cfg(sabotage)]
        let is_trim = is_trim && !chat_core::sabotage::planted("trimming_is_a_reason_to_trim");
        if !is_trim || count == TRIMS_PASSED_OVER {
            first = Some(line.at.plus_ms(days_ms(days)));
            break;
        }
    }
    Ok(first)
}

/// Rooms that are due, longest first.
pub(super) fn overdue(db: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Overdue>> {
    let mut query = db.prepare_cached(concat!(
        "SELECT id, ",
        kept_columns!(),
        " FROM rooms INDEXED BY rooms_due WHERE due_at > 0 AND due_at <= ?1
         ORDER BY due_at LIMIT ?2"
    ))?;
    let mut found = query.query([int(now), rows(limit)])?;
    let mut overdue = Vec::new();
    while let Some(row) = found.next()? {
        let (room, kept) = (number(row, 0)?, kept(row, 1)?);
        let by_age = match by_age(&kept, db, room, now) {
            Err(Fault::Damaged(why)) => {
                tracing::error!(%room, why, "a damaged room isn't trimmed");
                continue;
            }
            by_age => by_age?,
        };
        let from = kept.by_count().max(by_age);
        if from > kept.first() {
            overdue.push(Overdue { room, from });
        }
    }
    Ok(overdue)
}

/// Looks up how long some rooms keep messages that were made before this was noted; whether there
/// were any.
pub(super) fn look_up(db: &Connection) -> Result<bool> {
    let mut query =
        db.prepare_cached("SELECT id FROM rooms INDEXED BY rooms_due WHERE due_at = 0 LIMIT ?1")?;
    let mut found = query.query([rows(LOOKED_UP)])?;
    let mut rooms: Vec<RoomId> = Vec::new();
    while let Some(row) = found.next()? {
        rooms.push(number(row, 0)?);
    }
    drop(found);
    for room in &rooms {
        db.prepare_cached("UPDATE rooms SET due_at = NULL WHERE id = ?1")?
            .execute([int(*room)])?;
        match log::load(db, *room) {
            Ok(Some(state)) => {
                note(db, int(*room), state.retention)?;
                settle(db, *room)?;
            }
            // Whoever loads a damaged room says so.
            Ok(None) | Err(Fault::Damaged(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(!rooms.is_empty())
}
