//! Taking the words away that were said before a room was trimmed.
//!
//! They are out of reach with the record that says so; they go after that, part by part. How far that
//! came is kept, so that it goes on after a crash.

use chat_core::event::RoomTrimmed;
use chat_core::{Event, Record, RoomId, Seq};

use super::column::{get, int, number, rows};
use super::erase;
use super::fault::{Fault, Result};
use super::said;
use super::tx::{Steps, Tx, params};

/// Records that are looked at in one go.
const RECORDS_MAX: usize = 100;

/// The first record of a room that is kept; zero if all are.
pub(super) async fn kept_from(tx: &Tx<'_>, room: RoomId) -> Result<Seq> {
    let sql = "SELECT kept_from FROM rooms WHERE id = $1";
    let found = tx.row(sql, params![int(room)]).await?;
    let kept_from = found.map(|row| number(&row, 0)).transpose()?;
    Ok(kept_from.unwrap_or_default())
}

/// Notes from where on a room is kept.
pub(super) fn note(steps: &mut Steps, record: &Record, it: &RoomTrimmed) {
    steps.push(
        "UPDATE rooms SET kept_from = $2::bigint, trimmed_at = $3, kept_idx =
             coalesce((SELECT idx FROM records WHERE room = $1 AND seq = $2::bigint - 1), 0)
         WHERE id = $1",
        params![int(record.room), int(it.from), int(record.at)],
    );
}

/// A record as it is read: what was said before a room was trimmed without words, if they are still
/// there.
pub(super) fn told(kept_from: Seq, mut record: Record) -> Record {
    if record.is_trimmed(kept_from) {
        drop(record.take_words());
    }
    record
}

/// Takes some of the words away that were said before a room was trimmed; whether there was something
/// to do.
pub(super) async fn go_on(tx: &Tx<'_>) -> Result<bool> {
    let sql = "SELECT id, swept, kept_from FROM rooms WHERE swept < kept_from
               ORDER BY id LIMIT 1 FOR NO KEY UPDATE";
    let Some(begun) = tx.row(sql, params![]).await? else {
        return Ok(false);
    };
    let (room, swept, kept_from): (i64, i64, i64) =
        (get(&begun, 0)?, get(&begun, 1)?, get(&begun, 2)?);
    let sql = "SELECT seq, fact FROM records WHERE room = $1 AND seq >= $2 AND seq < $3
               ORDER BY seq LIMIT $4";
    let found = tx
        .rows(sql, params![room, swept, kept_from, rows(RECORDS_MAX)])
        .await?;
    let swept = match found.get(RECORDS_MAX - 1) {
        Some(last) => get::<i64>(last, 0)? + 1,
        None => kept_from,
    };
    let mut steps = Steps::default();
    for row in &found {
        match sweep(tx, &mut steps, get(row, 1)?).await {
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
    let sql = "UPDATE rooms SET swept = $2 WHERE id = $1";
    steps.push(sql, params![room, swept]);
    tx.all(&mut steps).await?;
    Ok(true)
}

/// Takes the words of a record away, and with those of a message those of its edits.
async fn sweep(tx: &Tx<'_>, steps: &mut Steps, fact: &[u8]) -> Result<()> {
    let record: Record =
        serde_json::from_slice(fact).map_err(|_| Fault::damaged("a record can't be read"))?;
    if !record.is_trimmed(record.seq.next()) {
        return Ok(());
    }
    if matches!(record.event, Event::Posted(_)) {
        let said = said::one(tx, record.room, record.seq).await?;
        let content = said.as_ref().and_then(said::Said::content);
        erase::message(steps, record.room, record.seq, content);
        erase::name(steps, record.room, record.seq);
    } else {
        erase::record(steps, record.room, record.seq);
    }
    Ok(())
}
