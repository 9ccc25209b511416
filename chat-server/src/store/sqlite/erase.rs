//! Taking words away: a message's, or all that a person ever wrote.
//!
//! A person is erased in one transaction: his account and his names are gone with it, nothing that he
//! wrote is read with words any more, and nothing that he writes from then on is kept with any. The
//! words that he wrote before go after that, part by part; how far that came is kept, so that it goes
//! on after a crash.

use std::collections::BTreeSet;

use chat_core::{Content, Event, Record, RoomId, Seq, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{int, number, rows};
use super::fault::{Fault, Result};
use super::{append, log, project, terms};
use crate::store::Erasure;
use crate::store::project::without_names;

/// Records that are looked at in one go.
const RECORDS_MAX: usize = 1_000;

/// Takes the words of a message and of its edits away; `said` is how it reads.
pub(super) fn message(
    db: &Connection,
    room: i64,
    message: Seq,
    said: Option<&Content>,
) -> Result<()> {
    if said.is_some() && terms::has(db, room, message)? {
        terms::remove(db, room, message, said)?;
    }
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("erase_forgets_earlier_edits") {
        let last = "(SELECT edit FROM changed WHERE room = ?1 AND message = ?2)";
        let sql = format!(
            "UPDATE records SET key = NULL, words = NULL
             WHERE room = ?1 AND (seq = ?2 OR seq = {last})"
        );
        db.execute(&sql, [room, int(message)])?;
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE records SET key = NULL, words = NULL WHERE room = ?1 AND seq IN
             (SELECT ?2 UNION ALL SELECT seq FROM edits WHERE room = ?1 AND message = ?2)",
    )?
    .execute([room, int(message)])?;
    Ok(())
}

/// When a user was erased, if he was.
pub(super) fn erased_at(db: &Connection, user: UserId) -> Result<Option<Timestamp>> {
    let mut query = db.prepare_cached("SELECT at FROM erased WHERE user = ?1")?;
    let mut found = query.query([int(user)])?;
    found.next()?.map(|row| number(row, 0)).transpose()
}

/// A record as it is read: one of somebody who was erased without words, if they are still there.
pub(super) fn told(db: &Connection, mut record: Record) -> Result<Record> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("erased_words_read_until_gone") {
        return Ok(record);
    }
    if erased_at(db, record.by.id)?.is_some() {
        drop(record.take_words());
    }
    Ok(record)
}

/// Everybody who was erased.
pub(super) fn everybody(db: &Connection) -> Result<BTreeSet<UserId>> {
    let mut query = db.prepare_cached("SELECT user FROM erased")?;
    let mut found = query.query([])?;
    let mut users = BTreeSet::new();
    while let Some(row) = found.next()? {
        users.insert(number(row, 0)?);
    }
    Ok(users)
}

/// Takes an account and a person's names away, and notes that his words are to go.
pub(super) fn begin(db: &Connection, user: UserId, at: Timestamp) -> Result<bool> {
    let id = int(user);
    let noted = db.execute(
        "INSERT OR IGNORE INTO erased (user, at, room, seq) VALUES (?1, ?2, 0, 0)",
        [id, int(at)],
    )?;
    if noted == 0 {
        return Ok(false);
    }
    super::accounts::raise_epoch(db, user)?;
    for sql in [
        "DELETE FROM logins WHERE user = ?1",
        "DELETE FROM links WHERE user = ?1",
        "DELETE FROM accounts WHERE id = ?1",
        "DELETE FROM guests WHERE user = ?1",
        "DELETE FROM blocks WHERE by = ?1 OR user = ?1",
        "UPDATE members SET name = NULL, nickname = NULL WHERE user = ?1",
    ] {
        db.execute(sql, [id])?;
    }
    Ok(true)
}

/// Takes some of the words away that erased people wrote; whether there was something to do.
///
/// One pass through the log is for all who wait when it begins; who comes meanwhile waits for the
/// next one. So nobody waits longer for those who come after him.
pub(super) fn go_on(db: &Connection) -> Result<bool> {
    let sql = "SELECT room, seq FROM erased WHERE room IS NOT NULL
               ORDER BY room DESC, seq DESC LIMIT 1";
    let begun = db
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((room, seq)): Option<(i64, i64)> = begun else {
        return Ok(false);
    };
    let users = passing(db, room, seq)?;
    let mut query = db.prepare_cached(
        "SELECT room, seq, fact FROM records WHERE (room, seq) > (?1, ?2)
         ORDER BY room, seq LIMIT ?3",
    )?;
    let mut found = query.query(params![room, seq, rows(RECORDS_MAX)])?;
    let mut last = None;
    while let Some(row) = found.next()? {
        let place: (i64, i64) = (row.get(0)?, row.get(1)?);
        last = Some(place);
        let erased = match row.get_ref(2)?.as_blob() {
            Ok(fact) => erase_if_by(db, fact, &users),
            Err(_) => Err(half()),
        };
        match erased {
            Ok(()) => {}
            #[cfg(sabotage)]
            Err(fault) if chat_core::sabotage::planted("damage_stops_erasing") => {
                return Err(fault);
            }
            // Whose it is can't be told. All the others are to go.
            Err(Fault::Damaged(why)) => tracing::error!(
                room = place.0,
                seq = place.1,
                why,
                "a damaged record is passed over, and has its words, if it has any"
            ),
            Err(fault) => return Err(fault),
        }
    }
    let (to_room, to_seq) = last.unzip();
    #[cfg(sabotage)]
    let (to_room, to_seq) = match chat_core::sabotage::planted("erasing_stops_after_a_part") {
        true => (None, None),
        false => (to_room, to_seq),
    };
    db.prepare_cached("UPDATE erased SET room = ?3, seq = ?4 WHERE room = ?1 AND seq = ?2")?
        .execute(params![room, seq, to_room, to_seq])?;
    Ok(true)
}

/// Who is at a place in the log.
fn passing(db: &Connection, room: i64, seq: i64) -> Result<BTreeSet<UserId>> {
    let mut query = db.prepare_cached("SELECT user FROM erased WHERE room = ?1 AND seq = ?2")?;
    let mut found = query.query([room, seq])?;
    let mut users = BTreeSet::new();
    while let Some(row) = found.next()? {
        users.insert(number(row, 0)?);
    }
    Ok(users)
}

/// Takes the words of a record away if one of these wrote it.
fn erase_if_by(db: &Connection, fact: &[u8], users: &BTreeSet<UserId>) -> Result<()> {
    let line: Line = serde_json::from_slice(fact).map_err(|_| half())?;
    if !users.contains(&line.by.id) {
        return Ok(());
    }
    let record: Record = serde_json::from_slice(fact).map_err(|_| half())?;
    erase(db, &record)
}

fn half() -> Fault {
    Fault::damaged("a record can't be read")
}

/// As much of a record as says whose it is.
#[derive(serde::Deserialize)]
struct Line {
    by: By,
}

#[derive(serde::Deserialize)]
struct By {
    id: UserId,
}

fn erase(db: &Connection, record: &Record) -> Result<()> {
    let (room, seq) = (int(record.room), record.seq);
    if matches!(record.event, Event::Posted(_)) {
        let known = project::known(db, room, seq)?;
        message(db, room, seq, known.and_then(|it| it.content).as_ref())?;
        db.prepare_cached("UPDATE changed SET name = NULL WHERE room = ?1 AND message = ?2")?
            .execute([room, int(seq)])?;
        return Ok(());
    }
    db.prepare_cached("UPDATE records SET key = NULL, words = NULL WHERE room = ?1 AND seq = ?2")?
        .execute([room, int(seq)])?;
    if matches!(record.event, Event::NicknameChanged(_)) {
        renew_snapshot(db, record.room, record.by.id)?;
    }
    Ok(())
}

/// Takes a nickname out of a room's snapshot.
fn renew_snapshot(db: &Connection, room: RoomId, user: UserId) -> Result<()> {
    // A damaged one is somebody else's to tell.
    let Ok(Some((state, sum))) = log::snapshot(db, room) else {
        return Ok(());
    };
    if state.nickname(user).is_none() {
        return Ok(());
    }
    let state = without_names(state, &BTreeSet::from([user]));
    append::keep_snapshot(db, &state, &sum)
}

/// Erased people who still are in rooms, or own some.
pub(super) fn unfinished(db: &Connection, limit: usize) -> Result<Vec<Erasure>> {
    let mut query = db.prepare_cached(
        "SELECT user, room, max(owns), max(is_member) FROM (
             SELECT m.user, m.room, 0 AS owns, 1 AS is_member
                 FROM erased e JOIN members m ON m.user = e.user
             UNION ALL SELECT owner, id, 1, 0 FROM rooms WHERE owner IN (SELECT user FROM erased)
         ) JOIN rooms r ON r.id = room WHERE r.lifecycle <> 'deleted' AND r.kind <> 'direct'
         GROUP BY user, room LIMIT ?1",
    )?;
    let mut found = query.query([rows(limit)])?;
    let mut erasures = Vec::new();
    while let Some(row) = found.next()? {
        erasures.push(Erasure {
            user: number(row, 0)?,
            room: number(row, 1)?,
            owns: row.get(2)?,
            is_member: row.get(3)?,
        });
    }
    Ok(erasures)
}
