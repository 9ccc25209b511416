//! How long the lists of rooms are that everybody may ask for.

use serde::Serialize;

use crate::command::Lobby;

/// Rooms of one list.
pub(super) const ROOMS_MAX: usize = 1_000;

/// Bytes of one list.
const BYTES_MAX: usize = 256 * 1024;

/// Bytes of what a dialect says around its list.
const AROUND_BYTES: usize = 64;

/// All listed rooms, in the order in which they were made.
pub(super) const ALL: Lobby = Lobby {
    people: false,
    newest: false,
    limit: ROOMS_MAX,
};

/// The bytes that are left for a list's entries.
pub(super) struct Space(usize);

impl Space {
    pub(super) const fn new() -> Self {
        Self(BYTES_MAX - AROUND_BYTES)
    }

    /// Takes the space that an entry and its comma need, if there is as much left.
    pub(super) fn take(&mut self, entry: &impl Serialize) -> bool {
        let left = self.0.checked_sub(crate::json(entry).len() + 1);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}
