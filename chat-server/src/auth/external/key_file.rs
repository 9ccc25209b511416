//! Keys that are changed while the server runs.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{BadKeySet, KeySet, PublicKey};

/// A file with a set of public keys. Whoever rotates keys writes the next one into it before he
/// signs with it.
pub struct KeyFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    keys: KeySet,
    /// Before this it isn't read again: anybody may name keys that there aren't.
    read_after: Duration,
}

impl KeyFile {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    ///
    /// [`BadKeySet`] if there are none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, BadKeySet> {
        let path = path.into();
        let state = State {
            keys: read(&path)?,
            read_after: Duration::ZERO,
        };
        Ok(Self {
            path,
            state: Mutex::new(state),
        })
    }

    /// The key of this name; the file is read again for one that isn't known.
    pub(super) fn find(&self, id: Option<&str>, now: Duration) -> Option<PublicKey> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.keys.find(id).cloned();
        if known.is_some() || now < state.read_after {
            return known;
        }
        state.read_after = now.saturating_add(READ_EVERY);
        match read(&self.path) {
            Ok(keys) => state.keys = keys,
            Err(error) => tracing::warn!(%error, "the keys stay as they are"),
        }
        state.keys.find(id).cloned()
    }
}

fn read(path: &Path) -> Result<KeySet, BadKeySet> {
    let mut text = String::new();
    let file = File::open(path).map_err(|_| BadKeySet::NoFile)?;
    let length = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    match length {
        Ok(length) if length as u64 <= BYTES_MAX => KeySet::from_json(&text),
        Ok(_) | Err(_) => Err(BadKeySet::NoFile),
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

const READ_EVERY: Duration = Duration::from_secs(60);
const BYTES_MAX: u64 = 256 * 1024;
