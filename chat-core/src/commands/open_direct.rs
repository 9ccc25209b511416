//! `open_direct`: talk to one other user.

use alloc::collections::BTreeMap;

use super::{Outcome, Ruling};
use crate::event::{Access, Event, Features, History, Kind, Retention, RoomCreated};
use crate::id::{Seq, UserId};
use crate::judge::Case;
use crate::policy::{Permission, Rule};
use crate::rejection::{Field, Rejection};
use crate::request::{Need, Request, Stop};

wish! {
    /// Opens the room that two users have for life; opening it twice gives the same room.
    ///
    /// Allowed to accounts, unless the other has blocked the actor. Becomes [`RoomCreated`].
    OpenDirect {
        /// The other one.
        user: UserId,
    }
}

impl OpenDirect {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.in_good_standing()?;
        match case.room.peer(case.actor.id) {
            Some(peer) if peer == self.user => Ok(Outcome::Already(Seq::new(1))),
            // The number is taken: the store reserves each only once.
            Some(_) | None => Err(Need::NewRoom.into()),
        }
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::RoomCreated(it) if it.pair.is_some_and(|pair| pair.contains(&self.user)))
    }
}

/// Judges the opening of a room that doesn't exist yet.
pub(crate) fn found(it: &OpenDirect, request: &Request) -> Result<Event, Stop> {
    let actor = &request.actor;
    if actor.suspended {
        return Err(Rejection::Suspended.into());
    }
    if actor.id.is_guest() || it.user.is_guest() {
        return Err(Rejection::PermissionDenied {
            permission: Permission::Post,
            rule: Rule::Guest,
        }
        .into());
    }
    if it.user == actor.id || it.user == UserId::HOUSE {
        return Err(Rejection::bad(Field::User).into());
    }
    match request.facts.blocked {
        None => return Err(Need::Blocked(it.user).into()),
        Some(true) => return Err(Rejection::Blocked.into()),
        Some(false) => {}
    }
    Ok(RoomCreated {
        kind: Kind::Direct,
        name: None,
        alias: None,
        topic: None,
        access: Access::Invite,
        listed: false,
        history: History::All,
        features: Features::default(),
        capacity: None,
        slow_mode_s: 0,
        retention: Retention::default(),
        overrides: BTreeMap::new(),
        owner: UserId::HOUSE,
        joined: false,
        pair: Some([actor.id.min(it.user), actor.id.max(it.user)]),
    }
    .into())
}
