//! Messages as they read today: their record, their last edit, their reactions.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::event::{Edited, Left, Posted};
use chat_core::{
    Event, Head, Idx, NUMBER_MAX, Name, Reaction, Record, RoomId, Seq, Timestamp, UserId,
};
use chat_protocol::answer::{Message, Tally};
use rusqlite::{Connection, Row, params};

use super::column::{int, maybe, number, rows, text};
use super::fault::{Fault, Result};
use super::log;
use crate::store::{MessageQuery, Place};

/// What lists know of a message beside its record.
struct Line {
    seq: Seq,
    idx: Idx,
    edit: Option<Seq>,
    deleted: Option<Seq>,
    deleted_at: Option<Timestamp>,
    name: Option<Name>,
}

/// A run of messages: those between two positions that lie nearest to one of them.
struct Range {
    low: Seq,
    high: Seq,
    from_high: bool,
    limit: usize,
}

/// Messages of a room, oldest first.
pub(super) fn messages(db: &Connection, query: &MessageQuery) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    for range in ranges(query).into_iter().flatten() {
        for line in lines(db, query, &range)? {
            messages.push(message(db, query, line)?);
        }
    }
    Ok(messages)
}

fn ranges(query: &MessageQuery) -> [Option<Range>; 2] {
    let (from, to) = (query.from, query.to);
    let up_to = |seq: Seq, limit| {
        let high = Seq::new(seq.number().saturating_sub(1)).min(to);
        Range {
            low: from,
            high,
            from_high: true,
            limit,
        }
    };
    let on_from = |low: Seq, limit| Range {
        low: low.max(from),
        high: to,
        from_high: false,
        limit,
    };
    match query.place {
        Place::Newest => [Some(up_to(Seq::new(NUMBER_MAX), query.limit)), None],
        Place::Before(seq) => [Some(up_to(seq, query.limit)), None],
        Place::After(seq) => [Some(on_from(seq.next(), query.limit)), None],
        Place::Around(seq) => {
            let half = query.limit / 2;
            [
                Some(up_to(seq, half)),
                Some(on_from(seq, query.limit - half)),
            ]
        }
    }
}

macro_rules! lines {
    ($order:literal) => {
        concat!(
            "SELECT seq, idx, edit, deleted, deleted_at, name FROM messages",
            " WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq ",
            $order,
            " LIMIT ?4"
        )
    };
}

macro_rules! lines_of_thread {
    ($order:literal) => {
        concat!(
            "SELECT seq, idx, edit, deleted, deleted_at, name FROM messages",
            " WHERE room = ?1 AND thread = ?5 AND seq BETWEEN ?2 AND ?3 UNION ALL",
            " SELECT seq, idx, edit, deleted, deleted_at, name FROM messages",
            " WHERE room = ?1 AND seq = ?5 AND seq BETWEEN ?2 AND ?3 ORDER BY seq ",
            $order,
            " LIMIT ?4"
        )
    };
}

fn lines(db: &Connection, query: &MessageQuery, range: &Range) -> Result<Vec<Line>> {
    let mut statement = db.prepare_cached(match (query.thread, range.from_high) {
        (None, true) => lines!("DESC"),
        (None, false) => lines!("ASC"),
        (Some(_), true) => lines_of_thread!("DESC"),
        (Some(_), false) => lines_of_thread!("ASC"),
    })?;
    let (low, high) = (int(range.low), int(range.high));
    let (room, limit) = (int(query.room), rows(range.limit));
    let mut found = match query.thread {
        None => statement.query([room, low, high, limit])?,
        Some(thread) => statement.query([room, low, high, limit, int(thread)])?,
    };
    let mut lines = Vec::new();
    while let Some(row) = found.next()? {
        lines.push(line(row)?);
    }
    if range.from_high {
        lines.reverse();
    }
    Ok(lines)
}

fn line(row: &Row<'_>) -> Result<Line> {
    Ok(Line {
        seq: number(row, 0)?,
        idx: number(row, 1)?,
        edit: maybe(row, 2)?,
        deleted: maybe(row, 3)?,
        deleted_at: maybe(row, 4)?,
        name: text(row, 5)?,
    })
}

fn message(db: &Connection, query: &MessageQuery, line: Line) -> Result<Message> {
    let (record, posted) = posting(db, query.room, &line)?;
    let mut message = Message {
        seq: line.seq,
        idx: line.idx,
        at: record.at,
        by: record.by,
        reply_to: posted.reply_to,
        thread: posted.thread,
        mentions: posted.mentions,
        mention_all: posted.mention_all,
        content: posted.content,
        edited_at: None,
        deleted_at: line.deleted_at,
        reactions: Vec::new(),
    };
    message.by.name = message.by.name.or(line.name);
    if let Some(seq) = line.edit {
        let (edit, edited) = editing(db, query.room, line.seq, seq)?;
        message.edited_at = Some(edit.at);
        message.mentions = edited.mentions;
        message.content = edited.content;
    }
    if line.deleted.is_some() != line.deleted_at.is_some()
        || (line.deleted.is_some() && message.content.is_some())
    {
        return Err(mismatch(query.room, line.seq));
    }
    if line.deleted.is_none() {
        message.reactions = tallies(db, query.room, line.seq, query.viewer)?;
    }
    Ok(message)
}

fn mismatch(room: RoomId, seq: Seq) -> Fault {
    Fault::Damaged(format!(
        "room {room}: message {seq} is listed as its record doesn't say"
    ))
}

fn posting(db: &Connection, room: RoomId, line: &Line) -> Result<(Record, Posted)> {
    let (record, event) = known(db, room, line.seq, line.seq)?;
    if let Event::Posted(it) = event
        && it.idx == line.idx
    {
        return Ok((record, it));
    }
    Err(mismatch(room, line.seq))
}

fn editing(db: &Connection, room: RoomId, message: Seq, seq: Seq) -> Result<(Record, Edited)> {
    let (record, event) = known(db, room, message, seq)?;
    if let Event::Edited(it) = event
        && it.message == message
    {
        return Ok((record, it));
    }
    Err(mismatch(room, message))
}

/// A record that a message's line speaks of, and its event taken out of it.
fn known(db: &Connection, room: RoomId, message: Seq, seq: Seq) -> Result<(Record, Event)> {
    let record = log::record(db, int(room), seq)?;
    let mut record = record.ok_or_else(|| mismatch(room, message))?;
    let event = std::mem::replace(&mut record.event, Event::Left(Left {}));
    Ok((record, event))
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

/// What decisions need of a message, and the room's head.
pub(super) fn head(db: &Connection, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>)> {
    let mut query = db.prepare_cached("SELECT head_seq FROM rooms WHERE id = ?1")?;
    let mut found = query.query([int(room)])?;
    let as_of = match found.next()? {
        Some(row) => number(row, 0)?,
        None => return Ok((Seq::default(), None)),
    };
    let mut query = db.prepare_cached(
        "SELECT seq, idx, edit, deleted, deleted_at, name FROM messages
         WHERE room = ?1 AND seq = ?2",
    )?;
    let mut found = query.query([int(room), int(message)])?;
    let Some(row) = found.next()? else {
        return Ok((as_of, None));
    };
    let line = line(row)?;
    let (record, posted) = posting(db, room, &line)?;
    let head = Head {
        author: record.by.id,
        at: record.at,
        thread: posted.thread,
        deleted: line.deleted,
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
