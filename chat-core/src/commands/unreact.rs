//! `unreact`: take a reaction back.

use super::{Outcome, Ruling};
use crate::content::Reaction;
use crate::event::{Event, Unreacted};
use crate::id::Seq;
use crate::judge::Case;
use crate::policy::Permission;

wish! {
    /// Takes one's own reaction back.
    ///
    /// Allowed to whoever holds [`Permission::React`]. Becomes [`Unreacted`].
    Unreact {
        /// The message.
        message: Seq,
        /// The reaction.
        reaction: Reaction,
    }
}

impl Unreact {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::React)?;
        let head = case.living_message(self.message)?;
        if !head.has_reaction(&self.reaction, case.actor.id) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(Unreacted {
            message: self.message,
            reaction: self.reaction.clone(),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Unreacted(it)
            if it.message == self.message && it.reaction == self.reaction)
    }
}
