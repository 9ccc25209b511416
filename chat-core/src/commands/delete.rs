//! `delete`: take a message away.

use super::{Outcome, Ruling};
use crate::event::{Deleted, Event};
use crate::id::Seq;
use crate::judge::Case;
use crate::policy::Permission;
use crate::rejection::Rejection;

wish! {
    /// Takes a message away; its content is erased from disk.
    ///
    /// Allowed to the author, and to moderators against lower ranks. Becomes [`Deleted`].
    Delete {
        /// The message.
        message: Seq,
    }
}

impl Delete {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Read)?;
        if self.message < case.room.readable_from(case.actor.id) {
            return Err(Rejection::MessageNotFound.into());
        }
        let head = case.message(self.message)?;
        if head.author == case.actor.id {
            case.may(Permission::DeleteOwn)?;
        } else {
            case.may(Permission::DeleteAny)?;
            case.outranks(actor, head.author)?;
        }
        match head.deleted {
            Some(seq) => Ok(Outcome::Already(seq)),
            None => Ok(Deleted {
                message: self.message,
            }
            .into()),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Deleted(it) if it.message == self.message)
    }
}
