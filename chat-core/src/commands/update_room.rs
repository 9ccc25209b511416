//! `update_room`: change name, alias, topic, features, limits, overrides.

use serde::{Deserialize, Serialize};

use super::{Outcome, Ruling};
use crate::content::Text;
use crate::event::{Event, Features, Kind, Retention, RoomUpdated};
use crate::judge::{Case, Effective, within};
use crate::limits::{Limits, SLOW_MODE_S_MAX};
use crate::name::Name;
use crate::policy::{Overrides, Permission, Role, Rule};
use crate::rejection::{Field, Rejection};
use crate::request::Stop;

/// Changes a room's profile and settings; what is absent stays.
///
/// Allowed to admins. Nobody overrides his own rank or a higher one, nor gives what he doesn't
/// hold. Becomes [`RoomUpdated`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct UpdateRoom {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its unique name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    /// What it is about; blank takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text>,
    /// What is switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Most members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u64>,
    /// How long messages are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// All overrides of the room.
    #[serde(
        deserialize_with = "crate::distinct::some_distinct_keys",
        skip_serializing_if = "Option::is_none"
    )]
    pub overrides: Option<Overrides>,
}

impl UpdateRoom {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::UpdateRoom)?;
        let limits = case.limits;
        if let Some(name) = &self.name {
            within(Field::Name, name.chars(), limits.name_chars_max)?;
        }
        if let Some(alias) = &self.alias {
            within(Field::Alias, alias.chars(), limits.alias_chars_max)?;
        }
        if let Some(topic) = &self.topic {
            within(
                Field::Topic,
                topic.as_str().chars().count(),
                limits.topic_chars_max,
            )?;
        }
        check_settings(
            case.room.kind,
            self.capacity,
            self.slow_mode_s,
            self.retention,
            limits,
        )?;
        let members = case.room.members.len() as u64;
        if self.capacity.is_some_and(|capacity| capacity < members) {
            return Err(Rejection::bad(Field::Capacity).into());
        }
        if let Some(overrides) = &self.overrides {
            check_overrides(overrides, actor.role)?;
            gives_only_what_he_holds(case, actor, overrides)?;
        }
        let fact = self.fact();
        if fact == RoomUpdated::default() {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(fact.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomUpdated(it) if *it == self.fact())
    }

    fn fact(&self) -> RoomUpdated {
        RoomUpdated {
            name: self.name.clone(),
            alias: self.alias.clone(),
            topic: self.topic.clone(),
            features: self.features,
            capacity: self.capacity,
            slow_mode_s: self.slow_mode_s,
            retention: self.retention,
            overrides: self.overrides.clone(),
        }
    }
}

/// Refuses settings that are out of bounds.
pub(super) fn check_settings(
    kind: Kind,
    capacity: Option<u64>,
    slow_mode_s: Option<u64>,
    retention: Option<Retention>,
    limits: &Limits,
) -> Result<(), Rejection> {
    let members_max = members_max(kind, limits);
    match capacity {
        Some(0) => {
            return Err(Rejection::bad(Field::Capacity));
        }
        Some(capacity) if capacity > members_max => {
            return Err(Rejection::TooLarge {
                field: Field::Capacity,
                max: members_max,
            });
        }
        Some(_) | None => {}
    }
    let max = limits.slow_mode_s_max.min(SLOW_MODE_S_MAX);
    if slow_mode_s.is_some_and(|seconds| seconds > max) {
        let field = Field::SlowMode;
        return Err(Rejection::TooLarge { field, max });
    }
    if retention.is_some_and(|it| it.days == Some(0) || it.records == Some(0)) {
        return Err(Rejection::bad(Field::Retention));
    }
    Ok(())
}

/// The most members that a room of this kind may have, whatever it says itself.
pub(super) fn members_max(kind: Kind, limits: &Limits) -> u64 {
    match kind {
        Kind::Channel => limits.channel_members_max,
        Kind::Group => limits.group_members_max,
        Kind::Direct => 2,
    }
}

/// Refuses overrides of what can't be overridden, and of ranks that are not below the actor's.
pub(super) fn check_overrides(overrides: &Overrides, actor: Role) -> Result<(), Rejection> {
    for (role, it) in overrides {
        if role.rank() >= actor.rank() {
            return Err(Rejection::Outranked);
        }
        if it
            .allow
            .union(it.deny)
            .iter()
            .any(|permission| !permission.is_overridable())
        {
            return Err(Rejection::bad(Field::Overrides));
        }
    }
    Ok(())
}

fn gives_only_what_he_holds(
    case: &Case<'_>,
    actor: Effective,
    overrides: &Overrides,
) -> Result<(), Stop> {
    let held = case.room.permissions(actor.role);
    // Also a role that is no more named changes: it falls back to the table.
    for role in Role::ALL {
        let before = case.room.permissions(role);
        let after = overrides
            .get(&role)
            .copied()
            .unwrap_or_default()
            .apply(role.permissions());
        if role.rank() >= actor.role.rank() && before != after {
            return Err(Rejection::Outranked.into());
        }
        if let Some(permission) = after.without(before).without(held).iter().next() {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::NotHeld,
            }
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_makes_slow_mode_longer_than_a_room_remembers() {
        let limits = Limits {
            slow_mode_s_max: SLOW_MODE_S_MAX * 2,
            ..Default::default()
        };
        let check = |seconds| check_settings(Kind::Group, None, Some(seconds), None, &limits);
        assert_eq!(check(SLOW_MODE_S_MAX), Ok(()));
        let (field, max) = (Field::SlowMode, SLOW_MODE_S_MAX);
        let refused = Err(Rejection::TooLarge { field, max });
        assert_eq!(check(SLOW_MODE_S_MAX + 1), refused);
    }
}
