//! What only a file can do: come back, be taken, be broken, keep what it should have forgotten.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::{Delete, Edit, Post};
use chat_core::{Record, RoomId, Seq};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::{Store, StoreError};
use tempfile::TempDir;

use super::Any;
use super::stage::{ALICE, BOB, Stage, all, room, text};

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    (folder, path)
}

fn open(path: &Path) -> Any {
    Arc::new(Sqlite::open(path).unwrap())
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let (_folder, path) = file();
    let store = open(&path);
    let first_epoch = store.epoch();
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.post(den, BOB, "hello").await;
    let reserved = store.reserve_room().await.unwrap();
    let before = store.messages(&all(den)).await.unwrap();
    let live = stage.engine.room(den).cloned();
    drop((store, stage));

    let store = open(&path);
    assert_ne!(store.epoch(), first_epoch);
    assert_eq!(store.load(den).await.unwrap(), live);
    assert_eq!(store.messages(&all(den)).await.unwrap(), before);
    assert!(store.reserve_room().await.unwrap() > reserved);
    assert!(
        store
            .continues(den, &first_epoch, Seq::new(3))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_position_from_a_lost_future_does_not_continue() {
    let (folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let first_epoch = store.epoch();
    drop((store, stage));
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();

    let go_on = async |path: &Path, words: &str| {
        let store = open(path);
        let mut stage = Stage::new(Arc::clone(&store));
        stage.engine.load(store.load(den).await.unwrap().unwrap());
        stage.post(den, ALICE, words).await;
        store
    };
    let lost_epoch = go_on(&path, "lost").await.epoch();
    let restored = go_on(&copy, "found").await;
    for (epoch, seq, expected) in [
        (&first_epoch, 1, true),
        (&first_epoch, 2, false),
        (&lost_epoch, 1, false),
        (&lost_epoch, 2, false),
        (&restored.epoch(), 2, true),
    ] {
        let continues = restored.continues(den, epoch, Seq::new(seq)).await.unwrap();
        assert_eq!(continues, expected, "{epoch}, {seq}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, path) = file();
    let store = open(&path);
    store.check().await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 4, "the database, its log, the log's index, the lock");
}

#[tokio::test]
async fn a_second_holder_is_refused_until_the_first_has_gone() {
    let (_folder, path) = file();
    let first = Sqlite::open(&path).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Locked(_))));
    first.check().await.unwrap();
    drop(first);
    Sqlite::open(&path).unwrap().check().await.unwrap();
}

#[test]
fn what_is_no_database_is_damaged() {
    let (_folder, path) = file();
    std::fs::write(&path, "certainly no database ".repeat(400)).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Damaged(_))));
}

#[test]
fn a_later_schema_is_refused_by_number() {
    let (_folder, path) = file();
    drop(Sqlite::open(&path).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = Sqlite::open(&path);
    assert!(
        matches!(
            refused,
            Err(StoreError::Newer {
                found: 99,
                known: 3
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_unavailable() {
    let (folder, _) = file();
    let refused = Sqlite::open(folder.path().join("nowhere").join("chat.db"));
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_foreign_lock_makes_writes_fail_and_lets_reads_pass() {
    let (_folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let record = stage
        .decide(den, ALICE, None, Post::plain(text("hi")))
        .await
        .unwrap();
    let wish = super::stage::wish(&[&Arc::new(record)]);
    let refused = store.append(vec![wish.clone()]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(store.load(den).await.unwrap().is_some());
    foreign.execute_batch("ROLLBACK").unwrap();
    store.append(vec![wish]).await.unwrap();
    assert_eq!(
        store.records(den, Seq::default(), 9).await.unwrap().len(),
        2
    );
}

/// A file with two rooms, edits, deletions and reactions in it, and what is true of it.
async fn a_lived_in_file(path: &Path) -> Vec<(RoomId, Vec<Arc<Record>>)> {
    let store = open(path);
    let mut stage = Stage::new(Arc::clone(&store));
    let mut truth = Vec::new();
    for number in 1..=2 {
        let den = stage.den(number).await;
        stage.join(den, BOB).await;
        for line in 0..60 {
            let said = stage.post(den, BOB, &format!("line {line} of many")).await;
            if line % 7 == 0 {
                stage.act(den, BOB, Edit::plain(said, text("edited"))).await;
            }
            if line % 11 == 0 {
                stage.act(den, BOB, Delete { message: said }).await;
            }
        }
        truth.push((den, store.records(den, Seq::default(), 999).await.unwrap()));
    }
    truth
}

/// Whatever is read of a broken file is the truth, or a refusal.
async fn read_all(path: &Path, truth: &[(RoomId, Vec<Arc<Record>>)]) -> usize {
    let store = match Sqlite::open(path) {
        Ok(store) => store,
        Err(StoreError::Damaged(_) | StoreError::Newer { .. } | StoreError::Unavailable(_)) => {
            return 1;
        }
        Err(error) => panic!("{error}"),
    };
    let mut refusals = 0;
    for (den, records) in truth {
        match store.records(*den, Seq::default(), 999).await {
            Ok(read) => assert_eq!(read, records[..read.len().min(records.len())], "room {den}"),
            Err(_) => refusals += 1,
        }
        match store.load(*den).await {
            Ok(Some(room)) => {
                let head = usize::try_from(room.head_seq.number()).unwrap();
                let log = records[..head].iter().map(AsRef::as_ref);
                assert_eq!(chat_core::Room::replayed(log), Some(room), "room {den}");
            }
            Ok(None) | Err(_) => refusals += 1,
        }
        // These may be wrong in their lists' own columns, but never in words, and never a panic.
        for message in store.messages(&all(*den)).await.into_iter().flatten() {
            let place = usize::try_from(message.seq.number()).unwrap() - 1;
            assert_eq!(message.by.id, records[place].by.id);
        }
        drop(store.rooms_of(BOB).await);
        drop(store.head(*den, Seq::new(5)).await);
    }
    refusals
}

#[tokio::test]
async fn a_broken_file_is_noticed_and_never_served() {
    let (folder, path) = file();
    let truth = a_lived_in_file(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let broken = folder.path().join("broken.db");
    let bits = whole.len() * 8;
    let mut draw = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noticed = 0;
    for _ in 0..250 {
        draw = draw
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        let bit = usize::try_from(draw >> 24).unwrap() % bits;
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&broken, bytes).unwrap();
        noticed += read_all(&broken, &truth).await.min(1);
        forget(&broken);
    }
    assert!(noticed > 40, "only {noticed} of 250");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_noticed() {
    let (folder, path) = file();
    let truth = a_lived_in_file(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let broken = folder.path().join("broken.db");
    for part in 1..10 {
        std::fs::write(&broken, &whole[..whole.len() * part / 10]).unwrap();
        assert!(read_all(&broken, &truth).await > 0, "{part} tenths");
        forget(&broken);
    }
}

fn forget(path: &Path) {
    for end in ["", "-wal", "-shm", "-lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        // Some of them are not there.
        drop(std::fs::remove_file(PathBuf::from(name)));
    }
}

#[tokio::test]
async fn no_byte_of_a_deleted_message_stays_in_the_files() {
    let (folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let mut doomed = Vec::new();
    for line in 0..600 {
        let length = 10 + (line * 37) % 900;
        let body = format!("sEcReT{line:03}-{}", "ab".repeat(length));
        let said = stage.post(den, ALICE, &body).await;
        if line % 2 == 0 {
            stage
                .act(
                    den,
                    ALICE,
                    Edit::plain(said, text(&format!("sEcReT{line:03}-edit"))),
                )
                .await;
        }
        if line % 3 == 0 {
            doomed.push((line, said));
        }
    }
    for (_, message) in &doomed {
        stage.act(den, ALICE, Delete { message: *message }).await;
    }
    let doomed: BTreeSet<_> = doomed.iter().map(|(line, _)| *line).collect();
    let left = || {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            found.extend(marks(&bytes));
        }
        assert!(found.contains(&1), "the search finds what is there");
        found.intersection(&doomed).copied().collect::<Vec<_>>()
    };
    // The write-ahead log is cut off as soon as nobody waits for the writer, at the latest after so
    // many further writes.
    for _ in 0..300 {
        store.check().await.unwrap();
        if left().is_empty() {
            break;
        }
    }
    assert_eq!(left(), Vec::<usize>::new());
}

/// The lines whose mark is somewhere in a file.
fn marks(bytes: &[u8]) -> BTreeSet<usize> {
    let mark = b"sEcReT";
    let mut marks = BTreeSet::new();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == mark[0]) {
        rest = &rest[at..];
        if rest.starts_with(mark) && rest.len() >= 9 {
            let line = std::str::from_utf8(&rest[6..9]).ok();
            marks.extend(line.and_then(|line| line.parse::<usize>().ok()));
        }
        rest = &rest[1..];
    }
    marks
}

#[tokio::test]
async fn rooms_are_found_again_after_the_process_was_killed() {
    let (folder, path) = file();
    let store = open(&path);
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.post(den, ALICE, "durable").await;
    // What a killed process leaves: the files as they are, nothing closed.
    let copy = folder.path().join("copy.db");
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        std::fs::copy(name(&path), name(&copy)).unwrap();
    }
    let found = Sqlite::open(&copy).unwrap();
    assert_eq!(
        found.load(room(1)).await.unwrap().as_ref(),
        stage.engine.room(den)
    );
    assert_eq!(found.messages(&all(den)).await.unwrap().len(), 1);
}
