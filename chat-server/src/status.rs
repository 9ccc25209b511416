//! How users say they are, as long as they are here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::{Text, UserId};
use chat_protocol::command::Status;

/// What a user says of himself.
type Said = (Status, Option<Text>);

/// The words of everybody who said some.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<HashMap<UserId, Said>>);

impl Statuses {
    /// How this user says he is; online if he says nothing.
    pub(crate) fn of(&self, user: UserId) -> Said {
        self.lock()
            .get(&user)
            .cloned()
            .unwrap_or((Status::Online, None))
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
