//! What rooms keep no longer.

use std::sync::Arc;

use crate::simulation::Dice;
use crate::store::{Marker, Overdue, Place, Scope, SearchQuery, Sought, TRIMMED_EVERY_MS};
use chat_core::commands::{
    CreateRoom, Delete, DeleteRoom, Edit, Kick, Pin, Post, SetNickname, Trim, UpdateRoom,
};
use chat_core::{Record, Retention, Room, RoomId, Seq, Timestamp, Words};

use super::Any;
use super::stage::{ALICE, BOB, CAROL, Stage, all, name, room, tend, text};

pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

pub async fn log(store: &Any, den: RoomId) -> Vec<Arc<Record>> {
    store.records(den, Seq::default(), 9_999).await.unwrap()
}

fn words(record: &Record) -> Words {
    record.clone().take_words()
}

async fn found(store: &Any, den: RoomId, word: &str) -> Vec<u64> {
    let query = SearchQuery {
        sought: Sought::new(word).unwrap(),
        viewer: ALICE,
        rooms: vec![Scope {
            room: den,
            from: Seq::new(1),
            to: Seq::new(9_999),
        }],
        limit: 99,
    };
    let found = store.search(&query).await.unwrap().items;
    found.iter().map(|(_, it)| it.seq.number()).collect()
}

/// Talk of tea in a room of three, before a line and after it; tells that line and the last.
async fn tea(stage: &mut Stage, den: RoomId) -> (Seq, Seq, Seq) {
    for user in [BOB, CAROL] {
        stage.join(den, user).await;
    }
    let nickname = Some(name("bobby"));
    stage.act(den, BOB, SetNickname { nickname }).await;
    let early = stage.post(den, BOB, "early tea").await;
    let gone = stage.post(den, BOB, "tea that was deleted").await;
    stage.act(den, BOB, Delete { message: gone }).await;
    let mention = Post {
        mentions: vec![ALICE],
        ..Post::plain(text("tea for alice"))
    };
    stage.act(den, BOB, mention).await;
    let reason = Some(text("too much tea"));
    let kick = Kick {
        user: CAROL,
        reason,
    };
    stage.act(den, ALICE, kick).await;
    stage.act(den, ALICE, Pin { message: early }).await;
    let late = stage.post(den, BOB, "late tea").await;
    // It comes later than what is kept, and is a part of what isn't.
    let edit = Edit::plain(early, text("early tea, edited"));
    stage.act(den, BOB, edit).await;
    let answer = Post {
        thread: Some(early),
        ..Post::plain(text("tea in a thread"))
    };
    let answer = stage.act(den, BOB, answer).await.seq;
    (early, late, answer)
}

pub(super) async fn a_trimmed_room_begins_where_it_is_kept_from(store: Any) {
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    let (early, late, answer) = tea(&mut stage, den).await;
    let before = log(&store, den).await;
    let unread = store.marker(den, ALICE).await.unwrap();
    assert_eq!((unread.unread, unread.mentions), (4, 1));

    let trimmed = stage.act(den, ALICE, Trim { from: late }).await;
    for are_gone in [false, true] {
        if are_gone {
            tend(&store).await;
        }
        let after = log(&store, den).await;
        assert_eq!(after.last(), Some(&trimmed));
        for (record, was) in after.iter().zip(&before) {
            match was.is_trimmed(late) {
                true => assert_eq!(words(record), Words::default(), "{was:?}"),
                false => assert_eq!(record, was),
            }
        }
        let replayed = Room::replayed(after.iter().map(AsRef::as_ref));
        assert_eq!(store.load(den).await.unwrap(), replayed);
        let state = replayed.unwrap();
        assert_eq!(state.nickname(BOB), Some(&name("bobby")), "he is a member");
        assert_eq!(state.pins, []);
        let people = store.members(den, None, 9).await.unwrap();
        let called: Vec<_> = people
            .iter()
            .filter_map(|it| it.user.name.clone())
            .collect();
        assert_eq!(called, [name("alice"), name("bobby")]);
        shows(&store, den, early, [late, answer]).await;
    }
}

/// Whatever is asked, a room begins with these two messages, and what was before is nowhere.
async fn shows(store: &Any, den: RoomId, early: Seq, kept: [Seq; 2]) {
    let places = [
        Place::Newest,
        Place::Before(kept[1].next()),
        Place::After(Seq::new(1)),
        Place::Around(early),
    ];
    for place in places {
        let mut query = all(den);
        query.place = place;
        let shown = store.messages(&query).await.unwrap();
        let shown: Vec<_> = shown.iter().map(|it| it.seq).collect();
        assert_eq!(shown, kept, "{place:?}");
    }
    let mut thread = all(den);
    thread.thread = Some(early);
    let thread = store.messages(&thread).await.unwrap();
    assert_eq!(thread.len(), 1, "the answer alone");
    let newest_first = [kept[1].number(), kept[0].number()];
    assert_eq!(found(store, den, "tea").await, newest_first);
    assert_eq!(found(store, den, "edited").await, Vec::<u64>::new());
    let unread = Marker {
        unread: 2,
        ..Marker::default()
    };
    assert_eq!(store.marker(den, ALICE).await.unwrap(), unread);
    let mine = store.rooms_of(ALICE).await.unwrap();
    assert_eq!((mine[0].unread, mine[0].mentions), (2, 0));
}

/// A room of Alice's that keeps so much.
pub async fn keeping(
    stage: &mut Stage,
    number: u64,
    days: Option<u32>,
    records: Option<u64>,
) -> RoomId {
    let wish = CreateRoom {
        retention: Some(Retention { days, records }),
        ..CreateRoom::named(name("den"))
    };
    stage.create(number, wish).await
}

pub async fn overdue(store: &Any, now: Timestamp) -> Vec<(u64, u64)> {
    let overdue = store.overdue(now, 9).await.unwrap();
    let place = |it: &Overdue| (it.room.number(), it.from.number());
    overdue.iter().map(place).collect()
}

pub(super) async fn rooms_past_their_time_are_found(store: Any) {
    let mut stage = Stage::new(store.clone());
    let began = stage.at;
    stage.den(1).await;
    let two_days = keeping(&mut stage, 2, Some(2), None).await;
    let three = keeping(&mut stage, 3, None, Some(3)).await;
    let either = keeping(&mut stage, 4, Some(1), Some(4)).await;
    for den in [room(1), two_days, three, either] {
        stage.post(den, ALICE, "one").await;
        stage.post(den, ALICE, "two").await;
    }
    assert_eq!(overdue(&store, stage.at).await, []);
    // The record that says so is among those that are kept.
    stage.post(three, ALICE, "three").await;
    assert_eq!(overdue(&store, stage.at).await, [(3, 3)]);
    stage.at = began.plus_ms(DAY_MS);
    stage.post(either, ALICE, "next day").await;
    let late = began.plus_ms(DAY_MS + 50);
    assert_eq!(overdue(&store, late).await, [(3, 3), (4, 4)]);
    let later = began.plus_ms(2 * DAY_MS + 50);
    let all = [(3, 3), (4, 5), (2, 4)];
    assert_eq!(overdue(&store, later).await, all);
    assert_eq!(store.overdue(later, 1).await.unwrap().len(), 1);
    // Whoever wants to keep it may say so until then, and a deleted room is nobody's.
    let retention = Some(Retention::default());
    let for_ever = UpdateRoom {
        retention,
        ..UpdateRoom::default()
    };
    stage.act(two_days, ALICE, for_ever).await;
    stage.act(either, ALICE, DeleteRoom {}).await;
    assert_eq!(overdue(&store, later).await, [(3, 3)]);
    let retention = Some(Retention {
        days: Some(1),
        records: None,
    });
    let a_day = UpdateRoom {
        retention,
        ..UpdateRoom::default()
    };
    stage.act(two_days, ALICE, a_day).await;
    assert_eq!(overdue(&store, later).await, [(3, 3), (2, 6)]);
}

pub(super) async fn a_trimmed_room_is_let_alone_for_an_hour_and_a_quiet_one_for_ever(store: Any) {
    let mut stage = Stage::new(store.clone());
    let day = keeping(&mut stage, 1, Some(1), None).await;
    let pair = keeping(&mut stage, 2, None, Some(2)).await;
    for line in ["one", "two", "three"] {
        stage.post(day, ALICE, line).await;
        stage.post(pair, ALICE, line).await;
    }
    stage.at = stage.at.plus_ms(2 * DAY_MS);
    for Overdue { room, from } in store.overdue(stage.at, 9).await.unwrap() {
        stage.act(room, ALICE, Trim { from }).await;
    }
    let trimmed_at = stage.at;
    assert_eq!(stage.engine.room(day).unwrap().kept_from, Seq::new(5));
    assert_eq!(stage.engine.room(pair).unwrap().kept_from, Seq::new(4));
    // To be trimmed is no reason to be trimmed.
    for days in 0..9 {
        let then = trimmed_at.plus_ms(days * DAY_MS);
        assert_eq!(overdue(&store, then).await, []);
    }
    stage.post(pair, ALICE, "four").await;
    stage.post(pair, ALICE, "five").await;
    let within = trimmed_at.plus_ms(TRIMMED_EVERY_MS - 9);
    assert_eq!(overdue(&store, within).await, []);
    let after = trimmed_at.plus_ms(TRIMMED_EVERY_MS);
    assert_eq!(overdue(&store, after).await, [(2, 7)]);
    stage.post(day, ALICE, "again").await;
    let late = stage.at.plus_ms(DAY_MS);
    assert_eq!(overdue(&store, late).await, [(2, 7), (1, 7)]);
}

pub(super) async fn what_is_overdue_equals_a_naive_reading(store: Any) {
    let mut dice = Dice::new(11);
    let mut stage = Stage::new(store.clone());
    let mut rooms = Vec::new();
    for number in 1..=6 {
        let (days, records) = [(Some(2), None), (None, Some(3)), (Some(1), Some(5))][dice.below(3)];
        rooms.push(keeping(&mut stage, number, days, records).await);
    }
    let mut trims = 0;
    for _ in 0..300 {
        let den = rooms[dice.below(rooms.len())];
        stage.at = stage
            .at
            .plus_ms(dice.below(20) as u64 * TRIMMED_EVERY_MS / 4);
        match dice.below(8) {
            0 => {
                let retention = Some(Retention {
                    days: [None, Some(1), Some(3)][dice.below(3)],
                    records: [None, Some(2), Some(4)][dice.below(3)],
                });
                let wish = UpdateRoom {
                    retention,
                    ..UpdateRoom::default()
                };
                stage.act(den, ALICE, wish).await;
            }
            _ => drop(stage.post(den, ALICE, "a line").await),
        }
        let mut due = Vec::new();
        for den in &rooms {
            let (state, log) = (stage.engine.room(*den).unwrap(), log(&store, *den).await);
            due.extend(naively(state, &log, stage.at).map(|from| (den.number(), from.number())));
        }
        let mut told = overdue(&store, stage.at).await;
        told.sort_unstable();
        assert_eq!(told, due, "at {}", stage.at);
        if dice.below(3) == 0 {
            for (number, from) in told {
                let from = Seq::new(from);
                stage.act(room(number), ALICE, Trim { from }).await;
                trims += 1;
            }
        }
    }
    assert!(trims > 20, "{trims}");
}

/// From where on a room may keep its records, if it keeps some that it may not.
fn naively(state: &Room, log: &[Arc<Record>], now: Timestamp) -> Option<Seq> {
    let is_trim = |it: &Record| it.event.name() == "room_trimmed";
    let trimmed = log.iter().rfind(|it| is_trim(it)).map(|it| it.at);
    if trimmed.is_some_and(|at| now < at.plus_ms(TRIMMED_EVERY_MS)) {
        return None;
    }
    let kept = || log.iter().filter(|it| it.seq >= state.kept_from);
    let mut from = Seq::default();
    if let Some(records) = state.retention.records
        && kept().count() as u64 > records
    {
        from = Seq::new(state.head_seq.number() + 2 - records);
    }
    if let Some(days) = state.retention.days {
        let is_old = |it: &&Arc<Record>| it.at.plus_ms(u64::from(days) * DAY_MS) <= now;
        if kept().filter(is_old).any(|it| !is_trim(it)) {
            from = from.max(kept().rfind(is_old).unwrap().seq.next());
        }
    }
    (from > Seq::default()).then_some(from)
}
