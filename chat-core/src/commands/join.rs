//! `join`: become a member.

use serde::{Deserialize, Serialize};

use super::{Outcome, Ruling};
use crate::content::Password;
use crate::event::{Access, Event, Joined, Way};
use crate::judge::{at_most, Case, Effective};
use crate::policy::Role;
use crate::rejection::{Counted, Rejection};
use crate::request::{Need, Stop};
use crate::room::Lifecycle;

/// Becomes a member, by the room's access. Joining twice is success with the same answer.
///
/// Allowed by access, ban and capacity. Becomes [`Joined`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Join {
    /// The room's password, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

impl Join {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let (room, user) = (case.room, case.actor.id);
        if let Some(member) = room.members.get(&user).filter(|_| !case.actor.suspended) {
            case.exists()?;
            return Ok(Outcome::Already(member.since));
        }
        let way = enter(case, self.password.as_ref())?;
        let Some(standing) = case.facts.standing else {
            return Err(Need::Standing.into());
        };
        let joined = standing.rooms_joined.saturating_add(1);
        at_most(Counted::RoomsJoined, joined, case.limits.rooms_joined_max)?;
        if room.members.len() as u64 >= capacity(case) {
            return Err(Rejection::RoomFull.into());
        }
        leave_places(case, way)?;
        let role = match way {
            Way::Owner => Role::Admin,
            Way::Open | Way::Password | Way::Invite | Way::Group { .. } if user.is_guest() => {
                Role::Guest
            }
            Way::Open | Way::Password | Way::Invite | Way::Group { .. } => Role::Member,
        };
        Ok(Joined { way, role }.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::Joined(_))
    }
}

/// The most members that the room takes.
pub(super) fn capacity(case: &Case<'_>) -> u64 {
    let max = super::update_room::members_max(case.room.kind, case.limits);
    case.room.capacity.unwrap_or(max)
}

/// Refuses a guest whom nobody asked in where those of his address have their part of the room:
/// each of their sockets is another guest, and the places are for all.
pub(super) fn leave_places(case: &Case<'_>, way: Way) -> Result<(), Rejection> {
    let unasked = matches!(way, Way::Open | Way::Password);
    if !unasked || !case.actor.id.is_guest() {
        return Ok(());
    }
    let most = (capacity(case) / 2).max(case.limits.room_guests_per_address_max);
    at_most(Counted::Neighbours, case.facts.neighbours.saturating_add(1), most)
}

/// The role that the actor has already, if he may know of the room at all.
pub(super) fn approach(case: &Case<'_>) -> Result<Option<Effective>, Stop> {
    let (room, user) = (case.room, case.actor.id);
    case.in_good_standing()?;
    case.exists()?;
    if let Some(until) = room.ban(user, case.at) {
        return Err(case.to_outsider(Rejection::Banned { until }).into());
    }
    let effective = case.effective(user)?;
    if effective.is_none() && case.not_a_member()? == Rejection::RoomNotFound {
        return Err(Rejection::RoomNotFound.into());
    }
    Ok(effective)
}

/// The way by which the actor may come in, as member or as visitor.
pub(super) fn enter(case: &Case<'_>, password: Option<&Password>) -> Result<Way, Stop> {
    let (room, user) = (case.room, case.actor.id);
    let effective = approach(case)?;
    if room.lifecycle == Lifecycle::Archived {
        return Err(Rejection::Archived.into());
    }
    if effective.is_some_and(|it| it.role == Role::Owner) {
        return Ok(Way::Owner);
    }
    if let Some(via) = effective.and_then(|it| it.via) {
        return Ok(Way::Group { group: via.group });
    }
    if room.is_invited(user, case.at) {
        return Ok(Way::Invite);
    }
    match &room.access {
        Access::Open => Ok(Way::Open),
        Access::Password { hash } => {
            let Some(password) = password else {
                return Err(Rejection::WrongPassword.into());
            };
            super::set_access::check_password(password)?;
            match case
                .facts
                .proof
                .filter(|proof| proof.version == room.access_version)
            {
                Some(proof) if proof.fits => Ok(Way::Password),
                Some(_) => Err(Rejection::WrongPassword.into()),
                None => Err(Need::Proof {
                    password: password.clone(),
                    hash: hash.clone(),
                    version: room.access_version,
                }
                .into()),
            }
        }
        Access::Invite => Err(Rejection::InviteRequired.into()),
        Access::Groups { groups: _ } => match case.entering_group()? {
            Some(group) => Ok(Way::Group { group }),
            None => Err(Rejection::InviteRequired.into()),
        },
    }
}
