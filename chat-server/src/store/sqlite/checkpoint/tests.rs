//! How the log is moved: bounded, and without a loss.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use tempfile::TempDir;

use super::super::readers::Readers;
use super::super::scrub::Scrub;
use super::super::writer::{Alone, Desk, Writer};
use super::*;

fn file() -> (TempDir, PathBuf, Connection, File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let (db, database) = open::writer(&path).unwrap();
    let sql = "CREATE TABLE lines (number INTEGER PRIMARY KEY, line TEXT)";
    db.execute_batch(sql).unwrap();
    open::settle(&db).unwrap();
    (folder, path, db, database)
}

fn say(db: &Connection, number: usize) {
    let sql = "INSERT INTO lines VALUES (?1, hex(zeroblob(500)))";
    db.execute(sql, [i64::try_from(number).unwrap()]).unwrap();
}

fn said(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM lines", [], |row| row.get(0))
        .unwrap()
}

/// What a dead process leaves of the file, with its log or without it.
fn left(path: &Path, ends: &[&str]) -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    for end in ends {
        let name = format!("chat.db{end}");
        fs::copy(open::beside(path, end), folder.path().join(name)).unwrap();
    }
    let db = Connection::open(folder.path().join("chat.db")).unwrap();
    (folder, db)
}

#[test]
fn however_much_is_written_the_log_begins_anew() {
    let (_folder, path, db, database) = file();
    let readers = Readers::start(vec![open::reader(&path).unwrap()]).unwrap();
    let passes = Arc::new(AtomicUsize::new(0));
    let (begin, count) = (readers.movers(), Arc::clone(&passes));
    let begin = move |database| {
        count.fetch_add(1, Ordering::Relaxed);
        begin(database)
    };
    let mut checkpoint = Checkpoint::new(&db, &path, database, begin).unwrap();
    (checkpoint.frames, checkpoint.due) = (64, 64);
    let mut longest = 0;
    for number in 0..600 {
        say(&db, number);
        longest = longest.max(state(&db).unwrap().frames);
        checkpoint.go_on(&db).unwrap();
    }
    assert!((64..2 * 64 + 8).contains(&longest), "{longest} frames");
    assert!(
        passes.load(Ordering::Relaxed) > 5,
        "the writer moved it alone"
    );
    drop(readers);
    assert_eq!(said(&left(&path, &["", "-wal"]).1), 600);
}

#[test]
fn after_a_long_read_the_writer_goes_on_while_the_log_is_moved() {
    let (_folder, path, db, database) = file();
    let other = open::reader(&path).unwrap();
    let (ask, asked) = mpsc::channel();
    let begin = move |database| {
        let (reply, pass) = oneshot::channel();
        ask.send((database, reply)).unwrap();
        Some(pass)
    };
    let mut checkpoint = Checkpoint::new(&db, &path, database, begin).unwrap();
    (checkpoint.frames, checkpoint.due) = (64, 64);
    let (mut number, mut passes) = (0, 0);
    // How far the log is after another line. Somebody else has moved it as far as he could, or is
    // still at it; the writer moves little of it.
    let mut go_on = |moves: bool| {
        say(&db, number);
        number += 1;
        if moves {
            for (database, reply) in asked.try_iter() {
                drop(reply.send(pass(&other, &database)));
                passes += 1;
            }
        }
        let before = state(&db).unwrap();
        checkpoint.go_on(&db).unwrap();
        let after = state(&db).unwrap();
        let moved = after.moved.saturating_sub(before.moved);
        assert!(moved <= 64 / LAST_PART, "{moved} frames by the writer");
        after
    };
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(said(&reader), 0);
    while go_on(true).frames < 500 {}
    reader.execute_batch("ROLLBACK").unwrap();
    for _ in 0..50 {
        go_on(false);
    }
    let mut tries = 0;
    while go_on(true).frames >= 64 {
        tries += 1;
        assert!(tries < 50, "it doesn't begin anew");
    }
    assert!((3..150).contains(&passes), "{passes} passes");
}

#[test]
fn where_short_reads_are_in_the_way_time_after_time_the_log_begins_anew_all_the_same() {
    let (_folder, path, db, database) = file();
    let (other, reader) = (open::reader(&path).unwrap(), open::reader(&path).unwrap());
    let (ask, asked) = mpsc::channel();
    let begin = move |database| {
        let (reply, pass) = oneshot::channel();
        ask.send((database, reply)).unwrap();
        Some(pass)
    };
    let mut checkpoint = Checkpoint::new(&db, &path, database, begin).unwrap();
    (checkpoint.frames, checkpoint.due) = (64, 64);
    let (mut longest, mut anew) = (0, 0);
    for number in 0..600 {
        say(&db, number);
        let frames = state(&db).unwrap().frames;
        anew += usize::from(frames < 8);
        longest = longest.max(frames);
        match number % 5 {
            0 => {
                reader.execute_batch("BEGIN").unwrap();
                said(&reader);
            }
            3 => {
                // All that others move they move while somebody reads what is a little older.
                for (database, reply) in asked.try_iter() {
                    drop(reply.send(pass(&other, &database)));
                }
                reader.execute_batch("ROLLBACK").unwrap();
            }
            _ => {}
        }
        checkpoint.go_on(&db).unwrap();
    }
    assert!(
        longest < 4 * 64 && anew > 2,
        "{longest} frames, {anew} times"
    );
}

#[tokio::test]
async fn once_it_could_not_be_moved_nothing_is_acknowledged() {
    let (_folder, path, db, database) = file();
    let begin = |_| {
        let (reply, pass) = oneshot::channel();
        drop(reply.send(Err(Fault::Unsynchronised("by lot".into()))));
        Some(pass)
    };
    let mut checkpoint = Checkpoint::new(&db, &path, database, begin).unwrap();
    (checkpoint.frames, checkpoint.due) = (64, 64);
    let reopen = || Err(StoreError::Unavailable("gone".into()));
    let desk = Desk::new(db, 1, reopen, BTreeSet::new(), Scrub::none(), checkpoint);
    let writer = Writer::start(desk).unwrap();
    let mut refused = 0;
    for number in 0..100 {
        let work = move |desk: &mut Desk| {
            say(&desk.db, number);
            Ok(())
        };
        let said = writer.write(Alone::Yes, work).await;
        assert!(refused == 0 || said.is_err(), "{number} was acknowledged");
        refused += usize::from(said.is_err());
    }
    assert!(refused > 50, "{refused} were refused");
}

/// A file whose log has thirty lines, most of them moved; but what was moved isn't in the database,
/// whatever the system said of it. Somebody else has it open.
fn lost() -> (TempDir, PathBuf, Connection, File, Connection) {
    let (folder, path, db, mut database) = file();
    (0..20).for_each(|number| say(&db, number));
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(said(&reader), 20);
    (20..30).for_each(|number| say(&db, number));
    let lost = fs::read(&path).unwrap();
    let state = move_on(&db).unwrap();
    assert!(
        (1..state.frames).contains(&state.moved),
        "a reader was in the way"
    );
    reader.execute_batch("ROLLBACK").unwrap();
    let length = usize::try_from(database.metadata().unwrap().len()).unwrap();
    database.seek(SeekFrom::Start(0)).unwrap();
    database.write_all(&lost).unwrap();
    database.write_all(&vec![0; length - lost.len()]).unwrap();
    (folder, path, db, database, reader)
}

/// Whether all that was said is in the database, without its log.
fn is_whole(path: &Path) {
    let (_folder, found) = left(path, &[""]);
    let check = found.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(check.as_deref(), Ok("ok"));
    assert_eq!(said(&found), 30);
}

#[test]
fn after_a_failure_what_was_moved_before_is_written_again() {
    let (_folder, path, db, database, _reader) = lost();
    let mut checkpoint = Checkpoint::new(&db, &path, database, |_| None).unwrap();
    let db = open::writer_again(&path).unwrap();
    checkpoint.write_again(&db).unwrap();
    assert!(open::settle(&db).unwrap());
    is_whole(&path);
}

#[test]
fn an_opening_writes_again_what_was_moved_before_it_while_somebody_reads() {
    let (_folder, path, db, _database, _reader) = lost();
    drop(db);
    let (db, _again) = open::writer(&path).unwrap();
    assert_eq!(state(&db).unwrap().frames, 0);
    is_whole(&path);
}

#[test]
fn a_busy_log_has_a_file_that_need_not_grow() {
    let (_folder, path, db, database) = file();
    let mut checkpoint = Checkpoint::new(&db, &path, database, |_| None).unwrap();
    let length = || fs::metadata(open::beside(&path, "-wal")).unwrap().len();
    let (mut grew, mut number) = (0, 0);
    while state(&db).unwrap().frames < 2 * BUSY_FRAMES {
        let before = length();
        say(&db, number);
        grew += usize::from(length() > before && before > 0);
        checkpoint.go_on(&db).unwrap();
        number += 1;
        let end = state(&db).unwrap().frames * (HEADER_BYTES as u64 + 4_096);
        let is_busy = checkpoint.seen >= BUSY_FRAMES;
        assert_eq!(length() > end + STRETCH_BYTES.1, is_busy);
    }
    assert!(grew * 3 < number * 2, "{grew} of {number} commits");
    let (_folder, killed) = left(&path, &["", "-wal"]);
    assert_eq!(said(&killed), i64::try_from(number).unwrap());
}
