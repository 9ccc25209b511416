//! The words of messages, and in which they stand.
//!
//! Words are taken in behind the log, a few messages at a time: an append doesn't wait for them. What
//! changes a message that was taken in changes its words in the same transaction.

use chat_core::{Content, RoomId, Seq};

use super::column::{get, int, number, rows};
use super::fault::{Fault, Result};
use super::said::{self, Said};
use super::tx::{Steps, Tx, params};
use crate::store::words::terms;

/// Records that are taken in at a time.
const RECORDS_MAX: usize = 128;

/// Takes in the words of a message, if it was taken in.
pub(super) fn add(steps: &mut Steps, room: RoomId, message: Seq, said: Option<&Content>) {
    let terms = words_of(said);
    if !terms.is_empty() {
        steps.push(
            "INSERT INTO terms (room, term, message)
             SELECT $1::bigint, t.term, $2::bigint FROM unnest($3::text[]) AS t (term)
             WHERE EXISTS (SELECT 1 FROM rooms WHERE id = $1 AND indexed >= $2)
             ON CONFLICT DO NOTHING",
            params![int(room), int(message), terms],
        );
    }
}

/// Forgets the words of a message.
pub(super) fn remove(steps: &mut Steps, room: RoomId, message: Seq, said: Option<&Content>) {
    let terms = words_of(said);
    if !terms.is_empty() {
        let sql = "DELETE FROM terms WHERE room = $1 AND term = ANY($3) AND message = $2";
        steps.push(sql, params![int(room), int(message), terms]);
    }
}

fn words_of(said: Option<&Content>) -> Vec<String> {
    let terms = said.map(|said| terms(said.body.as_str()));
    terms.unwrap_or_default()
}

/// Takes in some of what was not taken in yet, in the first room after one where there is such; returns
/// in which room, and none if there is nothing left.
pub(super) async fn catch_up(tx: &Tx<'_>, after: RoomId) -> Result<Option<RoomId>> {
    let sql = "SELECT id, indexed FROM rooms WHERE behind AND id > $1
               ORDER BY id LIMIT 1 FOR NO KEY UPDATE";
    let mut from = int(after);
    // From the first room again, once.
    let mut again = from >= 0;
    loop {
        let Some(behind) = tx.row(sql, params![from]).await? else {
            if !again {
                return Ok(None);
            }
            (from, again) = (-1, false);
            continue;
        };
        let (room, indexed): (RoomId, Seq) = (number(&behind, 0)?, number(&behind, 1)?);
        if take_in(tx, room, indexed).await? {
            return Ok(Some(room));
        }
        // A log that ends too early: whoever loads the room says so.
        from = int(room);
    }
}

/// Takes in some of the messages of a room after a position; whether there were any records.
async fn take_in(tx: &Tx<'_>, room: RoomId, from: Seq) -> Result<bool> {
    let sql = "SELECT seq, message = seq FROM records WHERE room = $1 AND seq > $2
               ORDER BY seq LIMIT $3";
    let found = tx
        .rows(sql, params![int(room), int(from), rows(RECORDS_MAX)])
        .await?;
    let Some(last) = found.last() else {
        return Ok(false);
    };
    let last: Seq = number(last, 0)?;
    let mut messages: Vec<Seq> = Vec::new();
    for row in &found {
        if get(row, 1)? {
            messages.push(number(row, 0)?);
        }
    }
    let (mut places, mut words) = (Vec::new(), Vec::new());
    for (seq, said) in said::each(tx, room, &messages).await? {
        match said {
            Ok(said) => {
                let terms = words_of(Said::content(&said));
                places.extend(terms.iter().map(|_| int(seq)));
                words.extend(terms);
            }
            // It isn't found, and isn't served either. All the others are to be found.
            Err(Fault::Damaged(why)) => {
                tracing::error!(%room, %seq, why, "a damaged message has no words");
            }
            Err(fault) => return Err(fault),
        }
    }
    let mut steps = Steps::default();
    steps.push(
        "INSERT INTO terms (room, message, term)
         SELECT $1::bigint, t.message, t.term FROM unnest($2::bigint[], $3::text[]) AS t (message, term)
         ON CONFLICT DO NOTHING",
        params![int(room), places, words],
    );
    let sql = "UPDATE rooms SET indexed = $2 WHERE id = $1";
    steps.push(sql, params![int(room), int(last)]);
    tx.all(&mut steps).await?;
    Ok(true)
}
