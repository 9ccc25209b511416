//! What records change in the lists.
//!
//! Records are followed in their order. What plain messages change is gathered, and written together
//! before anything else is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::event::{AccessChanged, Edited, Joined, Posted, RoomCreated, RoomUpdated};
use chat_core::{Event, Idx, Kind, Record, Retention, Role, RoomId, Seq, UserId};
use chat_protocol::answer::Mode;

use super::column::{int, word};
use super::fault::Result;
use super::said::{self, Said};
use super::tx::{Steps, Tx, params};
use super::{erase, retention, terms, trim};
use crate::store::project::fold;

/// Records that are to be followed, each with how many messages there are by then.
#[derive(Default)]
pub(super) struct Projection(Vec<(Arc<Record>, Idx)>);

/// What messages change.
#[derive(Default)]
struct Posts {
    /// Room, thread, message.
    threads: Vec<(i64, i64, i64)>,
    /// Up to where the author has read, by room and person: his last message.
    reads: BTreeMap<(i64, i64), i64>,
    /// Room, person, place.
    mentions: BTreeSet<(i64, i64, i64)>,
}

impl Projection {
    /// Adds a record.
    pub(super) fn note(&mut self, record: Arc<Record>, head_idx: Idx) {
        self.0.push((record, head_idx));
    }

    /// Follows all of them. The records themselves are among the steps already.
    pub(super) async fn follow(self, tx: &Tx<'_>, steps: &mut Steps) -> Result<()> {
        self.hold_members(steps);
        let mut posts = Posts::default();
        for (record, head_idx) in self.0 {
            if let Event::Posted(it) = &record.event {
                posts.add(&record, it);
            } else {
                std::mem::take(&mut posts).keep(steps);
                follow(tx, steps, &record, head_idx).await?;
            }
        }
        posts.keep(steps);
        Ok(())
    }

    /// Holds the lines of all members that change, in the order in which everybody holds them who moves
    /// markers: records are followed in another one. Messages alone are written together, in this order.
    fn hold_members(&self, steps: &mut Steps) {
        let changed = self.0.iter().filter_map(|(record, _)| {
            let user = changed_member(record)?;
            Some((int(record.room), int(user)))
        });
        let changed: BTreeSet<(i64, i64)> = changed.collect();
        let is_posted = |(record, _): &(Arc<Record>, Idx)| matches!(record.event, Event::Posted(_));
        if changed.len() < 2 || self.0.iter().all(is_posted) {
            return;
        }
        let (rooms, people): (Vec<i64>, Vec<i64>) = changed.into_iter().unzip();
        steps.push(
            "SELECT 1 FROM unnest($1::bigint[], $2::bigint[]) AS k (room, person)
             JOIN members m ON m.room = k.room AND m.person = k.person
             ORDER BY m.room, m.person FOR NO KEY UPDATE OF m",
            params![rooms, people],
        );
    }
}

/// The member whose line a record changes.
fn changed_member(record: &Record) -> Option<UserId> {
    match &record.event {
        Event::Posted(_) | Event::Joined(_) | Event::Left(_) | Event::NicknameChanged(_) => {
            Some(record.by.id)
        }
        Event::Kicked(it) => Some(it.user),
        Event::Banned(it) => Some(it.user),
        Event::RoleChanged(it) => Some(it.user),
        // Members of a room that is made are nobody else's to wait for.
        Event::RoomCreated(_)
        | Event::RoomUpdated(_)
        | Event::AccessChanged(_)
        | Event::RoomArchived(_)
        | Event::RoomUnarchived(_)
        | Event::RoomDeleted(_)
        | Event::RoomTrimmed(_)
        | Event::OwnershipTransferred(_)
        | Event::Edited(_)
        | Event::Deleted(_)
        | Event::Reacted(_)
        | Event::Unreacted(_)
        | Event::GrantChanged(_)
        | Event::Invited(_)
        | Event::InviteRevoked(_)
        | Event::InviteDeclined(_)
        | Event::Unbanned(_)
        | Event::Muted(_)
        | Event::Unmuted(_)
        | Event::Pinned(_)
        | Event::Unpinned(_) => None,
    }
}

impl Posts {
    fn add(&mut self, record: &Record, it: &Posted) {
        let (room, by) = (int(record.room), int(record.by.id));
        if let Some(thread) = it.thread {
            self.threads.push((room, int(thread), int(record.seq)));
        }
        // Posting marks read up to one's own.
        self.reads.insert((room, by), int(it.idx));
        let people = mentioned(it.mention_all, &it.mentions);
        let mention = |person| (room, person, int(it.idx));
        self.mentions.extend(people.into_iter().map(mention));
    }

    fn keep(self, steps: &mut Steps) {
        if !self.threads.is_empty() {
            let [rooms, threads, messages] = columns(self.threads);
            steps.push(
                "INSERT INTO threads (room, thread, message)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",
                params![rooms, threads, messages],
            );
        }
        if !self.reads.is_empty() {
            let reads = self.reads.into_iter();
            let reads = reads.map(|((room, person), read)| (room, person, read));
            let [rooms, people, reads] = columns(reads);
            // Held in the order in which everybody holds them who moves markers.
            steps.push(
                "WITH held AS (
                     SELECT m.room, m.person, k.read
                     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k (room, person, read)
                     JOIN members m ON m.room = k.room AND m.person = k.person
                     ORDER BY m.room, m.person FOR NO KEY UPDATE OF m)
                 UPDATE members m SET read = h.read FROM held h
                 WHERE m.room = h.room AND m.person = h.person",
                params![rooms, people, reads],
            );
        }
        if !self.mentions.is_empty() {
            keep_mentions(steps, self.mentions);
        }
    }
}

/// Three columns of lines.
fn columns(lines: impl IntoIterator<Item = (i64, i64, i64)>) -> [Vec<i64>; 3] {
    let mut columns = [const { Vec::new() }; 3];
    let [first, second, third] = &mut columns;
    for (one, two, three) in lines {
        first.push(one);
        second.push(two);
        third.push(three);
    }
    columns
}

fn keep_mentions(steps: &mut Steps, mentions: impl IntoIterator<Item = (i64, i64, i64)>) {
    let [rooms, people, places] = columns(mentions);
    steps.push(
        "INSERT INTO mentions (room, person, idx)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING",
        params![rooms, people, places],
    );
}

/// Whom a message mentions; 0 is everybody.
fn mentioned(all: bool, users: &BTreeSet<UserId>) -> Vec<i64> {
    if all {
        return vec![int(UserId::HOUSE)];
    }
    let named = users.iter().filter(|user| **user != UserId::HOUSE);
    named.copied().map(int).collect()
}

/// Follows one record that is no message.
async fn follow(tx: &Tx<'_>, steps: &mut Steps, record: &Record, head_idx: Idx) -> Result<()> {
    let (room, by) = (record.room, record.by.id);
    match &record.event {
        Event::RoomCreated(it) => create(steps, record, it),
        Event::RoomUpdated(it) => update(steps, room, it),
        Event::AccessChanged(it) => change_access(steps, room, it),
        Event::RoomArchived(_) => set_lifecycle(steps, room, "archived"),
        Event::RoomUnarchived(_) => set_lifecycle(steps, room, "active"),
        Event::RoomDeleted(_) => set_lifecycle(steps, room, "deleted"),
        Event::RoomTrimmed(it) => trim::note(steps, record, it),
        Event::OwnershipTransferred(it) => {
            let sql = "UPDATE rooms SET owner = $2 WHERE id = $1";
            steps.push(sql, params![int(room), int(it.to)]);
        }
        Event::Joined(it) => join(steps, record, it, head_idx),
        Event::Left(_) => remove(steps, room, by),
        Event::Kicked(it) => remove(steps, room, it.user),
        Event::Banned(it) => remove(steps, room, it.user),
        Event::RoleChanged(it) => {
            let sql = "UPDATE members SET role = $3 WHERE room = $1 AND person = $2";
            steps.push(sql, params![int(room), int(it.user), word(&it.role)]);
        }
        Event::NicknameChanged(it) => {
            let nickname = it.nickname.as_ref().map(|name| name.as_str().to_owned());
            let sql = "UPDATE members SET nickname = $3 WHERE room = $1 AND person = $2";
            steps.push(sql, params![int(room), int(by), nickname]);
        }
        Event::Edited(it) => edit(tx, steps, record, it).await?,
        Event::Deleted(it) => delete(tx, steps, record, it.message).await?,
        Event::Reacted(it) => steps.push(
            "INSERT INTO reactions (room, message, reaction, person, seq)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            params![
                int(room),
                int(it.message),
                it.reaction.as_str().to_owned(),
                int(by),
                int(record.seq)
            ],
        ),
        Event::Unreacted(it) => steps.push(
            "DELETE FROM reactions
             WHERE room = $1 AND message = $2 AND reaction = $3 AND person = $4",
            params![
                int(room),
                int(it.message),
                it.reaction.as_str().to_owned(),
                int(by)
            ],
        ),
        Event::Posted(_)
        | Event::GrantChanged(_)
        | Event::Invited(_)
        | Event::InviteRevoked(_)
        | Event::InviteDeclined(_)
        | Event::Unbanned(_)
        | Event::Muted(_)
        | Event::Unmuted(_)
        | Event::Pinned(_)
        | Event::Unpinned(_) => {}
    }
    if record.event.changes_room() {
        let sql = "UPDATE rooms SET updated_at = $2 WHERE id = $1";
        steps.push(sql, params![int(room), int(record.at)]);
    }
    Ok(())
}

fn create(steps: &mut Steps, record: &Record, it: &RoomCreated) {
    let name = it.name.as_ref().map(|name| name.as_str().to_owned());
    let alias = it.alias.as_ref().map(|alias| alias.as_str().to_owned());
    steps.push(
        "INSERT INTO rooms (id, head_seq, head_idx, head_message, head_sum, kind, name, alias,
             name_fold, alias_fold, topic, access, listed, lifecycle, owner, members, created_by,
             created_at, updated_at)
         VALUES ($1, 0, 0, 0, '', $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, 0, $11, $12, $12)",
        params![
            int(record.room),
            word(&it.kind),
            name.clone(),
            alias.clone(),
            name.as_deref().map(fold),
            alias.as_deref().map(fold),
            it.topic.as_ref().map(|topic| topic.as_str().to_owned()),
            word(&Mode::from(&it.access)),
            it.listed,
            int(it.owner),
            int(record.by.id),
            int(record.at),
        ],
    );
    if it.retention != Retention::default() {
        retention::note(steps, record.room, it.retention);
    }
    let by = record.by.id;
    if let (Kind::Direct, Some(pair)) = (it.kind, it.pair) {
        for user in pair {
            add(steps, record, user, Role::Member, Idx::default());
        }
    } else if it.joined {
        let role = match by.is_guest() {
            true => Role::Guest,
            false => Role::Admin,
        };
        add(steps, record, by, role, Idx::default());
    }
}

fn update(steps: &mut Steps, room: RoomId, it: &RoomUpdated) {
    if let Some(name) = it.name.as_ref().map(|name| name.as_str()) {
        let sql = "UPDATE rooms SET name = $2, name_fold = $3 WHERE id = $1";
        steps.push(sql, params![int(room), name.to_owned(), fold(name)]);
    }
    if let Some(alias) = it.alias.as_ref().map(|alias| alias.as_str()) {
        let sql = "UPDATE rooms SET alias = $2, alias_fold = $3 WHERE id = $1";
        steps.push(sql, params![int(room), alias.to_owned(), fold(alias)]);
    }
    if let Some(topic) = &it.topic {
        let topic = Some(topic.as_str().to_owned()).filter(|_| !topic.is_blank());
        let sql = "UPDATE rooms SET topic = $2 WHERE id = $1";
        steps.push(sql, params![int(room), topic]);
    }
    if let Some(retention) = it.retention {
        retention::note(steps, room, retention);
    }
}

fn change_access(steps: &mut Steps, room: RoomId, it: &AccessChanged) {
    let access = it.access.as_ref().map(|access| word(&Mode::from(access)));
    steps.push(
        "UPDATE rooms SET access = coalesce($2, access), listed = coalesce($3, listed)
         WHERE id = $1",
        params![int(room), access, it.listed],
    );
}

fn set_lifecycle(steps: &mut Steps, room: RoomId, lifecycle: &'static str) {
    let sql = "UPDATE rooms SET lifecycle = $2 WHERE id = $1";
    steps.push(sql, params![int(room), lifecycle]);
}

fn join(steps: &mut Steps, record: &Record, it: &Joined, head_idx: Idx) {
    add(steps, record, record.by.id, it.role, head_idx);
}

/// Adds a member, afresh if he is one. What was said before he came counts as read.
fn add(steps: &mut Steps, record: &Record, user: UserId, role: Role, read: Idx) {
    let name = record.by.name.as_ref().filter(|_| user == record.by.id);
    // The count is of the members as they were before this statement.
    steps.push(
        "WITH came AS (
             INSERT INTO members (room, person, role, since, name, read)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (room, person) DO UPDATE SET role = excluded.role, since = excluded.since,
                 name = excluded.name, nickname = NULL, read = excluded.read)
         UPDATE rooms SET members = members + 1
             - (SELECT count(*) FROM members WHERE room = $1 AND person = $2)
         WHERE id = $1",
        params![
            int(record.room),
            int(user),
            word(&role),
            int(record.seq),
            name.map(|name| name.as_str().to_owned()),
            int(read)
        ],
    );
}

fn remove(steps: &mut Steps, room: RoomId, user: UserId) {
    steps.push(
        "WITH gone AS (DELETE FROM members WHERE room = $1 AND person = $2 RETURNING 1)
         UPDATE rooms SET members = members - (SELECT count(*) FROM gone) WHERE id = $1",
        params![int(room), int(user)],
    );
}

async fn edit(tx: &Tx<'_>, steps: &mut Steps, record: &Record, it: &Edited) -> Result<()> {
    let (room, message) = (record.room, it.message);
    let Some(said) = known(tx, steps, room, message).await? else {
        return Ok(());
    };
    let idx = said.posted.idx;
    unmention(steps, room, &said);
    let people = mentioned(said.posted.mention_all, &it.mentions);
    let mention = |person| (int(room), person, int(idx));
    keep_mentions(steps, people.into_iter().map(mention));
    terms::remove(steps, room, message, said.content());
    terms::add(steps, room, message, it.content.as_ref());
    steps.push(
        "INSERT INTO changed (room, message, idx, edit) VALUES ($1, $2, $3, $4)
         ON CONFLICT (room, message) DO UPDATE SET edit = excluded.edit",
        params![int(room), int(message), int(idx), int(record.seq)],
    );
    steps.push(
        "INSERT INTO edits (room, message, seq) VALUES ($1, $2, $3)",
        params![int(room), int(message), int(record.seq)],
    );
    Ok(())
}

async fn delete(tx: &Tx<'_>, steps: &mut Steps, record: &Record, message: Seq) -> Result<()> {
    let room = record.room;
    let Some(said) = known(tx, steps, room, message).await? else {
        return Ok(());
    };
    unmention(steps, room, &said);
    // His name goes with the words, and is kept beside them: that he said something is no secret.
    let name = said.record.by.name.as_ref();
    steps.push(
        "INSERT INTO changed (room, message, idx, deleted, deleted_at, name)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (room, message) DO UPDATE SET deleted = excluded.deleted,
             deleted_at = excluded.deleted_at, name = excluded.name",
        params![
            int(room),
            int(message),
            int(said.posted.idx),
            int(record.seq),
            int(record.at),
            name.map(|name| name.as_str().to_owned())
        ],
    );
    erase::message(steps, room, message, said.content());
    let sql = "DELETE FROM reactions WHERE room = $1 AND message = $2";
    steps.push(sql, params![int(room), int(message)]);
    Ok(())
}

/// A message as the log has it once all that is to be done before is done.
async fn known(tx: &Tx<'_>, steps: &mut Steps, room: RoomId, message: Seq) -> Result<Option<Said>> {
    tx.all(steps).await?;
    said::one(tx, room, message).await
}

fn unmention(steps: &mut Steps, room: RoomId, said: &Said) {
    let users = match &said.edit {
        Some((_, edited)) => &edited.mentions,
        None => &said.posted.mentions,
    };
    let mut people: Vec<i64> = users.iter().copied().map(int).collect();
    people.extend(said.posted.mention_all.then_some(int(UserId::HOUSE)));
    if !people.is_empty() {
        steps.push(
            "DELETE FROM mentions WHERE room = $1 AND person = ANY($2) AND idx = $3",
            params![int(room), people, int(said.posted.idx)],
        );
    }
}
