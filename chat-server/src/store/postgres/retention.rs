//! When rooms have messages that are past their time.
//!
//! Each room that doesn't keep everything has a moment at which there is something to be trimmed. It
//! is set when that changes: by what the first kept record is, by how many there are, by a wish. So
//! those that are due are read off an index, and rooms that keep everything cost nothing.

use chat_core::{Retention, RoomId, Seq, Timestamp};
use tokio_postgres::Row;

use super::column::{get, int, maybe, number, rows};
use super::fault::{Fault, Result};
use super::tx::{Steps, Tx, params};
use crate::store::project::{Kept, TRIMS_PASSED_OVER, days_ms};
use crate::store::{Overdue, TRIMMED_EVERY_MS};

/// The moment of what is due at once.
const AT_ONCE: Timestamp = Timestamp::new(1);

/// The first record that may be kept because it is young enough.
async fn by_age(kept: &Kept, tx: &Tx<'_>, room: RoomId, now: Timestamp) -> Result<Seq> {
    let Some(days) = kept.retention.days else {
        return Ok(Seq::default());
    };
    let since = now.minus_ms(days_ms(days));
    let (mut low, mut end) = (kept.first(), kept.head.next());
    while low < end {
        let middle = Seq::new(low.number().midpoint(end.number()));
        if line(tx, room, middle).await?.at > since {
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

async fn line(tx: &Tx<'_>, room: RoomId, seq: Seq) -> Result<Line> {
    let sql = "SELECT fact FROM records WHERE room = $1 AND seq = $2";
    let found = tx.row(sql, params![int(room), int(seq)]).await?;
    let row = found.ok_or_else(|| Fault::Damaged(format!("room {room}: no record {seq}")))?;
    read_line(get(&row, 0)?)
}

/// The columns of [`Kept`] in the order in which [`kept`] reads them.
macro_rules! kept_columns {
    () => {
        "keep_days, keep_records, kept_from, head_seq"
    };
}

fn kept(row: &Row, first: usize) -> Result<Kept> {
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
pub(super) fn note(steps: &mut Steps, room: RoomId, retention: Retention) {
    let days = retention.days.map(int);
    let records = retention.records.map(int);
    let sql = "UPDATE rooms SET keep_days = $2, keep_records = $3 WHERE id = $1";
    steps.push(sql, params![int(room), days, records]);
}

/// Sets when a room is due, as its log ends today.
pub(super) async fn settle(tx: &Tx<'_>, room: RoomId) -> Result<()> {
    let sql = concat!(
        "SELECT due_at, trimmed_at, lifecycle = 'deleted', ",
        kept_columns!(),
        " FROM rooms WHERE id = $1"
    );
    let Some(row) = tx.row(sql, params![int(room)]).await? else {
        return Ok(());
    };
    let before: Option<i64> = get(&row, 0)?;
    let (trimmed_at, is_deleted): (Timestamp, bool) = (number(&row, 1)?, get(&row, 2)?);
    let kept = kept(&row, 3)?;
    let due = match is_deleted || kept.is_for_ever() {
        true => None,
        false => due(tx, room, &kept).await?,
    };
    // Every trimming is heard, so it has its pace.
    let pace = match trimmed_at.number() {
        0 => trimmed_at,
        _ => trimmed_at.plus_ms(TRIMMED_EVERY_MS),
    };
    let due = due.map(|due| int(due.max(pace)));
    if due != before {
        let sql = "UPDATE rooms SET due_at = $2 WHERE id = $1";
        tx.execute(sql, params![int(room), due]).await?;
    }
    Ok(())
}

async fn due(tx: &Tx<'_>, room: RoomId, kept: &Kept) -> Result<Option<Timestamp>> {
    if kept.by_count() > kept.first() {
        return Ok(Some(AT_ONCE));
    }
    let Some(days) = kept.retention.days else {
        return Ok(None);
    };
    let sql = "SELECT fact FROM records WHERE room = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    let limit = rows(TRIMS_PASSED_OVER);
    let found = tx
        .rows(sql, params![int(room), int(kept.first()), limit])
        .await?;
    for (place, row) in (1..).zip(&found) {
        // Damage is told by whoever reads the room; an append doesn't.
        let Ok(line) = read_line(get(row, 0)?) else {
            continue;
        };
        // That a room was trimmed is no reason to trim it.
        if line.ev != "room_trimmed" || place == TRIMS_PASSED_OVER {
            return Ok(Some(line.at.plus_ms(days_ms(days))));
        }
    }
    Ok(None)
}

/// Rooms that are due, longest first.
pub(super) async fn overdue(tx: &Tx<'_>, now: Timestamp, limit: usize) -> Result<Vec<Overdue>> {
    let sql = concat!(
        "SELECT id, ",
        kept_columns!(),
        " FROM rooms WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2"
    );
    let mut overdue = Vec::new();
    for row in tx.rows(sql, params![int(now), rows(limit)]).await? {
        let (room, kept) = (number(&row, 0)?, kept(&row, 1)?);
        let by_age = match by_age(&kept, tx, room, now).await {
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
