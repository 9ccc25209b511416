//! `unpin`: take a pin back.

use super::{Outcome, Ruling};
use crate::event::{Event, Unpinned};
use crate::id::Seq;
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Takes a pin back. Allowed to moderators. Becomes [`Unpinned`].
    Unpin {
        /// The message.
        message: Seq,
    }
}

impl Unpin {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Pin)?;
        if !case.room.pins.contains(&self.message) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(Unpinned {
            message: self.message,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Unpinned(it) if it.message == self.message)
    }
}
