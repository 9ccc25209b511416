//! All lists, made again from the logs.

use std::collections::BTreeSet;

use chat_core::{Event, Record, Room, RoomId, Seq, UserId, Words};
use chat_protocol::log::Sum;
use rusqlite::{Connection, OptionalExtension, Rows};

use super::keys::{self, Alias};
use super::scratch::damage;
use super::{Finding, Part, Tell, find};
use crate::store::StoreError;
use crate::store::project::without_names;
use crate::store::sqlite::column::{int, number};
use crate::store::sqlite::fault::{Fault, Result};
use crate::store::sqlite::messages::Spot;
use crate::store::sqlite::{append, erase, log, project, retention, terms};

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) rooms: u64,
    pub(super) records: u64,
    pub(super) messages: u64,
}

/// What is to become of snapshots.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Snapshots {
    /// They stay.
    Keep,
    /// Each is made again, at the log's end.
    Renew,
}

/// Follows every log in the store, and compares its snapshot with what it leads to.
///
/// A log that can't be followed to its end leaves nothing in the lists; its room is noted as broken.
pub(super) fn fold(
    db: &Connection,
    snapshots: Snapshots,
    tell: Tell<'_>,
) -> Result<Read, StoreError> {
    let mut read = Read::default();
    let mut after = i64::MIN;
    loop {
        let room = match next_room(db, after) {
            Ok(Some(room)) => room,
            Ok(None) => return Ok(read),
            Err(fault) => {
                find(tell, Part::File, format!("the log: {}", damage(&fault)?));
                return Ok(read);
            }
        };
        read.rooms += 1;
        if let Err(fault) = fold_room(db, room, snapshots, &mut read, tell) {
            find(tell, Part::Log, in_room(room, &damage(&fault)?));
            give_up(db, room).map_err(|fault| StoreError::from(&fault))?;
        }
        after = room;
    }
}

/// Says where, unless the words do.
fn in_room(room: i64, words: &str) -> String {
    if words.starts_with("room ") {
        words.to_owned()
    } else {
        format!("room {room}: {words}")
    }
}

fn next_room(db: &Connection, after: i64) -> Result<Option<i64>> {
    let next = db
        .prepare_cached(
            "SELECT min(room) FROM (
                 SELECT min(room) AS room FROM store.records WHERE room > ?1
                 UNION ALL SELECT min(id) FROM store.rooms WHERE id > ?1)",
        )?
        .query_row([after], |row| row.get(0))?;
    Ok(next)
}

fn give_up(db: &Connection, room: i64) -> Result<()> {
    db.execute_batch("ROLLBACK TO room; RELEASE room")?;
    db.execute("INSERT INTO main.broken (room) VALUES (?1)", [room])?;
    Ok(())
}

fn fold_room(
    db: &Connection,
    number: i64,
    snapshots: Snapshots,
    read: &mut Read,
    tell: Tell<'_>,
) -> Result<()> {
    db.prepare_cached("SAVEPOINT room")?.execute([])?;
    let room = u64::try_from(number)
        .ok()
        .and_then(|number| RoomId::try_from(number).ok())
        .ok_or_else(|| Fault::damaged("its number is none that a room has"))?;
    let kept = kept(db, room, tell)?;
    let mut statement = db.prepare_cached(
        "SELECT seq, run, idx, message FROM store.records WHERE room = ?1 ORDER BY seq",
    )?;
    let mut fold = Fold {
        db,
        room,
        erased: erase::everybody(db)?,
        swept: swept(db)?,
        trimmed: trimmed(db, number)?,
        state: None,
        spot: Spot::default(),
        run: i64::MIN,
        alias: None,
        kept,
        beside: statement.query([number])?,
        tell,
    };
    let end = log::follow(db, room, Seq::default(), Sum::START, usize::MAX, |record| {
        read.records += 1;
        read.messages += u64::from(matches!(record.event, Event::Posted(_)));
        fold.step(record)
    })?;
    fold.end(&end, snapshots)?;
    drop(fold);
    db.prepare_cached("RELEASE room")?.execute([])?;
    Ok(())
}

/// The snapshot that is to be compared.
fn kept(db: &Connection, room: RoomId, tell: Tell<'_>) -> Result<Option<Room>> {
    match log::snapshot(db, room) {
        Ok(kept) => Ok(kept.map(|(state, _)| state)),
        Err(Fault::Damaged(words)) => {
            find(tell, Part::Lists, in_room(int(room), &words));
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Erased users whose words are all gone.
fn swept(db: &Connection) -> Result<BTreeSet<UserId>> {
    let mut query = db.prepare_cached("SELECT user FROM store.erased WHERE room IS NULL")?;
    let mut found = query.query([])?;
    let mut users = BTreeSet::new();
    while let Some(row) = found.next()? {
        users.insert(number(row, 0)?);
    }
    Ok(users)
}

/// Up to where words were taken away that a room doesn't keep.
fn trimmed(db: &Connection, room: i64) -> Result<Seq> {
    let mut query = db.prepare_cached("SELECT swept FROM store.rooms WHERE id = ?1")?;
    let mut found = query.query([room])?;
    let row = found.next()?;
    Ok(row
        .map(|row| number(row, 0))
        .transpose()?
        .unwrap_or_default())
}

/// Takes the words in of what the store has taken in.
fn index(db: &Connection, room: RoomId) -> Result<()> {
    let mut query = db.prepare_cached(
        "SELECT r.seq FROM store.records r JOIN store.rooms i ON i.id = r.room
         WHERE r.room = ?1 AND r.message = r.seq AND r.seq <= i.indexed ORDER BY r.seq",
    )?;
    let mut found = query.query([int(room)])?;
    while let Some(row) = found.next()? {
        let message = number(row, 0)?;
        if let Some(known) = project::known(db, int(room), message)? {
            terms::add(db, int(room), message, known.content.as_ref())?;
        }
    }
    Ok(())
}

/// One room's log on its way.
struct Fold<'a, 'b> {
    db: &'a Connection,
    room: RoomId,
    /// Who was erased, and those of them of whom no words may be left.
    erased: BTreeSet<UserId>,
    swept: BTreeSet<UserId>,
    /// What was said before this record has no words any more.
    trimmed: Seq,
    state: Option<Room>,
    spot: Spot,
    run: i64,
    alias: Alias,
    kept: Option<Room>,
    beside: Rows<'b>,
    tell: &'a mut dyn FnMut(Finding),
}

impl Fold<'_, '_> {
    fn find(&mut self, part: Part, words: &str) {
        find(self.tell, part, format!("room {}{words}", self.room));
    }

    fn step(&mut self, record: Record) -> Result<()> {
        let seq = record.seq;
        let record = &self.bare(record);
        let hole = || Fault::Damaged(format!("room {}, record {seq}: doesn't follow", self.room));
        match &mut self.state {
            Some(state) => {
                let at = state.head_at;
                state.follow(record).ok_or_else(hole)?;
                if record.at < at {
                    self.find(
                        Part::Log,
                        &format!(", record {seq}: is dated before the one before it"),
                    );
                }
            }
            None => self.state = Some(Room::founded(record).ok_or_else(hole)?),
        }
        if let Event::Posted(it) = &record.event {
            if it.idx != self.spot.idx.next() {
                let words = format!(
                    ", record {seq}: message {} follows {}",
                    it.idx, self.spot.idx
                );
                self.find(Part::Log, &words);
            }
            self.spot = Spot {
                idx: it.idx,
                message: seq,
            };
        }
        project::project(self.db, record, self.spot.idx)?;
        if let Some(words) = keys::follow(self.db, record, &mut self.alias)? {
            self.find(Part::Log, &format!(", record {seq}: {words}"));
        }
        self.look_beside(seq)?;
        if let Some(kept) = self.kept.take_if(|kept| kept.head_seq == seq)
            && self.state.as_ref() != Some(&without_names(kept, &self.erased))
        {
            let words = format!(": the snapshot at record {seq} is not what the log leads to");
            self.find(Part::Lists, &words);
        }
        Ok(())
    }

    /// A record as the lists know it: of one who was erased without words, which may still be there
    /// while they go.
    fn bare(&mut self, mut record: Record) -> Record {
        if self.erased.contains(&record.by.id) {
            let words = record.take_words();
            if words != Words::default() && self.swept.contains(&record.by.id) {
                let words = format!(
                    ", record {}: is an erased user's, and has words",
                    record.seq
                );
                self.find(Part::Lists, &words);
            }
        }
        if record.is_trimmed(self.trimmed) && record.clone().take_words() != Words::default() {
            let words = format!(", record {}: is kept no longer, and has words", record.seq);
            self.find(Part::Lists, &words);
        }
        record
    }

    /// What stands beside a record and not in it: in no sum, and to be counted again.
    fn look_beside(&mut self, seq: Seq) -> Result<()> {
        let Some(row) = self.beside.next()? else {
            return Ok(());
        };
        let (run, idx, message): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let same = row.get::<_, i64>(0)? == int(seq);
        if run < self.run {
            self.find(Part::Log, &format!(", record {seq}: its run is over"));
        }
        self.run = self.run.max(run);
        let spot = (int(self.spot.idx), int(self.spot.message));
        if !same || (idx, message) != spot {
            self.find(
                Part::Lists,
                &format!(", record {seq}: counts messages wrongly"),
            );
            self.db
                .prepare_cached("INSERT OR REPLACE INTO main.spots VALUES (?1, ?2, ?3, ?4)")?
                .execute([int(self.room), int(seq), spot.0, spot.1])?;
        }
        Ok(())
    }

    fn end(&mut self, sum: &Sum, snapshots: Snapshots) -> Result<()> {
        if let Some(kept) = self.kept.take() {
            let end = self.state.as_ref().map_or(Seq::default(), |it| it.head_seq);
            let words = format!(
                ": the log ends at record {end}, and the snapshot is of record {}",
                kept.head_seq
            );
            return Err(Fault::Damaged(format!("room {}{words}", self.room)));
        }
        let end = self.state.as_ref().map(|state| state.head_seq);
        let head: Option<Seq> = self
            .db
            .prepare_cached("SELECT head_seq FROM store.rooms WHERE id = ?1")?
            .query_row([int(self.room)], |row| Ok(number(row, 0)))
            .optional()?
            .transpose()?;
        if let Some(head) = head.filter(|head| *head > end.unwrap_or_default()) {
            let end = end.unwrap_or_default();
            let words = format!("the log ends at record {end}, and there were {head}");
            return Err(Fault::Damaged(format!("room {}: {words}", self.room)));
        }
        let Some(state) = &self.state else {
            return Ok(());
        };
        append::keep_end(self.db, self.room, state.head_seq, sum, self.spot)?;
        retention::settle(self.db, self.room)?;
        index(self.db, self.room)?;
        if snapshots == Snapshots::Renew {
            append::keep_snapshot(self.db, state, sum)?;
        }
        for words in state.broken_invariants() {
            find(self.tell, Part::Log, format!("room {}: {words}", self.room));
        }
        if let Some(words) = keys::settle(self.db, self.room, self.alias.take())? {
            self.find(Part::Log, &format!(": {words}"));
        }
        Ok(())
    }
}
