//! `transfer_ownership`: give the room to another member.

use super::{Outcome, Ruling};
use crate::event::{Event, OwnershipTransferred};
use crate::id::UserId;
use crate::judge::Case;
use crate::policy::{Permission, Rule};
use crate::rejection::Rejection;

wish! {
    /// Gives the room to another member, who has to be an account, or to the house. The former owner,
    /// if he is a member, is an admin from then on.
    ///
    /// Allowed to the owner. Becomes [`OwnershipTransferred`].
    TransferOwnership {
        /// Who shall own it.
        to: UserId,
    }
}

impl TransferOwnership {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let permission = Permission::TransferOwnership;
        case.may(permission)?;
        if self.to == case.room.owner {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        if self.to != UserId::HOUSE && !case.room.members.contains_key(&self.to) {
            return Err(Rejection::UserNotFound.into());
        }
        if !self.to.may_own() {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::Guest,
            }
            .into());
        }
        Ok(OwnershipTransferred { to: self.to }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::OwnershipTransferred(it) if it.to == self.to)
    }
}
