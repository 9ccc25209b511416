//! Who has live sessions on this node, and how many.

use std::collections::{BTreeSet, HashMap};
use std::sync::{MutexGuard, PoisonError};

use chat_core::UserId;

use super::Node;

impl Node {
    /// Takes on a session of a user, unless he has too many.
    pub(crate) fn admit(&self, user: UserId) -> bool {
        let mut sessions = self.sessions();
        let count = sessions.entry(user).or_default();
        if *count >= self.limits().sessions_per_user_max {
            return false;
        }
        *count += 1;
        self.0.metrics.sessions.inc();
        true
    }

    /// Whether a user has a live session.
    pub(crate) fn is_here(&self, user: UserId) -> bool {
        let sessions = self.sessions();
        sessions.contains_key(&user)
    }

    /// The guests who have a live session.
    pub(crate) fn guests_here(&self) -> BTreeSet<UserId> {
        let sessions = self.sessions();
        let users = sessions.keys().copied();
        users.filter(|user| user.is_guest()).collect()
    }

    /// Lets a session of a user go.
    pub(crate) fn release(&self, user: UserId) {
        let mut sessions = self.sessions();
        self.0.metrics.sessions.dec();
        let Some(count) = sessions.get_mut(&user) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            sessions.remove(&user);
            self.0.statuses.forget(user);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
