//! Moving the write-ahead log into the database, for the most part beside the writer.
//!
//! The log begins anew once all of it is in the database and nobody reads it. To move all of it takes
//! ten milliseconds and more, for which everybody would wait. So a reading thread moves what is
//! there, while the writer goes on, and again what came meanwhile, until the little that is left is
//! moved by the writer itself.
//!
//! The log has a bound all the same. Should the writer be so busy that it never comes to that, it waits
//! for the others and moves the rest, however much that is, once the log is twice as long as it was
//! when that began. What a long read (a backup) holds up can't be moved by anybody; after that the
//! writer waits once as much again is written as was to be moved when the read was last in the way.
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
    /// Frames at which the writer doesn't go on before the log is moved.
    longest: u64,
    pass: Option<Pass>,
    /// What was moved when that began.
    moved: Option<u64>,
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

impl State {
    /// Frames that are still to be moved.
    const fn left(self) -> u64 {
        self.frames.saturating_sub(self.moved)
    }
}

impl Checkpoint {
    /// Moves the log of a file, for the most part elsewhere.
    pub(super) fn new(
        db: &Connection,
        path: &Path,
        database: File,
        begin: impl Fn(Arc<File>) -> Option<Pass> + Send + 'static,
    ) -> Result<Self, StoreError> {
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
            longest: 2 * FRAMES,
            pass: None,
            moved: None,
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
        match self.take_back(db, before.frames >= self.longest) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(fault) => {
                self.put_off(before);
                return Err(fault);
            }
        }
        let state = state(db)?;
        let moved = self.moved.take();
        if state.frames < self.frames {
            (self.due, self.longest) = (self.frames, 2 * self.frames);
            return Ok(());
        }
        if moved == Some(state.moved) {
            // Somebody reads for long what is in the log.
            self.put_off(state);
        }
        if state.frames < self.due {
            return Ok(());
        }
        if state.left() > self.last() && state.frames < self.longest {
            let begin = |files: &Files| (files.begin)(Arc::clone(&files.database));
            self.pass = self.files.as_ref().and_then(begin);
            self.moved = self.pass.as_ref().map(|_| state.moved);
            return Ok(());
        }
        // Should somebody read what is in the log, this isn't the end of it.
        self.put_off(state);
        self.put_off(move_on(db)?);
        Ok(())
    }

    /// Tries again after a while.
    fn put_off(&mut self, state: State) {
        self.due = state.frames + self.last();
        self.longest = state.frames + state.left().max(self.frames);
    }

    /// Whether more is still to be moved than anybody should wait for. If so, it is begun next time.
    pub(super) fn is_behind(&mut self, db: &Connection) -> Result<bool> {
        if self.files.is_none() {
            return Ok(false);
        }
        let is_behind = state(db)?.left() > self.frames;
        if is_behind {
            self.due = 0;
        }
        Ok(is_behind)
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
        move_again(db, &files.log, &files.database)
    }
}

/// Writes what the log has in the database already to its place once more, and synchronises it.
pub(super) fn move_again(db: &Connection, log: &Path, database: &File) -> Result<()> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("moved_pages_taken_as_written") {
        return Ok(());
    }
    let state = state(db)?;
    if state.moved == 0 {
        return Ok(());
    }
    db.execute_batch("BEGIN IMMEDIATE")?;
    let written = rewrite(log, database, state);
    db.execute_batch("ROLLBACK")?;
    written.map_err(|error| Fault::Unavailable(error.to_string()))
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
mod tests;
