//! The standing work of a file goes on, whatever is in its way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::UserId;
use chat_server::store::sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Any;
use super::stage::{ALICE, BOB, CAROL, NOW, Stage, tend};

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    (folder, path)
}

fn open(path: &Path) -> Any {
    Arc::new(Sqlite::open(path).unwrap())
}

fn count(path: &Path, sql: &str) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How many people are still being erased.
fn erasing(path: &Path) -> i64 {
    count(path, "SELECT count(*) FROM erased WHERE room IS NOT NULL")
}

/// Records of a user that have words.
fn wordy(path: &Path, user: UserId) -> i64 {
    let by = format!("$.by.id') = {}", user.number());
    let sql = "SELECT count(*) FROM records WHERE words IS NOT NULL
               AND fact <> x'7b' AND json_extract(CAST(fact AS TEXT), '";
    count(path, &format!("{sql}{by}"))
}

#[tokio::test]
async fn one_pass_through_the_log_erases_all_who_wait_for_it_and_nobody_who_comes_later_delays_it()
{
    let (_folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    for line in 0..1_050 {
        let by = [ALICE, BOB, CAROL][line % 3];
        stage.post(den, by, "some words").await;
    }
    tend(&store).await;
    for user in [BOB, CAROL, UserId::new(9)] {
        store.erase_user(user, NOW).await.unwrap();
    }
    assert!(store.tend(NOW).await.unwrap());
    // Whose number is lower, too, comes after those who were there before.
    store.erase_user(ALICE, NOW).await.unwrap();
    assert_eq!(erasing(&path), 4);
    for _ in 0..2 {
        assert!(store.tend(NOW).await.unwrap());
    }
    assert_eq!(erasing(&path), 1, "two parts, and the end");
    assert_eq!((wordy(&path, BOB), wordy(&path, CAROL)), (0, 0));
    assert!(wordy(&path, ALICE) > 300);
    tend(&store).await;
    assert_eq!((erasing(&path), wordy(&path, ALICE)), (0, 0));
}

#[tokio::test]
async fn a_damaged_record_holds_up_neither_erasing_nor_what_comes_behind_it() {
    let (_folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(store.clone());
    let (den, hall) = (stage.den(1).await, stage.den(2).await);
    for room in [den, hall] {
        stage.join(room, BOB).await;
        for line in 0..5 {
            stage.post(room, BOB, &format!("line {line}")).await;
        }
    }
    drop((store, stage));
    let db = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE records SET fact = x'7b' WHERE room = 1 AND seq = 4",
        // A log that ends before its room does.
        "UPDATE rooms SET head_seq = head_seq + 1 WHERE id = 1",
    ] {
        assert_eq!(db.execute(sql, []).unwrap(), 1);
    }
    drop(db);

    let store = open(&path);
    let mut stage = Stage::new(store.clone());
    stage.engine.load(store.load(hall).await.unwrap().unwrap());
    tend(&store).await;
    stage.post(hall, ALICE, "later").await;
    tend(&store).await;
    let indexed = "SELECT count(*) FROM rooms WHERE id = 2 AND indexed = head_seq";
    assert_eq!(count(&path, indexed), 1);
    for user in [BOB, CAROL] {
        store.erase_user(user, NOW).await.unwrap();
    }
    tend(&store).await;
    assert_eq!((erasing(&path), wordy(&path, BOB)), (0, 0));
}
