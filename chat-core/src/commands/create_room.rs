//! `create_room`: make a channel or a group.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ruling;
use super::set_access::Entry;
use crate::content::{SecretHash, Text};
use crate::directory::Directory;
use crate::event::{Access, Event, Features, History, Kind, Retention, RoomCreated};
use crate::id::UserId;
use crate::judge::{at_most, Case, within};
use crate::limits::Limits;
use crate::name::Name;
use crate::policy::{Override, Overrides, Permission, Permissions, Role};
use crate::rejection::{Counted, Field, Rejection};
use crate::request::{Need, Request, Stop};

/// Makes a room. What is absent is as the preset says, or as for an ordinary public channel.
///
/// Allowed to anyone, within the limit per day. An account owns what it makes; what a guest makes
/// belongs to the house. Becomes [`RoomCreated`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateRoom {
    /// Its name.
    pub name: Name,
    /// Where to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// A channel or a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its unique name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text>,
    /// Who may enter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Entry>,
    /// Whether others than members see that it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// What a member may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What is switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Most members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u64>,
    /// How long messages are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What roles may do beside the table.
    #[serde(
        default,
        deserialize_with = "crate::distinct::some_distinct_keys",
        skip_serializing_if = "Option::is_none"
    )]
    pub overrides: Option<Overrides>,
    /// Whether the maker is a member from the start.
    #[serde(default = "yes")]
    pub join: bool,
}

/// A sort of room that many want. What a wish says explicitly goes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Listed, open to anybody.
    PublicChannel,
    /// Listed; the wish has to bring the password.
    PasswordChannel,
    /// A group: unlisted, by invitation, and what was said before one joined stays unread.
    PrivateGroup,
    /// Members read and react; moderators and above post.
    Announcement,
    /// Open and large: no typing, no receipts.
    Livestream,
}

fn yes() -> bool {
    true
}

impl CreateRoom {
    /// An ordinary public channel of this name, with its maker in it.
    #[must_use]
    pub const fn named(name: Name) -> Self {
        Self {
            name,
            preset: None,
            kind: None,
            alias: None,
            topic: None,
            access: None,
            listed: None,
            history: None,
            features: None,
            capacity: None,
            slow_mode_s: None,
            retention: None,
            overrides: None,
            join: true,
        }
    }

    /// The room that a preset stands for.
    #[must_use]
    pub fn preset(preset: Preset, name: Name) -> Self {
        Self {
            preset: Some(preset),
            ..Self::named(name)
        }
    }

    /// The number is taken: the store reserves each only once.
    pub(crate) fn decide(&self, _: &Case<'_>) -> Ruling {
        Err(Need::NewRoom.into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        let Event::RoomCreated(it) = event else {
            return false;
        };
        let mut fact = self.fact(it.owner, SecretHash::default());
        fact.access = fact.access.public();
        let made = RoomCreated {
            access: it.access.public(),
            ..it.clone()
        };
        fact == made
    }

    fn entry(&self) -> Option<&Entry> {
        self.access.as_ref()
    }

    fn kind(&self) -> Kind {
        self.kind.unwrap_or(match self.preset {
            Some(Preset::PrivateGroup) => Kind::Group,
            Some(
                Preset::PublicChannel
                | Preset::PasswordChannel
                | Preset::Announcement
                | Preset::Livestream,
            )
            | None => Kind::Channel,
        })
    }

    fn fact(&self, owner: UserId, hash: SecretHash) -> RoomCreated {
        let private = self.preset == Some(Preset::PrivateGroup);
        RoomCreated {
            kind: self.kind(),
            name: Some(self.name.clone()),
            alias: self.alias.clone(),
            topic: self.topic.clone().filter(|topic| !topic.is_blank()),
            access: match self.entry() {
                Some(entry) => entry.access(hash),
                None if private => Access::Invite,
                None => Access::Open,
            },
            listed: self.listed.unwrap_or(!private),
            history: self.history.unwrap_or(if private {
                History::SinceJoin
            } else {
                History::All
            }),
            features: self.features.unwrap_or(match self.preset {
                Some(Preset::Livestream) => Features {
                    typing: false,
                    receipts: false,
                    ..Features::default()
                },
                Some(
                    Preset::PublicChannel
                    | Preset::PasswordChannel
                    | Preset::PrivateGroup
                    | Preset::Announcement,
                )
                | None => Features::default(),
            }),
            capacity: self.capacity,
            slow_mode_s: self.slow_mode_s.unwrap_or(0),
            retention: self.retention.unwrap_or_default(),
            overrides: match (&self.overrides, self.preset) {
                (Some(overrides), _) => overrides.clone(),
                (None, Some(Preset::Announcement)) => members_may_not_post(),
                (None, _) => Overrides::new(),
            },
            owner,
            joined: self.join,
            pair: None,
        }
    }
}

fn members_may_not_post() -> Overrides {
    let mute = Override {
        allow: Permissions::NONE,
        deny: Permissions::NONE
            .with(Permission::Post)
            .with(Permission::Invite),
    };
    BTreeMap::from([(Role::Member, mute), (Role::Guest, mute)])
}

/// Judges the creation of a room that doesn't exist yet.
pub(crate) fn found(
    it: &CreateRoom,
    request: &Request,
    limits: &Limits,
    directory: &Directory,
) -> Result<Event, Stop> {
    let (actor, facts) = (&request.actor, &request.facts);
    if actor.suspended {
        return Err(Rejection::Suspended.into());
    }
    if it.kind() == Kind::Direct {
        return Err(Rejection::bad(Field::Kind).into());
    }
    if it.preset == Some(Preset::PasswordChannel) && it.access.is_none() {
        return Err(Rejection::bad(Field::Password).into());
    }
    check(it, limits)?;
    if let Some(entry) = it.entry() {
        entry.check(limits, directory, actor.id)?;
    }

    let Some(standing) = facts.standing else {
        return Err(Need::Standing.into());
    };
    let (created, joined) = (standing.rooms_created, standing.rooms_joined);
    let max = limits.rooms_created_a_day_max;
    at_most(Counted::RoomsCreated, created.saturating_add(1), max)?;
    if it.join {
        let max = limits.rooms_joined_max;
        at_most(Counted::RoomsJoined, joined.saturating_add(1), max)?;
    }
    let hash = match it.entry() {
        Some(entry) => entry.hash(facts)?,
        None => SecretHash::default(),
    };
    let owner = if actor.id.may_own() {
        actor.id
    } else {
        UserId::HOUSE
    };
    Ok(it.fact(owner, hash).into())
}

fn check(it: &CreateRoom, limits: &Limits) -> Result<(), Rejection> {
    within(Field::Name, it.name.chars(), limits.name_chars_max)?;
    if let Some(alias) = &it.alias {
        within(Field::Alias, alias.chars(), limits.alias_chars_max)?;
    }
    if let Some(topic) = &it.topic {
        within(
            Field::Topic,
            topic.as_str().chars().count(),
            limits.topic_chars_max,
        )?;
    }
    super::update_room::check_settings(
        it.kind(),
        it.capacity,
        it.slow_mode_s,
        it.retention,
        limits,
    )?;
    if let Some(overrides) = &it.overrides {
        super::update_room::check_overrides(overrides, Role::Owner)?;
    }
    Ok(())
}
