//! Looking for words: in the index as far as it goes, and message by message after that.

use chat_core::{RoomId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{int, number};
use super::fault::Result;
use super::messages::{newest, one};
use crate::store::words::{Found, SEARCH_STEPS_MAX, Scope, SearchQuery, Sought};

/// What it costs to read a message, in steps through the index.
const READ_STEPS: usize = 4;

/// Messages behind the index that are listed at a time.
const LISTED: usize = 50;

/// What was found so far, and what looking on may still cost.
struct Search<'a> {
    db: &'a Connection,
    viewer: UserId,
    sought: &'a Sought,
    limit: usize,
    steps: usize,
    found: Found,
}

/// Looks for messages.
pub(super) fn search(db: &Connection, query: &SearchQuery) -> Result<Found> {
    let mut search = Search {
        db,
        viewer: query.viewer,
        sought: &query.sought,
        limit: query.limit,
        steps: SEARCH_STEPS_MAX,
        found: Found::default(),
    };
    for scope in &query.rooms {
        if let Some(before) = search.look_in(scope)? {
            search.found.next = Some((scope.room, before));
            break;
        }
    }
    Ok(search.found)
}

impl Search<'_> {
    /// Looks in one room; returns before which message to go on, if it was left off.
    fn look_in(&mut self, scope: &Scope) -> Result<Option<Seq>> {
        // A room without a word of it costs something, too.
        self.steps = self.steps.saturating_sub(1);
        if self.is_over() {
            return Ok(Some(scope.to.next()));
        }
        let Some((indexed, kept_from)) = indexed(self.db, scope.room)? else {
            return Ok(None);
        };
        let scope = &Scope {
            from: scope.from.max(kept_from),
            ..*scope
        };
        if let Some(before) = self.read(scope, indexed)? {
            return Ok(Some(before));
        }
        self.walk(scope, scope.to.min(indexed))
    }

    fn is_over(&self) -> bool {
        self.steps == 0 || self.found.items.len() >= self.limit
    }

    /// Reads what the index hasn't got yet, newest first.
    fn read(&mut self, scope: &Scope, indexed: Seq) -> Result<Option<Seq>> {
        let (low, mut high) = (scope.from.max(indexed.next()), scope.to);
        loop {
            let page = newest(self.db, scope.room, low, high, LISTED)?;
            for seq in page.iter().rev() {
                self.steps = self.steps.saturating_sub(READ_STEPS);
                self.take(scope.room, *seq)?;
                if self.is_over() {
                    return Ok(Some(*seq));
                }
            }
            let Some(first) = page.first() else {
                return Ok(None);
            };
            high = first.prev();
        }
    }

    /// Walks along the rarest word and looks whether the others stand beside it.
    fn walk(&mut self, scope: &Scope, high: Seq) -> Result<Option<Seq>> {
        let terms = self.sought.terms();
        let Some((first, others)) = terms.split_first() else {
            return Ok(None);
        };
        let mut query = self.db.prepare_cached(
            "SELECT message FROM terms WHERE room = ?1 AND term = ?2 AND message BETWEEN ?3 AND ?4
             ORDER BY message DESC",
        )?;
        let room = int(scope.room);
        let mut rows = query.query(params![room, first, int(scope.from), int(high)])?;
        while let Some(row) = rows.next()? {
            let message: Seq = number(row, 0)?;
            self.steps = self.steps.saturating_sub(1 + others.len());
            if self.has_all(scope.room, message, others)? {
                self.steps = self.steps.saturating_sub(READ_STEPS);
                self.take(scope.room, message)?;
            }
            if self.is_over() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn has_all(&self, room: RoomId, message: Seq, terms: &[String]) -> Result<bool> {
        let mut query = self
            .db
            .prepare_cached("SELECT 1 FROM terms WHERE room = ?1 AND term = ?2 AND message = ?3")?;
        for term in terms {
            let found = query
                .query_row(params![int(room), term, int(message)], |_| Ok(()))
                .optional()?;
            if found.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a message, and takes it if it says what is looked for.
    fn take(&mut self, room: RoomId, seq: Seq) -> Result<()> {
        let message = one(self.db, room, self.viewer, seq)?;
        if self.sought.finds(&message) {
            self.found.items.push((room, message));
        }
        Ok(())
    }
}

/// How far a room's messages were taken in, and from where on they are kept; none of a room that
/// isn't there.
fn indexed(db: &Connection, room: RoomId) -> Result<Option<(Seq, Seq)>> {
    let mut query = db.prepare_cached(
        "SELECT indexed, kept_from FROM rooms WHERE id = ?1 AND lifecycle <> 'deleted'",
    )?;
    let mut found = query.query([int(room)])?;
    let row = found.next()?;
    row.map(|row| Ok((number(row, 0)?, number(row, 1)?)))
        .transpose()
}
