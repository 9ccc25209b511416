//! Clients' ids of commands: what is kept of them is the newest part of what the log says.

use chat_core::Timestamp;
use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD};
use rusqlite::Connection;

use super::{Part, Tell, find};
use crate::store::sqlite::fault::Result;
use crate::store::sqlite::keys;

/// Forgets, of the cids that were made again, those that a store may have forgotten by now.
pub(super) fn forget_expired(db: &Connection, now: Timestamp) -> Result<()> {
    let before = now.minus_ms(CID_WINDOW_MS);
    let mut place = Some((i64::MIN, i64::MIN));
    while let Some(from) = place {
        let (expired, next) = keys::expired(db, from, before, CIDS_HELD)?;
        keys::forget(db, &expired)?;
        place = next;
    }
    Ok(())
}

/// Compares the cids.
pub(super) fn compare(db: &Connection, now: Timestamp, tell: Tell<'_>) -> Result<()> {
    // First those of the store, among all that there ever were; then those that have to be there.
    tell_of(db, EXTRA, "is kept for another record, or for none", tell)?;
    forget_expired(db, now)?;
    tell_of(db, MISSING, "is not kept, and may come again", tell)
}

const EXTRA: &str = "
    SELECT s.room, s.seq FROM store.cids s WHERE s.room NOT IN (SELECT room FROM main.broken)
    AND NOT EXISTS (SELECT 1 FROM main.cids m WHERE m.scope = s.scope AND m.user = s.user
        AND m.cid = s.cid AND m.room = s.room AND m.seq = s.seq AND m.at = s.at)";

const MISSING: &str = "
    SELECT m.room, m.seq FROM main.cids m WHERE NOT EXISTS
        (SELECT 1 FROM store.cids s WHERE s.scope = m.scope AND s.user = m.user AND s.cid = m.cid)";

fn tell_of(db: &Connection, sql: &str, words: &str, tell: Tell<'_>) -> Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (room, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
        let words = format!("room {room}, record {seq}: its cid {words}");
        find(tell, Part::Lists, words);
    }
    Ok(())
}
