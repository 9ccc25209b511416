//! Records into the log, and the refusal of those that don't fit.
//!
//! Whoever appends holds the lines of his rooms until it is durable: nobody else does so meanwhile, on
//! whatever node. What there is to know is asked in one go, all is judged in memory, room after room as
//! the batch has them, and all is written in one go.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Event, NUMBER_MAX, Room, RoomId, Seq, UserId};
use chat_protocol::log::{Sum, WordsKey, encode};
use tokio_postgres::Row;

use super::column::{bytes16, get, int, number};
use super::fault::{Fault, Result};
use super::keys::Keys;
use super::messages::Spot;
use super::project::Projection;
use super::retention;
use super::schema::{self, Lock};
use super::tx::{Steps, Tx, params};
use crate::store::project::{kept, touches_retention, without_names};
use crate::store::{Append, Appended};

/// Where a room's log ends.
#[derive(Clone, Copy)]
struct End {
    seq: Seq,
    sum: Sum,
    spot: Spot,
    /// Whether a record more may make the room due to be trimmed.
    falls_due: bool,
}

impl End {
    const NOWHERE: Self = Self {
        seq: Seq::new(0),
        sum: Sum::START,
        spot: Spot {
            idx: chat_core::Idx::new(0),
            message: Seq::new(0),
        },
        falls_due: false,
    };
}

/// Appends to each room of a batch, or refuses.
pub(super) async fn append(tx: &Tx<'_>, batch: &[Append]) -> Result<Vec<Appended>> {
    let known = Known::ask(tx, batch).await?;
    let Known {
        mut ends,
        mut keys,
        erased,
    } = known;
    let mut answers = Vec::with_capacity(batch.len());
    let mut lines = Lines::default();
    let (mut projection, mut changed) = (Projection::default(), BTreeSet::new());
    let mut snapshots = BTreeMap::new();
    for append in batch {
        let end = ends.entry(append.room).or_insert(End::NOWHERE);
        let is_of_this_run = append
            .epoch
            .as_deref()
            .is_none_or(|epoch| epoch == tx.epoch);
        #[cfg(sabotage)]
        let is_of_this_run =
            is_of_this_run || chat_core::sabotage::planted("heads_compared_across_runs");
        if end.seq != append.after || !is_of_this_run {
            answers.push(Appended::Conflict { head: end.seq });
            continue;
        }
        let taken = keys.claim(append.room, &append.records);
        if !taken.is_empty() {
            answers.push(Appended::Taken(taken));
            continue;
        }
        lines.write(tx.run, end, append, &erased, &mut projection)?;
        if !append.records.is_empty() {
            changed.insert(append.room);
            if let Some(room) = &append.snapshot {
                snapshots.insert(append.room, (room, end.sum));
            }
        }
        answers.push(Appended::Done);
    }
    if changed.is_empty() {
        return Ok(answers);
    }
    ends.retain(|room, _| changed.contains(room));

    let mut steps = Steps::default();
    keys.keep(&mut steps);
    lines.keep(&mut steps);
    projection.follow(tx, &mut steps).await?;
    keep_ends(&mut steps, &ends);
    for (room, sum) in snapshots.into_values() {
        if erased.is_empty() {
            keep_snapshot(&mut steps, room, &sum)?;
        } else {
            keep_snapshot(&mut steps, &without_names(Room::clone(room), &erased), &sum)?;
        }
    }
    tx.all(&mut steps).await?;
    for (room, end) in &ends {
        if end.falls_due {
            retention::settle(tx, *room).await?;
        }
    }
    Ok(answers)
}

/// What has to be known of a batch.
struct Known {
    ends: BTreeMap<RoomId, End>,
    keys: Keys,
    /// Those of its people who were erased.
    erased: BTreeSet<UserId>,
}

impl Known {
    async fn ask(tx: &Tx<'_>, batch: &[Append]) -> Result<Self> {
        let rooms: BTreeSet<RoomId> = batch.iter().map(|append| append.room).collect();
        let rooms: Vec<i64> = rooms.into_iter().map(int).collect();
        let mut steps = Steps::default();
        steps.push(schema::SHARE, params![Lock::Erasing.number()]);
        // In the order of their numbers, so that nobody waits for somebody who waits for him.
        steps.push(
            "SELECT id, head_seq, head_sum, head_idx, head_message,
                 keep_records IS NOT NULL OR (keep_days IS NOT NULL AND due_at IS NULL)
             FROM rooms WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
            params![rooms],
        );
        let sql = "SELECT person FROM erased WHERE person = ANY($1)";
        steps.push(sql, params![people(batch)]);
        Keys::ask(&mut steps, batch);
        let mut answers = tx.all(&mut steps).await?.into_iter().skip(1);
        let ends = answers.next().unwrap_or_default();
        let erased = answers.next().unwrap_or_default();
        let mut keys = Keys::default();
        for rows in answers {
            keys.learn(&rows)?;
        }
        #[cfg(sabotage)]
        let erased = match chat_core::sabotage::planted("erased_elsewhere_not_asked_for") {
            true => Vec::new(),
            false => erased,
        };
        let erased = erased.iter().map(|row| number(row, 0));
        Ok(Self {
            ends: ends.iter().map(end).collect::<Result<_>>()?,
            keys,
            erased: erased.collect::<Result<_>>()?,
        })
    }
}

/// Everybody whose words a batch has.
fn people(batch: &[Append]) -> Vec<i64> {
    let mut people = BTreeSet::new();
    for append in batch {
        people.extend(append.records.iter().map(|record| record.by.id));
        if let Some(room) = &append.snapshot {
            let members = room.members.iter();
            let named = members.filter(|(_, member)| member.nickname.is_some());
            people.extend(named.map(|(user, _)| *user));
        }
    }
    people.into_iter().map(int).collect()
}

fn end(row: &Row) -> Result<(RoomId, End)> {
    let end = End {
        seq: number(row, 1)?,
        sum: Sum(bytes16(row, 2)?),
        spot: Spot {
            idx: number(row, 3)?,
            message: number(row, 4)?,
        },
        falls_due: get(row, 5)?,
    };
    Ok((number(row, 0)?, end))
}

/// Records as lines of their table, column by column.
#[derive(Default)]
struct Lines {
    rooms: Vec<i64>,
    seqs: Vec<i64>,
    runs: Vec<i64>,
    idxs: Vec<i64>,
    messages: Vec<i64>,
    authors: Vec<i64>,
    versions: Vec<i64>,
    facts: Vec<Vec<u8>>,
    macs: Vec<Option<Vec<u8>>>,
    sums: Vec<Vec<u8>>,
    keys: Vec<Option<Vec<u8>>>,
    words: Vec<Option<Vec<u8>>>,
}

impl Lines {
    /// Adds the records of one room, and moves its end on.
    fn write(
        &mut self,
        run: i64,
        end: &mut End,
        append: &Append,
        erased: &BTreeSet<UserId>,
        projection: &mut Projection,
    ) -> Result<()> {
        let mut random = vec![0; 16 * append.records.len()];
        getrandom::fill(&mut random).map_err(|error| Fault::Unavailable(error.to_string()))?;
        for (record, key) in append.records.iter().zip(random.as_chunks().0) {
            let record = kept(record, erased).into_owned();
            let entry = encode(&record, WordsKey(*key), &end.sum);
            (end.seq, end.sum) = (record.seq, entry.sum);
            if let Event::Posted(it) = &record.event {
                end.spot = Spot {
                    idx: it.idx,
                    message: record.seq,
                };
            }
            end.falls_due |= touches_retention(&record.event);
            self.rooms.push(int(record.room));
            self.seqs.push(int(record.seq));
            self.runs.push(run);
            self.idxs.push(int(end.spot.idx));
            self.messages.push(int(end.spot.message));
            self.authors.push(int(record.by.id));
            self.versions.push(i64::from(entry.version));
            self.facts.push(entry.fact);
            self.macs.push(entry.mac.map(|mac| mac.0.to_vec()));
            self.sums.push(entry.sum.0.to_vec());
            let (key, words) = match entry.words {
                Some(sealed) => (Some(sealed.key.0.to_vec()), Some(sealed.words)),
                None => (None, None),
            };
            self.keys.push(key);
            self.words.push(words);
            projection.note(record, end.spot.idx);
        }
        Ok(())
    }

    fn keep(self, steps: &mut Steps) {
        steps.push(
            "INSERT INTO records
                 (room, seq, run, idx, message, author, version, fact, mac, sum, key, words)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                 $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[],
                 $11::bytea[], $12::bytea[])",
            params![
                self.rooms,
                self.seqs,
                self.runs,
                self.idxs,
                self.messages,
                self.authors,
                self.versions,
                self.facts,
                self.macs,
                self.sums,
                self.keys,
                self.words
            ],
        );
    }
}

/// Notes where logs end.
fn keep_ends(steps: &mut Steps, ends: &BTreeMap<RoomId, End>) {
    let column = |of: fn(&End) -> i64| ends.values().map(of).collect::<Vec<i64>>();
    let sums: Vec<Vec<u8>> = ends.values().map(|end| end.sum.0.to_vec()).collect();
    let rooms: Vec<i64> = ends.keys().copied().map(int).collect();
    steps.push(
        "UPDATE rooms SET head_seq = e.seq, head_sum = e.sum, head_idx = e.idx,
             head_message = e.message
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[])
             AS e (room, seq, sum, idx, message)
         WHERE id = e.room",
        params![
            rooms,
            column(|end| int(end.seq)),
            sums,
            column(|end| int(end.spot.idx)),
            column(|end| int(end.spot.message))
        ],
    );
}

/// Keeps a room's state, whose log has this sum there.
pub(super) fn keep_snapshot(steps: &mut Steps, room: &Room, sum: &Sum) -> Result<()> {
    let state = serde_json::to_vec(room).map_err(|error| Fault::Unavailable(error.to_string()))?;
    let seal = sum.seal(&state).0.to_vec();
    steps.push(
        "INSERT INTO snapshots (room, seq, state, sum, seal) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (room) DO UPDATE SET seq = excluded.seq, state = excluded.state,
             sum = excluded.sum, seal = excluded.seal",
        params![
            int(room.id),
            int(room.head_seq),
            state,
            sum.0.to_vec(),
            seal
        ],
    );
    Ok(())
}

/// The first of so many numbers that no room has, and nobody else gets.
pub(super) async fn reserve_rooms(tx: &Tx<'_>, count: u64) -> Result<u64> {
    let sql = "SELECT value FROM settings WHERE name = 'next_room' FOR UPDATE";
    let kept = tx.row(sql, params![]).await?;
    let kept = kept.map(|row| get::<String>(&row, 0)).transpose()?;
    let kept: Option<u64> = kept.and_then(|kept| kept.parse().ok());
    let kept = kept.ok_or_else(|| Fault::damaged("the next room's number is no number"))?;
    let sql = "SELECT coalesce(max(id), 0) + 1 FROM rooms";
    let above = tx.row(sql, params![]).await?;
    let above = above.map(|row| number(&row, 0)).transpose()?;
    let next = u64::max(kept, above.unwrap_or(1));
    let after = next.checked_add(count).filter(|it| *it <= NUMBER_MAX);
    let after = after.ok_or_else(|| Fault::damaged("the next room's number is out of range"))?;
    let sql = "UPDATE settings SET value = $1 WHERE name = 'next_room'";
    tx.execute(sql, params![after.to_string()]).await?;
    Ok(next)
}
