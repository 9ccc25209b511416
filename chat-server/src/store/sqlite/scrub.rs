//! Cleaning the file of what SQLite leaves in it.
//!
//! With `secure_delete` SQLite overwrites what is deleted. But when it moves rows from a page to its
//! neighbour, so that more fit in, it leaves their bytes where they were, in the part of the page that
//! is in no use. A row that is overwritten later may so be there a second time. Here that part of
//! every page is overwritten with zeros, past SQLite: nobody else writes to the file meanwhile, for
//! this is the writer's thread, it holds the write lock, and the write-ahead log is empty. Readers
//! never look at those bytes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use chat_core::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::fault::{Fault, Result};
use super::open;

/// Pages that are cleaned at a time: 16 MiB.
const PAGES_MAX: u64 = 4_096;

/// How long after the beginning of one pass through the file the next one begins, at the earliest.
const EVERY_MS: u64 = 60_000;

/// Passes take one part in so many of the time, at most: where one takes long the next one waits for
/// longer.
const SHARE: u64 = 10;

/// Files of more pages have pages that can be taken for others: past 128 GiB.
const PAGES_TOLD_APART: u64 = 0x0200_0000;

/// The pass through the file, and whether one is due.
pub(super) struct Scrub {
    raw: Option<Raw>,
    /// Whether something was erased since the last pass began.
    owed: bool,
    /// Whether the file says that it is to be cleaned.
    noted: bool,
    /// The page at which the pass goes on.
    next: Option<u64>,
    began_at: Option<Timestamp>,
    /// How long it took, once it is over.
    took_ms: Option<u64>,
    wanted: bool,
    /// Whether a reader was in the way last time.
    waits: bool,
}

/// The file, past SQLite. It stays open as long as SQLite's connections: to close it would give up
/// their locks.
struct Raw {
    file: File,
    log: PathBuf,
    page_bytes: u64,
}

impl Scrub {
    /// What is to be done with a file.
    pub(super) fn new(db: &Connection, path: &Path) -> Result<Self> {
        let mut scrub = Self::none();
        scrub.noted = db
            .query_row(
                "SELECT 1 FROM settings WHERE name = 'scrub'",
                [],
                |_| Ok(()),
            )
            .optional()?
            .is_some();
        scrub.owed = scrub.noted;
        let pragma = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        // With `auto_vacuum` there would be pages of other kinds. It is off in every file of ours.
        if pragma("PRAGMA auto_vacuum")? == 0 {
            scrub.raw = Some(Raw {
                file: open::private(path).map_err(|error| failed(&error))?,
                log: open::beside(path, "-wal"),
                page_bytes: u64::try_from(pragma("PRAGMA page_size")?).unwrap_or_default(),
            });
        }
        Ok(scrub)
    }

    /// Nothing, for a database without a file.
    pub(super) const fn none() -> Self {
        Self {
            raw: None,
            owed: false,
            noted: false,
            next: None,
            began_at: None,
            took_ms: None,
            wanted: false,
            waits: false,
        }
    }

    /// Notes, within a transaction, that the file is to be cleaned.
    pub(super) fn owe(&mut self, db: &Connection) -> Result<()> {
        self.owed = true;
        self.noted = true;
        db.prepare_cached("INSERT OR IGNORE INTO settings (name, value) VALUES ('scrub', '')")?
            .execute([])?;
        Ok(())
    }

    /// Asks for the next part to be cleaned after this transaction, if one is due; whether it may be
    /// asked again at once.
    pub(super) fn want(&mut self, db: &Connection, now: Timestamp) -> Result<bool> {
        let since_ms = self.began_at.map(|at| now.ms_since(at));
        if self.next.is_none() && self.took_ms.is_none() {
            self.took_ms = since_ms;
        }
        let rest_ms = self
            .took_ms
            .map_or(0, |took_ms| took_ms.saturating_mul(SHARE));
        let is_due = self
            .began_at
            .is_none_or(|at| now < at || now.ms_since(at) >= rest_ms.max(EVERY_MS));
        if self.next.is_none() && self.owed && is_due {
            (self.owed, self.next, self.began_at) = (false, Some(1), Some(now));
            self.took_ms = None;
        }
        self.wanted = self.next.is_some();
        if !self.wanted && !self.owed && self.noted {
            db.execute("DELETE FROM settings WHERE name = 'scrub'", [])?;
            self.noted = false;
        }
        Ok(self.wanted && !std::mem::take(&mut self.waits))
    }

    /// Whether something was erased that the file may still have.
    pub(super) const fn is_owed(&self) -> bool {
        self.owed
    }

    /// Whether something was erased and the file isn't clean since then.
    pub(super) const fn is_noted(&self) -> bool {
        self.noted
    }

    /// Whether a part is to be cleaned.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Notes that a reader is in the way.
    pub(super) const fn wait(&mut self) {
        (self.wanted, self.waits) = (false, true);
    }

    /// Cleans the next part.
    pub(super) fn step(&mut self, db: &Connection) -> Result<()> {
        self.wanted = false;
        let (Some(raw), Some(from)) = (&mut self.raw, self.next) else {
            self.next = None;
            return Ok(());
        };
        // Pages that SQLite holds in memory would be written again as they were.
        db.execute_batch("PRAGMA shrink_memory; BEGIN IMMEDIATE")?;
        let cleaned = raw.clean(from);
        db.execute_batch("ROLLBACK")?;
        match cleaned {
            Ok(Some(next)) => self.next = next,
            Ok(None) => self.wait(),
            Err(error) => {
                // Another pass is to come: what was erased may still be there.
                (self.next, self.owed) = (None, true);
                return Err(failed(&error));
            }
        }
        Ok(())
    }
}

fn failed(error: &std::io::Error) -> Fault {
    Fault::Unavailable(error.to_string())
}

impl Raw {
    /// Cleans some pages, and says where to go on; nothing at all if the log isn't empty.
    fn clean(&mut self, from: u64) -> std::io::Result<Option<Option<u64>>> {
        match std::fs::metadata(&self.log) {
            Ok(log) if log.len() > 0 => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let bytes = self.page_bytes.max(1);
        let pages = self.file.metadata()?.len() / bytes;
        if pages > PAGES_TOLD_APART {
            tracing::warn!("the file is too large to be cleaned of what was erased");
            return Ok(Some(None));
        }
        let to = from.saturating_add(PAGES_MAX).min(pages);
        let mut page = vec![0; usize::try_from(bytes).unwrap_or_default()];
        let mut changed = false;
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("erased_words_stay_in_gaps") {
            return Ok(Some(None));
        }
        for number in from..to {
            let at = number * bytes;
            self.file.seek(SeekFrom::Start(at))?;
            self.file.read_exact(&mut page)?;
            let Some(gap) = gap(&page) else { continue };
            let zeros = vec![0; gap.len()];
            self.file.seek(SeekFrom::Start(at + gap.start as u64))?;
            self.file.write_all(&zeros)?;
            changed = true;
        }
        if changed {
            self.file.sync_data()?;
        }
        Ok(Some((to < pages).then_some(to)))
    }
}

/// The part of a page between its list of rows and its rows, if something is in it. (The first page
/// of a file looks otherwise; nobody's words are on it.)
fn gap(page: &[u8]) -> Option<Range<usize>> {
    let header = match page.first()? {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let number = |at: usize| {
        let bytes = page.get(at..at + 2)?.try_into().ok()?;
        Some(usize::from(u16::from_be_bytes(bytes)))
    };
    let start = header + 2 * number(3)?;
    let end = match number(5)? {
        0 => 65_536,
        end => end,
    };
    let gap = page.get(start..end)?;
    gap.iter().any(|byte| *byte != 0).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_list_and_the_rows_is_a_gap() {
        let mut page = vec![7; 64];
        page[0] = 13;
        page[3..7].copy_from_slice(&[0, 2, 0, 40]);
        assert_eq!(gap(&page), Some(12..40));
        page[12..40].fill(0);
        assert_eq!(gap(&page), None, "it is clean");
        page[0] = 5;
        page[12..40].fill(7);
        assert_eq!(gap(&page), Some(16..40));
    }

    #[test]
    fn where_a_pass_takes_long_the_next_one_waits_for_longer() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT)")
            .unwrap();
        let mut scrub = Scrub::none();
        // A pass takes a second, or a minute; the next one begins after one minute, or ten.
        let mut begins = 0;
        for (took_ms, next_ms) in [(1_000, EVERY_MS), (60_000, 600_000), (0, EVERY_MS)] {
            let at = |ms| Timestamp::new(begins + ms);
            scrub.owe(&db).unwrap();
            assert!(scrub.want(&db, at(0)).unwrap());
            assert!(scrub.want(&db, at(took_ms)).unwrap(), "it goes on");
            scrub.owe(&db).unwrap();
            scrub.step(&db).unwrap();
            assert!(!scrub.want(&db, at(took_ms)).unwrap());
            assert!(!scrub.want(&db, at(next_ms - 1)).unwrap());
            begins += next_ms;
        }
    }

    #[test]
    fn a_page_that_makes_no_sense_is_left_alone() {
        let mut page = vec![9; 64];
        assert_eq!(gap(&page), None, "an overflow page");
        page[0] = 13;
        assert_eq!(gap(&page), None, "more rows than fit");
        page[3..7].copy_from_slice(&[0, 2, 0, 65]);
        assert_eq!(gap(&page), None, "rows after its end");
    }
}
