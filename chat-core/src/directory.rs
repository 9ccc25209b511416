//! Who is a member of which group: what grants lean on.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::effect::Effect;
use crate::event::Record;
use crate::id::{RoomId, Seq, UserId};

/// The members of the groups that loaded rooms grant roles to.
///
/// It lives beside the rooms, never in them: a room's log replays without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    groups: BTreeMap<RoomId, Group>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    as_of: Seq,
    members: BTreeSet<UserId>,
}

impl Directory {
    /// Whether the members of this group are known here.
    #[must_use]
    pub fn knows(&self, group: RoomId) -> bool {
        self.groups.contains_key(&group)
    }

    /// Whether the user is a member of the group, as far as is known here.
    #[must_use]
    pub fn is_member(&self, group: RoomId, user: UserId) -> bool {
        self.groups
            .get(&group)
            .is_some_and(|it| it.members.contains(&user))
    }

    /// Takes in a group's members as they were at a position of its log. An older list than the
    /// one that is known changes nothing.
    pub fn learn(&mut self, group: RoomId, as_of: Seq, members: impl IntoIterator<Item = UserId>) {
        if self
            .groups
            .get(&group)
            .is_some_and(|known| known.as_of >= as_of)
        {
            return;
        }
        self.groups.insert(
            group,
            Group {
                as_of,
                members: members.into_iter().collect(),
            },
        );
    }

    /// Forgets a group: the next decision that leans on it asks for its members.
    pub fn forget(&mut self, group: RoomId) {
        self.groups.remove(&group);
    }

    /// Follows a record of a group's log, in the log's order. Records of other rooms, and records
    /// that were taken in already, change nothing.
    pub fn hear(&mut self, record: &Record) {
        let Some(group) = self.groups.get_mut(&record.room) else {
            return;
        };
        if record.seq <= group.as_of {
            return;
        }
        group.as_of = record.seq;
        for effect in record.effects().iter() {
            match effect {
                Effect::Attach(user) => drop(group.members.insert(user)),
                Effect::Detach(user) => drop(group.members.remove(&user)),
                Effect::Close => group.members.clear(),
                Effect::Broadcast | Effect::Notify(_) | Effect::Regrant(_) | Effect::Rejudge => {}
            }
        }
    }
}
