//! Proving and mending a file: each damage is found and told in words, and what the log tells comes
//! back from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::{CreateRoom, Delete, Edit, OpenDirect, Post, React, SetNickname};
use chat_core::{Idx, Reaction, RoomId, Seq, Timestamp};
use chat_protocol::log::Sum;
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
    stage.engine.evolve(&record);
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
        let account = NewAccount {
            name: name(called),
            email: Some(format!("{called}@Example.org")),
            handle: Some(name(&format!("{called}-h"))),
            password_hash: Some("hash".into()),
            link: link.map(|issuer| Link {
                issuer: issuer.into(),
                foreign: "7".into(),
            }),
            at: Timestamp::new(7),
        };
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

/// What can be done to a list, and the words that tell of it.
const WRONG_LISTS: &[(&str, &str)] = &[
    (
        "UPDATE rooms SET name = 'pit' WHERE id = 1",
        "room 1: rooms: name is not what the log says",
    ),
    (
        "UPDATE rooms SET members = 9, head_idx = 1 WHERE id = 1",
        "room 1: rooms: head_idx, members is not what the log says",
    ),
    (
        "DELETE FROM rooms WHERE id = 2",
        "room 2: rooms: is missing",
    ),
    (
        "UPDATE members SET role = 'admin' WHERE room = 1 AND user = 2",
        "room 1, user 2: members: role is not what the log says",
    ),
    (
        "DELETE FROM members WHERE room = 1 AND user = 3",
        "room 1, user 3: members: is missing",
    ),
    (
        "INSERT INTO members SELECT room, 8, role, since, name, nickname, read FROM members
         WHERE room = 1 AND user = 3",
        "room 1, user 8: members: the log knows nothing of it",
    ),
    (
        "UPDATE members SET nickname = NULL WHERE nickname IS NOT NULL",
        "room 1, user 2: members: nickname is not what the log says",
    ),
    (
        "UPDATE members SET read = 99 WHERE room = 1 AND user = 2",
        "room 1: the marker of user 2 is where he can't have read to",
    ),
    (
        "UPDATE members SET read = 1 WHERE room = 1 AND user = 2",
        "room 1: the marker of user 2 is where he can't have read to",
    ),
    (
        "UPDATE changed SET deleted = NULL WHERE deleted IS NOT NULL",
        "room 1, record 9: changed: deleted is not what the log says",
    ),
    (
        "UPDATE changed SET edit = 10 WHERE message = 4",
        "room 1, record 4: changed: edit is not what the log says",
    ),
    (
        "DELETE FROM threads",
        "room 1, record 4, message 6: threads: is missing",
    ),
    (
        "DELETE FROM edits",
        "room 1, record 9, edit 10: edits: is missing",
    ),
    (
        "DELETE FROM mentions",
        "room 1, message number 2, user 3: mentions: is missing",
    ),
    (
        "UPDATE reactions SET user = 1",
        "room 1, record 6, user 1: reactions: the log knows nothing of it",
    ),
    (
        "UPDATE aliases SET room = 1",
        "room 2: aliases: room is not what the log says",
    ),
    (
        "UPDATE directs SET room = 2",
        "room 3, user 1, user 2: directs: room is not what the log says",
    ),
    (
        "DELETE FROM cids",
        "room 1, record 13: its cid is not kept, and may come again",
    ),
    (
        "UPDATE cids SET seq = 4",
        "room 1, record 4: its cid is kept for another record, or for none",
    ),
    (
        "UPDATE records SET message = 4 WHERE room = 1 AND seq = 7",
        "room 1, record 7: counts messages wrongly",
    ),
    (
        "UPDATE records SET idx = 9 WHERE room = 1 AND seq = 14",
        "room 1, record 14: counts messages wrongly",
    ),
    (
        "UPDATE snapshots SET state = CAST(replace(CAST(state AS TEXT), 'den', 'pit') AS BLOB)",
        "room 1: the snapshot is damaged",
    ),
    (
        "INSERT INTO snapshots SELECT 99, seq, state, sum, seal FROM snapshots",
        "room 99: there is a snapshot of record 13, and no log",
    ),
];

#[tokio::test]
async fn every_wrong_line_of_a_list_is_found_and_comes_back_from_the_log() {
    let house = House::new().await;
    sound(&house.path("sound.db"));
    let truth = dump(&house.path("sound.db"), LISTS);
    let log = dump(&house.path("sound.db"), LOG);
    for (sql, words) in WRONG_LISTS {
        let path = house.damaged(sql);
        let found = findings(&path).unwrap();
        let meant = (Part::Lists, (*words).to_owned());
        assert!(found.contains(&meant), "{sql}: {found:?}");
        upkeep::rebuild(&path, NOW).unwrap_or_else(|error| panic!("{sql}: {error}"));
        sound(&path);
        // How far somebody has read is in no log; what can't be is put right, all else stays.
        if !sql.contains("read = 99") && !sql.contains("DELETE FROM members") {
            assert_eq!(dump(&path, LISTS), truth, "{sql}");
        }
        assert_eq!(dump(&path, LOG), log, "{sql}");
        Sqlite::open(&path)
            .unwrap()
            .load(DEN)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_that_is_whole_and_wrong_is_found() {
    let house = House::new().await;
    let path = house.damaged("UPDATE snapshots SET seq = seq");
    let db = Connection::open(&path).unwrap();
    let (state, sum): (Vec<u8>, [u8; 16]) = db
        .query_row("SELECT state, sum FROM snapshots", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let state = String::from_utf8(state).unwrap().replace("den", "pit");
    let seal = Sum(sum).seal(state.as_bytes()).0;
    db.execute(
        "UPDATE snapshots SET state = ?1, seal = ?2",
        rusqlite::params![state.as_bytes(), seal],
    )
    .unwrap();
    drop(db);
    let words = "room 1: the snapshot at record 13 is not what the log leads to";
    assert_eq!(findings(&path).unwrap(), [(Part::Lists, words.to_owned())]);
    upkeep::rebuild(&path, NOW).unwrap();
    sound(&path);
    let loaded = Sqlite::open(&path).unwrap().load(DEN).await.unwrap();
    assert_eq!(loaded.unwrap().name, Some(name("den")));
}

/// What can be done to a log, and the words that tell of it.
const WRONG_LOGS: &[(&str, &str)] = &[
    (
        "UPDATE records SET fact = CAST(replace(CAST(fact AS TEXT), '\"seq\":4', '\"seq\":5') AS BLOB)
         WHERE room = 1 AND seq = 4",
        "room 1, record 4: the chain of the log is broken",
    ),
    (
        "UPDATE records SET words = CAST(replace(CAST(words AS TEXT), 'hello', 'jello') AS BLOB)
         WHERE room = 1 AND seq = 4",
        "room 1, record 4: the words don't belong to their record",
    ),
    (
        "UPDATE records SET key = NULL WHERE room = 1 AND seq = 4",
        "room 1: a record has half of its words",
    ),
    (
        "UPDATE records SET sum = zeroblob(16) WHERE room = 1 AND seq = 4",
        "room 1, record 4: the chain of the log is broken",
    ),
    (
        "UPDATE records SET version = 7 WHERE room = 1 AND seq = 4",
        "room 1, record 4: log format 7 is unknown; this program knows up to 1",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 4",
        "room 1: record 4 is missing",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 1",
        "room 1: record 1 is missing",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 14",
        "room 1: the log ends at record 13, and there were 14",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq >= 13; UPDATE rooms SET head_seq = 12",
        "room 1: the log ends at record 12, and the snapshot is of record 13",
    ),
    (
        "DELETE FROM records WHERE room = 2",
        "room 2: the log ends at record 0, and there were 1",
    ),
    (
        "UPDATE records SET room = 4 WHERE room = 2",
        "room 4, record 1: another record stands in its place",
    ),
    (
        "UPDATE records SET run = 0 WHERE room = 1 AND seq = 4",
        "room 1, record 4: its run is over",
    ),
];

#[tokio::test]
async fn every_damage_to_a_log_is_found_and_no_list_is_made_from_it() {
    let house = House::new().await;
    for (sql, words) in WRONG_LOGS {
        let path = house.damaged(sql);
        let found = findings(&path).unwrap();
        let meant = (Part::Log, (*words).to_owned());
        assert!(found.contains(&meant), "{sql}: {found:?}");
        let before = dump(&path, LISTS);
        let refused = upkeep::rebuild(&path, NOW);
        assert!(
            matches!(refused, Err(StoreError::Damaged(_))),
            "{sql}: {refused:?}"
        );
        assert_eq!(dump(&path, LISTS), before, "{sql}");
    }
}

#[tokio::test]
async fn the_other_rooms_of_a_damaged_store_are_not_blamed() {
    let house = House::new().await;
    let path = house.damaged("DELETE FROM records WHERE room = 1 AND seq = 4");
    let words = "room 1: record 4 is missing".to_owned();
    assert_eq!(findings(&path).unwrap(), [(Part::Log, words)]);
}

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
async fn words_of_a_deleted_message_that_are_still_there_are_found() {
    let house = House::new().await;
    let path = house.damaged(
        "UPDATE records SET key = (SELECT key FROM records WHERE room = 1 AND seq = 4),
             words = (SELECT words FROM records WHERE room = 1 AND seq = 4)
         WHERE room = 1 AND seq = 10",
    );
    // Somebody else's words in their place are noticed by their mac already.
    let found = findings(&path).unwrap();
    let words = "room 1, record 10: the words don't belong to their record";
    assert_eq!(found, [(Part::Log, words.to_owned())]);
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
        .execute_batch("CREATE TABLE records (a); PRAGMA user_version = 1")
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

/// A file with the lists and the log as they read; none if it can't be told.
fn refused_or_true(path: &Path, truth: &BTreeMap<String, Vec<Vec<Value>>>, what: &str) -> bool {
    let found = match findings(path) {
        Ok(found) => found,
        Err(_) => return true,
    };
    if found.is_empty() {
        assert_eq!(&facts(path), truth, "{what}");
    }
    !found.is_empty()
}

/// All that the log tells: markers and the names of deleted messages' authors are beside it.
fn facts(path: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let mut facts = dump(path, LOG);
    facts.extend(dump(path, LISTS));
    for (table, column) in [("members", 6), ("changed", 6)] {
        for line in facts.get_mut(table).unwrap() {
            line.remove(column);
        }
    }
    // Which of the runs wrote a record is in no sum.
    facts.remove("runs");
    facts
}

#[tokio::test]
async fn of_any_flipped_bit_the_result_is_the_truth_or_a_refusal() {
    let house = House::new().await;
    let sound = fs::read(house.path("sound.db")).unwrap();
    let truth = facts(&house.path("sound.db"));
    let path = house.path("flipped.db");
    let mut noticed = 0;
    for flip in 0..400_usize {
        let bit = flip.wrapping_mul(2_654_435_761) % (sound.len() * 8);
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        noticed += usize::from(refused_or_true(&path, &truth, &format!("bit {bit}")));
    }
    assert!(noticed > 20, "{noticed}");
}

#[tokio::test]
async fn of_a_truncated_file_the_result_is_a_refusal() {
    let house = House::new().await;
    let sound = fs::read(house.path("sound.db")).unwrap();
    let path = house.path("short.db");
    for part in 0..40 {
        let length = sound.len() * part / 40;
        fs::write(&path, &sound[..length]).unwrap();
        let outcome = findings(&path);
        assert!(
            !matches!(&outcome, Ok(found) if found.is_empty()),
            "{length} of {}",
            sound.len()
        );
    }
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
