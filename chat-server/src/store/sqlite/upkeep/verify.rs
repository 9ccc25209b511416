//! Proving a store.

use std::path::Path;

use chat_core::Timestamp;
use rusqlite::Connection;

use super::fold::{Snapshots, fold};
use super::scratch::{Access, beside, damage};
use super::{Part, Tell, accounts, cids, compare, find};
use crate::store::StoreError;
use crate::store::sqlite::fault::{Fault, Result};

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Rooms, deleted ones included.
    pub rooms: u64,
    /// Records of their logs.
    pub records: u64,
    /// Messages among those.
    pub messages: u64,
    /// Accounts.
    pub accounts: u64,
    /// What was found to be wrong.
    pub findings: u64,
}

/// Looks at everything in a store's file, and tells of whatever is not as it has to be.
///
/// The file is read as it is at one moment; a server may write to it meanwhile. Every log is
/// followed: its sums, its numbers, what its facts lead to. The lists, snapshots and keys are
/// compared with that. `now` says which cids a store may have forgotten.
///
/// # Errors
///
/// [`StoreError::Damaged`] if the file is no store at all; [`StoreError::Newer`] if a later program
/// wrote it; [`StoreError::Unavailable`] if it can't be read.
pub fn verify(
    path: &Path,
    now: Timestamp,
    tell: &mut dyn FnMut(super::Finding),
) -> Result<Verified, StoreError> {
    let mut findings = 0;
    let mut count = |finding| {
        findings += 1;
        tell(finding);
    };
    let tell: Tell<'_> = &mut count;
    let db = beside(path, Access::Read)?;
    part(Part::File, "the file", integrity(&db, path, tell), tell)?;
    let read = fold(&db, Snapshots::Keep, tell)?;
    part(Part::Lists, "the lists", compare::compare(&db, tell), tell)?;
    part(Part::Lists, "the cids", cids::compare(&db, now, tell), tell)?;
    let checked = accounts::check(&db, tell);
    let accounts = part(Part::Accounts, "the accounts", checked, tell)?;
    Ok(Verified {
        rooms: read.rooms,
        records: read.records,
        messages: read.messages,
        accounts: accounts.unwrap_or_default(),
        findings,
    })
}

/// Goes on after a part that can't be read, unless it is nobody's damage.
fn part<T>(
    part: Part,
    name: &str,
    outcome: Result<T>,
    tell: Tell<'_>,
) -> Result<Option<T>, StoreError> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(fault) => {
            find(tell, part, format!("{name}: {}", damage(&fault)?));
            Ok(None)
        }
    }
}

/// What SQLite itself finds.
pub(super) fn integrity(db: &Connection, path: &Path, tell: Tell<'_>) -> Result<()> {
    let page_bytes: u32 = db.query_row("PRAGMA store.page_size", [], |row| row.get(0))?;
    let length = std::fs::metadata(path).map_err(|error| Fault::Unavailable(error.to_string()))?;
    // SQLite reads the rest of such a page as zeros, which may happen to make sense.
    if length.len() % u64::from(page_bytes.max(1)) != 0 {
        find(tell, Part::File, "the file: ends within a page");
    }
    let mut statement = db.prepare("PRAGMA store.integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let words: String = row.get(0)?;
        if words != "ok" {
            find(tell, Part::File, format!("the file: {words}"));
        }
    }
    Ok(())
}
