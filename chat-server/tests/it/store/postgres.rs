//! What a database does that a file doesn't: others write to it at the same time, and it comes and
//! goes.

mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_core::commands::{CreateRoom, Post};
use chat_core::{Cid, Event, Idx, Key, Record, RoomId, Seq, Timestamp, UserId};
use chat_server::store::postgres::Postgres;
use chat_server::store::{
    Append, Appended, DirectoryQuery, Order, Scope, SearchQuery, Sought, Store, StoreError,
};

use super::Any;
use super::stage::{ALICE, BOB, NOW, Stage, all, name, room, tend, text, together, wish};
use crate::postgres::{beside, open, shared};

/// A store in a schema of its own.
pub(super) async fn empty(what: &str) -> Option<Any> {
    let url = shared(what)?.schema().await;
    Some(Arc::new(open(&url)))
}

/// The same record at another place of another room.
fn moved(record: &Record, room: RoomId, seq: u64, cid: &str) -> Arc<Record> {
    let mut moved = Record {
        room,
        seq: Seq::new(seq),
        cid: Some(Cid::new(cid).unwrap()),
        ..record.clone()
    };
    if let Event::Posted(it) = &mut moved.event {
        // A line is the next one in a room in which there is nothing else.
        it.idx = Idx::new(seq - 1);
    }
    Arc::new(moved)
}

#[tokio::test]
async fn of_two_nodes_that_race_for_positions_one_wins_each() {
    let Some(server) = shared("of_two_nodes_that_race_for_positions_one_wins_each") else {
        return;
    };
    let url = server.schema().await;
    let nodes: [Any; 2] = [Arc::new(open(&url)), Arc::new(open(&url))];
    let mut stage = Stage::new(Arc::clone(&nodes[0]));
    for number in 1..=4 {
        stage.den(number).await;
    }
    let post = stage.decide(room(1), ALICE, None, Post::plain(text("hi")));
    let post = post.await.unwrap();
    for head in 1..=25 {
        // They want the same rooms, each from his own end.
        let batch = |node: u64| -> Vec<Append> {
            let mut batch: Vec<Append> = (1..=4)
                .map(|number| {
                    let cid = format!("{node} {head}");
                    wish(&[&moved(&post, room(number), head + 1, &cid)])
                })
                .collect();
            if node == 1 {
                batch.reverse();
            }
            batch
        };
        let race = (0..2).map(|node: u64| {
            let store = &nodes[usize::try_from(node).unwrap()];
            store.append(batch(node))
        });
        let mut answers = together(race).await.into_iter().map(Result::unwrap);
        let (one, mut other) = (answers.next().unwrap(), answers.next().unwrap());
        other.reverse();
        for (one, other) in one.iter().zip(&other) {
            let lost = Appended::Conflict {
                head: Seq::new(head + 1),
            };
            let outcomes = [one.clone(), other.clone()];
            assert!(
                outcomes.contains(&Appended::Done) && outcomes.contains(&lost),
                "{outcomes:?}"
            );
        }
    }
    for number in 1..=4 {
        let loaded = nodes[1].load(room(number)).await.unwrap().unwrap();
        assert_eq!(loaded.head_seq, Seq::new(26));
        let page = nodes[0].messages(&all(room(number))).await.unwrap();
        assert_eq!(page.len(), 25);
    }
}

#[tokio::test]
async fn of_two_nodes_that_race_for_keys_one_hears_who_has_them() {
    let Some(server) = shared("of_two_nodes_that_race_for_keys") else {
        return;
    };
    let url = server.schema().await;
    let nodes: [Any; 2] = [Arc::new(open(&url)), Arc::new(open(&url))];
    let mut stage = Stage::new(Arc::clone(&nodes[0]));
    for round in 0..15_u64 {
        let mut wishes = Vec::new();
        for node in 0..2 {
            // Two rooms each, whose aliases the other wants in the other order.
            let mut batch = Vec::new();
            for part in 0..2 {
                let number = 1 + round * 4 + node * 2 + part;
                let which = if node == 0 { part } else { 1 - part };
                let wish = CreateRoom {
                    alias: Some(name(&format!("alias {round} {which}"))),
                    ..CreateRoom::named(name("den"))
                };
                let cid = format!("{round} {which}");
                let record = stage.decide(room(number), ALICE, Some(&cid), wish).await;
                batch.push(super::stage::wish(&[&Arc::new(record.unwrap())]));
            }
            wishes.push(batch);
        }
        let race = nodes.iter().zip(wishes);
        let race = race.map(|(node, batch)| node.append(batch));
        let answers: Vec<_> = together(race)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let answers: Vec<&Appended> = answers.iter().flatten().collect();
        let won = answers.iter().filter(|it| ***it == Appended::Done).count();
        assert_eq!(won, 2, "{answers:?}");
        let mut holders = BTreeSet::new();
        for which in 0..2 {
            let key = Key::Alias(name(&format!("alias {round} {which}")).skeleton());
            let by = nodes[1].holder(&key).await.unwrap().unwrap();
            assert!(nodes[0].load(by.room).await.unwrap().is_some());
            holders.insert(by.room);
            let cid = Key::Creation(ALICE, Cid::new(format!("{round} {which}")).unwrap());
            assert_eq!(nodes[0].holder(&cid).await.unwrap(), Some(by));
        }
        assert_eq!(holders.len(), 2);
        let lost: Vec<_> = answers
            .iter()
            .filter(|it| ***it != Appended::Done)
            .collect();
        for answer in lost {
            let Appended::Taken(taken) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(taken.len(), 2, "{taken:?}");
            assert!(taken.iter().all(|it| holders.contains(&it.by.room)));
        }
    }
}

#[tokio::test]
async fn whoever_is_erased_on_one_node_leaves_no_words_by_another() {
    let Some(server) = shared("whoever_is_erased_on_one_node") else {
        return;
    };
    let url = server.schema().await;
    let nodes: [Any; 2] = [Arc::new(open(&url)), Arc::new(open(&url))];
    let mut stage = Stage::new(Arc::clone(&nodes[0]));
    let den = stage.den(1).await;
    let mut lines = 0;
    for number in 10..15 {
        let user = UserId::new(number);
        let mut head = stage.join(den, user).await.number();
        let post = stage.decide(den, user, None, Post::plain(text("some words")));
        let post = post.await.unwrap();
        let mut say = async |stage: &mut Stage, count: u64| {
            for _ in 0..count {
                (head, lines) = (head + 1, lines + 1);
                let mut record = moved(&post, den, head, &format!("line {lines}"));
                if let Event::Posted(it) = &mut Arc::make_mut(&mut record).event {
                    it.idx = Idx::new(lines);
                }
                let answers = nodes[0].append(vec![wish(&[&record])]).await.unwrap();
                assert_eq!(answers, [Appended::Done]);
                assert!(stage.engine.evolve(&record));
            }
        };
        let erasing = nodes[1].erase_user(user, NOW);
        let (erased, ()) = tokio::join!(erasing, say(&mut stage, 6));
        assert!(erased.unwrap());
        // What he says once the words that he said before are gone has none either.
        tend(&nodes[1]).await;
        say(&mut stage, 2).await;
    }
    let records = nodes[1].records(den, Seq::default(), 1_000).await.unwrap();
    let mut of_them = records.iter().filter(|it| it.by.id >= UserId::new(10));
    assert!(of_them.all(|it| it.by.name.is_none()));
    let sql = "SELECT count(*) FROM records WHERE author >= 10 AND words IS NOT NULL";
    let left = beside(&url).await.query_one(sql, &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

/// Opens a store at the same moment as others do.
fn open_together(url: &str, count: usize) -> Vec<Postgres> {
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..count).map(|_| scope.spawn(|| open(url))).collect();
        let opened = opening.into_iter().map(|it| it.join().unwrap());
        opened.collect()
    })
}

#[tokio::test]
async fn nodes_that_come_at_the_same_moment_share_one_schema_and_one_run() {
    let Some(server) = shared("nodes_that_come_at_the_same_moment") else {
        return;
    };
    let url = server.schema().await;
    let nodes = open_together(&url, 6);
    let epochs: BTreeSet<String> = nodes.iter().map(Store::epoch).collect();
    assert_eq!(epochs.len(), 1);
    for node in &nodes {
        node.check().await.unwrap();
        assert!(node.is_shared());
    }
    let reserved: Vec<RoomId> = together(nodes.iter().map(Store::reserve_room))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(reserved.iter().collect::<BTreeSet<_>>().len(), 6);
}

/// Waits until nobody has a store open.
async fn nobody_has(url: &str, open: &str) {
    let client = beside(url).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    while client
        .query_one(sql, &[&open])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_position_goes_on_at_another_node_and_not_in_a_restored_copy() {
    let Some(server) = shared("a_position_goes_on_at_another_node") else {
        return;
    };
    let url = server.schema().await;
    let named = format!("{url}&application_name=restored");
    let one: Any = Arc::new(open(&named));
    let mut stage = Stage::new(Arc::clone(&one));
    let den = stage.den(1).await;
    let heard = stage.post(den, ALICE, "heard").await;
    let other: Any = Arc::new(open(&named));
    let epoch = one.epoch();
    assert_eq!(epoch, other.epoch());
    stage.store = Arc::clone(&other);
    let lost = stage.post(den, ALICE, "heard, and then lost").await;
    assert!(one.continues(den, &epoch, lost).await.unwrap());
    drop((one, other, stage));
    nobody_has(&url, "restored").await;

    // A copy from before the last line is brought back, and somebody says something else.
    let copy = "DELETE FROM records WHERE seq = 3; UPDATE rooms SET head_seq = 2, head_idx = 1,
         head_message = 2, head_sum = (SELECT sum FROM records WHERE seq = 2)";
    beside(&url).await.batch_execute(copy).await.unwrap();
    let mut stage = Stage::new(Arc::new(open(&url)));
    assert_ne!(stage.store.epoch(), epoch);
    let founded = stage.store.load(den).await.unwrap().unwrap();
    stage.engine.load(founded);
    assert_eq!(stage.post(den, ALICE, "something else").await, lost);
    assert!(stage.store.continues(den, &epoch, heard).await.unwrap());
    assert!(!stage.store.continues(den, &epoch, lost).await.unwrap());
    let today = stage.store.epoch();
    assert!(stage.store.continues(den, &today, lost).await.unwrap());

    // Whoever stands where the lost log was as long appends nothing to it.
    let next = stage.decide(den, ALICE, None, Post::plain(text("next")));
    let next = Arc::new(next.await.unwrap());
    let as_of = |epoch: &str| Append {
        epoch: Some(epoch.into()),
        ..wish(&[&next])
    };
    let conflict = Appended::Conflict { head: lost };
    for (epoch, answer) in [(epoch, conflict), (today, Appended::Done)] {
        let answers = stage.store.append(vec![as_of(&epoch)]).await.unwrap();
        assert_eq!(answers, [answer]);
    }
}

#[tokio::test]
async fn connections_that_are_cut_are_made_again() {
    let Some(server) = shared("connections_that_are_cut_are_made_again") else {
        return;
    };
    let url = server.schema().await;
    let named = format!("{url}&application_name=cut");
    let mut stage = Stage::new(Arc::new(open(&named)));
    let den = stage.den(1).await;
    let knife = beside(&url).await;
    for round in 0..5 {
        stage.post(den, ALICE, &format!("line {round}")).await;
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE application_name = 'cut'";
        let cut = knife.query_one(cut, &[]).await.unwrap();
        // The one that holds its place may have been cut without its knowledge yet.
        assert!(cut.get::<_, i64>(0) >= 1);
        nobody_has(&url, "cut").await;
    }
    assert_eq!(stage.store.messages(&all(den)).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused() {
    let Some(server) = shared("a_schema_of_a_later_version_is_refused") else {
        return;
    };
    let url = server.schema().await;
    drop(open(&url));
    let sql = "INSERT INTO chat_schema (version) VALUES (99)";
    beside(&url).await.batch_execute(sql).await.unwrap();
    let refused = Postgres::open(&url.parse().unwrap());
    assert!(
        matches!(refused, Err(StoreError::Newer { found: 99, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_database_that_cant_be_reached_is_told_of_without_the_password() {
    for url in [
        "postgres://ann:sesame@127.0.0.1:1/chat",
        "postgres://ann:sesame@nowhere.invalid/chat",
    ] {
        let refused = Postgres::open(&url.parse().unwrap());
        let Err(StoreError::Unavailable(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(!why.contains("ses") && !why.contains("ann"), "{why}");
    }
}

/// Everything that can be asked of a room; nothing of it may panic.
async fn ask_everything(store: &Any, den: RoomId) -> usize {
    let search = SearchQuery {
        sought: Sought::new("hello").unwrap(),
        viewer: ALICE,
        rooms: vec![Scope {
            room: den,
            from: Seq::new(1),
            to: Seq::MAX,
        }],
        limit: 10,
    };
    let answers = [
        store.load(den).await.map(drop),
        store.records(den, Seq::default(), 100).await.map(drop),
        store.messages(&all(den)).await.map(drop),
        store.search(&search).await.map(drop),
        store.head(den, Seq::new(2)).await.map(drop),
        store.card(den).await.map(drop),
        store
            .directory(&DirectoryQuery::first(Order::Oldest, 9))
            .await
            .map(drop),
        store.rooms_of(ALICE).await.map(drop),
        store.members(den, None, 9).await.map(drop),
        store.marker(den, ALICE).await.map(drop),
        store.markers(den, None, 9).await.map(drop),
        store.heads(&[den]).await.map(drop),
        store.standing(ALICE, Timestamp::new(0)).await.map(drop),
        store.guests_unseen(NOW, NOW, 9).await.map(drop),
        store.overdue(NOW, 9).await.map(drop),
        store.erasures(9).await.map(drop),
        store.tend(NOW).await.map(drop),
        store.prune(NOW).await,
    ];
    let damaged = |it: &&Result<(), StoreError>| matches!(it, Err(StoreError::Damaged(_)));
    let well = answers.iter().filter(|it| it.is_ok()).count();
    assert_eq!(
        well + answers.iter().filter(damaged).count(),
        answers.len(),
        "{answers:?}"
    );
    answers.len() - well
}

#[tokio::test]
async fn whatever_is_damaged_is_told_of_and_panics_nowhere() {
    let Some(server) = shared("whatever_is_damaged_is_told_of") else {
        return;
    };
    for damage in [
        "UPDATE records SET fact = '{' WHERE seq = 2",
        "UPDATE records SET fact = '' WHERE seq = 1",
        "UPDATE records SET sum = 'short' WHERE seq = 2",
        "UPDATE records SET sum = (SELECT sum FROM records WHERE seq = 1) WHERE seq = 2",
        "UPDATE records SET key = NULL WHERE seq = 2",
        "UPDATE records SET words = 'other words' WHERE seq = 2",
        "UPDATE records SET version = 4711 WHERE seq = 2",
        "UPDATE records SET message = 9000, idx = -1 WHERE seq = 5",
        "DELETE FROM records WHERE seq = 2",
        "UPDATE changed SET edit = 4000",
        "UPDATE changed SET edit = 1",
        "UPDATE rooms SET head_seq = 9000",
        "UPDATE rooms SET head_idx = -5, members = -1",
        "UPDATE rooms SET kind = 'castle'",
        "UPDATE rooms SET name = E'\\x01', alias = ''",
        "UPDATE rooms SET head_sum = ''",
        "UPDATE members SET role = 'king', read = -3",
        "UPDATE members SET name = E'\\n'",
        "UPDATE reactions SET reaction = ''",
    ] {
        let url = server.schema().await;
        let store: Any = Arc::new(open(&url));
        let mut stage = Stage::new(Arc::clone(&store));
        let den = stage.den(1).await;
        let hello = stage.post(den, ALICE, "hello").await;
        let edit = chat_core::commands::Edit::plain(hello, text("hello again"));
        stage.act(den, ALICE, edit).await;
        stage.join(den, BOB).await;
        let reaction = chat_core::Reaction::new("x").unwrap();
        let react = chat_core::commands::React {
            message: hello,
            reaction,
        };
        stage.act(den, BOB, react).await;
        assert_eq!(ask_everything(&store, den).await, 0);
        let stepping = format!("{damage}; UPDATE rooms SET indexed = 0; DELETE FROM terms");
        beside(&url).await.batch_execute(&stepping).await.unwrap();
        assert!(ask_everything(&store, den).await > 0, "{damage}");
        // Another room has nothing of it.
        let mut elsewhere = Stage::new(Arc::clone(&store));
        let other = elsewhere.den(2).await;
        elsewhere.post(other, ALICE, "hello").await;
    }
}
