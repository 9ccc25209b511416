//! Looking for what was said.

use crate::simulation::Dice;
use crate::store::{Found, Scope, SearchQuery, Sought};
use chat_core::commands::{Delete, Edit};
use chat_core::{RoomId, Seq};

use super::Any;
use super::stage::{ALICE, BOB, NOW, Stage, all, room, tend, text};

fn scope(room: RoomId) -> Scope {
    Scope {
        room,
        from: Seq::new(1),
        to: Seq::new(u64::from(u32::MAX)),
    }
}

fn query(words: &str, rooms: &[RoomId]) -> SearchQuery {
    SearchQuery {
        sought: Sought::new(words).unwrap(),
        viewer: ALICE,
        rooms: rooms.iter().map(|room| scope(*room)).collect(),
        limit: 100,
    }
}

fn places(found: &Found) -> Vec<(u64, u64)> {
    let place = |(room, message): &(RoomId, _)| {
        let message: &chat_protocol::answer::Message = message;
        (room.number(), message.seq.number())
    };
    found.items.iter().map(place).collect()
}

/// Where something is found, before its words are taken in and afterwards.
async fn found(store: &Any, words: &str, rooms: &[RoomId]) -> Vec<(u64, u64)> {
    let before = store.search(&query(words, rooms)).await.unwrap();
    tend(store).await;
    let after = store.search(&query(words, rooms)).await.unwrap();
    assert_eq!(before, after, "{words}");
    assert_eq!(after.next, None);
    places(&after)
}

pub(super) async fn messages_are_found_by_what_they_say_today(store: Any) {
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    let tea = stage.post(den, ALICE, "Tea is ready").await;
    let more = stage.post(den, BOB, "more TEA, please; ready?").await;
    assert_eq!(found(&store, "tea", &[den]).await, [(1, 4), (1, 3)]);
    assert_eq!(found(&store, "ready tea", &[den]).await, [(1, 4), (1, 3)]);
    assert_eq!(found(&store, "is-ready", &[den]).await, [(1, 3)]);
    assert_eq!(found(&store, "te", &[den]).await, []);
    stage
        .act(den, ALICE, Edit::plain(tea, text("coffee")))
        .await;
    assert_eq!(found(&store, "tea", &[den]).await, [(1, 4)]);
    assert_eq!(found(&store, "coffee", &[den]).await, [(1, 3)]);
    stage.act(den, ALICE, Edit::plain(tea, text("cocoa"))).await;
    assert_eq!(found(&store, "coffee", &[den]).await, []);
    stage.act(den, BOB, Delete { message: more }).await;
    assert_eq!(found(&store, "tea", &[den]).await, []);
    assert_eq!(found(&store, "cocoa", &[room(2), den]).await, [(1, 3)]);
}

pub(super) async fn nothing_outside_its_scope_is_found(store: Any) {
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    let pit = stage.den(2).await;
    for _ in 0..6 {
        stage.post(den, ALICE, "word").await;
    }
    stage.post(pit, ALICE, "word").await;
    for tended in [false, true] {
        let mut part = query("word", &[den]);
        part.rooms = vec![Scope {
            room: den,
            from: Seq::new(3),
            to: Seq::new(5),
        }];
        let found = store.search(&part).await.unwrap();
        assert_eq!(places(&found), [(1, 5), (1, 4), (1, 3)], "{tended}");
        part.rooms = vec![Scope {
            room: den,
            from: Seq::new(6),
            to: Seq::new(5),
        }];
        assert_eq!(store.search(&part).await.unwrap(), Found::default());
        tend(&store).await;
    }
}

pub(super) async fn a_search_goes_on_where_it_was_left_off(store: Any) {
    let mut stage = Stage::new(store.clone());
    let rooms = [stage.den(1).await, stage.den(2).await, stage.den(3).await];
    for den in [rooms[0], rooms[2]] {
        for line in 0..700 {
            let body = if line % 100 == 0 {
                "rare word"
            } else {
                "common word"
            };
            stage.post(den, ALICE, body).await;
        }
    }
    for tended in [false, true] {
        let mut wish = query("rare", &rooms);
        wish.limit = 5;
        let mut places_found = Vec::new();
        loop {
            let found = store.search(&wish).await.unwrap();
            assert!(found.items.len() <= 5);
            places_found.extend(places(&found));
            let Some((room, before)) = found.next else {
                break;
            };
            wish.rooms.retain(|scope| scope.room >= room);
            wish.rooms[0].to = Seq::new(before.number() - 1);
        }
        let expected: Vec<_> = [1, 3]
            .into_iter()
            .flat_map(|room| (0..7).rev().map(move |line| (room, 2 + line * 100)))
            .collect();
        assert_eq!(places_found, expected, "{tended}");
        tend(&store).await;
    }
}

pub(super) async fn search_equals_a_naive_reading(store: Any) {
    const WORDS: [&str; 6] = ["ant", "bee", "cat", "dog", "elk", "fox"];
    let mut dice = Dice::new(7);
    let mut draw = move |below| dice.below(below);
    let mut stage = Stage::new(store.clone());
    let rooms = [stage.den(1).await, stage.den(2).await];
    for den in rooms {
        stage.join(den, BOB).await;
    }
    let mut said = Vec::new();
    for step in 0..250 {
        let body = format!("{} {}!", WORDS[draw(6)], WORDS[draw(6)]);
        let (den, who) = (rooms[draw(2)], [ALICE, BOB][draw(2)]);
        match draw(10) {
            0..6 => said.push((den, who, stage.post(den, who, &body).await)),
            6 | 7 if !said.is_empty() => {
                let (den, who, message) = said[draw(said.len())];
                drop(
                    stage
                        .try_act(den, who, Edit::plain(message, text(&body)))
                        .await,
                );
            }
            8 if !said.is_empty() => {
                let (den, who, message) = said[draw(said.len())];
                drop(stage.try_act(den, who, Delete { message }).await);
            }
            _ => drop(store.tend(NOW).await.unwrap()),
        }
        if step == 200 {
            store.erase_user(BOB, NOW).await.unwrap();
        }
        if step % 10 == 9 && !(200..=240).contains(&step) {
            if step > 240 {
                tend(&store).await;
            }
            let sought = format!("{} {}", WORDS[draw(6)], WORDS[draw(6)]);
            naively(&store, &sought, &rooms).await;
        }
    }
}

async fn naively(store: &Any, sought: &str, rooms: &[RoomId]) {
    let mut expected = Vec::new();
    for den in rooms {
        for message in store.messages(&all(*den)).await.unwrap().iter().rev() {
            let said = message.content.as_ref().map(|it| it.body.as_str());
            let said = said.unwrap_or_default().replace('!', "");
            let said: Vec<_> = said.split(' ').collect();
            if sought.split(' ').all(|word| said.contains(&word)) {
                expected.push((den.number(), message.seq.number()));
            }
        }
    }
    let found = store.search(&query(sought, rooms)).await.unwrap();
    assert_eq!(places(&found), expected, "{sought}");
}
