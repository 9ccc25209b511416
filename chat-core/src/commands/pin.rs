//! `pin`: keep a message in sight.

use super::{Outcome, Ruling};
use crate::event::{Event, Pinned};
use crate::id::Seq;
use crate::judge::{Case, at_most};
use crate::policy::Permission;
use crate::rejection::Counted;

wish! {
    /// Pins a message. Allowed to moderators. Becomes [`Pinned`].
    Pin {
        /// The message.
        message: Seq,
    }
}

impl Pin {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Pin)?;
        case.living_message(self.message)?;
        if case.room.pins.contains(&self.message) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        let pins = case.room.pins.len() as u64 + 1;
        at_most(Counted::Pins, pins, case.limits.pins_max as u64)?;
        Ok(Pinned {
            message: self.message,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Pinned(it) if it.message == self.message)
    }
}
