//! Taking the words away that were said before a room was trimmed.
//!
//! They are out of reach with the record that says so; they go after that, part by part. How far that
//! came is kept, so that it goes on after a crash.

use chat_core::event::RoomTrimmed;
use chat_core::{Event, Record, RoomId, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{int, number, rows};
use super::fault::{Fault, Result};
use super::{erase, project};

/// Records that are looked at in one go.
const RECORDS_MAX: usize = 100;

/// The first record of a room that is kept; zero if all are.
pub(super) fn kept_from(db: &Connection, room: RoomId) -> Result<Seq> {
    let mut query = db.prepare_cached("SELECT kept_from FROM rooms WHERE id = ?1")?;
    let mut found = query.query([int(room)])?;
    let row = found.next()?;
    Ok(row
        .map(|row| number(row, 0))
        .transpose()?
        .unwrap_or_default())
}

/// Notes from where on a room is kept.
pub(super) fn note(db: &Connection, record: &Record, it: &RoomTrimmed) -> Result<()> {
    db.prepare_cached(
        "UPDATE rooms SET kept_from = ?2, trimmed_at = ?3, kept_idx =
             coalesce((SELECT idx FROM records WHERE room = ?1 AND seq = ?2 - 1), 0)
         WHERE id = ?1",
    )?
    .execute([int(record.room), int(it.from), int(record.at)])?;
    Ok(())
}

/// A record as it is read: what was said before a room was trimmed without words, if they are still
/// there.
pub(super) fn told(kept_from: Seq, mut record: Record) -> Record {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("trimmed_words_read_until_gone") {
        return record;
    }
    if record.is_trimmed(kept_from) {
        drop(record.take_words());
    }
    record
}

/// Takes some of the words away that were said before a room was trimmed; whether there was something
/// to do.
pub(super) fn go_on(db: &Connection) -> Result<bool> {
    let sql = "SELECT id, swept, kept_from FROM rooms INDEXED BY rooms_unswept
               WHERE swept < kept_from ORDER BY id LIMIT 1";
    let begun: Option<(i64, i64, i64)> = db
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((room, swept, kept_from)) = begun else {
        return Ok(false);
    };
    let mut query = db.prepare_cached(
        "SELECT seq, fact FROM records WHERE room = ?1 AND seq >= ?2 AND seq < ?3
         ORDER BY seq LIMIT ?4",
    )?;
    let mut found = query.query(params![room, swept, kept_from, rows(RECORDS_MAX)])?;
    let (mut swept, mut count) = (kept_from, 0);
    while let Some(row) = found.next()? {
        count += 1;
        if count == RECORDS_MAX {
            swept = row.get::<_, i64>(0)? + 1;
        }
        let fact = row.get_ref(1)?.as_blob().unwrap_or_default();
        match sweep(db, fact) {
            Ok(()) => {}
            // All the others are to go.
            Err(Fault::Damaged(why)) => tracing::error!(
                room,
                why,
                "a damaged record is passed over, and has its words, if it has any"
            ),
            Err(fault) => return Err(fault),
        }
    }
    #[cfg(sabotage)]
    let swept = match chat_core::sabotage::planted("trimming_stops_after_a_part") {
        true => kept_from,
        false => swept,
    };
    db.prepare_cached("UPDATE rooms SET swept = ?2 WHERE id = ?1")?
        .execute([room, swept])?;
    Ok(true)
}

/// Takes the words of a record away, and with those of a message those of its edits.
fn sweep(db: &Connection, fact: &[u8]) -> Result<()> {
    let record: Record =
        serde_json::from_slice(fact).map_err(|_| Fault::damaged("a record can't be read"))?;
    let (room, seq) = (int(record.room), record.seq);
    if !record.is_trimmed(seq.next()) {
        return Ok(());
    }
    if matches!(record.event, Event::Posted(_)) {
        let known = project::known(db, room, seq)?;
        erase::message(db, room, seq, known.and_then(|it| it.content).as_ref())?;
        db.prepare_cached("UPDATE changed SET name = NULL WHERE room = ?1 AND message = ?2")?
            .execute([room, int(seq)])?;
        return Ok(());
    }
    db.prepare_cached("UPDATE records SET key = NULL, words = NULL WHERE room = ?1 AND seq = ?2")?
        .execute([room, int(seq)])?;
    Ok(())
}
