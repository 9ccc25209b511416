//! Keys that are unique beyond one room.

use std::sync::Arc;

use chat_core::{Key, Record, RoomId, Seq, Timestamp};
use rusqlite::{Connection, params};

use super::column::{int, number};
use super::fault::Result;
use crate::store::{Holder, Taken};

/// Claims all keys of one room's records; if some are held already, claims none and says which.
pub(super) fn claim(db: &Connection, room: RoomId, records: &[Arc<Record>]) -> Result<Vec<Taken>> {
    if records
        .iter()
        .all(|record| record.cid.is_none() && !record.touches_keys())
    {
        return Ok(Vec::new());
    }
    db.prepare_cached("SAVEPOINT keys")?.execute([])?;
    let mut taken = Vec::new();
    for record in records {
        claim_one(db, room, record, &mut taken)?;
    }
    if !taken.is_empty() {
        db.prepare_cached("ROLLBACK TO keys")?.execute([])?;
    }
    db.prepare_cached("RELEASE keys")?.execute([])?;
    Ok(taken)
}

trait TouchesKeys {
    fn touches_keys(&self) -> bool;
}

impl TouchesKeys for Record {
    fn touches_keys(&self) -> bool {
        self.frees_alias() || !self.keys().is_empty()
    }
}

fn claim_one(db: &Connection, room: RoomId, record: &Record, taken: &mut Vec<Taken>) -> Result<()> {
    if record.frees_alias() {
        db.prepare_cached("DELETE FROM aliases WHERE room = ?1")?
            .execute([int(room)])?;
    }
    for key in record.keys() {
        let by = Holder {
            room,
            seq: record.seq,
        };
        if insert(db, &key, by, record.at)? == 0
            && let Some(by) = holder(db, &key)?
        {
            taken.push(Taken { key, by });
        }
    }
    Ok(())
}

fn insert(db: &Connection, key: &Key, by: Holder, at: Timestamp) -> Result<usize> {
    let (room, seq, at) = (int(by.room), int(by.seq), int(at));
    let mut cid = db.prepare_cached(
        "INSERT OR IGNORE INTO cids (scope, user, cid, room, seq, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    Ok(match key {
        Key::Alias(skeleton) => db
            .prepare_cached(
                "INSERT OR IGNORE INTO aliases (skeleton, room, seq) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![skeleton, room, seq])?,
        Key::Direct(one, other) => db
            .prepare_cached("INSERT OR IGNORE INTO directs (one, other, room) VALUES (?1, ?2, ?3)")?
            .execute([int(*one), int(*other), room])?,
        Key::Creation(user, id) => {
            cid.execute(params![0, int(*user), id.as_str(), room, seq, at])?
        }
        Key::Command(scope, user, id) => {
            cid.execute(params![int(*scope), int(*user), id.as_str(), room, seq, at])?
        }
    })
}

/// Who holds a key.
pub(super) fn holder(db: &Connection, key: &Key) -> Result<Option<Holder>> {
    let cid = "SELECT room, seq FROM cids WHERE scope = ?1 AND user = ?2 AND cid = ?3";
    match key {
        Key::Alias(skeleton) => one(
            db,
            "SELECT room, seq FROM aliases WHERE skeleton = ?1",
            params![skeleton],
        ),
        Key::Direct(one_user, other) => one(
            db,
            "SELECT room, 1 FROM directs WHERE one = ?1 AND other = ?2",
            params![int(*one_user), int(*other)],
        ),
        Key::Creation(user, id) => one(db, cid, params![0, int(*user), id.as_str()]),
        Key::Command(scope, user, id) => {
            one(db, cid, params![int(*scope), int(*user), id.as_str()])
        }
    }
}

fn one(db: &Connection, sql: &str, key: &[&dyn rusqlite::ToSql]) -> Result<Option<Holder>> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(key)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Holder {
        room: number(row, 0)?,
        seq: number(row, 1)?,
    }))
}

/// A cid that is past its window.
pub(super) struct Expired {
    scope: i64,
    user: i64,
    cid: String,
}

/// A place in the list of cids, between the cids of one user and room and those of the next.
pub(super) type Place = (i64, i64);

/// The place before all others.
pub(super) const FIRST: Place = (-1, -1);

/// Collects the cids that may be forgotten, from a place on: older than `before`, and not among the
/// newest `keep` of their user and room. Returns where to go on; none at the end.
pub(super) fn expired(
    db: &Connection,
    from: Place,
    before: Timestamp,
    keep: usize,
) -> Result<(Vec<Expired>, Option<Place>)> {
    let mut query = db.prepare_cached(
        "SELECT scope, user, cid, seq, room, at FROM cids WHERE (scope, user) > (?1, ?2)
         ORDER BY scope, user",
    )?;
    let mut rows = query.query([from.0, from.1])?;
    let (mut expired, mut group) = (Vec::new(), Vec::new());
    let (mut place, mut looked_at) = (from, 0);
    while let Some(row) = rows.next()? {
        let next: Place = (row.get(0)?, row.get(1)?);
        if next != place {
            expired.extend(beyond(std::mem::take(&mut group), place, before, keep));
            if looked_at >= LOOKED_AT_MAX {
                return Ok((expired, Some(place)));
            }
            place = next;
        }
        let (room, seq): (Seq, Seq) = (number(row, 4)?, number(row, 3)?);
        let at: Timestamp = number(row, 5)?;
        group.push(((at, room, seq), row.get(2)?));
        looked_at += 1;
    }
    expired.extend(beyond(group, place, before, keep));
    Ok((expired, None))
}

/// Cids that are looked at in one go.
const LOOKED_AT_MAX: usize = 10_000;

fn beyond(
    mut group: Vec<((Timestamp, Seq, Seq), String)>,
    (scope, user): Place,
    before: Timestamp,
    keep: usize,
) -> impl Iterator<Item = Expired> {
    group.sort_unstable_by_key(|((at, room, seq), _)| std::cmp::Reverse((*at, *room, *seq)));
    group
        .into_iter()
        .skip(keep)
        .filter(move |((at, ..), _)| *at < before)
        .map(move |(_, cid)| Expired { scope, user, cid })
}

/// Forgets cids.
pub(super) fn forget(db: &Connection, expired: &[Expired]) -> Result<()> {
    let mut delete =
        db.prepare_cached("DELETE FROM cids WHERE scope = ?1 AND user = ?2 AND cid = ?3")?;
    for it in expired {
        delete.execute(params![it.scope, it.user, it.cid])?;
    }
    Ok(())
}
