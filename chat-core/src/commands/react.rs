//! `react`: react to a message.

use super::{Outcome, Ruling};
use crate::content::Reaction;
use crate::event::{Event, Reacted};
use crate::id::Seq;
use crate::judge::{Case, at_most};
use crate::policy::Permission;
use crate::rejection::Counted;

wish! {
    /// Reacts to a message, once with each reaction.
    ///
    /// Allowed to whoever holds [`Permission::React`]. Becomes [`Reacted`].
    React {
        /// The message.
        message: Seq,
        /// The reaction.
        reaction: Reaction,
    }
}

impl React {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::React)?;
        let head = case.living_message(self.message)?;
        if head.has_reaction(&self.reaction, case.actor.id) {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        if !head.reactions.contains_key(&self.reaction) {
            let distinct = head.reactions.len() as u64 + 1;
            let max = case.limits.reactions_distinct_max as u64;
            at_most(Counted::Reactions, distinct, max)?;
        }
        let all = head.reactions_count() as u64 + 1;
        at_most(Counted::Reactions, all, case.limits.reactions_max as u64)?;
        Ok(Reacted {
            message: self.message,
            reaction: self.reaction.clone(),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Reacted(it)
            if it.message == self.message && it.reaction == self.reaction)
    }
}
