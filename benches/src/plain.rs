//! SQLite without anything around it: the rows of a batch, prepared beforehand, in one transaction.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chat_core::{Event, Record, RoomId};
use chat_protocol::log::{Entry, Sum, WordsKey, encode};
use rusqlite::{CachedStatement, Connection, Result, params};

/// The tables of the server's own store.
const SCHEMA: &str = include_str!("../../chat-server/src/store/sqlite/schema/0001.sql");

/// Which of the rows that the store writes for a post are inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The record in the log: one row, the least that a chat can write for a message.
    Log,
    /// The record, its author's marker, and the head of the room.
    All,
}

/// A connection to a file with the store's tables.
#[derive(Debug)]
pub struct Plain {
    db: Connection,
    rows: Rows,
}

/// The row of one post, as the disk will have it.
#[derive(Clone, Debug)]
pub struct Row {
    room: i64,
    seq: i64,
    idx: i64,
    author: i64,
    entry: Entry,
}

/// The chains of the rooms, as far as rows were made.
#[derive(Debug, Default)]
pub struct Chains(BTreeMap<RoomId, Sum>);

impl Chains {
    /// The rows of these posts.
    pub fn rows(&mut self, records: &[Arc<Record>]) -> Vec<Row> {
        records
            .iter()
            .filter_map(|record| self.row(record))
            .collect()
    }

    fn row(&mut self, record: &Record) -> Option<Row> {
        let Event::Posted(posted) = &record.event else {
            return None;
        };
        let sum = self.0.entry(record.room).or_insert(Sum::START);
        let entry = encode(record, WordsKey([7; 16]), sum);
        *sum = entry.sum;
        Some(Row {
            room: int(record.room),
            seq: int(record.seq),
            idx: int(posted.idx),
            author: int(record.by.id),
            entry,
        })
    }
}

impl Plain {
    /// Makes a file with rooms 1 to `rooms` and ten members in each. It is written like the store's:
    /// write-ahead, with full synchronisation.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn create(path: &Path, rooms: u64, rows: Rows) -> Result<Self> {
        let mut db = Connection::open(path)?;
        db.set_prepared_statement_cache_capacity(16);
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "wal_autocheckpoint", 8_192)?;
        db.pragma_update(None, "cache_size", -8 * 1024)?;
        db.execute_batch(SCHEMA)?;
        let transaction = db.transaction()?;
        for room in 1..=rooms {
            transaction.execute(
                "INSERT INTO rooms VALUES (?1, 0, 0, 0, x'', 'channel', 'den', NULL, 'den', NULL, NULL,
                     'open', 1, 'active', 1, 10, 1, 0, 0)",
                [int(room)],
            )?;
            for user in 1..=10 {
                transaction.execute(
                    "INSERT INTO members VALUES (?1, ?2, 'member', 1, 'member', NULL, 0)",
                    [int(room), user],
                )?;
            }
        }
        transaction.commit()?;
        Ok(Self { db, rows })
    }

    /// Inserts rows in one transaction.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn insert(&self, rows: &[Row]) -> Result<()> {
        let db = &self.db;
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut log = db.prepare_cached(
            "INSERT INTO records
                 (room, seq, run, idx, message, version, fact, mac, sum, key, words)
             VALUES (?1, ?2, 1, ?3, ?2, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for row in rows {
            insert_record(&mut log, row)?;
        }
        if self.rows == Rows::All {
            insert_lists(db, rows)?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

fn insert_record(log: &mut CachedStatement<'_>, row: &Row) -> Result<usize> {
    let entry = &row.entry;
    let sealed = entry.words.as_ref();
    log.execute(params![
        row.room,
        row.seq,
        row.idx,
        entry.version,
        entry.fact,
        entry.mac.map(|mac| mac.0),
        entry.sum.0,
        sealed.map(|sealed| sealed.key.0),
        sealed.map(|sealed| &sealed.words),
    ])
}

fn insert_lists(db: &Connection, rows: &[Row]) -> Result<()> {
    let mut marker =
        db.prepare_cached("UPDATE members SET read = ?3 WHERE room = ?1 AND user = ?2")?;
    let mut head = db.prepare_cached(
        "UPDATE rooms SET head_seq = ?2, head_idx = ?3, head_sum = ?4, head_message = ?2
         WHERE id = ?1",
    )?;
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        marker.execute([row.room, row.author, row.idx])?;
        // Once for each room of a batch, as the store does it.
        if rows.peek().is_none_or(|next| next.room != row.room) {
            head.execute(params![row.room, row.seq, row.idx, row.entry.sum.0])?;
        }
    }
    Ok(())
}

fn int(number: impl Into<u64>) -> i64 {
    i64::try_from(number.into()).expect("the core's numbers are below 2^53")
}
