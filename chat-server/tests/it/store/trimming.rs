//! What is kept of rooms in a file: by its schema, and after it was made anew.

use std::sync::Arc;

use chat_core::commands::{Trim, UpdateRoom};
use chat_core::{Retention, Seq};
use chat_server::store::sqlite::{Sqlite, upkeep};

use super::Any;
use super::stage::{ALICE, NOW, Stage, all, tend};
use chat_server::store::conformance::trimming::{DAY_MS, keeping, log, overdue};

/// A file as the former schema has it.
fn downgrade(path: &std::path::Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("DROP INDEX rooms_due; DROP INDEX rooms_unswept")
        .unwrap();
    for column in [
        "keep_days",
        "keep_records",
        "kept_from",
        "kept_idx",
        "trimmed_at",
        "swept",
        "due_at",
    ] {
        db.execute_batch(&format!("ALTER TABLE rooms DROP COLUMN {column}"))
            .unwrap();
    }
    db.pragma_update(None, "user_version", 2).unwrap();
}

#[tokio::test]
async fn rooms_of_the_former_schema_are_looked_up_while_the_store_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let mut stage = Stage::new(Arc::new(Sqlite::open(&path).unwrap()));
    let den = keeping(&mut stage, 1, None, Some(3)).await;
    let other = stage.den(2).await;
    for line in 0..100 {
        stage.den(3 + line).await;
    }
    stage.post(den, ALICE, "one").await;
    stage.store = Arc::new(chat_server::store::memory::Memory::new().unwrap());
    downgrade(&path);
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    stage.store = store.clone();
    stage.post(den, ALICE, "two").await;
    stage.post(den, ALICE, "three").await;
    let retention = Some(Retention {
        days: None,
        records: Some(1),
    });
    let wish = UpdateRoom {
        retention,
        ..UpdateRoom::default()
    };
    stage.act(other, ALICE, wish).await;
    sound(&path);
    tend(&store).await;
    assert_eq!(overdue(&store, stage.at).await, [(1, 3), (2, 3)]);
    sound(&path);
}

pub(super) fn sound(path: &std::path::Path) {
    let mut findings = Vec::new();
    upkeep::verify(path, NOW, &mut |it| findings.push(it.words)).unwrap();
    assert_eq!(findings, Vec::<String>::new());
}

#[tokio::test]
async fn a_rebuilt_store_knows_what_is_kept_and_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    let mut stage = Stage::new(store.clone());
    let den = keeping(&mut stage, 1, Some(1), Some(3)).await;
    for line in ["one", "two", "three", "four"] {
        stage.post(den, ALICE, line).await;
    }
    stage.act(den, ALICE, Trim { from: Seq::new(4) }).await;
    for line in ["five", "six"] {
        stage.post(den, ALICE, line).await;
    }
    tend(&store).await;
    let told = async |store: &Any| {
        let later = stage.at.plus_ms(9 * DAY_MS);
        let messages = store.messages(&all(den)).await.unwrap();
        let unread = store.marker(den, ALICE).await.unwrap();
        (
            log(store, den).await,
            messages,
            unread,
            overdue(store, later).await,
        )
    };
    let before = told(&store).await;
    drop((store, stage.store));
    sound(&path);
    let db = rusqlite::Connection::open(&path).unwrap();
    let spoil = "UPDATE rooms SET kept_from = 2, kept_idx = 0, keep_days = 7, due_at = NULL";
    db.execute_batch(spoil).unwrap();
    drop(db);
    let mut findings = Vec::new();
    upkeep::verify(&path, NOW, &mut |it| findings.push(it.words)).unwrap();
    assert_eq!(findings.len(), 3, "{findings:?}");
    upkeep::rebuild(&path, NOW).unwrap();
    sound(&path);
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    assert_eq!(told(&store).await, before);
    tend(&store).await;
    sound(&path);
}

#[tokio::test]
async fn to_ask_what_is_due_costs_what_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    let mut stage = Stage::new(store.clone());
    keeping(&mut stage, 1, Some(1), None).await;
    let plan = "EXPLAIN QUERY PLAN SELECT id, keep_days, keep_records, kept_from, head_seq
        FROM rooms INDEXED BY rooms_due WHERE due_at > 0 AND due_at <= 9 ORDER BY due_at LIMIT 9";
    let db = rusqlite::Connection::open(&path).unwrap();
    let plan: String = db.query_row(plan, [], |row| row.get("detail")).unwrap();
    assert!(
        plan.starts_with("SEARCH rooms USING INDEX rooms_due"),
        "{plan}"
    );
    // Rooms that keep everything aren't in it.
    stage.den(2).await;
    let rows = "SELECT count(*) FROM rooms INDEXED BY rooms_due WHERE due_at IS NOT NULL";
    let rows: i64 = db.query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}
