//! `react`: react to a message.

use super::{Outcome, Ruling};
use crate::content::Reaction;
use crate::event::{Event, Reacted};
use crate::id::Seq;
use crate::judge::Case;
use crate::policy::Permission;
use crate::rejection::{Counted, Rejection};

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
        let too_many = |max: usize| Rejection::TooMany {
            what: Counted::Reactions,
            max: max as u64,
        };
        let distinct_max = case.limits.reactions_distinct_max;
        if !head.reactions.contains_key(&self.reaction) && head.reactions.len() >= distinct_max {
            return Err(too_many(distinct_max).into());
        }
        if head.reactions_count() >= case.limits.reactions_max {
            return Err(too_many(case.limits.reactions_max).into());
        }
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
