//! A room: what decisions about it need, and nothing else.

mod cids;
mod fold;
mod heads;
mod posters;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub(crate) use self::cids::Cids;
pub use self::heads::Head;
pub(crate) use self::heads::Heads;
pub(crate) use self::posters::Posters;
use crate::content::Text;
use crate::event::{Access, Features, History, Kind, Retention, RoomCreated};
use crate::id::{Idx, RoomId, Seq, Timestamp, UserId};
use crate::name::Name;
use crate::policy::{Overrides, Permissions, Role};

/// A room as its log made it. It changes by [`Engine::evolve`](crate::Engine::evolve) alone.
///
/// Serialized, it is the snapshot from which a log's tail goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Room {
    /// Its number.
    pub id: RoomId,
    /// What sort of room.
    pub kind: Kind,
    /// Its name; a direct room has none.
    pub name: Option<Name>,
    /// Its unique name.
    pub alias: Option<Name>,
    /// What it is about.
    pub topic: Option<Text>,
    /// Who may enter.
    pub access: Access,
    /// The record that set `access`: the version which a proof of the password names.
    pub access_version: Seq,
    /// Whether others than members see that it exists.
    pub listed: bool,
    /// What a member may read.
    pub history: History,
    /// What is switched on.
    pub features: Features,
    /// Most members; the engine's limit if absent.
    pub capacity: Option<u64>,
    /// Seconds between two posts of a member.
    pub slow_mode_s: u64,
    /// How long messages are kept.
    pub retention: Retention,
    /// The first record that is kept; zero if all are.
    #[serde(default)]
    pub kept_from: Seq,
    /// What roles may do beside the table.
    pub overrides: Overrides,
    /// The last record.
    pub head_seq: Seq,
    /// The last message.
    pub head_idx: Idx,
    /// When the last record was decided.
    pub head_at: Timestamp,
    /// Who made it, and when.
    pub created: Created,
    /// When its profile, its settings or its owner changed last.
    pub updated_at: Timestamp,
    /// Who owns it. A direct room is the house's.
    pub owner: UserId,
    /// Whether it can be written to.
    pub lifecycle: Lifecycle,
    /// Its members.
    pub members: BTreeMap<UserId, Member>,
    /// Who is kept out, and until when; for ever if `None`.
    pub bans: BTreeMap<UserId, Option<Timestamp>>,
    /// Who may only read, and until when.
    pub mutes: BTreeMap<UserId, Timestamp>,
    /// Who may join, and until when; for ever if `None`.
    pub invites: BTreeMap<UserId, Option<Timestamp>>,
    /// The roles that groups hold here.
    pub grants: BTreeMap<RoomId, Role>,
    /// The pinned messages, oldest pin first.
    pub pins: Vec<Seq>,
    /// The recent messages, without their texts.
    pub(crate) heads: Heads,
    /// The recent cids.
    pub(crate) cids: Cids,
    /// Who posted lately.
    pub(crate) posters: Posters,
}

/// Who made a room, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Created {
    /// The user, also if the house owns the room.
    pub by: UserId,
    /// The moment.
    pub at: Timestamp,
}

/// Whether a room can be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Yes.
    #[default]
    Active,
    /// It is read only.
    Archived,
    /// It is gone.
    Deleted,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The role he has while he isn't the owner.
    pub role: Role,
    /// The record by which he joined: what he may read of a `since_join` history comes after it.
    pub since: Seq,
    /// His name in this room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Name>,
}

impl Room {
    /// Ids of commands that memory holds, by which a repeat is told.
    #[doc(hidden)]
    #[must_use]
    pub fn cids_held(&self) -> usize {
        self.cids.len()
    }

    /// The room that a first record makes.
    pub(crate) fn new(id: RoomId, by: UserId, at: Timestamp, it: &RoomCreated) -> Self {
        let first = Seq::new(1);
        let member = |role| Member {
            role,
            since: first,
            nickname: None,
        };
        let mut members = BTreeMap::new();
        if let Some(pair) = it.pair {
            members.extend(pair.map(|user| (user, member(Role::Member))));
        } else if it.joined {
            members.insert(
                by,
                member(if by.is_guest() {
                    Role::Guest
                } else {
                    Role::Admin
                }),
            );
        }
        Self {
            id,
            kind: it.kind,
            name: it.name.clone(),
            alias: it.alias.clone(),
            topic: it.topic.clone(),
            access: it.access.clone(),
            access_version: first,
            listed: it.listed,
            history: it.history,
            features: it.features,
            capacity: it.capacity,
            slow_mode_s: it.slow_mode_s,
            retention: it.retention,
            kept_from: Seq::default(),
            overrides: it.overrides.clone(),
            head_seq: Seq::default(),
            head_idx: Idx::default(),
            head_at: at,
            created: Created { by, at },
            updated_at: at,
            owner: it.owner,
            lifecycle: Lifecycle::Active,
            members,
            bans: BTreeMap::new(),
            mutes: BTreeMap::new(),
            invites: BTreeMap::new(),
            grants: BTreeMap::new(),
            pins: Vec::new(),
            heads: Heads::default(),
            cids: Cids::default(),
            posters: Posters::default(),
        }
    }

    /// The role that a user holds by himself, not through a group: owner, or what his membership
    /// says.
    #[must_use]
    pub fn own_role(&self, user: UserId) -> Option<Role> {
        self.role_of(user, self.members.get(&user))
    }

    /// The same where the user's membership is at hand.
    pub(crate) fn role_of(&self, user: UserId, member: Option<&Member>) -> Option<Role> {
        if self.kind != Kind::Direct && self.owner == user {
            return Some(Role::Owner);
        }
        member.map(|member| member.role)
    }

    /// What a role may do here.
    #[must_use]
    pub fn permissions(&self, role: Role) -> Permissions {
        self.overrides
            .get(&role)
            .copied()
            .unwrap_or_default()
            .apply(role.permissions())
    }

    /// Whether the user is kept out at this moment.
    #[must_use]
    pub fn is_banned(&self, user: UserId, at: Timestamp) -> bool {
        self.ban(user, at).is_some()
    }

    /// The ban on the user that holds at this moment: until when, for ever if `None`.
    pub(crate) fn ban(&self, user: UserId, at: Timestamp) -> Option<Option<Timestamp>> {
        self.bans
            .get(&user)
            .copied()
            .filter(|until| until.is_none_or(|until| at < until))
    }

    /// Until when the user may only read, if he may only read at this moment.
    #[must_use]
    pub fn mute(&self, user: UserId, at: Timestamp) -> Option<Timestamp> {
        self.mutes.get(&user).copied().filter(|until| at < *until)
    }

    /// Whether the user has an invitation that holds at this moment.
    #[must_use]
    pub fn is_invited(&self, user: UserId, at: Timestamp) -> bool {
        self.invites
            .get(&user)
            .is_some_and(|until| until.is_none_or(|until| at < until))
    }

    /// The other one of a direct room.
    #[must_use]
    pub fn peer(&self, user: UserId) -> Option<UserId> {
        if self.kind != Kind::Direct || !self.members.contains_key(&user) {
            return None;
        }
        self.members.keys().copied().find(|member| *member != user)
    }

    /// What the user is called here, if he chose a name of his own for this room.
    #[must_use]
    pub fn nickname(&self, user: UserId) -> Option<&Name> {
        self.members.get(&user)?.nickname.as_ref()
    }

    /// The first record that is kept and that the user may read, if he may read at all: with the
    /// history of a member since he joined, nothing that was before.
    #[must_use]
    pub fn readable_from(&self, user: UserId) -> Seq {
        let since = match (self.history, self.members.get(&user)) {
            (History::SinceJoin, Some(member)) if self.own_role(user) != Some(Role::Owner) => {
                member.since
            }
            (History::SinceJoin, None) if self.own_role(user) != Some(Role::Owner) => {
                self.head_seq.next()
            }
            (History::SinceJoin | History::All, _) => Seq::new(1),
        };
        #[cfg(sabotage)]
        if crate::sabotage::planted("trimmed_past_in_reach") {
            return since;
        }
        since.max(self.kept_from)
    }

    /// The head of a message, if memory holds it.
    #[must_use]
    pub fn head(&self, message: Seq) -> Option<&Head> {
        self.heads.get(message)
    }
}
