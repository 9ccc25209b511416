//! Moving the write-ahead log into the database, for the most part beside the writer.
//!
//! The log begins anew once all of it is in the database and nobody reads it. To move all of it takes
//! ten milliseconds and more, for which everybody would wait. So a reading thread moves what is
//! there, while the writer goes on, and again what came meanwhile; the little that is left then the
//! writer moves itself.
//!
//! SQLite synchronises the database only when nothing of the log is left, so whoever moves a part does
//! that here: the last synchronisation is short then.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::fault::{Fault, Result};
use super::open;
use crate::store::StoreError;

/// Frames of the log after which it is moved into the database: 32 MiB.
const FRAMES: u64 = 8_192;

/// The writer moves one frame in so many itself.
const LAST_PART: u64 = 16;

/// How often the log is moved by somebody else before the writer moves what came meanwhile.
const PASSES_MAX: u32 = 2;

/// Frames after which a log's file is made longer than it is.
const BUSY_FRAMES: u64 = 256;

/// By how much it is made longer at a time, and how much of that is left when it is again.
const STRETCH_BYTES: (usize, u64) = (1 << 20, 1 << 16);

/// What a frame has beside its page: its header.
const HEADER_BYTES: usize = 24;

/// Where the frames begin.
const FIRST_FRAME: usize = 32;

/// What is done elsewhere, and how it went.
pub(super) type Pass = oneshot::Receiver<Result<()>>;

/// Has a part of the log moved by somebody who isn't the writer; none if there is no place for it.
type Begin = Box<dyn Fn(Arc<File>) -> Option<Pass> + Send>;

/// When the log is moved, and how far that is.
pub(super) struct Checkpoint {
    files: Option<Files>,
    frames: u64,
    /// Frames after which the next attempt is made.
    due: u64,
    pass: Option<Pass>,
    passes: u32,
    /// How long the log was, and how long its file is, as far as that was looked at.
    seen: u64,
    length: u64,
}

struct Files {
    log: PathBuf,
    frame_bytes: u64,
    /// The database, past SQLite. It stays open as long as SQLite's connections: to close it would
    /// give up their locks.
    database: Arc<File>,
    begin: Begin,
}

/// How long the log is, and how much of it is in the database.
#[derive(Clone, Copy)]
struct State {
    frames: u64,
    moved: u64,
    /// Whether somebody else is just moving it.
    is_busy: bool,
}

impl Checkpoint {
    /// Moves the log of a file, for the most part elsewhere.
    pub(super) fn new(
        db: &Connection,
        path: &Path,
        begin: impl Fn(Arc<File>) -> Option<Pass> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let database = open::private(path)
            .map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
        let page_bytes = db.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
        let page_bytes = page_bytes.map_err(|error| open::refusal(path, error))?;
        Ok(Self {
            files: Some(Files {
                log: open::beside(path, "-wal"),
                frame_bytes: HEADER_BYTES as u64 + u64::try_from(page_bytes).unwrap_or_default(),
                database: Arc::new(database),
                begin: Box::new(begin),
            }),
            ..Self::none()
        })
    }

    /// Nothing, for a database without a file.
    pub(super) const fn none() -> Self {
        Self {
            files: None,
            frames: FRAMES,
            due: FRAMES,
            pass: None,
            passes: 0,
            seen: 0,
            length: 0,
        }
    }

    /// Looks, between two transactions, how long the log is, and has it moved if it is time for that.
    pub(super) fn go_on(&mut self, db: &Connection) -> Result<()> {
        if self.files.is_none() {
            return Ok(());
        }
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("log_never_moved") {
            return Ok(());
        }
        let before = state(db)?;
        self.stretch(before.frames);
        // However slow that is, the log doesn't grow without bounds.
        match self.take_back(db, before.frames >= 2 * self.frames) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(fault) => {
                self.due = before.frames + self.last();
                return Err(fault);
            }
        }
        let state = state(db)?;
        if state.frames < self.frames {
            (self.due, self.passes) = (self.frames, 0);
            return Ok(());
        }
        if state.frames < self.due {
            return Ok(());
        }
        if state.frames.saturating_sub(state.moved) > self.last() && self.passes < PASSES_MAX {
            self.passes += 1;
            let begin = |files: &Files| (files.begin)(Arc::clone(&files.database));
            self.pass = self.files.as_ref().and_then(begin);
            if self.pass.is_some() {
                return Ok(());
            }
        }
        // Should somebody read what is in the log, this isn't the end of it.
        (self.due, self.passes) = (state.frames + self.last(), 0);
        move_on(db)?;
        Ok(())
    }

    /// Frames that the writer moves itself, and after which it tries again.
    const fn last(&self) -> u64 {
        self.frames / LAST_PART
    }

    /// Makes the log's file longer than the log, so that the next commits needn't: to synchronise a
    /// file that grew takes twice as long. What is there means nothing, for no page has the number 0.
    fn stretch(&mut self, frames: u64) {
        if frames < self.seen {
            // It began anew, or was cut off.
            self.length = 0;
        }
        self.seen = frames;
        let Some(files) = self.files.as_ref().filter(|_| frames >= BUSY_FRAMES) else {
            return;
        };
        let end = FIRST_FRAME as u64 + frames * files.frame_bytes;
        if end + STRETCH_BYTES.1 <= self.length {
            return;
        }
        let stretch = || -> std::io::Result<u64> {
            let mut log = OpenOptions::new().write(true).open(&files.log)?;
            let length = log.seek(SeekFrom::End(0))?;
            if end + STRETCH_BYTES.1 <= length {
                return Ok(length);
            }
            log.write_all(&vec![0; STRETCH_BYTES.0])?;
            Ok(length + STRETCH_BYTES.0 as u64)
        };
        // Without it nothing is missing: should the disk be full, it isn't tried again.
        self.length = stretch().unwrap_or(u64::MAX);
    }

    /// Whether nobody else moves the log any more.
    fn take_back(&mut self, db: &Connection, is_long: bool) -> Result<bool> {
        let Some(mut pass) = self.pass.take() else {
            return Ok(true);
        };
        let moved = match pass.try_recv() {
            Ok(moved) => Some(moved),
            Err(TryRecvError::Closed) => None,
            Err(TryRecvError::Empty) => {
                self.pass = Some(pass);
                if !is_long || !move_on(db)?.is_busy {
                    return Ok(false);
                }
                // It has begun, and doesn't take for ever.
                self.pass.take().and_then(|pass| pass.blocking_recv().ok())
            }
        };
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("failed_move_ignored") {
            return Ok(true);
        }
        moved.unwrap_or(Ok(())).map(|()| true)
    }

    /// Writes, after a failure, what the log had in the database already to its place once more, so
    /// that an fsync means these very writes. The rest is still to be moved.
    pub(super) fn write_again(&mut self, db: &Connection) -> Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        if let Some(pass) = self.pass.take() {
            // However that went: what it moved is written again.
            drop(pass.blocking_recv());
        }
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("moved_pages_taken_as_written") {
            return Ok(());
        }
        let state = state(db)?;
        if state.moved == 0 {
            return Ok(());
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        let written = rewrite(&files.log, &files.database, state);
        db.execute_batch("ROLLBACK")?;
        written.map_err(|error| Fault::Unavailable(error.to_string()))
    }
}

/// Moves what can be moved of the log, beside a writer who goes on, and synchronises it.
pub(super) fn pass(db: &Connection, database: &File) -> Result<()> {
    // Until it has read something, a connection knows of no log.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let before = state(db)?;
    let after = move_on(db)?;
    if after.moved > before.moved {
        database
            .sync_data()
            .map_err(|error| Fault::Unsynchronised(error.to_string()))?;
    }
    Ok(())
}

fn state(db: &Connection) -> Result<State> {
    ask(db, "PRAGMA wal_checkpoint(NOOP)")
}

/// Moves what no reader needs where it is; if that is all of it, SQLite synchronises the database.
fn move_on(db: &Connection) -> Result<State> {
    ask(db, "PRAGMA wal_checkpoint(PASSIVE)")
}

fn ask(db: &Connection, sql: &str) -> Result<State> {
    let mut question = db.prepare_cached(sql)?;
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(question.query_row([], |row| {
        Ok(State {
            frames: number(row.get(1)?),
            moved: number(row.get(2)?),
            is_busy: row.get(0)?,
        })
    })?)
}

/// Writes the pages once more that the log has moved, and synchronises them. What they hold is taken
/// from the log, which is on disk; in memory, where SQLite would read it, it may be gone.
///
/// Pages that a later frame changes are left out: they are still to be moved.
fn rewrite(log: &Path, mut database: &File, state: State) -> std::io::Result<()> {
    let mut log = File::open(log)?;
    let mut read = |at: u64, bytes: &mut [u8]| {
        log.seek(SeekFrom::Start(at))?;
        log.read_exact(bytes)
    };
    let mut header = [0; FIRST_FRAME];
    read(0, &mut header)?;
    let page_bytes = u64::from(number(&header, 8));
    let place = |frame: u64| FIRST_FRAME as u64 + frame * (HEADER_BYTES as u64 + page_bytes);
    let mut last = BTreeMap::new();
    for frame in 0..state.frames {
        let mut of = [0; HEADER_BYTES];
        read(place(frame), &mut of)?;
        // Frames of this time and of former ones are told apart by two numbers of the log.
        if of.get(8..16) != header.get(16..24) {
            return Err(Error::new(ErrorKind::InvalidData, "a frame of another log"));
        }
        last.insert(number(&of, 0), frame);
    }
    let mut page = vec![0; usize::try_from(page_bytes).unwrap_or_default()];
    for (number, frame) in last.into_iter().filter(|(_, frame)| *frame < state.moved) {
        read(place(frame) + HEADER_BYTES as u64, &mut page)?;
        let at = u64::from(number).saturating_sub(1) * page_bytes;
        database.seek(SeekFrom::Start(at))?;
        database.write_all(&page)?;
    }
    database.sync_data()
}

/// A number of the log.
fn number(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..at + 4).and_then(|it| it.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tempfile::TempDir;

    use super::super::readers::Readers;
    use super::super::scrub::Scrub;
    use super::super::writer::{Alone, Desk, Writer};
    use super::*;

    fn file() -> (TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        let db = open::writer(&path).unwrap();
        let sql = "CREATE TABLE lines (number INTEGER PRIMARY KEY, line TEXT)";
        db.execute_batch(sql).unwrap();
        open::settle(&db).unwrap();
        (folder, path, db)
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
        let (_folder, path, db) = file();
        let readers = Readers::start(vec![open::reader(&path).unwrap()]).unwrap();
        let passes = Arc::new(AtomicUsize::new(0));
        let (begin, count) = (readers.movers(), Arc::clone(&passes));
        let begin = move |database| {
            count.fetch_add(1, Ordering::Relaxed);
            begin(database)
        };
        let mut checkpoint = Checkpoint::new(&db, &path, begin).unwrap();
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

    #[tokio::test]
    async fn once_it_could_not_be_moved_nothing_is_acknowledged() {
        let (_folder, path, db) = file();
        let begin = |_| {
            let (reply, pass) = oneshot::channel();
            drop(reply.send(Err(Fault::Unsynchronised("by lot".into()))));
            Some(pass)
        };
        let mut checkpoint = Checkpoint::new(&db, &path, begin).unwrap();
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

    #[test]
    fn after_a_failure_what_was_moved_before_is_written_again() {
        let (_folder, path, db) = file();
        (0..20).for_each(|number| say(&db, number));
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(said(&reader), 20);
        (20..30).for_each(|number| say(&db, number));
        let mut checkpoint = Checkpoint::new(&db, &path, |_| None).unwrap();
        let lost = fs::read(&path).unwrap();
        let state = move_on(&db).unwrap();
        assert!(
            (1..state.frames).contains(&state.moved),
            "a reader was in the way"
        );
        reader.execute_batch("ROLLBACK").unwrap();
        // What was moved isn't in the database, whatever the system said of it.
        let mut database = &*checkpoint.files.as_ref().unwrap().database;
        let length = usize::try_from(database.metadata().unwrap().len()).unwrap();
        database.seek(SeekFrom::Start(0)).unwrap();
        database.write_all(&lost).unwrap();
        database.write_all(&vec![0; length - lost.len()]).unwrap();

        let db = open::writer_again(&path).unwrap();
        checkpoint.write_again(&db).unwrap();
        assert!(open::settle(&db).unwrap());
        let (_folder, found) = left(&path, &[""]);
        let check = found.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(check.as_deref(), Ok("ok"));
        assert_eq!(said(&found), 30);
    }

    #[test]
    fn a_busy_log_has_a_file_that_need_not_grow() {
        let (_folder, path, db) = file();
        let mut checkpoint = Checkpoint::new(&db, &path, |_| None).unwrap();
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
}
