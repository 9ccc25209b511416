//! Transactions that wait for each other: each is held where somebody else would come between.

use std::sync::Arc;

use chat_core::commands::{Post, React};
use chat_core::{Idx, Reaction, Timestamp};
use chat_server::store::{Appended, Store};
use tokio_postgres::Client;

use super::super::Any;
use super::super::stage::{ALICE, BOB, CAROL, NOW, Stage, keep, tend, text};
use super::nobody_has;
use crate::postgres::{beside, open, shared};

/// The process of PostgreSQL's that waits for a lock, once there is one of a store.
async fn waiting(client: &Client, store: &str) -> i32 {
    let sql = "SELECT pid FROM pg_stat_activity
               WHERE application_name = $1 AND wait_event_type = 'Lock'";
    loop {
        if let Some(row) = client.query_opt(sql, &[&store]).await.unwrap() {
            return row.get(0);
        }
        tokio::task::yield_now().await;
    }
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn whoever_is_erased_while_others_lose_their_words_loses_his_too() {
    let Some(server) = shared("whoever_is_erased_while_others_lose_their_words") else {
        return;
    };
    let url = server.schema().await;
    let store: Any = Arc::new(open(&format!("{url}&application_name=erasing")));
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    for line in 0..20 {
        stage.post(den, [BOB, CAROL][line % 2], "some words").await;
    }
    tend(&store).await;
    assert!(store.erase_user(BOB, NOW).await.unwrap());

    let (rival, watch) = (beside(&url).await, beside(&url).await);
    let hold = "BEGIN; SELECT 1 FROM rooms FOR UPDATE";
    rival.batch_execute(hold).await.unwrap();
    let meanwhile = async {
        waiting(&watch, "erasing").await;
        assert!(store.erase_user(CAROL, NOW).await.unwrap());
        rival.batch_execute("ROLLBACK").await.unwrap();
    };
    let (went_on, ()) = tokio::join!(store.tend(NOW), meanwhile);
    assert!(went_on.unwrap());
    let wordy = "SELECT count(*) FROM records WHERE author IN (2, 3) AND words IS NOT NULL";
    assert!(count(&watch, wordy).await > 0);
    tend(&store).await;
    assert_eq!(count(&watch, wordy).await, 0);
}

#[tokio::test]
async fn cids_are_forgotten_to_the_end_of_their_list_though_another_node_tends_now_and_then() {
    let Some(server) = shared("cids_are_forgotten_to_the_end_of_their_list") else {
        return;
    };
    let url = server.schema().await;
    let store = open(&url);
    let rival = beside(&url).await;
    let many = "INSERT INTO cids (scope, person, cid, room, seq, at)
                SELECT 1 + i / 300, 1, i::text, 1, 1, i FROM generate_series(0, 149999) AS i";
    rival.batch_execute(many).await.unwrap();
    let late = Timestamp::new(1_000_000_000_000);
    store.prune(late).await.unwrap();
    let left = "SELECT count(*) FROM cids";
    let begun = count(&rival, left).await;
    assert!(begun < 150_000 && begun > 500 * 256, "{begun}");

    let tending = "BEGIN; SELECT pg_advisory_xact_lock(
                       hashtextextended('chat-server/' || current_schema(), 4))";
    rival.batch_execute(tending).await.unwrap();
    store.prune(late).await.unwrap();
    assert_eq!(count(&rival, left).await, begun, "another node does it");
    rival.batch_execute("ROLLBACK").await.unwrap();
    store.prune(late).await.unwrap();
    assert_eq!(count(&rival, left).await, 500 * 256);
}

#[tokio::test]
async fn nobody_waits_behind_work_that_nobody_waits_for_any_more() {
    let Some(server) = shared("nobody_waits_behind_work_that_nobody_waits_for") else {
        return;
    };
    let url = server.schema().await;
    let store: Any = Arc::new(open(&format!("{url}&application_name=given_up")));
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.post(den, ALICE, "before").await;

    let (rival, watch) = (beside(&url).await, beside(&url).await);
    let hold = "BEGIN; SELECT 1 FROM members WHERE person = 2 FOR UPDATE";
    rival.batch_execute(hold).await.unwrap();
    let markers = [(den, BOB, Idx::new(1))];
    let process = tokio::select! {
        read = store.mark_read(&markers) => panic!("it had to wait: {read:?}"),
        process = waiting(&watch, "given_up") => process,
    };
    stage.post(den, ALICE, "after").await;
    let used =
        format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process} AND query = 'COMMIT'");
    assert_eq!(count(&watch, &used).await, 0, "it waited for that process");
    // What is given up is cancelled, so that it keeps nobody else waiting either.
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
    while count(&watch, &there).await > 0 {
        tokio::task::yield_now().await;
    }
    rival.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.marker(den, BOB).await.unwrap().read, Idx::new(0));
    store.mark_read(&markers).await.unwrap();
    assert_eq!(store.marker(den, BOB).await.unwrap().read, Idx::new(1));
}

#[tokio::test]
async fn an_append_holds_members_in_the_order_in_which_markers_are_moved() {
    let Some(server) = shared("an_append_holds_members_in_the_order") else {
        return;
    };
    let url = server.schema().await;
    let store: Any = Arc::new(open(&format!("{url}&application_name=in_order")));
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    for user in [BOB, CAROL] {
        stage.join(den, user).await;
    }
    let hello = stage.post(den, ALICE, "hello").await;
    let mut records = Vec::new();
    let reaction = Reaction::new("x").unwrap();
    let react = React {
        message: hello,
        reaction,
    };
    for (user, command) in [
        (CAROL, Post::plain(text("first")).into()),
        (ALICE, react.into()),
        (BOB, Post::plain(text("last")).into()),
    ] {
        let command: chat_core::commands::Command = command;
        let record = Arc::new(stage.decide(den, user, None, command).await.unwrap());
        assert!(stage.engine.evolve(&record));
        records.push(record);
    }

    // As somebody does who has moved the marker of the one, and is to move that of the other.
    let (rival, watch) = (beside(&url).await, beside(&url).await);
    let hold = "BEGIN; SELECT 1 FROM members WHERE person = 2 FOR NO KEY UPDATE";
    rival.batch_execute(hold).await.unwrap();
    let meanwhile = async {
        waiting(&watch, "in_order").await;
        let other = "SELECT 1 FROM members WHERE person = 3 FOR NO KEY UPDATE NOWAIT; COMMIT";
        rival.batch_execute(other).await
    };
    let batch: Vec<_> = records.iter().collect();
    let (kept, other) = tokio::join!(keep(&store, &batch), meanwhile);
    assert!(other.is_ok(), "they would wait for each other: {other:?}");
    assert_eq!(kept, Appended::Done);
}

#[tokio::test]
async fn an_append_writes_to_no_index_of_rooms() {
    let Some(server) = shared("an_append_writes_to_no_index_of_rooms") else {
        return;
    };
    let url = server.schema().await;
    let store: Any = Arc::new(open(&format!("{url}&application_name=in_place")));
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    for _ in 0..100 {
        stage.post(den, ALICE, "some words").await;
    }
    drop((store, stage));
    // What a process did is counted once it has ended.
    nobody_has(&url, "in_place").await;
    let watch = beside(&url).await;
    let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
               WHERE schemaname = current_schema() AND relname = 'rooms'";
    let (written, in_place) = loop {
        let row = watch.query_one(sql, &[]).await.unwrap();
        let (written, in_place): (i64, i64) = (row.get(0), row.get(1));
        if written > 100 {
            break (written, in_place);
        }
        tokio::task::yield_now().await;
    };
    assert!(in_place * 10 > written * 9, "{in_place} of {written}");
}
