//! What holds at each step, and what holds once everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Record, Room, RoomId, Seq, UserId};
use chat_server::mail::{Look, Reply, SessionKey, Sight, Wish};
use chat_server::store::Store;

use super::world::{World, ready};

/// Nobody hears what isn't in the store.
pub(super) fn is_durable(world: &World, record: &Record) {
    let stored = world.archive.record(record.room, record.seq);
    let stored = stored.unwrap_or_else(|| panic!("not in the store: {record:?}"));
    // Words may have been erased since.
    assert!(
        stored == record || bare(stored) == bare(record),
        "heard {record:?}, stored {stored:?}"
    );
}

fn bare(record: &Record) -> Record {
    let mut record = record.clone();
    drop(record.take_words());
    record
}

/// The store gives the same logs at the end as while they grew, and they replay.
pub(super) fn the_store_is_what_was_archived(world: &World) {
    for room in world.archive.rooms() {
        let records = ready(world.store.records(room, Seq::default(), usize::MAX)).unwrap();
        let stored = records.iter().map(|it| bare(it));
        assert!(
            stored.eq(world.archive.log(room).map(bare)),
            "{room} is another"
        );
        let replayed = Room::replayed(world.archive.log(room));
        assert_eq!(replayed.as_ref(), world.archive.last(room));
    }
}

/// Whoever hears a record may read the room right before it or right after it.
pub(super) fn may_hear(world: &World, record: &Record, user: UserId) {
    let reads = |room: Option<&Room>| {
        room.is_some_and(|room| {
            let banned = room.is_banned(user, record.at);
            // Visitors and those who lean on a group are looked at once all is at rest.
            let known = room.own_role(user).is_some() || user.is_guest() || !room.grants.is_empty();
            known && !banned
        })
    };
    let (room, seq) = (record.room, record.seq);
    let before = Seq::new(seq.number() - 1);
    assert!(
        reads(world.archive.state(room, before)) || reads(world.archive.state(room, seq)),
        "{user} hears {record:?} without a right to"
    );
}

/// What is acknowledged is in the store.
pub(super) fn acknowledgement_holds(world: &World, at: usize) {
    let sent = &world.sent[at];
    if let Some(Ok(Reply::Done { room, seq, dup })) = &sent.outcome {
        let record = world.archive.record(*room, *seq);
        let record = record.unwrap_or_else(|| panic!("acknowledged and not stored: {sent:?}"));
        assert!(
            *dup || record.by.id == sent.user,
            "{sent:?} is not {record:?}"
        );
    }
}

/// Each mail was answered, and the commands of a session were carried out in the order in which it
/// sent them.
pub(super) fn all_is_answered_in_order(world: &World) {
    let mut last: BTreeMap<(RoomId, SessionKey), Seq> = BTreeMap::new();
    for sent in &world.sent {
        assert!(sent.outcome.is_some(), "never answered: {sent:?}");
        let (Some(Ok(Reply::Done { room, seq, dup })), Some(from)) = (&sent.outcome, sent.from)
        else {
            continue;
        };
        if !dup && *room == sent.room {
            let before = last.insert((*room, from), *seq);
            assert!(
                before.is_none_or(|it| it < *seq),
                "out of order: {sent:?} of {:?}",
                world
                    .sent
                    .iter()
                    .filter(|it| it.from == sent.from && it.room == sent.room)
                    .map(|it| (it.wish, &it.outcome, it.answered_at))
                    .collect::<Vec<_>>()
            );
        }
    }
}

/// What the turns hold in memory is what the logs say.
pub(super) fn live_is_replayed(world: &World) {
    for place in &world.places {
        for room in place.turn.engine().rooms() {
            let head = world.archive.head(room.id);
            assert_eq!(head, room.head_seq, "{} is behind its log", room.id);
            let last = world.archive.last(room.id);
            assert_eq!(last, Some(room), "memory differs from the log");
        }
    }
}

/// Whoever has a seat has heard its room to the end.
pub(super) fn all_is_heard(world: &World) {
    for place in &world.places {
        for (room, head) in place.hub.heads() {
            assert_eq!(
                head,
                world.archive.head(room),
                "{room} isn't heard to its end"
            );
        }
    }
}

/// What turns know of groups is what the groups' logs say.
pub(super) fn groups_are_known_as_they_are(world: &World, users: &[UserId], rooms: &[RoomId]) {
    for place in &world.places {
        let directory = place.turn.engine().directory();
        for room in rooms.iter().filter(|room| directory.knows(**room)) {
            let last = world.archive.last(*room);
            let state = last
                .filter(|it| it.kind == chat_core::Kind::Group)
                .filter(|it| it.lifecycle != chat_core::Lifecycle::Deleted);
            for user in users {
                let is = state
                    .as_ref()
                    .is_some_and(|it| it.members.contains_key(user));
                let known = directory.position(*room);
                assert_eq!(
                    directory.is_member(*room, *user),
                    is,
                    "{user} in {room}, known up to {known:?}: {:#?}",
                    world.archive.log(*room).collect::<Vec<_>>()
                );
            }
        }
    }
}

/// Whoever has a seat may read the room, and every turn that has the room knows of him; and the other
/// way round.
pub(super) fn seats_are_known_and_deserved(world: &mut World, visits: &BTreeSet<(RoomId, UserId)>) {
    let mut seated: BTreeMap<RoomId, BTreeSet<UserId>> = BTreeMap::new();
    for place in &world.places {
        for (room, _, user) in place.hub.seated() {
            seated.entry(room).or_default().insert(user);
            let state = world.archive.last(room).unwrap();
            let by_group = state.grants.keys().any(|group| {
                let group = world.archive.last(*group);
                group.is_some_and(|it| {
                    it.kind == chat_core::Kind::Group && it.members.contains_key(&user)
                })
            });
            assert!(
                state.own_role(user).is_some() || by_group || visits.contains(&(room, user)),
                "{user} has a seat in {room} without a right to"
            );
        }
    }
    let owners: BTreeSet<(usize, RoomId)> = world
        .places
        .iter()
        .enumerate()
        .flat_map(|(place, it)| it.turn.engine().rooms().map(move |room| (place, room.id)))
        .collect();
    for (place, room) in owners {
        let listed = world.places[place].turn.engine().room(room).unwrap().listed;
        if !listed {
            continue;
        }
        let from = Some(SessionKey {
            worker: place,
            number: 0,
        });
        let at = world.send(
            room,
            UserId::new(1),
            from,
            Wish::Look(Look::People { most: usize::MAX }),
        );
        world.turn(place, super::world::Fault::None);
        world.rest();
        let Some(Ok(Reply::Seen(sight))) = &world.sent[at].outcome else {
            panic!("not answered: {:?}", world.sent[at]);
        };
        let Sight::People(present) = &**sight else {
            panic!("another answer: {sight:?}");
        };
        let present: BTreeSet<UserId> = present.iter().map(|it| it.id).collect();
        let seats = seated.get(&room).cloned().unwrap_or_default();
        assert_eq!(present, seats, "who is present in {room} has a seat in it");
    }
}

/// Once every session has gone, nothing is left in memory.
pub(super) fn nothing_is_left(world: &mut World) {
    let later = world.now.plus_ms(1_000_000);
    world.now = later;
    for place in 0..world.places.len() {
        // What couldn't be loaded is loaded by the first sweep, and goes by the second.
        for _ in 0..2 {
            world.places[place].turn.sweep(later, 0);
            world.rest();
        }
        let left: Vec<RoomId> = world.places[place]
            .turn
            .engine()
            .rooms()
            .map(|it| it.id)
            .collect();
        assert_eq!(left, [], "rooms without listeners stay in place {place}");
    }
}

/// Whether a mail's answer invites to try again.
pub(super) fn is_retryable(world: &World, at: usize) -> bool {
    use chat_server::mail::Refused;
    matches!(
        world.sent[at].outcome,
        Some(Err(Refused::StorageUnavailable | Refused::Overloaded))
    )
}
