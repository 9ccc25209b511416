//! Messages as they read today: their record, their last edit, their reactions.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::event::{Edited, Left, Posted};
use chat_core::{Event, Head, Idx, Name, Reaction, Record, RoomId, Seq, Timestamp, UserId};
use chat_protocol::answer::{Message, Tally};
use rusqlite::{Connection, Row, params};

use super::column::{int, maybe, number, rows, text};
use super::fault::{Fault, Result};
use super::log;
use crate::store::MessageQuery;
use crate::store::project::{Range, ranges};

/// How many messages there are up to a record, and which is the last of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Spot {
    pub(super) idx: Idx,
    pub(super) message: Seq,
}

/// What became of a message since it was posted.
#[derive(Default)]
struct Change {
    edit: Option<Seq>,
    deleted: Option<Seq>,
    deleted_at: Option<Timestamp>,
    name: Option<Name>,
}

/// Messages of a room, oldest first.
pub(super) fn messages(db: &Connection, query: &MessageQuery) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    let from = query.from.max(super::trim::kept_from(db, query.room)?);
    for range in ranges(query, from).into_iter().flatten() {
        let found = match query.thread {
            None => walk(db, query.room, &range)?,
            Some(thread) => walk_thread(db, query.room, thread, &range)?,
        };
        for seq in found {
            messages.push(one(db, query.room, query.viewer, seq)?);
        }
    }
    Ok(messages)
}

fn spot(db: &Connection, room: RoomId, seq: Seq) -> Result<Option<Spot>> {
    let mut query =
        db.prepare_cached("SELECT idx, message FROM records WHERE room = ?1 AND seq = ?2")?;
    let mut found = query.query([int(room), int(seq)])?;
    let spot = |row: &Row<'_>| {
        Ok(Spot {
            idx: number(row, 0)?,
            message: number(row, 1)?,
        })
    };
    found.next()?.map(spot).transpose()
}

/// The messages of a range, in order.
fn walk(db: &Connection, room: RoomId, range: &Range) -> Result<Vec<Seq>> {
    let high = range.high.min(head_seq(db, room)?.unwrap_or_default());
    if range.low > high {
        return Ok(Vec::new());
    }
    if range.from_high {
        return walk_back(db, room, range.low, high, range.limit);
    }
    let start = spot(db, room, range.low.prev())?.unwrap_or_default().idx;
    let limit = u64::try_from(range.limit).unwrap_or(u64::MAX);
    let last = Idx::saturating(start.number().saturating_add(limit));
    // The first record by which there are so many messages: positions and counts rise together.
    let (mut low, mut end) = (range.low, high);
    while low < end {
        let middle = Seq::new(low.number().midpoint(end.number()));
        let there = spot(db, room, middle)?.ok_or_else(|| mismatch(room, middle))?;
        if there.idx >= last {
            end = middle;
        } else {
            low = middle.next();
        }
    }
    walk_back(db, room, range.low, end, range.limit)
}

/// The last messages up to a record, in order.
fn walk_back(db: &Connection, room: RoomId, low: Seq, high: Seq, limit: usize) -> Result<Vec<Seq>> {
    let mut messages = Vec::new();
    let (mut seq, mut expected) = (high, None);
    while messages.len() < limit && seq >= low {
        let Some(there) = spot(db, room, seq)? else {
            break;
        };
        if expected.is_some_and(|idx| there.idx != idx) || there.message > seq {
            return Err(mismatch(room, seq));
        }
        if there.message < low || there.message.number() == 0 {
            break;
        }
        messages.push(there.message);
        expected = Some(there.idx.prev());
        seq = there.message.prev();
    }
    messages.reverse();
    Ok(messages)
}

macro_rules! thread {
    ($order:literal) => {
        concat!(
            "SELECT message FROM threads",
            " WHERE room = ?1 AND thread = ?2 AND message BETWEEN ?3 AND ?4 UNION ALL",
            " SELECT seq FROM records WHERE room = ?1 AND seq = ?2 AND message = seq",
            " AND seq BETWEEN ?3 AND ?4 ORDER BY message ",
            $order,
            " LIMIT ?5"
        )
    };
}

fn walk_thread(db: &Connection, room: RoomId, thread: Seq, range: &Range) -> Result<Vec<Seq>> {
    let sql = if range.from_high {
        thread!("DESC")
    } else {
        thread!("ASC")
    };
    let mut statement = db.prepare_cached(sql)?;
    let (low, high) = (int(range.low), int(range.high));
    let mut found = statement.query([int(room), int(thread), low, high, rows(range.limit)])?;
    let mut messages = Vec::new();
    while let Some(row) = found.next()? {
        messages.push(number(row, 0)?);
    }
    if range.from_high {
        messages.reverse();
    }
    Ok(messages)
}

fn change(db: &Connection, room: RoomId, message: Seq) -> Result<Change> {
    let mut query = db.prepare_cached(
        "SELECT edit, deleted, deleted_at, name FROM changed WHERE room = ?1 AND message = ?2",
    )?;
    let mut found = query.query([int(room), int(message)])?;
    let Some(row) = found.next()? else {
        return Ok(Change::default());
    };
    Ok(Change {
        edit: maybe(row, 0)?,
        deleted: maybe(row, 1)?,
        deleted_at: maybe(row, 2)?,
        name: text(row, 3)?,
    })
}

/// The last messages up to a record, oldest first.
pub(super) fn newest(
    db: &Connection,
    room: RoomId,
    low: Seq,
    high: Seq,
    limit: usize,
) -> Result<Vec<Seq>> {
    let range = Range {
        low,
        high,
        from_high: true,
        limit,
    };
    walk(db, room, &range)
}

/// One message as it reads today.
pub(super) fn one(db: &Connection, room: RoomId, viewer: UserId, seq: Seq) -> Result<Message> {
    let change = change(db, room, seq)?;
    let (record, posted) = posting(db, room, seq)?.ok_or_else(|| mismatch(room, seq))?;
    let mut message = Message {
        seq,
        idx: posted.idx,
        at: record.at,
        by: record.by,
        reply_to: posted.reply_to,
        thread: posted.thread,
        mentions: posted.mentions,
        mention_all: posted.mention_all,
        content: posted.content,
        edited_at: None,
        deleted_at: change.deleted_at,
        reactions: Vec::new(),
    };
    message.by.name = message.by.name.or(change.name);
    if let Some(edit) = change.edit {
        let (edit, edited) = editing(db, room, seq, edit)?;
        message.edited_at = Some(edit.at);
        message.mentions = edited.mentions;
        message.content = edited.content;
    }
    if change.deleted.is_some() != change.deleted_at.is_some()
        || (change.deleted.is_some() && message.content.is_some())
    {
        return Err(mismatch(room, seq));
    }
    if let Some(at) = super::erase::erased_at(db, message.by.id)? {
        // His words may still be there.
        (message.content, message.by.name) = (None, None);
        message.deleted_at = message.deleted_at.or(Some(at));
    }
    if message.deleted_at.is_none() {
        message.reactions = tallies(db, room, seq, viewer)?;
    }
    Ok(message)
}

fn mismatch(room: RoomId, seq: Seq) -> Fault {
    Fault::Damaged(format!(
        "room {room}: message {seq} is listed as its record doesn't say"
    ))
}

/// The record of a message; none if there is none, or if it is no message.
fn posting(db: &Connection, room: RoomId, seq: Seq) -> Result<Option<(Record, Posted)>> {
    let Some(mut record) = log::record(db, int(room), seq)? else {
        return Ok(None);
    };
    let Event::Posted(it) = take_event(&mut record) else {
        return Ok(None);
    };
    Ok(Some((record, it)))
}

fn editing(db: &Connection, room: RoomId, message: Seq, seq: Seq) -> Result<(Record, Edited)> {
    let record = log::record(db, int(room), seq)?;
    let mut record = record.ok_or_else(|| mismatch(room, message))?;
    if let Event::Edited(it) = take_event(&mut record)
        && it.message == message
    {
        return Ok((record, it));
    }
    Err(mismatch(room, message))
}

/// Takes the event out of a record of which only the rest is needed any more.
fn take_event(record: &mut Record) -> Event {
    std::mem::replace(&mut record.event, Event::Left(Left {}))
}

fn tallies(db: &Connection, room: RoomId, message: Seq, viewer: UserId) -> Result<Vec<Tally>> {
    let mut query = db.prepare_cached(
        "SELECT reaction, count(*), max(user = ?3) FROM reactions
         WHERE room = ?1 AND message = ?2 GROUP BY reaction ORDER BY min(seq)",
    )?;
    let mut found = query.query([int(room), int(message), int(viewer)])?;
    let mut tallies = Vec::new();
    while let Some(row) = found.next()? {
        tallies.push(Tally {
            reaction: reaction(row, 0)?,
            count: number(row, 1)?,
            mine: row.get(2)?,
        });
    }
    Ok(tallies)
}

fn reaction(row: &Row<'_>, column: usize) -> Result<Reaction> {
    Reaction::new(row.get::<_, String>(column)?)
        .map_err(|_| Fault::damaged("a reaction is not valid"))
}

fn head_seq(db: &Connection, room: RoomId) -> Result<Option<Seq>> {
    let mut query = db.prepare_cached("SELECT head_seq FROM rooms WHERE id = ?1")?;
    let mut found = query.query([int(room)])?;
    found.next()?.map(|row| number(row, 0)).transpose()
}

/// What decisions need of a message, and the room's head.
pub(super) fn head(db: &Connection, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>)> {
    let as_of = head_seq(db, room)?.unwrap_or_default();
    let Some((record, posted)) = posting(db, room, message)? else {
        return Ok((as_of, None));
    };
    let head = Head {
        author: record.by.id,
        at: record.at,
        thread: posted.thread,
        deleted: change(db, room, message)?.deleted,
        reactions: reactions(db, room, message)?,
    };
    Ok((as_of, Some(head)))
}

fn reactions(
    db: &Connection,
    room: RoomId,
    message: Seq,
) -> Result<BTreeMap<Reaction, BTreeSet<UserId>>> {
    let mut query =
        db.prepare_cached("SELECT reaction, user FROM reactions WHERE room = ?1 AND message = ?2")?;
    let mut found = query.query(params![int(room), int(message)])?;
    let mut reactions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        reactions
            .entry(reaction(row, 0)?)
            .or_default()
            .insert(number(row, 1)?);
    }
    Ok(reactions)
}
