//! How users say they are, as long as they are here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::UserId;

use crate::bus::Said;

/// The words of everybody who said some.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<HashMap<UserId, Said>>);

impl Statuses {
    /// How this user says he is, if he says anything.
    pub(crate) fn of(&self, user: UserId) -> Option<Said> {
        self.lock().get(&user).cloned()
    }

    /// Notes how a user says he is.
    pub(crate) fn set(&self, user: UserId, said: Said) {
        self.lock().insert(user, said);
    }

    /// Forgets a user whose last session has ended.
    pub(crate) fn forget(&self, user: UserId) {
        self.lock().remove(&user);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
