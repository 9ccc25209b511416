//! `kick`: remove somebody.

use super::Ruling;
use crate::content::Text;
use crate::event::{Event, Kicked};
use crate::id::UserId;
use crate::judge::{Case, within};
use crate::policy::Permission;
use crate::rejection::{Field, Rejection};

wish! {
    /// Removes a member, or a visitor by his guest id. He may come again if access allows.
    ///
    /// Allowed to moderators, against lower ranks. Becomes [`Kicked`].
    Kick {
        /// Who.
        user: UserId,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text>,
    }
}

impl Kick {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Kick)?;
        case.outranks(actor, self.user)?;
        if !case.room.members.contains_key(&self.user) && !self.user.is_guest() {
            return Err(Rejection::UserNotFound.into());
        }
        check_reason(case, self.reason.as_ref())?;
        Ok(Kicked {
            user: self.user,
            reason: self.reason.clone(),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Kicked(it) if it.user == self.user)
    }
}

/// Refuses words that are longer than a topic may be.
pub(super) fn check_reason(case: &Case<'_>, reason: Option<&Text>) -> Result<(), Rejection> {
    let chars = reason.map_or(0, |reason| reason.as_str().chars().count());
    within(Field::Reason, chars, case.limits.topic_chars_max)
}
