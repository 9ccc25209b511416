//! What the log has of messages, read many at a time.

use chat_core::event::{Edited, Left, Posted};
use chat_core::{Content, Event, Name, Record, RoomId, Seq, Timestamp};
use tokio_postgres::Row;

use super::column::{get, int, maybe, number, text};
use super::fault::{Fault, Result};
use super::log::{ENTRY_COLUMNS, entry_columns, record};
use super::tx::{Tx, params};

/// A message as it was posted, and what became of it since.
pub(super) struct Said {
    pub(super) record: Record,
    pub(super) posted: Posted,
    /// The last edit.
    pub(super) edit: Option<(Record, Edited)>,
    /// The record that deleted it, and when.
    pub(super) deleted: Option<Seq>,
    pub(super) deleted_at: Option<Timestamp>,
    /// Its author's name, once the words are gone.
    pub(super) name: Option<Name>,
    /// When its author was erased.
    pub(super) erased_at: Option<Timestamp>,
}

impl Said {
    /// What it says today.
    pub(super) fn content(&self) -> Option<&Content> {
        match &self.edit {
            Some((_, edited)) => edited.content.as_ref(),
            None => self.posted.content.as_ref(),
        }
    }
}

const SAID: &str = concat!(
    "SELECT r.seq, c.edit, c.deleted, c.deleted_at, c.name, x.at, ",
    entry_columns!("r", "p"),
    ", ",
    entry_columns!("e", "q"),
    " FROM records r
     LEFT JOIN records p ON p.room = r.room AND p.seq = r.seq - 1
     LEFT JOIN changed c ON c.room = r.room AND c.message = r.seq
     LEFT JOIN erased x ON x.person = r.author
     LEFT JOIN records e ON e.room = c.room AND e.seq = c.edit
     LEFT JOIN records q ON q.room = e.room AND q.seq = e.seq - 1
     WHERE r.room = $1 AND r.seq = ANY($2) ORDER BY r.seq"
);

/// The messages at these positions, in their order; what is no message is left out. Each may be
/// damaged by itself.
pub(super) async fn each(
    tx: &Tx<'_>,
    room: RoomId,
    messages: &[Seq],
) -> Result<Vec<(Seq, Result<Said>)>> {
    let wanted: Vec<i64> = messages.iter().copied().map(int).collect();
    let found = tx.rows(SAID, params![int(room), wanted]).await?;
    let mut each = Vec::with_capacity(found.len());
    for row in &found {
        let seq = number(row, 0)?;
        if let Some(said) = read(row, room, seq).transpose() {
            each.push((seq, said));
        }
    }
    Ok(each)
}

/// One message; none if this is no message.
pub(super) async fn one(tx: &Tx<'_>, room: RoomId, message: Seq) -> Result<Option<Said>> {
    let found = each(tx, room, &[message]).await?;
    found.into_iter().next().map(|(_, said)| said).transpose()
}

fn read(row: &Row, room: RoomId, seq: Seq) -> Result<Option<Said>> {
    const FIRST: usize = 6;
    let mut posting = record(row, FIRST, room, seq)?;
    let Event::Posted(posted) = take_event(&mut posting) else {
        return Ok(None);
    };
    let edit = match maybe::<Seq>(row, 1)? {
        None => None,
        Some(edit) if get::<Option<i64>>(row, FIRST + ENTRY_COLUMNS)?.is_none() => {
            let why = format!("room {room}: record {edit} is missing");
            return Err(Fault::Damaged(why));
        }
        Some(edit) => {
            let mut editing = record(row, FIRST + ENTRY_COLUMNS, room, edit)?;
            let Event::Edited(it) = take_event(&mut editing) else {
                return Err(mismatch(room, seq));
            };
            if it.message != seq {
                return Err(mismatch(room, seq));
            }
            Some((editing, it))
        }
    };
    Ok(Some(Said {
        record: posting,
        posted,
        edit,
        deleted: maybe(row, 2)?,
        deleted_at: maybe(row, 3)?,
        name: text(row, 4)?,
        erased_at: maybe(row, 5)?,
    }))
}

pub(super) fn mismatch(room: RoomId, seq: Seq) -> Fault {
    Fault::Damaged(format!(
        "room {room}: message {seq} is listed as its record doesn't say"
    ))
}

/// Takes the event out of a record of which only the rest is needed any more.
fn take_event(record: &mut Record) -> Event {
    std::mem::replace(&mut record.event, Event::Left(Left {}))
}
