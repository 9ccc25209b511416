//! The log as it is read: each record verified against the one before it.

use std::sync::Arc;

use chat_core::{Record, Room, RoomId, Seq};
use chat_protocol::log::{Entry, Mac, Sealed, Sum, WordsKey, decode};
use tokio_postgres::Row;

use super::column::{bytes16, get, int, maybe_bytes16, number, rows};
use super::fault::{Fault, Result};
use super::trim;
use super::tx::{Steps, Tx, params};

/// The columns of an entry in the order in which [`entry`] reads them, and the sum before it.
macro_rules! entry_columns {
    ($record:literal, $before:literal) => {
        concat!(
            $record,
            ".version, ",
            $record,
            ".fact, ",
            $record,
            ".mac, ",
            $record,
            ".sum, ",
            $record,
            ".key, ",
            $record,
            ".words, ",
            $before,
            ".sum"
        )
    };
}
pub(super) use entry_columns;

/// How many columns those are.
pub(super) const ENTRY_COLUMNS: usize = 7;

/// Records that are read at a time.
const READ_MAX: usize = 1_000;

/// Reads an entry whose columns begin here.
fn entry(row: &Row, first: usize) -> Result<Entry> {
    let version: i64 = get(row, first)?;
    let key = maybe_bytes16(row, first + 4)?;
    let words: Option<Vec<u8>> = get(row, first + 5)?;
    Ok(Entry {
        version: u8::try_from(version)
            .map_err(|_| Fault::damaged(format!("version {version} of a record")))?,
        fact: get(row, first + 1)?,
        mac: maybe_bytes16(row, first + 2)?.map(Mac),
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

/// A record whose columns begin here, verified.
pub(super) fn record(row: &Row, first: usize, room: RoomId, seq: Seq) -> Result<Record> {
    let before = maybe_bytes16(row, first + ENTRY_COLUMNS - 1)?;
    let prev = before.map_or(Sum::START, Sum);
    verified(&entry(row, first)?, &prev, room, seq)
}

const SUM: &str = "SELECT sum FROM records WHERE room = $1 AND seq = $2";

/// The sum up to a record.
async fn sum(tx: &Tx<'_>, room: RoomId, seq: Seq) -> Result<Option<Sum>> {
    if seq.number() == 0 {
        return Ok(Some(Sum::START));
    }
    let row = tx.row(SUM, params![int(room), int(seq)]).await?;
    row.map(|row| bytes16(&row, 0).map(Sum)).transpose()
}

/// The records of a room after a position, oldest first, without the words of erased people, and
/// without those of before it was trimmed.
pub(super) async fn records(
    tx: &Tx<'_>,
    room: RoomId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Arc<Record>>> {
    let Some(start) = sum(tx, room, after).await? else {
        return Ok(Vec::new());
    };
    let kept_from = trim::kept_from(tx, room).await?;
    let mut records = Vec::new();
    follow(tx, room, after, start, limit, |mut record, is_erased| {
        if is_erased {
            drop(record.take_words());
        }
        records.push(Arc::new(trim::told(kept_from, record)));
        Ok(())
    })
    .await?;
    Ok(records)
}

/// Walks a log from a position on, whose sum is known, and returns the sum at the end. Each record
/// comes with whether its author was erased.
async fn follow(
    tx: &Tx<'_>,
    room: RoomId,
    after: Seq,
    mut sum: Sum,
    limit: usize,
    mut visit: impl FnMut(Record, bool) -> Result<()> + Send,
) -> Result<Sum> {
    let sql = "SELECT r.seq, r.version, r.fact, r.mac, r.sum, r.key, r.words, x.person IS NOT NULL
               FROM records r LEFT JOIN erased x ON x.person = r.author
               WHERE r.room = $1 AND r.seq > $2 ORDER BY r.seq LIMIT $3";
    let (mut last, mut left) = (after, limit);
    while left > 0 {
        let part = left.min(READ_MAX);
        let found = tx
            .rows(sql, params![int(room), int(last), rows(part)])
            .await?;
        let is_end = found.len() < part;
        left -= found.len();
        for row in found {
            let seq: Seq = number(&row, 0)?;
            last = last.next();
            if seq != last {
                let why = format!("room {room}: record {last} is missing");
                return Err(Fault::Damaged(why));
            }
            let entry = entry(&row, 1)?;
            let record = verified(&entry, &sum, room, seq)?;
            sum = entry.sum;
            visit(record, get(&row, ENTRY_COLUMNS)?)?;
        }
        if is_end {
            break;
        }
    }
    Ok(sum)
}

/// A room from its latest snapshot and its log's tail.
pub(super) async fn load(tx: &Tx<'_>, room: RoomId) -> Result<Option<Room>> {
    let mut steps = Steps::default();
    let head = "SELECT head_seq, head_sum FROM rooms WHERE id = $1";
    steps.push(head, params![int(room)]);
    steps.push(SNAPSHOT, params![int(room)]);
    let found = tx.all(&mut steps).await?;
    let mut found = found.into_iter().flatten();
    let Some(row) = found.next() else {
        return Ok(None);
    };
    let (head, head_sum): (Seq, _) = (number(&row, 0)?, Sum(bytes16(&row, 1)?));
    let snapshot = match found.next() {
        Some(row) => read_snapshot(&row, room)?,
        None => None,
    };
    let (mut state, after, start) = match snapshot {
        Some((state, sum)) => {
            let after = state.head_seq;
            (Some(state), after, sum)
        }
        None => (None, Seq::default(), Sum::START),
    };
    let hole = |seq: Seq| Fault::Damaged(format!("room {room}: record {seq} doesn't follow"));
    let end = follow(tx, room, after, start, usize::MAX, |record, _| {
        match &mut state {
            Some(state) => state.follow(&record).ok_or_else(|| hole(record.seq))?,
            None => state = Some(Room::founded(&record).ok_or_else(|| hole(record.seq))?),
        }
        Ok(())
    })
    .await?;
    match state {
        Some(state) if state.head_seq == head && end == head_sum => Ok(Some(state)),
        Some(_) | None => Err(Fault::Damaged(format!(
            "room {room}: the log ends too early"
        ))),
    }
}

const SNAPSHOT: &str = "SELECT s.seq, s.state, s.sum, s.seal, r.sum
    FROM snapshots s LEFT JOIN records r ON r.room = s.room AND r.seq = s.seq WHERE s.room = $1";

/// The latest snapshot and the sum at its position; none if this program can't read it, for then
/// the log says the same.
pub(super) async fn snapshot(tx: &Tx<'_>, room: RoomId) -> Result<Option<(Room, Sum)>> {
    match tx.row(SNAPSHOT, params![int(room)]).await? {
        Some(row) => read_snapshot(&row, room),
        None => Ok(None),
    }
}

fn read_snapshot(row: &Row, room: RoomId) -> Result<Option<(Room, Sum)>> {
    let damaged = || Fault::Damaged(format!("room {room}: the snapshot is damaged"));
    let (seq, state): (Seq, &[u8]) = (number(row, 0)?, get(row, 1)?);
    let at = Sum(bytes16(row, 2)?);
    let recorded = maybe_bytes16(row, 4)?.map(Sum);
    if at.seal(state).0 != bytes16(row, 3)? || recorded.is_some_and(|sum| sum != at) {
        return Err(damaged());
    }
    let Ok(state) = serde_json::from_slice::<Room>(state) else {
        return Ok(None);
    };
    if state.id == room && state.head_seq == seq {
        Ok(Some((state, at)))
    } else {
        Err(damaged())
    }
}

/// The last record of each of these rooms.
pub(super) async fn heads(tx: &Tx<'_>, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>> {
    let sql = "SELECT id, head_seq FROM rooms WHERE id = ANY($1)";
    let rooms: Vec<i64> = rooms.iter().copied().map(int).collect();
    let found = tx.rows(sql, params![rooms]).await?;
    let head = |row: &Row| Ok((number(row, 0)?, number(row, 1)?));
    found.iter().map(head).collect()
}

/// Whether a position that was heard under an epoch still means the same record.
pub(super) async fn continues(tx: &Tx<'_>, room: RoomId, epoch: String, seq: Seq) -> Result<bool> {
    if seq.number() == 0 {
        return Ok(true);
    }
    if !super::column::is_storable(&epoch) {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM records WHERE room = $1 AND seq = $2
               AND run <= (SELECT run FROM runs WHERE epoch = $3)";
    let found = tx.row(sql, params![int(room), int(seq), epoch]).await?;
    Ok(found.is_some())
}
