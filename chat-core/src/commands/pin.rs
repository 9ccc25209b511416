//! `pin`: keep a message in sight.

use super::{Outcome, Ruling};
use crate::event::{Event, Pinned};
use crate::id::Seq;
use crate::judge::Case;
use crate::policy::Permission;
use crate::rejection::{Counted, Rejection};

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
        if case.room.pins.len() >= case.limits.pins_max {
            let max = case.limits.pins_max as u64;
            return Err(Rejection::TooMany {
                what: Counted::Pins,
                max,
            }
            .into());
        }
        Ok(Pinned {
            message: self.message,
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Pinned(it) if it.message == self.message)
    }
}
