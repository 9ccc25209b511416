//! Messages as they read today: their record, their last edit, their reactions.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Head, Idx, Reaction, RoomId, Seq, UserId};
use chat_protocol::answer::{Message, Tally};
use tokio_postgres::Row;

use super::column::{get, int, number, rows};
use super::fault::{Fault, Result};
use super::said::{self, Said, mismatch};
use super::trim;
use super::tx::{Tx, params};
use crate::store::MessageQuery;
use crate::store::project::{Range, ranges};

/// How many messages there are up to a record, and which is the last of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Spot {
    pub(super) idx: Idx,
    pub(super) message: Seq,
}

/// Messages of a room, oldest first.
pub(super) async fn messages(tx: &Tx<'_>, query: &MessageQuery) -> Result<Vec<Message>> {
    let from = query.from.max(trim::kept_from(tx, query.room).await?);
    let mut wanted = Vec::new();
    for range in ranges(query, from).into_iter().flatten() {
        wanted.extend(match query.thread {
            None => walk(tx, query.room, &range).await?,
            Some(thread) => walk_thread(tx, query.room, thread, &range).await?,
        });
    }
    read(tx, query.room, query.viewer, &wanted).await
}

/// The messages of a range, in order.
async fn walk(tx: &Tx<'_>, room: RoomId, range: &Range) -> Result<Vec<Seq>> {
    let head = head_seq(tx, room).await?;
    let high = range.high.min(head);
    if range.low > high {
        return Ok(Vec::new());
    }
    if range.from_high {
        return walk_back(tx, room, range.low, high, range.limit).await;
    }
    // The first record by which there are so many messages: positions and counts rise together, so
    // the half in which it lies is looked into, and half of that.
    let sql = "WITH RECURSIVE
        start (idx) AS (
            SELECT coalesce((SELECT idx FROM records WHERE room = $1 AND seq = $2::bigint - 1), 0)),
        half (low, high) AS (
            SELECT $2::bigint, $3::bigint
            UNION ALL
            SELECT CASE WHEN m.idx - s.idx >= $4 THEN h.low ELSE m.seq + 1 END,
                   CASE WHEN m.idx - s.idx >= $4 THEN m.seq ELSE h.high END
            FROM half h CROSS JOIN start s
            JOIN records m ON m.room = $1 AND m.seq = (h.low + h.high) / 2
            WHERE h.low < h.high)
        SELECT high FROM half WHERE low >= high";
    let wish = params![int(room), int(range.low), int(high), rows(range.limit)];
    let end = tx.row(sql, wish).await?;
    let end = end.ok_or_else(|| Fault::Damaged(format!("room {room}: a record is missing")))?;
    walk_back(tx, room, range.low, number(&end, 0)?, range.limit).await
}

/// The last messages up to a record, in order: from message to message, each says where the one
/// before it is.
pub(super) async fn walk_back(
    tx: &Tx<'_>,
    room: RoomId,
    low: Seq,
    high: Seq,
    limit: usize,
) -> Result<Vec<Seq>> {
    if limit == 0 || high < low {
        return Ok(Vec::new());
    }
    let sql = "WITH RECURSIVE walk (seq, idx, message, step) AS (
            SELECT seq, idx, message, 1::bigint FROM records WHERE room = $1 AND seq = $3
            UNION ALL
            SELECT r.seq, r.idx, r.message, w.step + 1
            FROM walk w JOIN records r ON r.room = $1 AND r.seq = w.message - 1
            WHERE w.step < $4 AND w.message > $2)
        SELECT seq, idx, message FROM walk ORDER BY step";
    let wish = params![int(room), int(low), int(high), rows(limit)];
    let mut messages = Vec::new();
    let mut expected = None;
    for row in tx.rows(sql, wish).await? {
        let (seq, idx, message): (Seq, Idx, Seq) =
            (number(&row, 0)?, number(&row, 1)?, number(&row, 2)?);
        if expected.is_some_and(|expected| idx != expected) || message > seq {
            return Err(mismatch(room, seq));
        }
        if message < low || message.number() == 0 {
            break;
        }
        messages.push(message);
        expected = Some(idx.prev());
    }
    messages.reverse();
    Ok(messages)
}

/// The last messages of a part of a room's log, oldest first.
pub(super) async fn newest(
    tx: &Tx<'_>,
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
    walk(tx, room, &range).await
}

macro_rules! thread {
    ($order:literal) => {
        concat!(
            "SELECT message FROM threads",
            " WHERE room = $1 AND thread = $2 AND message BETWEEN $3 AND $4 UNION ALL",
            " SELECT seq FROM records WHERE room = $1 AND seq = $2 AND message = seq",
            " AND seq BETWEEN $3 AND $4 ORDER BY message ",
            $order,
            " LIMIT $5"
        )
    };
}

async fn walk_thread(tx: &Tx<'_>, room: RoomId, thread: Seq, range: &Range) -> Result<Vec<Seq>> {
    let sql = match range.from_high {
        true => thread!("DESC"),
        false => thread!("ASC"),
    };
    let (low, high) = (int(range.low), int(range.high));
    let wish = params![int(room), int(thread), low, high, rows(range.limit)];
    let found = tx.rows(sql, wish).await?;
    let messages = found.iter().map(|row| number(row, 0));
    let mut messages = messages.collect::<Result<Vec<Seq>>>()?;
    if range.from_high {
        messages.reverse();
    }
    Ok(messages)
}

/// Messages as they read today, in the order of their positions.
pub(super) async fn read(
    tx: &Tx<'_>,
    room: RoomId,
    viewer: UserId,
    wanted: &[Seq],
) -> Result<Vec<Message>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let said = said::each(tx, room, wanted).await?;
    let mut tallies = tallies(tx, room, viewer, wanted).await?;
    let mut messages = Vec::with_capacity(said.len());
    for (seq, said) in said {
        let mut message = message(room, seq, said?)?;
        if message.deleted_at.is_none() {
            message.reactions = tallies.remove(&seq).unwrap_or_default();
        }
        messages.push(message);
    }
    match messages.len() == wanted.len() {
        true => Ok(messages),
        false => Err(Fault::Damaged(format!(
            "room {room}: a message is listed that is none"
        ))),
    }
}

/// One message as it reads today, without reactions.
fn message(room: RoomId, seq: Seq, said: Said) -> Result<Message> {
    let Said {
        record,
        posted,
        edit,
        deleted,
        deleted_at,
        name,
        erased_at,
    } = said;
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
        deleted_at,
        reactions: Vec::new(),
    };
    message.by.name = message.by.name.or(name);
    if let Some((editing, edited)) = edit {
        message.edited_at = Some(editing.at);
        message.mentions = edited.mentions;
        message.content = edited.content;
    }
    if deleted.is_some() != deleted_at.is_some() || (deleted.is_some() && message.content.is_some())
    {
        return Err(mismatch(room, seq));
    }
    if let Some(at) = erased_at {
        // His words may still be there.
        (message.content, message.by.name) = (None, None);
        message.deleted_at = message.deleted_at.or(Some(at));
    }
    Ok(message)
}

async fn tallies(
    tx: &Tx<'_>,
    room: RoomId,
    viewer: UserId,
    messages: &[Seq],
) -> Result<BTreeMap<Seq, Vec<Tally>>> {
    let sql = "SELECT message, reaction, count(*), bool_or(person = $3) FROM reactions
               WHERE room = $1 AND message = ANY($2)
               GROUP BY message, reaction ORDER BY message, min(seq)";
    let wanted: Vec<i64> = messages.iter().copied().map(int).collect();
    let found = tx
        .rows(sql, params![int(room), wanted, int(viewer)])
        .await?;
    let mut tallies: BTreeMap<Seq, Vec<Tally>> = BTreeMap::new();
    for row in found {
        tallies.entry(number(&row, 0)?).or_default().push(Tally {
            reaction: reaction(&row, 1)?,
            count: number(&row, 2)?,
            mine: get(&row, 3)?,
        });
    }
    Ok(tallies)
}

fn reaction(row: &Row, column: usize) -> Result<Reaction> {
    Reaction::new(get::<String>(row, column)?)
        .map_err(|_| Fault::damaged("a reaction is not valid"))
}

/// The last record of a room; zero if there is no such room.
async fn head_seq(tx: &Tx<'_>, room: RoomId) -> Result<Seq> {
    let sql = "SELECT head_seq FROM rooms WHERE id = $1";
    let found = tx.row(sql, params![int(room)]).await?;
    let head = found.map(|row| number(&row, 0)).transpose()?;
    Ok(head.unwrap_or_default())
}

/// What decisions need of a message, and the room's head.
pub(super) async fn head(tx: &Tx<'_>, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>)> {
    let as_of = head_seq(tx, room).await?;
    let Some(said) = said::one(tx, room, message).await? else {
        return Ok((as_of, None));
    };
    let head = Head {
        author: said.record.by.id,
        at: said.record.at,
        thread: said.posted.thread,
        deleted: said.deleted,
        reactions: reactions(tx, room, message).await?,
    };
    Ok((as_of, Some(head)))
}

async fn reactions(
    tx: &Tx<'_>,
    room: RoomId,
    message: Seq,
) -> Result<BTreeMap<Reaction, BTreeSet<UserId>>> {
    let sql = "SELECT reaction, person FROM reactions WHERE room = $1 AND message = $2";
    let mut reactions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in tx.rows(sql, params![int(room), int(message)]).await? {
        reactions
            .entry(reaction(&row, 0)?)
            .or_default()
            .insert(number(&row, 1)?);
    }
    Ok(reactions)
}
