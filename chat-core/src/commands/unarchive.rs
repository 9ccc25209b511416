//! `unarchive`: let a read-only room be written to again.

use super::{Outcome, Ruling};
use crate::event::{Event, RoomUnarchived};
use crate::judge::Case;
use crate::policy::Permission;
use crate::room::Lifecycle;

wish! {
    /// Lets a read-only room be written to again. Allowed to admins. Becomes [`RoomUnarchived`].
    Unarchive {}
}

impl Unarchive {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Archive)?;
        match case.room.lifecycle {
            Lifecycle::Archived => Ok(RoomUnarchived {}.into()),
            Lifecycle::Active | Lifecycle::Deleted => Ok(Outcome::Already(case.room.head_seq)),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomUnarchived(_))
    }
}
