//! `trim`: keep what was said from a record on only.

use super::{Outcome, Ruling};
use crate::event::{Event, RoomTrimmed};
use crate::id::{Seq, UserId};
use crate::judge::Case;
use crate::policy::Permission;
use crate::rejection::{Field, Rejection};

wish! {
    /// Has everything forgotten that was said before a record. Allowed to whoever may say how long
    /// messages are kept, and to the house, which does so when their time is over. Becomes
    /// [`RoomTrimmed`].
    Trim {
        /// The first record that is kept.
        from: Seq,
    }
}

impl Trim {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        if case.actor.id == UserId::HOUSE {
            case.exists()?;
        } else {
            case.may(Permission::UpdateRoom)?;
        }
        if self.from > case.room.head_seq.next() {
            return Err(Rejection::BadArgument { field: Field::From }.into());
        }
        if self.from <= case.room.kept_from.max(Seq::new(1)) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(RoomTrimmed { from: self.from }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomTrimmed(it) if it.from == self.from)
    }
}
