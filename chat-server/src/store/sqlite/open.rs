//! Opening the file: one holder at a time, a schema that is known, settings that don't lose data.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::checkpoint;
use super::fault::Fault;
use crate::store::StoreError;

/// How long a statement waits for somebody else's lock. Who comes while another waits has to wait
/// for both.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// The migrations, oldest first; the schema's version is how many of them have run.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
];

/// The latest schema that this program knows.
pub(super) const KNOWN: u32 = 3;
const _: () = assert!(
    MIGRATIONS.len() == KNOWN as usize,
    "one migration for each version"
);

/// The lock that says whose the file is. It goes with the process, however that ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that is being started has a copy of every descriptor until it is itself. Closed
        // here alone, the file stays locked for that long.
        drop(self.0.unlock());
    }
}

/// Takes the lock of a file.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let name = beside(path, "-lock");
    let unavailable =
        |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", name.display()));
    let file = private(&name).map_err(unavailable)?;
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("lock_not_taken") {
        return Ok(Lock(file));
    }
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}

/// Opens a file, and makes it if there is none: one that its owner alone may read, for it holds
/// hashes and secrets.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a connection for writing, and brings the schema up to date. Beside it, the file itself: to
/// close that would give up the connection's locks, so it stays open as long.
pub(super) fn writer(path: &Path) -> Result<(Connection, File), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // The write-ahead log gets the rights of the file that it belongs to.
    let database = private(path)
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    let db = connect(path, flags)?;
    configure(&db).map_err(|error| refusal(path, error))?;
    take_over(&db, path, &database)?;
    migrate(&db, path)?;
    Ok((db, database))
}

/// Makes certain what an earlier process left in the write-ahead log: whoever hears of it from here
/// on has to find it after a power cut, too.
///
/// It may never have been synchronised, and if an fsync failed, the system takes it for written
/// though it isn't. So the log is written once more, byte by byte, and synchronised, before anything
/// of it reaches the database. Nobody else writes meanwhile, for this holds the lock to do so.
///
/// If another program reads the store (a backup), what that process had moved counts as moved. That may
/// not be on disk either, so it is moved once more.
fn take_over(db: &Connection, path: &Path, database: &File) -> Result<(), StoreError> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("log_taken_as_it_lies") {
        return Ok(());
    }
    let refused = |error| refusal(path, error);
    db.execute_batch("BEGIN IMMEDIATE").map_err(refused)?;
    let log = beside(path, "-wal");
    let rewritten = rewrite(&log);
    db.execute_batch("ROLLBACK").map_err(refused)?;
    rewritten.map_err(|error| StoreError::Unavailable(format!("{}: {error}", log.display())))?;
    checkpoint::move_again(db, &log, database).map_err(|fault| StoreError::from(&fault))?;
    if !settle(db).map_err(refused)? {
        tracing::warn!("another program reads the store; its log is moved into it later");
    }
    Ok(())
}

/// Writes what a file holds over itself, and synchronises it; nothing if there is none.
fn rewrite(path: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut part = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let count = file.read(&mut part)?;
        if count == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(part.get(..count).unwrap_or_default())?;
        at += count as u64;
    }
}

/// Makes sure that the names of the files outlive a power cut. SQLite does that too, and doesn't
/// mind if it fails.
pub(super) fn keep_names(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let kept = File::open(folder).and_then(|folder| folder.sync_all());
        kept.map_err(|error| StoreError::Unavailable(format!("{}: {error}", folder.display())))?;
    }
    Ok(())
}

/// The name of a file that lies beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens a connection in the place of one that failed. The file itself isn't opened and closed
/// beside SQLite, for that would let go of the locks that this process has on it.
pub(super) fn writer_again(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, flags)?;
    configure(&db).map_err(|error| refusal(path, error))?;
    Ok(db)
}

/// Moves what the write-ahead log holds into the database and cuts it off; whether nobody was in
/// the way.
pub(super) fn settle(db: &Connection) -> rusqlite::Result<bool> {
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Opens a connection for reading.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, flags)?;
    let configure = || {
        db.pragma_update(None, "query_only", true)?;
        // Readers move the log, too.
        db.pragma_update(None, "synchronous", "FULL")
    };
    configure().map_err(|error| refusal(path, error))?;
    Ok(db)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let open = || {
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY)?;
        db.set_prepared_statement_cache_capacity(128);
        // A statement keeps its plan whatever is bound to it: else it is prepared again, time after time.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "cache_size", -8 * 1024)?;
        Ok(db)
    };
    open().map_err(|error| refusal(path, error))
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    // The first statement that reads the file: it says whether this is a database at all.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("commits_not_synchronised") {
        db.pragma_update(None, "synchronous", "NORMAL")?;
    }
    db.pragma_update(None, "secure_delete", true)?;
    // What is set aside while a statement runs is pages, with words on them.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // SQLite would move the log within a commit, and keep to itself whether it could.
    db.pragma_update(None, "wal_autocheckpoint", 0)
}

/// The schema that a database says it has: how many migrations have run.
pub(super) fn schema(db: &Connection, path: &Path, pragma: &str) -> Result<u32, StoreError> {
    let found: i64 = db
        .query_row(pragma, [], |row| row.get(0))
        .map_err(|error| refusal(path, error))?;
    let found = u32::try_from(found)
        .map_err(|_| StoreError::Damaged(format!("{}: schema {found}", path.display())))?;
    if found > KNOWN {
        return Err(StoreError::Newer {
            found,
            known: KNOWN,
        });
    }
    Ok(found)
}

/// Brings the schema up to date; an empty database gets all of it.
pub(super) fn migrate(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let refused = |error| refusal(path, error);
    let found = schema(db, path, "PRAGMA user_version")?;
    for (version, sql) in (1..=KNOWN).zip(MIGRATIONS).skip(found as usize) {
        let step = || -> rusqlite::Result<()> {
            let step = db.unchecked_transaction()?;
            step.execute_batch(sql)?;
            step.pragma_update(None, "user_version", version)?;
            step.commit()
        };
        step().map_err(refused)?;
    }
    Ok(())
}

/// Notes this opening of the store and returns its number.
pub(super) fn begin_run(db: &Connection, path: &Path, epoch: &str) -> Result<i64, StoreError> {
    db.query_row(
        "INSERT INTO runs (epoch) VALUES (?1) RETURNING run",
        [epoch],
        |row| row.get(0),
    )
    .map_err(|error| refusal(path, error))
}

/// What the caller hears of an error at a file.
pub(super) fn refusal(path: &Path, error: rusqlite::Error) -> StoreError {
    let words = format!("{}: {error}", path.display());
    match error.sqlite_error_code() {
        // A table that is missing or there already: the file says that it is of our schema.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
            StoreError::Damaged(words)
        }
        Some(_) | None => match StoreError::from(&Fault::from(error)) {
            StoreError::Damaged(_) => StoreError::Damaged(words),
            StoreError::Unavailable(_) | StoreError::Locked(_) | StoreError::Newer { .. } => {
                StoreError::Unavailable(words)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_free_again_though_a_copy_of_its_lock_is_left() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("chat.db");
        let held = lock(&path).unwrap();
        let copy = held.0.try_clone().unwrap();
        assert!(matches!(lock(&path), Err(StoreError::Locked(_))));
        drop(held);
        lock(&path).unwrap();
        drop(copy);
    }
}
