//! A database of its own beside the stored one, in which the lists are made again.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;
use crate::store::sqlite::fault::{Fault, Result};
use crate::store::sqlite::open;

/// Whether the stored database may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Opens an empty database, which goes with its connection, and the stored one beside it under the
/// name `store`, both within one transaction.
///
/// Lists that are named plainly are those of the empty one. The log and the snapshots are not among
/// them: their plain names mean what is stored. Following the log erases what it says is erased;
/// here, where it is followed a second time, that changes nothing.
pub(super) fn beside(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let refused = |error| open::refusal(path, error);
    exists(path)?;
    // A name that is empty means a file without one, which the system removes by itself.
    let db = Connection::open_with_flags(
        "",
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(refused)?;
    db.set_prepared_statement_cache_capacity(128);
    open::migrate(&db, path)?;
    let open = || {
        db.busy_timeout(open::BUSY)?;
        db.execute("ATTACH ?1 AS store", [uri(path, access)])?;
        db.query_row("SELECT count(*) FROM store.sqlite_schema", [], |_| Ok(()))
    };
    open().map_err(refused)?;
    check_schema(&db, path)?;
    let prepare = || {
        if access == Access::Write {
            db.pragma_update(Some("store"), "synchronous", "FULL")?;
            db.pragma_update(Some("store"), "secure_delete", true)?;
        }
        db.execute_batch(PREPARE)?;
        if access == Access::Write {
            return db.execute_batch("BEGIN IMMEDIATE");
        }
        // The first look at the stored database settles the moment that everything is read of.
        db.execute_batch("BEGIN")?;
        db.query_row("SELECT count(*) FROM store.sqlite_schema", [], |_| Ok(()))
    };
    prepare().map_err(refused)?;
    Ok(db)
}

const PREPARE: &str = "
    DROP TABLE main.records;
    DROP TABLE main.snapshots;
    DROP TABLE main.erased;
    CREATE TABLE main.broken (room INTEGER PRIMARY KEY);
    CREATE TABLE main.spots (
        room INTEGER, seq INTEGER, idx INTEGER, message INTEGER, PRIMARY KEY (room, seq)
    ) WITHOUT ROWID;
    CREATE TEMP VIEW records AS SELECT * FROM store.records;
    CREATE TEMP TRIGGER keep INSTEAD OF UPDATE ON records BEGIN SELECT 1; END;
";

/// Refuses a file that is none: looking at it must not make it.
pub(super) fn exists(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::Unavailable(format!(
            "{}: {error}",
            path.display()
        ))),
    }
}

/// Refuses a database that isn't one of this program's, or not of this version.
fn check_schema(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = open::schema(db, path, "PRAGMA store.user_version")?;
    known(found, path)?;
    let missing: Option<String> = db
        .query_row(
            "SELECT group_concat(name, ', ') FROM
                 (SELECT type, name, sql FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite_%'
                  EXCEPT SELECT type, name, sql FROM store.sqlite_schema)",
            [],
            |row| row.get(0),
        )
        .map_err(|error| open::refusal(path, error))?;
    match missing {
        None => Ok(()),
        Some(names) => Err(StoreError::Damaged(format!(
            "{}: not as this program makes them: {names}",
            path.display()
        ))),
    }
}

/// Refuses what an earlier program made, and what none made.
fn known(found: u32, path: &Path) -> Result<(), StoreError> {
    let path = path.display();
    match found {
        0 => Err(StoreError::Damaged(format!(
            "{path}: is no store of this program"
        ))),
        found if found < open::KNOWN => Err(StoreError::Unavailable(format!(
            "{path}: has schema {found}; a server that is started on it brings it to {}",
            open::KNOWN
        ))),
        _ => Ok(()),
    }
}

/// The store, to be read and nothing else. It is no server's lock that readers need.
pub(super) fn source(path: &Path) -> Result<Connection, StoreError> {
    exists(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|it| open::refusal(path, it))?;
    db.busy_timeout(open::BUSY)
        .map_err(|error| open::refusal(path, error))?;
    known(open::schema(&db, path, "PRAGMA user_version")?, path)?;
    Ok(db)
}

/// The address of a file, as SQLite reads it.
fn uri(path: &Path, access: Access) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02x}").unwrap_or_default();
        }
    }
    uri.push_str(match access {
        Access::Read => "?mode=ro",
        Access::Write => "?mode=rw",
    });
    uri
}

/// What is wrong with what is stored, if that is what a fault says; else why it can't be read.
pub(super) fn damage(fault: &Fault) -> Result<String, StoreError> {
    let Fault::Sql(error) = fault else {
        return match StoreError::from(fault) {
            StoreError::Damaged(words) => Ok(words),
            other @ (StoreError::Unavailable(_)
            | StoreError::Locked(_)
            | StoreError::Newer { .. }) => Err(other),
        };
    };
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed,
        ) => Err(StoreError::from(fault)),
        // All else is a statement that is right on a store that is.
        Some(_) | None => Ok(error.to_string()),
    }
}
