//! `delete_room`: the end of a room.

use super::Ruling;
use crate::event::{Event, RoomDeleted};
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Deletes the room for everybody. Allowed to the owner. Becomes [`RoomDeleted`].
    DeleteRoom {}
}

impl DeleteRoom {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::DeleteRoom)?;
        Ok(RoomDeleted {}.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomDeleted(_))
    }
}
