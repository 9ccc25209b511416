//! Proving and mending a file: each damage is found and told in words, and what the log tells comes
//! back from it.

mod bits;
mod lists;
mod logs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::{CreateRoom, Delete, Edit, OpenDirect, Post, React, SetNickname};
use chat_core::{Idx, Reaction, RoomId, Seq, Timestamp};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::sqlite::upkeep::{self, Part};
use chat_server::store::{Created, Link, NewAccount, Store, StoreError};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::stage::{ALICE, BOB, CAROL, Stage, name, room, text, wish};
use super::{Any, recount};

/// Within the window of every cid.
const NOW: Timestamp = Timestamp::new(1_000_100);

const DEN: RoomId = RoomId::new(1);

/// A file in which something of everything was kept, and nobody has it open.
struct House {
    folder: TempDir,
}

impl House {
    async fn new() -> Self {
        let house = Self {
            folder: TempDir::new().unwrap(),
        };
        let store: Any = Arc::new(Sqlite::open(house.path("sound.db")).unwrap());
        found(&store).await;
        people(&store).await;
        while store.tend(NOW).await.unwrap() {}
        drop(store);
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of the file, to which something is done.
    fn damaged(&self, sql: &str) -> PathBuf {
        let path = self.path("damaged.db");
        fs::copy(self.path("sound.db"), &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        db.execute_batch(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(db.total_changes() > 0, "{sql}");
        path
    }
}

/// Room 1 has seen everything, room 2 has an alias, room 3 is a direct one.
async fn found(store: &Any) {
    let mut stage = Stage::new(Arc::clone(store));
    stage.den(1).await;
    stage.join(DEN, BOB).await;
    stage.join(DEN, CAROL).await;
    let hello = stage.post(DEN, BOB, "hello").await;
    let mention = Post {
        mentions: vec![CAROL],
        ..Post::plain(text("look, carol"))
    };
    stage.act(DEN, BOB, mention).await;
    let answer = Post {
        thread: Some(hello),
        ..Post::plain(text("hello to you"))
    };
    let answer = stage.act(DEN, ALICE, answer).await.seq;
    let react = React {
        message: answer,
        reaction: Reaction::new("wave").unwrap(),
    };
    stage.act(DEN, CAROL, react).await;
    stage
        .act(DEN, BOB, Edit::plain(hello, text("hello all")))
        .await;
    let secret = stage.post(DEN, CAROL, "secret").await;
    stage
        .act(DEN, CAROL, Edit::plain(secret, text("a secret")))
        .await;
    stage.act(DEN, CAROL, Delete { message: secret }).await;
    let nickname = Some(name("bobby"));
    stage.act(DEN, BOB, SetNickname { nickname }).await;
    let post = Post::plain(text("once"));
    let record = stage.decide(DEN, BOB, Some("c-1"), post).await.unwrap();
    assert!(stage.engine.evolve(&record));
    let mut append = wish(&[&Arc::new(record)]);
    append.snapshot = stage.engine.room(DEN).cloned().map(Box::new);
    store.append(vec![append]).await.unwrap();
    stage.post(DEN, BOB, "the end").await;
    store.mark_read(&[(DEN, ALICE, Idx::new(4))]).await.unwrap();
    let lounge = CreateRoom {
        alias: Some(name("lounge")),
        ..CreateRoom::named(name("Lounge"))
    };
    stage.create(2, lounge).await;
    stage.act(room(3), ALICE, OpenDirect { user: BOB }).await;
}

async fn people(store: &Any) {
    for (called, link) in [("alice", None), ("bob", Some("rest"))] {
        let mut account = NewAccount::new(name(called), Timestamp::new(7))
            .with_email(format!("{called}@Example.org"))
            .with_handle(name(&format!("{called}-h")))
            .with_password_hash("hash");
        account.link = link.map(|issuer| Link::new(issuer, "7"));
        let made = store.create_account(account).await.unwrap();
        assert!(matches!(made, Created::Account(_)), "{made:?}");
    }
}

/// What is found to be wrong.
fn findings(path: &Path) -> Result<Vec<(Part, String)>, StoreError> {
    let mut found = Vec::new();
    let verified = upkeep::verify(path, NOW, &mut |it| found.push((it.part, it.words)))?;
    assert_eq!(verified.findings, found.len() as u64);
    Ok(found)
}

#[track_caller]
fn sound(path: &Path) {
    assert_eq!(findings(path).unwrap(), [], "{}", path.display());
}

/// Every line of these tables, in order.
fn dump(path: &Path, tables: &[&str]) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = Connection::open(path).unwrap();
    let lines = |table: &str| {
        let mut query = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = query.column_count();
        let line = |row: &rusqlite::Row<'_>| (0..columns).map(|it| row.get(it)).collect();
        let mut lines: Vec<Vec<Value>> = query
            .query_map([], line)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        lines.sort_by_key(|line| format!("{line:?}"));
        lines
    };
    tables
        .iter()
        .map(|table| ((*table).to_owned(), lines(table)))
        .collect()
}

const LOG: &[&str] = &["records", "runs"];

const LISTS: &[&str] = &[
    "rooms",
    "members",
    "changed",
    "threads",
    "edits",
    "mentions",
    "reactions",
    "aliases",
    "directs",
    "cids",
];

#[tokio::test]
async fn accounts_that_contradict_themselves_are_found() {
    let house = House::new().await;
    for (sql, words) in [
        (
            "DELETE FROM logins WHERE skeleton = 'alice'",
            "user 1: doesn't get in by his own name or handle",
        ),
        (
            "INSERT INTO logins VALUES ('mallory', 2)",
            "user 2: gets in by a name that is not his",
        ),
        (
            "UPDATE links SET user = 9",
            "user 9: a link from elsewhere leads to him, and he has no account",
        ),
        (
            "INSERT INTO logins VALUES ('nobody', 9)",
            "user 9: a name leads to him, and he has no account",
        ),
        (
            "UPDATE accounts SET email_fold = 'mallory@example.org' WHERE id = 1",
            "user 1: his address is compared as another",
        ),
    ] {
        let found = findings(&house.damaged(sql)).unwrap();
        let meant = (Part::Accounts, words.to_owned());
        assert!(found.contains(&meant), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn words_of_a_deleted_message_that_are_still_there_are_found_and_go() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.db");
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    let mut stage = Stage::new(Arc::clone(&store));
    stage.den(1).await;
    let message = stage.post(DEN, ALICE, "regretted").await;
    let db = Connection::open(&path).unwrap();
    let words = "SELECT key, words FROM records WHERE seq = 2";
    let kept = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Value>(0)?, row.get::<_, Value>(1)?));
    let (key, words) = db.query_row(words, [], kept).unwrap();
    stage.act(DEN, ALICE, Delete { message }).await;
    drop((store, stage));
    let put_back = "UPDATE records SET key = ?1, words = ?2 WHERE seq = 2";
    assert_eq!(db.execute(put_back, [key, words]).unwrap(), 1);
    drop(db);
    let told = "room 1, record 2: is deleted, and its words are still there";
    assert_eq!(findings(&path).unwrap(), [(Part::Lists, told.to_owned())]);
    upkeep::rebuild(&path, NOW).unwrap();
    sound(&path);
}

#[tokio::test]
async fn what_random_stories_leave_is_sound_and_rebuilds_to_the_same() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.db");
    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    recount::lists_equal_a_naive_recount(Arc::clone(&store)).await;
    // While it is open, too.
    sound(&path);
    assert!(matches!(
        upkeep::rebuild(&path, NOW),
        Err(StoreError::Locked(_))
    ));
    drop(store);
    sound(&path);
    let before = (dump(&path, LISTS), dump(&path, LOG));
    upkeep::rebuild(&path, NOW).unwrap();
    assert_eq!((dump(&path, LISTS), dump(&path, LOG)), before);
    sound(&path);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_not_made_one() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("empty.db"), "").unwrap();
    fs::write(path("words.db"), "certainly no database ".repeat(400)).unwrap();
    let foreign = Connection::open(path("foreign.db")).unwrap();
    foreign
        .execute_batch("CREATE TABLE records (a); PRAGMA user_version = 3")
        .unwrap();
    drop(foreign);
    for name in ["empty.db", "words.db", "foreign.db"] {
        let refused = findings(&path(name));
        assert!(
            matches!(refused, Err(StoreError::Damaged(_))),
            "{name}: {refused:?}"
        );
        let refused = upkeep::rebuild(&path(name), NOW);
        assert!(
            matches!(refused, Err(StoreError::Damaged(_))),
            "{name}: {refused:?}"
        );
        let refused = upkeep::backup(&path(name), &path("copy.db"));
        let refused = refused.map_err(|error| error.to_string());
        assert!(refused.is_err() || name == "foreign.db", "{name}");
        drop(fs::remove_file(path("copy.db")));
    }
    assert_eq!(fs::read(path("empty.db")).unwrap(), b"");
    let refused = findings(&path("nowhere.db"));
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(!path("nowhere.db").exists());
}

#[tokio::test]
async fn a_copy_holds_nothing_that_was_deleted_and_is_the_same_in_all_else() {
    let house = House::new().await;
    let (from, to) = (house.path("sound.db"), house.path("copy.db"));
    let bytes = upkeep::backup(&from, &to).unwrap();
    assert_eq!(bytes, fs::metadata(&to).unwrap().len());
    sound(&to);
    for tables in [
        LOG,
        LISTS,
        &["accounts", "links", "logins", "settings", "sqlite_sequence"],
    ] {
        assert_eq!(dump(&to, tables), dump(&from, tables));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds hashes and secrets");
    }
    let copy = fs::read(&to).unwrap();
    assert!(!copy.windows(8).any(|window| window == b"a secret"));
    // No part of it under another name is left, and a second one doesn't overwrite it.
    let again = upkeep::backup(&from, &to).unwrap_err();
    assert!(
        again.to_string().ends_with("copy.db: is there already"),
        "{again}"
    );
    assert_eq!(fs::read(&to).unwrap(), copy);
    let mut names: Vec<_> = fs::read_dir(house.folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .filter(|it| it.contains("copy"))
        .collect();
    names.sort();
    assert_eq!(names, ["copy.db"]);
    let store = Sqlite::open(&to).unwrap();
    let records = store.records(DEN, Seq::default(), 99).await.unwrap();
    assert_eq!(records.len(), 14);
}
