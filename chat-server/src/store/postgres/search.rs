//! Looking for words: in the index as far as it goes, and message by message after that.

use chat_core::{RoomId, Seq, UserId};

use super::column::{get, int, number, rows};
use super::fault::Result;
use super::messages::{newest, read};
use super::tx::{Tx, params};
use crate::store::words::{Found, SEARCH_STEPS_MAX, Scope, SearchQuery, Sought};

/// What it costs to read a message, in steps through the index.
const READ_STEPS: usize = 4;

/// Messages that are looked at together.
const LISTED: usize = 50;

/// What was found so far, and what looking on may still cost.
struct Search<'a> {
    tx: &'a Tx<'a>,
    viewer: UserId,
    sought: &'a Sought,
    limit: usize,
    steps: usize,
    found: Found,
}

/// Looks for messages.
pub(super) async fn search(tx: &Tx<'_>, query: &SearchQuery) -> Result<Found> {
    let mut search = Search {
        tx,
        viewer: query.viewer,
        sought: &query.sought,
        limit: query.limit,
        steps: SEARCH_STEPS_MAX,
        found: Found::default(),
    };
    for scope in &query.rooms {
        if let Some(before) = search.look_in(scope).await? {
            search.found.next = Some((scope.room, before));
            break;
        }
    }
    Ok(search.found)
}

impl Search<'_> {
    /// Looks in one room; returns before which message to go on, if it was left off.
    async fn look_in(&mut self, scope: &Scope) -> Result<Option<Seq>> {
        // A room without a word of it costs something, too.
        self.steps = self.steps.saturating_sub(1);
        if self.is_over() {
            return Ok(Some(scope.to.next()));
        }
        let Some((indexed, kept_from)) = indexed(self.tx, scope.room).await? else {
            return Ok(None);
        };
        let scope = &Scope {
            from: scope.from.max(kept_from),
            ..*scope
        };
        if let Some(before) = self.read(scope, indexed).await? {
            return Ok(Some(before));
        }
        self.walk(scope, scope.to.min(indexed)).await
    }

    fn is_over(&self) -> bool {
        self.steps == 0 || self.found.items.len() >= self.limit
    }

    /// Reads what the index hasn't got yet, newest first.
    async fn read(&mut self, scope: &Scope, indexed: Seq) -> Result<Option<Seq>> {
        let (low, mut high) = (scope.from.max(indexed.next()), scope.to);
        loop {
            let page = newest(self.tx, scope.room, low, high, LISTED).await?;
            let messages = read(self.tx, scope.room, self.viewer, &page).await?;
            for message in messages.into_iter().rev() {
                let seq = message.seq;
                self.steps = self.steps.saturating_sub(READ_STEPS);
                if self.sought.finds(&message) {
                    self.found.items.push((scope.room, message));
                }
                if self.is_over() {
                    return Ok(Some(seq));
                }
            }
            let Some(first) = page.first() else {
                return Ok(None);
            };
            high = first.prev();
        }
    }

    /// Walks along the rarest word and looks whether the others stand beside it.
    async fn walk(&mut self, scope: &Scope, high: Seq) -> Result<Option<Seq>> {
        let terms = self.sought.terms();
        let Some((first, others)) = terms.split_first() else {
            return Ok(None);
        };
        let sql = "SELECT t.message,
                 (SELECT count(*) FROM terms o
                  WHERE o.room = t.room AND o.term = ANY($5) AND o.message = t.message)
                 = cardinality($5::text[])
             FROM terms t WHERE t.room = $1 AND t.term = $2 AND t.message BETWEEN $3 AND $4
             ORDER BY t.message DESC LIMIT $6";
        let mut high = high;
        loop {
            let (room, from, to) = (int(scope.room), int(scope.from), int(high));
            let wish = params![room, first.clone(), from, to, others.to_vec(), rows(LISTED)];
            let mut places: Vec<(Seq, bool)> = Vec::with_capacity(LISTED);
            for row in self.tx.rows(sql, wish).await? {
                places.push((number(&row, 0)?, get(&row, 1)?));
            }
            if let Some(before) = self.take(scope.room, &places, 1 + others.len()).await? {
                return Ok(Some(before));
            }
            match places.last() {
                Some((last, _)) if places.len() == LISTED => high = last.prev(),
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// Reads those of some messages in which all words stand, and takes those that say what is looked
    /// for.
    async fn take(
        &mut self,
        room: RoomId,
        places: &[(Seq, bool)],
        steps: usize,
    ) -> Result<Option<Seq>> {
        let has_all = places.iter().rev().filter(|(_, has_all)| *has_all);
        let wanted: Vec<Seq> = has_all.map(|(seq, _)| *seq).collect();
        let mut messages = read(self.tx, room, self.viewer, &wanted).await?;
        for (seq, has_all) in places {
            self.steps = self.steps.saturating_sub(steps);
            if *has_all && let Some(message) = messages.pop() {
                self.steps = self.steps.saturating_sub(READ_STEPS);
                if self.sought.finds(&message) {
                    self.found.items.push((room, message));
                }
            }
            if self.is_over() {
                return Ok(Some(*seq));
            }
        }
        Ok(None)
    }
}

/// How far a room's messages were taken in, and from where on they are kept; none of a room that
/// isn't there.
async fn indexed(tx: &Tx<'_>, room: RoomId) -> Result<Option<(Seq, Seq)>> {
    let sql = "SELECT indexed, kept_from FROM rooms WHERE id = $1 AND lifecycle <> 'deleted'";
    let found = tx.row(sql, params![int(room)]).await?;
    found
        .map(|row| Ok((number(&row, 0)?, number(&row, 1)?)))
        .transpose()
}
