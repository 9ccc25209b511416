//! Keys that are unique beyond one room.
//!
//! Keys of a room's own commands can be claimed by whoever holds that room alone. Two who are as fast
//! with another key find it free both; the second waits for the first at the unique key, fails by it,
//! and is tried again: then he sees who holds it. All claim in the same order, so none waits for one
//! who waits for him.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::{Key, Record, RoomId, Timestamp, UserId};
use tokio_postgres::Row;

use super::column::{get, int, number};
use super::fault::{Fault, Result};
use super::tx::{Params, Steps, Tx, params};
use crate::store::{Append, Holder, Taken};

/// The keys that a batch is about: who holds them, and who is to.
#[derive(Default)]
pub(super) struct Keys {
    held: BTreeMap<Key, Holder>,
    claimed: Vec<(Key, Holder, Timestamp)>,
    /// Rooms that give up their aliases.
    freed: BTreeSet<RoomId>,
}

const CIDS_HELD: &str = "SELECT c.scope, c.person, c.cid, c.room, c.seq
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS k (scope, person, cid)
     JOIN cids c ON c.scope = k.scope AND c.person = k.person AND c.cid = k.cid";
const ALIASES_HELD: &str = "SELECT skeleton, room, seq FROM aliases WHERE skeleton = ANY($1)";
const DIRECTS_HELD: &str = "SELECT d.one, d.other, d.room
     FROM unnest($1::bigint[], $2::bigint[]) AS k (one, other)
     JOIN directs d ON d.one = k.one AND d.other = k.other";

/// Keys, apart by the tables that they stand in.
#[derive(Default)]
struct Columns {
    cids: (Vec<i64>, Vec<i64>, Vec<String>),
    aliases: Vec<String>,
    directs: (Vec<i64>, Vec<i64>),
}

impl Columns {
    fn add(&mut self, key: &Key) {
        let (scope, user, cid) = match key {
            Key::Alias(skeleton) => return self.aliases.push(skeleton.clone()),
            Key::Direct(one, other) => {
                self.directs.0.push(int(*one));
                return self.directs.1.push(int(*other));
            }
            Key::Creation(user, cid) => (0, user, cid),
            Key::Command(scope, user, cid) => (int(*scope), user, cid),
        };
        self.cids.0.push(scope);
        self.cids.1.push(int(*user));
        self.cids.2.push(cid.as_str().to_owned());
    }
}

impl Keys {
    /// Asks who holds the keys that a batch claims.
    pub(super) fn ask(steps: &mut Steps, batch: &[Append]) {
        let records = batch.iter().flat_map(|append| &append.records);
        let keys: BTreeSet<Key> = records.flat_map(|record| record.keys()).collect();
        let mut columns = Columns::default();
        keys.iter().for_each(|key| columns.add(key));
        let Columns {
            cids,
            aliases,
            directs,
        } = columns;
        // A batch is mostly of keys of one kind, or of none.
        if !cids.0.is_empty() {
            steps.push(CIDS_HELD, params![cids.0, cids.1, cids.2]);
        }
        if !aliases.is_empty() {
            steps.push(ALIASES_HELD, params![aliases]);
        }
        if !directs.0.is_empty() {
            steps.push(DIRECTS_HELD, params![directs.0, directs.1]);
        }
    }

    /// Takes one answer; which table it is from is told by its columns.
    pub(super) fn learn(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let names = row.columns().iter().map(tokio_postgres::Column::name);
            let (key, by) = match names.clone().next() {
                Some("scope") => {
                    let (scope, user): (RoomId, UserId) = (number(row, 0)?, number(row, 1)?);
                    let cid = super::column::text(row, 2)?;
                    let cid = cid.ok_or_else(|| Fault::damaged("a cid is missing"))?;
                    let key = match scope.number() {
                        0 => Key::Creation(user, cid),
                        _ => Key::Command(scope, user, cid),
                    };
                    (key, holder_of(row, 3)?)
                }
                Some("one") => {
                    let key = Key::Direct(number(row, 0)?, number(row, 1)?);
                    let room = number(row, 2)?;
                    let seq = chat_core::Seq::new(1);
                    (key, Holder { room, seq })
                }
                Some(_) | None => (Key::Alias(get(row, 0)?), holder_of(row, 1)?),
            };
            self.held.insert(key, by);
        }
        Ok(())
    }

    /// Claims all keys of one room's records; if some are held already, claims none and says which.
    pub(super) fn claim(&mut self, room: RoomId, records: &[Arc<Record>]) -> Vec<Taken> {
        let before = self.claimed.len();
        // What was held before, in the order in which it changed: a refusal takes it back.
        let mut changed: Vec<(Key, Option<Holder>)> = Vec::new();
        let (mut taken, mut frees) = (Vec::new(), false);
        for record in records {
            if record.frees_alias() {
                frees = true;
                let of_room =
                    |(key, by): &(&Key, &Holder)| by.room == room && matches!(key, Key::Alias(_));
                let freed: Vec<Key> = self
                    .held
                    .iter()
                    .filter(of_room)
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in freed {
                    let by = self.held.remove(&key);
                    changed.push((key, by));
                }
            }
            for key in record.keys() {
                if let Some(by) = self.held.get(&key).copied() {
                    taken.push(Taken { key, by });
                    continue;
                }
                let by = Holder {
                    room,
                    seq: record.seq,
                };
                self.held.insert(key.clone(), by);
                changed.push((key.clone(), None));
                self.claimed.push((key, by, record.at));
            }
        }
        if taken.is_empty() {
            if frees {
                self.freed.insert(room);
            }
            return taken;
        }
        self.claimed.truncate(before);
        for (key, by) in changed.into_iter().rev() {
            match by {
                Some(by) => self.held.insert(key, by),
                None => self.held.remove(&key),
            };
        }
        taken
    }

    /// Writes what was claimed and given up.
    pub(super) fn keep(mut self, steps: &mut Steps) {
        if !self.freed.is_empty() {
            let rooms: Vec<i64> = self.freed.iter().copied().map(int).collect();
            steps.push("DELETE FROM aliases WHERE room = ANY($1)", params![rooms]);
        }
        self.claimed.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let (mut keys, mut cid_places, mut cid_times) =
            (Columns::default(), Places::default(), Vec::new());
        let (mut alias_places, mut direct_rooms) = (Places::default(), Vec::new());
        for (key, by, at) in &self.claimed {
            match key {
                // It may have been given up again by a later record of the same batch.
                Key::Alias(_) if self.held.get(key) != Some(by) => continue,
                Key::Alias(_) => alias_places.add(by),
                Key::Direct(..) => direct_rooms.push(int(by.room)),
                Key::Creation(..) | Key::Command(..) => {
                    cid_places.add(by);
                    cid_times.push(int(*at));
                }
            }
            keys.add(key);
        }
        if !keys.aliases.is_empty() {
            steps.push(
                "INSERT INTO aliases (skeleton, room, seq)
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])",
                params![keys.aliases, alias_places.rooms, alias_places.seqs],
            );
        }
        if !direct_rooms.is_empty() {
            steps.push(
                "INSERT INTO directs (one, other, room)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",
                params![keys.directs.0, keys.directs.1, direct_rooms],
            );
        }
        if !cid_times.is_empty() {
            let (scopes, users, cids) = keys.cids;
            steps.push(
                "INSERT INTO cids (scope, person, cid, room, seq, at)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[],
                     $5::bigint[], $6::bigint[])",
                params![
                    scopes,
                    users,
                    cids,
                    cid_places.rooms,
                    cid_places.seqs,
                    cid_times
                ],
            );
        }
    }
}

#[derive(Default)]
struct Places {
    rooms: Vec<i64>,
    seqs: Vec<i64>,
}

impl Places {
    fn add(&mut self, by: &Holder) {
        self.rooms.push(int(by.room));
        self.seqs.push(int(by.seq));
    }
}

fn holder_of(row: &Row, first: usize) -> Result<Holder> {
    Ok(Holder {
        room: number(row, first)?,
        seq: number(row, first + 1)?,
    })
}

/// Who holds a key.
pub(super) async fn holder(tx: &Tx<'_>, key: &Key) -> Result<Option<Holder>> {
    let cid = "SELECT room, seq FROM cids WHERE scope = $1 AND person = $2 AND cid = $3";
    let (sql, wish): (_, Params) = match key {
        Key::Alias(skeleton) => (
            "SELECT room, seq FROM aliases WHERE skeleton = $1",
            params![skeleton.clone()],
        ),
        Key::Direct(one, other) => (
            "SELECT room, 1::bigint FROM directs WHERE one = $1 AND other = $2",
            params![int(*one), int(*other)],
        ),
        Key::Creation(user, id) => (cid, params![0_i64, int(*user), id.as_str().to_owned()]),
        Key::Command(scope, user, id) => (
            cid,
            params![int(*scope), int(*user), id.as_str().to_owned()],
        ),
    };
    if let Key::Alias(skeleton) = key
        && !super::column::is_storable(skeleton)
    {
        return Ok(None);
    }
    let found = tx.row(sql, wish).await?;
    found.map(|row| holder_of(&row, 0)).transpose()
}

/// A place in the list of cids, between the cids of one user and room and those of the next.
pub(super) type Place = (i64, i64);

/// The place before all others.
pub(super) const FIRST: Place = (-1, -1);

/// Cids that are looked at in one go.
const LOOKED_AT: i64 = 10_000;

/// Forgets cids, from a place on: those older than `before`, and not among the newest `keep` of their
/// user and room. Returns where to go on; none at the end.
pub(super) async fn forget(
    tx: &Tx<'_>,
    from: Place,
    before: Timestamp,
    keep: usize,
) -> Result<Option<Place>> {
    let sql = "SELECT scope, person FROM cids WHERE (scope, person) > ($1, $2)
               ORDER BY scope, person OFFSET $3 LIMIT 1";
    let next = tx.row(sql, params![from.0, from.1, LOOKED_AT]).await?;
    let next = next.map(|row| Ok::<Place, Fault>((get(&row, 0)?, get(&row, 1)?)));
    let next = next.transpose()?;
    let upto = next.unwrap_or((i64::MAX, i64::MAX));
    let sql = "DELETE FROM cids c USING (
             SELECT scope, person, cid, at, row_number() OVER (
                 PARTITION BY scope, person ORDER BY at DESC, room DESC, seq DESC) AS place
             FROM cids WHERE (scope, person) > ($1, $2) AND (scope, person) <= ($3, $4)) k
         WHERE k.place > $5 AND k.at < $6
             AND c.scope = k.scope AND c.person = k.person AND c.cid = k.cid";
    let keep = super::column::rows(keep);
    let wish = params![from.0, from.1, upto.0, upto.1, keep, int(before)];
    tx.execute(sql, wish).await?;
    Ok(next)
}
