//! `archive`: make the room read only.

use super::{Outcome, Ruling};
use crate::event::{Event, RoomArchived};
use crate::judge::Case;
use crate::policy::Permission;
use crate::room::Lifecycle;

wish! {
    /// Makes the room read only. Allowed to admins. Becomes [`RoomArchived`].
    Archive {}
}

impl Archive {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Archive)?;
        match case.room.lifecycle {
            Lifecycle::Active => Ok(RoomArchived {}.into()),
            Lifecycle::Archived | Lifecycle::Deleted => Ok(Outcome::Already(case.room.head_seq)),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomArchived(_))
    }
}
