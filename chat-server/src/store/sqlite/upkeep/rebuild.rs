//! Making the lists again.

use std::path::Path;

use chat_core::Timestamp;
use rusqlite::Connection;

use super::fold::{Snapshots, fold};
use super::scratch::{Access, beside, exists};
use super::verify::integrity;
use super::{Finding, Part, cids, compare};
use crate::store::StoreError;
use crate::store::sqlite::fault::Result;
use crate::store::sqlite::open;

/// Throws the lists and snapshots of a store away and makes them again from its logs; no record
/// changes. It happens as a whole or not at all. Words that a record says are deleted go, if they are
/// still there.
///
/// Three things that no log tells are taken from the old lists: how far members have read, as far as
/// that can be, how far words were taken in, and by whom deleted messages were.
///
/// # Errors
///
/// [`StoreError::Locked`] if a server has the store; [`StoreError::Damaged`] if the file or a log is
/// damaged: lists made from it would hide that; the others as [`verify`](super::verify()) has them.
pub fn rebuild(path: &Path, now: Timestamp) -> Result<(), StoreError> {
    exists(path)?;
    let _lock = open::lock(path)?;
    let db = beside(path, Access::Write)?;
    let mut first = None;
    let tell = &mut |finding: Finding| match finding.part {
        Part::File | Part::Log => drop(first.get_or_insert(finding)),
        Part::Lists | Part::Accounts => {}
    };
    integrity(&db, path, tell).map_err(|fault| StoreError::from(&fault))?;
    fold(&db, Snapshots::Renew, tell)?;
    if let Some(finding) = first {
        return Err(StoreError::Damaged(finding.words));
    }
    replace(&db, now).map_err(|fault| StoreError::from(&fault))
}

/// Puts what was made again in the place of what is stored.
fn replace(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute_batch(CARRY_OVER)?;
    compare::replace(db)?;
    cids::forget_expired(db, now)?;
    let unerased = compare::UNERASED;
    db.execute_batch(&format!(
        "UPDATE store.records SET key = NULL, words = NULL WHERE (room, seq) IN ({unerased})"
    ))?;
    db.execute_batch(
        "DELETE FROM store.cids;
         INSERT INTO store.cids SELECT * FROM main.cids;
         DELETE FROM store.snapshots WHERE room NOT IN (SELECT id FROM main.rooms);
         UPDATE store.records AS r SET idx = s.idx, message = s.message FROM main.spots s
             WHERE s.room = r.room AND s.seq = r.seq;
         COMMIT;
         PRAGMA store.wal_checkpoint(TRUNCATE);",
    )?;
    Ok(())
}

/// What the log doesn't tell.
const CARRY_OVER: &str = "
    UPDATE main.members AS m SET read = max(m.read, min(s.read, r.head_idx))
        FROM store.members s, main.rooms r
        WHERE s.room = m.room AND s.user = m.user AND s.since = m.since AND r.id = m.room;
    UPDATE main.rooms AS m SET indexed = min(s.indexed, m.head_seq) FROM store.rooms s WHERE s.id = m.id;
    UPDATE main.changed AS c SET name = s.name FROM store.changed s
        WHERE s.room = c.room AND s.message = c.message AND c.deleted IS NOT NULL;
";
