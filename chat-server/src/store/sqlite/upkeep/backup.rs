//! A copy of a store, made while it is in use.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::scratch::source;
use crate::store::StoreError;
use crate::store::sqlite::open;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{0}: is there already")]
    Exists(PathBuf),
    /// The copy can't be written.
    #[error("{path}: {error}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies a store into a file that isn't there yet, and returns the copy's size in bytes.
///
/// The copy is the store as it was at one moment after the call: whatever was acknowledged before
/// is in it. A server may go on with the store meanwhile. The copy has its name once it is whole and
/// on disk; what was deleted from the store is not in it.
///
/// # Errors
///
/// [`BackupError`] says why there is no copy; nothing is left of it then.
pub fn backup(store: &Path, to: &Path) -> Result<u64, BackupError> {
    if to.try_exists().map_err(|error| cannot(to, error))? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let db = source(store)?;
    let part = Part::beside(to)?;
    let name = part.0.to_str().ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "the name is not valid UTF-8");
        cannot(to, error)
    })?;
    // The copy is made row by row, and rows move in it: nothing may stay where they were, for it would
    // still be there when they are erased.
    #[cfg(not(sabotage))]
    let overwrites = true;
    #[cfg(sabotage)]
    let overwrites = !chat_core::sabotage::planted("copies_keep_what_moved");
    db.pragma_update(None, "secure_delete", overwrites)
        .map_err(|error| open::refusal(store, error))?;
    db.execute("VACUUM INTO ?1", [name])
        .map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => {
                cannot(to, io::Error::from(io::ErrorKind::StorageFull))
            }
            Some(_) | None => BackupError::Store(open::refusal(store, error)),
        })?;
    drop(db);
    check(&part.0)?;
    let synced = File::options()
        .write(true)
        .open(&part.0)
        .and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    let bytes = synced.map_err(|error| cannot(to, error))?.len();
    part.rename(to)?;
    Ok(bytes)
}

fn cannot(path: &Path, error: io::Error) -> BackupError {
    BackupError::Write {
        path: path.to_owned(),
        error,
    }
}

/// Opens the copy and has SQLite look at all of it.
fn check(path: &Path) -> Result<(), StoreError> {
    let db = source(path)?;
    let words: String = db
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| open::refusal(path, error))?;
    if words == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(format!("the copy: {words}")))
    }
}

/// The copy while it isn't whole, under another name. It goes if nobody gives it its own.
struct Part(PathBuf);

impl Part {
    fn beside(to: &Path) -> Result<Self, BackupError> {
        let draw = getrandom::u64().map_err(|error| cannot(to, io::Error::other(error)))?;
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".{draw:016x}.part"));
        let part = Self(PathBuf::from(name));
        // SQLite writes to a file that is empty. This one only its owner can read.
        open::private(&part.0).map_err(|error| cannot(to, error))?;
        Ok(part)
    }

    /// Gives it its name, unless somebody else has taken that meanwhile.
    fn rename(self, to: &Path) -> Result<(), BackupError> {
        match std::fs::hard_link(&self.0, to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(to.to_owned()));
            }
            // Not every file system has links.
            Err(_) => std::fs::rename(&self.0, to).map_err(|error| cannot(to, error))?,
        }
        sync_folder(to).map_err(|error| cannot(to, error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for more in ["", "-journal"] {
            let mut name = self.0.as_os_str().to_owned();
            name.push(more);
            // It may have been given its name by being renamed.
            drop(std::fs::remove_file(PathBuf::from(name)));
        }
    }
}

/// Has a file's name on disk too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
