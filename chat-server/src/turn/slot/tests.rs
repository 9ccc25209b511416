use chat_core::{Author, Event, event::RoomArchived};

use super::*;

/// Whether a snapshot goes with the records up to this one, in a slot that has just been
/// loaded.
fn is_due(founded: &Record, last: u64) -> bool {
    let mut room = Room::founded(founded).unwrap();
    let follow = |seq: u64| Record {
        seq: Seq::new(seq),
        event: Event::from(RoomArchived {}),
        ..founded.clone()
    };
    for seq in 2..=last {
        room.follow(&follow(seq)).unwrap();
    }
    let mut slot: Slot<()> = Slot::loading();
    slot.ready(Seq::new(last - 1));
    slot.decided(Arc::new(follow(last)), None);
    slot.append(founded.room, Some(&room))
        .unwrap()
        .snapshot
        .is_some()
}

#[test]
fn a_snapshot_is_due_however_often_the_room_was_loaded_since_the_last_one() {
    let created = r#"{"room":1,"seq":1,"at":1,"by":{"id":1},"ev":"room_created","d":{
        "kind":"channel","access":{"mode":"open"},"listed":true,"history":"all","owner":1,"joined":true}}"#;
    let founded: Record = serde_json::from_str(created).unwrap();
    assert_eq!(
        founded.by,
        Author {
            id: UserId::new(1),
            name: None
        }
    );
    assert!(!is_due(&founded, 255));
    assert!(is_due(&founded, 256));
    assert!(!is_due(&founded, 257));
    assert!(is_due(&founded, 512));
}

#[test]
fn a_room_that_people_come_into_keeps_few_snapshots() {
    let created = r#"{"room":1,"seq":1,"at":1,"by":{"id":1},"ev":"room_created","d":{
        "kind":"channel","access":{"mode":"open"},"listed":true,"history":"all","owner":1,"joined":true}}"#;
    let founded: Record = serde_json::from_str(created).unwrap();
    let mut room = Room::founded(&founded).unwrap();
    let mut slot: Slot<()> = Slot::loading();
    slot.ready(Seq::new(1));
    let mut kept = Vec::new();
    for number in 2..=10_000 {
        let joined = format!(
            r#"{{"room":1,"seq":{number},"at":1,"by":{{"id":{number},"name":"u{number}"}},
            "ev":"joined","d":{{"way":"open","role":"member"}}}}"#
        );
        let joined: Record = serde_json::from_str(&joined).unwrap();
        room.follow(&joined).unwrap();
        slot.decided(Arc::new(joined), None);
        let append = slot.append(room.id, Some(&room)).unwrap();
        kept.extend(append.snapshot.map(|room| room.members.len()));
        slot.commit();
    }
    // Each costs as much as the room has members: all of them no more than some for each join.
    assert!(kept.iter().sum::<usize>() <= 8 * 10_000, "{kept:?}");
    assert!(*kept.last().unwrap() >= 6_000, "{kept:?}");
}

#[test]
fn a_room_stays_for_as_long_as_it_may_idle_and_not_a_millisecond_longer() {
    let mut slot: Slot<()> = Slot::loading();
    let idle = |slot: &Slot<()>, at: u64| slot.is_idle(Timestamp::new(at), 300);
    slot.used_at = Timestamp::new(1_000);
    assert!(!idle(&slot, 5_000), "it is being loaded");
    slot.ready(Seq::new(1));
    slot.used_at = Timestamp::new(1_000);
    for (at, is_idle) in [(1_299, false), (1_300, true), (1_301, true)] {
        assert_eq!(idle(&slot, at), is_idle, "{at}");
    }
}
