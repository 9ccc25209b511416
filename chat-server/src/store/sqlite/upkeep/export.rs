//! A room's records, for reading elsewhere.

use std::io::{self, Write};
use std::path::Path;

use chat_core::{Event, Key, Record, RoomId, Seq};
use chat_protocol::log::Sum;
use chat_protocol::{RoomRef, Spelling};
use rusqlite::{Connection, OptionalExtension};

use super::scratch::source;
use crate::store::StoreError;
use crate::store::sqlite::column::int;
use crate::store::sqlite::fault::{Fault, Result};
use crate::store::sqlite::{erase, keys, log, open, trim};

/// Why a room can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is none by that number, alias or spelling.
    #[error("there is no room {0:?}")]
    NoRoom(String),
    /// It can't be written.
    #[error("can't write: {0}")]
    Write(io::Error),
    /// It can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes all records of a room, oldest first, one JSON object a line, and returns how many.
///
/// The room goes by its number, by its alias, or by any dialect's spelling of its number; a deleted
/// one by its number or a spelling. Deleted messages, all that erased people wrote, and what was said
/// before the room was trimmed, are there without their words. No record tells the hash of a room's
/// password.
///
/// # Errors
///
/// [`ExportError`] says what is in the way; of a damaged log, all records before the damage are
/// written.
pub fn export(store: &Path, room: &str, out: &mut dyn Write) -> Result<u64, ExportError> {
    let db = source(store)?;
    db.execute_batch("BEGIN")
        .map_err(|error| open::refusal(store, error))?;
    let failed = |fault: Fault| ExportError::Store(StoreError::from(&fault));
    let number = find(&db, room)
        .map_err(failed)?
        .ok_or_else(|| ExportError::NoRoom(room.to_owned()))?;
    let kept_from = trim::kept_from(&db, number).map_err(failed)?;
    let (mut count, mut unwritten) = (0, None);
    let followed = log::follow(
        &db,
        number,
        Seq::default(),
        Sum::START,
        usize::MAX,
        |record| {
            let record = trim::told(kept_from, erase::told(&db, record)?);
            write(out, record).map_err(|error| {
                let words = error.to_string();
                unwritten = Some(error);
                Fault::Unavailable(words)
            })?;
            count += 1;
            Ok(())
        },
    );
    if let Some(error) = unwritten {
        return Err(ExportError::Write(error));
    }
    followed.map_err(failed)?;
    out.flush().map_err(ExportError::Write)?;
    Ok(count)
}

fn write(out: &mut dyn Write, record: Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &public(record))?;
    out.write_all(b"\n")
}

/// The record without what only the server may know.
fn public(mut record: Record) -> Record {
    if let Event::RoomCreated(it) = &mut record.event {
        it.access = it.access.public();
    } else if let Event::AccessChanged(it) = &mut record.event {
        it.access = it.access.as_ref().map(|access| access.public());
    }
    record
}

/// The room that somebody means.
fn find(db: &Connection, word: &str) -> Result<Option<RoomId>> {
    let meant = RoomRef::read(Spelling::Number, word);
    if let Some(room) = meant.own {
        return Ok(is_room(db, room)?.then_some(room));
    }
    if let Some(alias) = meant.alias
        && let Some(holder) = keys::holder(db, &Key::Alias(alias.skeleton()))?
    {
        return Ok(Some(holder.room));
    }
    for room in meant.others {
        if is_room(db, room)? {
            return Ok(Some(room));
        }
    }
    Ok(None)
}

fn is_room(db: &Connection, room: RoomId) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM records WHERE room = ?1 LIMIT 1")?
        .query_row([int(room)], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
