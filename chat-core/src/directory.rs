//! Who is a member of which group: what grants lean on.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::effect::Effect;
use crate::event::{Event, Kind, Record};
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

    /// The last record of the group's log that is known here; none if the group isn't, or is known
    /// to be none.
    #[must_use]
    pub fn position(&self, group: RoomId) -> Option<Seq> {
        let known = self.groups.get(&group)?;
        (known.as_of < Seq::MAX).then_some(known.as_of)
    }

    /// The groups that are known here, in the order of their numbers.
    pub fn groups(&self) -> impl Iterator<Item = RoomId> {
        self.groups.keys().copied()
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

    /// Takes in that this room is no group, or gone, or was never made: whatever its log may say,
    /// nobody holds a role through it until it is founded as a group.
    pub fn learn_none(&mut self, room: RoomId) {
        let as_of = Seq::MAX;
        let members = BTreeSet::new();
        self.groups.insert(room, Group { as_of, members });
    }

    /// Forgets a group: the next decision that leans on it asks for its members.
    pub fn forget(&mut self, group: RoomId) {
        self.groups.remove(&group);
    }

    /// Forgets the groups that are not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(RoomId) -> bool) {
        self.groups.retain(|group, _| keep(*group));
    }

    /// Follows a record of a group's log, in the log's order. Records of other rooms, and records
    /// that were taken in already, change nothing.
    pub fn hear(&mut self, record: &Record) {
        let Some(group) = self.groups.get_mut(&record.room) else {
            return;
        };
        if let Event::RoomCreated(it) = &record.event {
            // Asked for before it was made: only its founding says what it is.
            group.members.clear();
            group.as_of = match it.kind {
                Kind::Group => Seq::default(),
                Kind::Channel | Kind::Direct => Seq::MAX,
            };
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{Command, CreateRoom, Join};
    use crate::{Actor, Decision, Engine, Facts, Name, Request, Standing, Timestamp};

    const ALICE: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const ROOM: RoomId = RoomId::new(7);

    fn say(engine: &mut Engine, user: UserId, command: impl Into<Command>) {
        let standing = Some(Standing::default());
        let request = Request {
            room: ROOM,
            actor: Actor::new(user, Name::new("somebody").unwrap()),
            at: Timestamp::new(1_000),
            cid: None,
            command: command.into(),
            facts: Facts {
                standing,
                ..Facts::default()
            },
        };
        let Ok(Decision::New(record)) = engine.decide(&request) else {
            panic!("not accepted: {request:?}")
        };
        assert!(engine.evolve(&record));
    }

    fn found(kind: Kind) -> Engine {
        let mut engine = Engine::default();
        engine.directory_mut().learn_none(ROOM);
        let den = CreateRoom::named(Name::new("den").unwrap());
        let kind = Some(kind);
        say(&mut engine, ALICE, CreateRoom { kind, ..den });
        say(&mut engine, BOB, Join::default());
        engine
    }

    #[test]
    fn a_group_that_was_asked_for_before_it_was_made_is_one() {
        let engine = found(Kind::Group);
        assert!(engine.directory().is_member(ROOM, ALICE));
        assert!(engine.directory().is_member(ROOM, BOB));
    }

    #[test]
    fn whoever_joins_a_channel_joins_no_group() {
        let mut engine = found(Kind::Channel);
        assert!(!engine.directory().is_member(ROOM, BOB));
        engine.directory_mut().learn_none(ROOM);
        say(&mut engine, UserId::new(3), Join::default());
        assert!(!engine.directory().is_member(ROOM, UserId::new(3)));
    }

    #[test]
    fn an_older_list_of_members_changes_nothing() {
        let mut directory = Directory::default();
        for (as_of, members, known) in [
            (5, [ALICE], ALICE),
            (4, [BOB], ALICE),
            (5, [BOB], ALICE),
            (6, [BOB], BOB),
        ] {
            directory.learn(ROOM, Seq::new(as_of), members);
            assert!(directory.is_member(ROOM, known), "as of {as_of}");
            assert!(!directory.is_member(ROOM, if known == ALICE { BOB } else { ALICE }));
        }
    }

    #[test]
    fn what_is_forgotten_is_asked_for_again() {
        let mut directory = Directory::default();
        let others = RoomId::new(8);
        for group in [ROOM, others] {
            directory.learn(group, Seq::new(1), [ALICE]);
        }
        directory.retain(|group| group == others);
        assert!(!directory.knows(ROOM) && directory.knows(others));
        directory.forget(others);
        assert!(!directory.knows(others));
    }

    #[test]
    fn a_group_is_known_up_to_a_record_unless_there_is_none() {
        let mut directory = Directory::default();
        assert_eq!(directory.position(ROOM), None);
        directory.learn(ROOM, Seq::new(4), [ALICE]);
        assert_eq!(directory.position(ROOM), Some(Seq::new(4)));
        directory.learn_none(ROOM);
        assert_eq!(directory.position(ROOM), None);
    }
}
