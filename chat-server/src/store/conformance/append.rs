//! Into the log and out of it.

use std::sync::Arc;

use crate::store::{Append, Appended, Holder, StoreError, Taken};
use chat_core::commands::{CreateRoom, DeleteRoom, OpenDirect, Post, UpdateRoom};
use chat_core::{Cid, Key, Record, Room, Seq};

use super::Any;
use super::stage::{ALICE, BOB, CAROL, Stage, keep, name, room, text, together, wish};

pub(super) async fn what_was_appended_is_there(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let post = stage.act(den, ALICE, Post::plain(text("hello"))).await;
    let records = store.records(den, Seq::default(), 10).await.unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1], post);
}

pub(super) async fn an_append_behind_the_head_is_a_conflict(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let late = Arc::new(
        stage
            .decide(den, ALICE, None, Post::plain(text("late")))
            .await
            .unwrap(),
    );
    stage.post(den, ALICE, "first").await;
    assert_eq!(
        keep(&store, &[&late]).await,
        Appended::Conflict { head: Seq::new(2) }
    );
    let nowhere = Append {
        room: room(9),
        after: Seq::new(4),
        epoch: None,
        records: vec![],
        snapshot: None,
    };
    let answers = store.append(vec![nowhere]).await.unwrap();
    assert_eq!(
        answers,
        [Appended::Conflict {
            head: Seq::default()
        }]
    );
    assert_eq!(
        store.records(den, Seq::default(), 10).await.unwrap().len(),
        2
    );
}

fn with_alias(alias: &str) -> CreateRoom {
    CreateRoom {
        alias: Some(name(alias)),
        ..CreateRoom::named(name("den"))
    }
}

fn to_alias(alias: &str) -> UpdateRoom {
    UpdateRoom {
        alias: Some(name(alias)),
        ..UpdateRoom::default()
    }
}

pub(super) async fn an_alias_is_held_by_one_room(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    stage.create(1, with_alias("General")).await;
    let other = Arc::new(
        stage
            .decide(room(2), BOB, None, with_alias("gener\u{430}l"))
            .await
            .unwrap(),
    );
    let key = Key::Alias(name("general").skeleton());
    let by = Holder {
        room: room(1),
        seq: Seq::new(1),
    };
    assert_eq!(keep(&store, &[&other]).await, taken(&key, by));
    assert_eq!(store.holder(&key).await.unwrap(), Some(by));
    assert_eq!(store.load(room(2)).await.unwrap(), None);
}

pub(super) async fn an_alias_that_was_given_up_can_be_taken(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.create(1, with_alias("general")).await;
    stage.act(den, ALICE, to_alias("random")).await;
    stage.act(den, ALICE, to_alias("Random")).await;
    stage.create(2, with_alias("general")).await;
    stage.act(den, ALICE, DeleteRoom {}).await;
    stage.create(3, with_alias("random")).await;
    let holder = store
        .holder(&Key::Alias(name("random").skeleton()))
        .await
        .unwrap();
    assert_eq!(
        holder,
        Some(Holder {
            room: room(3),
            seq: Seq::new(1)
        })
    );
}

pub(super) async fn two_people_have_one_direct_room(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    stage.act(room(1), ALICE, OpenDirect { user: BOB }).await;
    let again = Arc::new(
        stage
            .decide(room(2), BOB, None, OpenDirect { user: ALICE })
            .await
            .unwrap(),
    );
    let by = Holder {
        room: room(1),
        seq: Seq::new(1),
    };
    assert_eq!(
        keep(&store, &[&again]).await,
        taken(&Key::Direct(ALICE, BOB), by)
    );
}

pub(super) async fn a_cid_is_used_once_in_its_room(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let den_too = stage.den(2).await;
    let first = stage
        .decide(den, ALICE, Some("c1"), Post::plain(text("hi")))
        .await
        .unwrap();
    let second = Record {
        seq: first.seq.next(),
        ..first.clone()
    };
    let (first, second) = (Arc::new(first), Arc::new(second));
    assert_eq!(keep(&store, &[&first]).await, Appended::Done);
    let key = Key::Command(den, ALICE, Cid::new("c1").unwrap());
    let by = Holder {
        room: den,
        seq: Seq::new(2),
    };
    assert_eq!(keep(&store, &[&second]).await, taken(&key, by));
    assert_eq!(store.holder(&key).await.unwrap(), Some(by));
    let elsewhere = stage
        .decide(den_too, ALICE, Some("c1"), Post::plain(text("hi")))
        .await;
    assert_eq!(
        keep(&store, &[&Arc::new(elsewhere.unwrap())]).await,
        Appended::Done
    );
}

pub(super) async fn a_creations_cid_is_used_once_by_its_user(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let wanted = || CreateRoom::named(name("den"));
    let first = Arc::new(
        stage
            .decide(room(1), ALICE, Some("c"), wanted())
            .await
            .unwrap(),
    );
    let again = Arc::new(
        stage
            .decide(room(2), ALICE, Some("c"), wanted())
            .await
            .unwrap(),
    );
    let other = Arc::new(
        stage
            .decide(room(3), BOB, Some("c"), wanted())
            .await
            .unwrap(),
    );
    assert_eq!(keep(&store, &[&first]).await, Appended::Done);
    let key = Key::Creation(ALICE, Cid::new("c").unwrap());
    let by = Holder {
        room: room(1),
        seq: Seq::new(1),
    };
    assert_eq!(keep(&store, &[&again]).await, taken(&key, by));
    assert_eq!(keep(&store, &[&other]).await, Appended::Done);
}

pub(super) async fn a_refused_append_claims_nothing(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.create(2, with_alias("taken")).await;
    let free = stage
        .decide(den, ALICE, Some("c1"), to_alias("free"))
        .await
        .unwrap();
    let taken = Record {
        cid: None,
        seq: free.seq.next(),
        ..free.clone()
    };
    let taken = Record {
        event: to_alias_event("taken"),
        ..taken
    };
    let answer = keep(&store, &[&Arc::new(free), &Arc::new(taken)]).await;
    assert!(
        matches!(&answer, Appended::Taken(it) if matches!(it[..], [Taken { key: Key::Alias(_), .. }])),
        "{answer:?}"
    );
    assert_eq!(
        store
            .holder(&Key::Alias(name("free").skeleton()))
            .await
            .unwrap(),
        None
    );
    let cid = Key::Command(den, ALICE, Cid::new("c1").unwrap());
    assert_eq!(store.holder(&cid).await.unwrap(), None);
    assert_eq!(
        store.load(den).await.unwrap().unwrap().head_seq,
        Seq::new(1)
    );
}

pub(super) async fn every_key_that_is_taken_is_told_at_once(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.create(2, with_alias("home")).await;
    let mut records = Vec::new();
    for (seq, cid, alias) in [
        (2, "c1", None),
        (3, "c2", None),
        (4, "c2", None),
        (5, "c3", None),
        (6, "c4", Some("home")),
        (7, "c1", None),
        (8, "c3", None),
        (9, "c5", Some("free")),
    ] {
        let post = Post::plain(text("hi"));
        let mut record = stage.decide(den, ALICE, Some(cid), post).await.unwrap();
        record.seq = Seq::new(seq);
        if let Some(alias) = alias {
            record.event = to_alias_event(alias);
        }
        records.push(Arc::new(record));
    }
    let records: Vec<&Arc<Record>> = records.iter().collect();
    assert_eq!(keep(&store, &records[..2]).await, Appended::Done);
    let told = keep(&store, &records[2..]).await;
    let command = |cid: &str| Key::Command(den, ALICE, Cid::new(cid).unwrap());
    let held = |key: Key, room, seq| Taken {
        key,
        by: Holder {
            room,
            seq: Seq::new(seq),
        },
    };
    let expected = [
        held(command("c2"), den, 3),
        held(Key::Alias(name("home").skeleton()), room(2), 1),
        held(command("c1"), den, 2),
        // Of two in the same batch, the second one.
        held(command("c3"), den, 5),
    ];
    assert_eq!(told, Appended::Taken(expected.into()));
    for key in [command("c3"), command("c4"), command("c5")] {
        assert_eq!(store.holder(&key).await.unwrap(), None);
    }
    let free = Key::Alias(name("free").skeleton());
    assert_eq!(store.holder(&free).await.unwrap(), None);
}

fn taken(key: &Key, by: Holder) -> Appended {
    let key = key.clone();
    Appended::Taken(vec![Taken { key, by }])
}

fn to_alias_event(alias: &str) -> chat_core::Event {
    chat_core::event::RoomUpdated {
        alias: Some(name(alias)),
        ..Default::default()
    }
    .into()
}

pub(super) async fn one_refusal_leaves_the_others_committed(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let rooms = [stage.den(1).await, stage.den(2).await, stage.den(3).await];
    let mut batch = Vec::new();
    for den in rooms {
        let record = stage
            .decide(den, ALICE, None, Post::plain(text("hi")))
            .await
            .unwrap();
        batch.push(wish(&[&Arc::new(record)]));
    }
    batch[1].after = Seq::new(7);
    for record in &mut batch[1].records {
        Arc::make_mut(record).seq = Seq::new(8);
    }
    let conflict = Appended::Conflict { head: Seq::new(1) };
    let answers = store.append(batch).await.unwrap();
    assert_eq!(answers, [Appended::Done, conflict, Appended::Done]);
    for (den, records) in rooms.into_iter().zip([2, 1, 2]) {
        assert_eq!(
            store.records(den, Seq::default(), 9).await.unwrap().len(),
            records
        );
    }
}

pub(super) async fn callers_at_the_same_time_are_all_served(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let mut under_way = Vec::new();
    for number in 1..=60 {
        let den = stage.den(number).await;
        let record = stage
            .decide(den, ALICE, None, Post::plain(text("hi")))
            .await
            .unwrap();
        let store = Arc::clone(&store);
        under_way.push(async move { keep(&store, &[&Arc::new(record)]).await });
    }
    let answers = together(under_way).await;
    assert!(
        answers.iter().all(|answer| *answer == Appended::Done),
        "{answers:?}"
    );
    for number in 1..=60 {
        let loaded = store.load(room(number)).await.unwrap().unwrap();
        assert_eq!(loaded.head_seq, Seq::new(2));
    }
}

pub(super) async fn of_many_who_race_for_a_position_one_wins(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let mut under_way = Vec::new();
    for number in 0..20 {
        let post = Post::plain(text(&format!("{number}")));
        let record = Arc::new(stage.decide(den, ALICE, None, post).await.unwrap());
        let store = Arc::clone(&store);
        under_way.push(async move { keep(&store, &[&record]).await });
    }
    let answers = together(under_way).await;
    let won = answers
        .iter()
        .filter(|answer| **answer == Appended::Done)
        .count();
    assert_eq!(won, 1, "{answers:?}");
    assert_eq!(
        store.records(den, Seq::default(), 99).await.unwrap().len(),
        2
    );
}

pub(super) async fn a_log_without_its_beginning_is_refused(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let post = stage
        .decide(den, ALICE, None, Post::plain(text("hi")))
        .await
        .unwrap();
    let founding = Arc::new(Record {
        room: room(2),
        seq: Seq::new(1),
        ..post.clone()
    });
    let answer = store.append(vec![wish(&[&founding])]).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
    let hole = Append {
        records: vec![Arc::new(Record {
            seq: Seq::new(5),
            ..post
        })],
        ..wish(&[&founding])
    };
    assert!(
        store
            .append(vec![Append {
                room: den,
                after: Seq::new(1),
                ..hole
            }])
            .await
            .is_err()
    );
}

pub(super) async fn reserved_numbers_are_never_given_twice(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    stage.den(5).await;
    let mut last = room(5);
    for _ in 0..200 {
        let next = store.reserve_room().await.unwrap();
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

async fn a_few_records(stage: &mut Stage) -> chat_core::RoomId {
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    for number in 0..5 {
        stage.post(den, BOB, &format!("line {number}")).await;
    }
    den
}

pub(super) async fn a_room_loads_as_its_log_folds(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = a_few_records(&mut stage).await;
    let loaded = store.load(den).await.unwrap().unwrap();
    assert_eq!(Some(&loaded), stage.engine.room(den));
    let log = store.records(den, Seq::default(), 100).await.unwrap();
    assert_eq!(Room::replayed(log.iter().map(AsRef::as_ref)), Some(loaded));
}

pub(super) async fn a_room_loads_from_snapshot_and_tail(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = a_few_records(&mut stage).await;
    let record = stage
        .decide(den, BOB, Some("c9"), Post::plain(text("snap")))
        .await
        .unwrap();
    assert!(stage.engine.evolve(&record));
    let snapshot = stage.engine.room(den).cloned().map(Box::new);
    let append = Append {
        snapshot,
        ..wish(&[&Arc::new(record)])
    };
    assert_eq!(store.append(vec![append]).await.unwrap(), [Appended::Done]);
    assert_eq!(
        store.load(den).await.unwrap().as_ref(),
        stage.engine.room(den)
    );
    stage.join(den, CAROL).await;
    stage.post(den, CAROL, "after the snapshot").await;
    assert_eq!(
        store.load(den).await.unwrap().as_ref(),
        stage.engine.room(den)
    );
}

pub(super) async fn records_come_in_parts(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = a_few_records(&mut stage).await;
    let mut heard = Vec::new();
    loop {
        let after = Seq::new(heard.len() as u64);
        let part = store.records(den, after, 3).await.unwrap();
        if part.is_empty() {
            break;
        }
        heard.extend(part.iter().map(|record| record.seq.number()));
    }
    assert_eq!(heard, [1, 2, 3, 4, 5, 6, 7]);
    assert!(
        store
            .records(room(9), Seq::default(), 3)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .records(den, Seq::new(99), 3)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(super) async fn a_position_continues_under_its_epoch(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = a_few_records(&mut stage).await;
    let epoch = store.epoch();
    for (seq, expected) in [(0, true), (7, true), (8, false)] {
        assert_eq!(
            store.continues(den, &epoch, Seq::new(seq)).await.unwrap(),
            expected,
            "{seq}"
        );
    }
    assert!(!store.continues(den, "another", Seq::new(7)).await.unwrap());
}
