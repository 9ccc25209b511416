//! Taking words away: a message's, or all that a person ever wrote.
//!
//! A person is erased in one transaction: his account and his names are gone with it, nothing that he
//! wrote is read with words any more, and nothing that he writes from then on is kept with any: every
//! append that began before it has ended by then, on whatever node, and those that begin after it see
//! it. The words that he wrote before go after that, part by part; how far that came is kept, so that
//! it goes on after a crash, or on another node.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Content, Event, Record, RoomId, Seq, Timestamp, UserId};
use tokio_postgres::Row;

use super::column::{get, int, number, rows};
use super::fault::{Fault, Result};
use super::schema::{self, Lock};
use super::tx::{Steps, Tx, params};
use super::{accounts, append, log, said, terms};
use crate::store::Erasure;
use crate::store::project::without_names;

/// Records that are looked at in one go.
const RECORDS_MAX: usize = 1_000;

/// Takes the words of a message and of its edits away; `content` is how it reads.
pub(super) fn message(steps: &mut Steps, room: RoomId, message: Seq, content: Option<&Content>) {
    terms::remove(steps, room, message, content);
    steps.push(
        "UPDATE records SET key = NULL, words = NULL WHERE room = $1 AND seq IN
             (SELECT $2::bigint UNION ALL SELECT seq FROM edits WHERE room = $1 AND message = $2)",
        params![int(room), int(message)],
    );
}

/// Takes the name away that is kept beside a deleted message.
pub(super) fn name(steps: &mut Steps, room: RoomId, message: Seq) {
    let sql = "UPDATE changed SET name = NULL WHERE room = $1 AND message = $2";
    steps.push(sql, params![int(room), int(message)]);
}

/// Takes the words of one record away.
pub(super) fn record(steps: &mut Steps, room: RoomId, seq: Seq) {
    let sql = "UPDATE records SET key = NULL, words = NULL WHERE room = $1 AND seq = $2";
    steps.push(sql, params![int(room), int(seq)]);
}

/// Takes an account and a person's names away, and notes that his words are to go.
pub(super) async fn begin(tx: &Tx<'_>, user: UserId, at: Timestamp) -> Result<bool> {
    let id = int(user);
    tx.row(schema::TAKE, params![Lock::Erasing.number()])
        .await?;
    let sql = "INSERT INTO erased (person, at, room, seq) VALUES ($1, $2, 0, 0)
               ON CONFLICT (person) DO NOTHING";
    if tx.execute(sql, params![id, int(at)]).await? == 0 {
        return Ok(false);
    }
    accounts::raise_epoch(tx, user).await?;
    let mut steps = Steps::default();
    for sql in [
        "DELETE FROM logins WHERE person = $1",
        "DELETE FROM links WHERE person = $1",
        "DELETE FROM accounts WHERE id = $1",
        "DELETE FROM guests WHERE person = $1",
        "DELETE FROM blocks WHERE by = $1 OR person = $1",
        "UPDATE members SET name = NULL, nickname = NULL WHERE person = $1",
    ] {
        steps.push(sql, params![id]);
    }
    tx.all(&mut steps).await?;
    Ok(true)
}

/// Takes some of the words away that erased people wrote; whether there was something to do.
///
/// One pass through the log is for all who wait when it begins; who comes meanwhile waits for the
/// next one. So nobody waits longer for those who come after him.
pub(super) async fn go_on(tx: &Tx<'_>) -> Result<bool> {
    let sql = "SELECT room, seq FROM erased WHERE room IS NOT NULL
               ORDER BY room DESC, seq DESC LIMIT 1";
    let Some(begun) = tx.row(sql, params![]).await? else {
        return Ok(false);
    };
    let (room, seq): (i64, i64) = (get(&begun, 0)?, get(&begun, 1)?);
    let sql = "SELECT person FROM erased WHERE room = $1 AND seq = $2";
    let passing = tx.rows(sql, params![room, seq]).await?;
    let people = passing.iter().map(|row| get(row, 0));
    let people = people.collect::<Result<BTreeSet<i64>>>()?;
    let passing: Vec<i64> = people.iter().copied().collect();
    let sql = "SELECT room, seq, author FROM records WHERE (room, seq) > ($1, $2)
               ORDER BY room, seq LIMIT $3";
    let found = tx.rows(sql, params![room, seq, rows(RECORDS_MAX)]).await?;
    let mut theirs: BTreeMap<RoomId, Vec<Seq>> = BTreeMap::new();
    for row in &found {
        if people.contains(&get(row, 2)?) {
            let (room, seq) = (number(row, 0)?, number(row, 1)?);
            theirs.entry(room).or_default().push(seq);
        }
    }
    // In the order in which appends do.
    let rooms: Vec<i64> = theirs.keys().copied().map(int).collect();
    let sql = "SELECT id FROM rooms WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    tx.rows(sql, params![rooms]).await?;
    let mut steps = Steps::default();
    for (room, seqs) in theirs {
        erase(tx, &mut steps, room, &seqs).await?;
    }
    let last = found.last();
    let last = last.map(|row| Ok::<_, Fault>((get::<i64>(row, 0)?, get::<i64>(row, 1)?)));
    let (to_room, to_seq) = last.transpose()?.unzip();
    // Not everybody who is there by now: of who has come since nothing was looked for.
    let sql = "UPDATE erased SET room = $2, seq = $3 WHERE person = ANY($1)";
    #[cfg(sabotage)]
    let sql = match chat_core::sabotage::planted("whoever_comes_meanwhile_is_passed_over") {
        true => "UPDATE erased SET room = $2, seq = $3 WHERE person = ANY($1) OR room IS NOT NULL",
        false => sql,
    };
    steps.push(sql, params![passing, to_room, to_seq]);
    tx.all(&mut steps).await?;
    Ok(true)
}

/// Takes the words of some records of a room away. Of a damaged message it isn't known which words it is
/// found by; its own go all the same.
async fn erase(tx: &Tx<'_>, steps: &mut Steps, room: RoomId, seqs: &[Seq]) -> Result<()> {
    renew_snapshot(tx, steps, room, seqs).await?;
    let mut said = BTreeMap::new();
    for (seq, it) in said::each(tx, room, seqs).await? {
        match it {
            Ok(it) => {
                said.insert(seq, it);
            }
            Err(Fault::Damaged(why)) => {
                tracing::error!(%room, %seq, why, "a damaged record loses its words unread");
            }
            Err(fault) => return Err(fault),
        }
    }
    for seq in seqs {
        let content = said.get(seq).and_then(said::Said::content);
        message(steps, room, *seq, content);
        name(steps, room, *seq);
    }
    Ok(())
}

/// Takes the nicknames out of a room's snapshot that some of its records gave.
async fn renew_snapshot(tx: &Tx<'_>, steps: &mut Steps, room: RoomId, seqs: &[Seq]) -> Result<()> {
    let sql = "SELECT fact FROM records WHERE room = $1 AND seq = ANY($2)";
    let wanted: Vec<i64> = seqs.iter().copied().map(int).collect();
    let mut named = BTreeSet::new();
    for row in tx.rows(sql, params![int(room), wanted]).await? {
        if let Ok(record) = serde_json::from_slice::<Record>(get(&row, 0)?)
            && matches!(record.event, Event::NicknameChanged(_))
        {
            named.insert(record.by.id);
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    match log::snapshot(tx, room).await {
        Ok(Some((state, sum))) => append::keep_snapshot(steps, &without_names(state, &named), &sum),
        // A damaged one is somebody else's to tell.
        Ok(None) | Err(Fault::Damaged(_)) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Erased people who still are in rooms, or own some.
pub(super) async fn unfinished(tx: &Tx<'_>, limit: usize) -> Result<Vec<Erasure>> {
    let sql = "SELECT w.person, w.room, bool_or(w.owns), bool_or(w.is_member) FROM (
             SELECT m.person, m.room, false AS owns, true AS is_member
                 FROM erased e JOIN members m ON m.person = e.person
             UNION ALL SELECT r.owner, r.id, true, false FROM erased e JOIN rooms r ON r.owner = e.person
         ) w JOIN rooms r ON r.id = w.room WHERE r.lifecycle <> 'deleted' AND r.kind <> 'direct'
         GROUP BY w.person, w.room ORDER BY w.person, w.room LIMIT $1";
    let found = tx.rows(sql, params![rows(limit)]).await?;
    let read = |row: &Row| {
        Ok(Erasure {
            user: number(row, 0)?,
            room: number(row, 1)?,
            owns: get(row, 2)?,
            is_member: get(row, 3)?,
        })
    };
    found.iter().map(read).collect()
}
