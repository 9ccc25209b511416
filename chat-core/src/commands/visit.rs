//! `visit`: be present without being a member.

use serde::{Deserialize, Serialize};

use super::join::{approach, capacity, enter, leave_places};
use super::{Outcome, Ruling};
use crate::content::Password;
use crate::event::Event;
use crate::judge::Case;
use crate::policy::{Permission, Rule};
use crate::rejection::Rejection;
use crate::signal::Signal;

/// Is present as a guest, without becoming a member: judged like [`Join`](super::Join), gone with
/// the session, never stored.
///
/// Allowed to guests, by access, ban and capacity. Becomes [`Signal::Visited`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Visit {
    /// The room's password, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

impl Visit {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        approach(case)?;
        if !case.actor.id.is_guest() {
            let (permission, rule) = (Permission::Read, Rule::Guest);
            return Err(Rejection::PermissionDenied { permission, rule }.into());
        }
        let way = enter(case, self.password.as_ref())?;
        let is_member = case.room.members.contains_key(&case.actor.id);
        let present = case.room.members.len() as u64 + case.facts.visitors;
        if !is_member && !case.facts.visiting && present >= capacity(case) {
            return Err(Rejection::RoomFull.into());
        }
        if !is_member && !case.facts.visiting {
            leave_places(case, way)?;
        }
        Ok(Outcome::Signal(Signal::Visited))
    }

    pub(crate) fn became(&self, _: &Event) -> bool {
        false
    }
}
