//! `mark_read`: note how far one has read.

use super::{Outcome, Ruling};
use crate::event::Event;
use crate::id::Idx;
use crate::judge::Case;
use crate::policy::Permission;
use crate::rejection::{Field, Rejection};
use crate::signal::Signal;

wish! {
    /// Notes that one has read all messages up to this one. A marker never goes back.
    ///
    /// Allowed to members. Becomes [`Signal::Read`]; the shell keeps the marker.
    MarkRead {
        /// The position among messages.
        idx: Idx,
    }
}

impl MarkRead {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Read)?;
        if !case.room.members.contains_key(&case.actor.id) {
            return Err(Rejection::NotAMember.into());
        }
        if self.idx > case.room.head_idx {
            return Err(Rejection::bad(Field::Idx).into());
        }
        Ok(Outcome::Signal(Signal::Read {
            idx: self.idx,
            as_of: case.room.head_seq,
        }))
    }

    pub(crate) fn became(&self, _: &Event) -> bool {
        false
    }
}
