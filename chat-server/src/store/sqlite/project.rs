//! What a record changes in the lists.

use std::collections::BTreeSet;

use chat_core::event::{AccessChanged, Edited, Joined, Posted, Reacted, RoomCreated, RoomUpdated};
use chat_core::{Content, Event, Idx, Kind, Name, Record, Retention, Role, Seq, UserId};
use chat_protocol::answer::Mode;
use rusqlite::{Connection, params};

use super::column::{int, word};
use super::fault::Result;
use super::{erase, retention, terms, trim};
use crate::store::project::fold;

/// Follows one record, after which there are so many messages; returns whether it erased words.
pub(super) fn project(db: &Connection, record: &Record, head_idx: Idx) -> Result<bool> {
    let (room, by) = (int(record.room), record.by.id);
    match &record.event {
        Event::Posted(it) => post(db, record, it)?,
        Event::RoomCreated(it) => create(db, record, it)?,
        Event::RoomUpdated(it) => update(db, room, it)?,
        Event::AccessChanged(it) => change_access(db, room, it)?,
        Event::RoomArchived(_) => set_lifecycle(db, room, "archived")?,
        Event::RoomUnarchived(_) => set_lifecycle(db, room, "active")?,
        Event::RoomDeleted(_) => set_lifecycle(db, room, "deleted")?,
        Event::RoomTrimmed(it) => trim::note(db, record, it)?,
        Event::OwnershipTransferred(it) => {
            db.prepare_cached("UPDATE rooms SET owner = ?2 WHERE id = ?1")?
                .execute([room, int(it.to)])?;
        }
        Event::Joined(it) => join(db, record, it, head_idx)?,
        Event::Left(_) => remove(db, room, by)?,
        Event::Kicked(it) => remove(db, room, it.user)?,
        Event::Banned(it) => remove(db, room, it.user)?,
        Event::RoleChanged(it) => {
            db.prepare_cached("UPDATE members SET role = ?3 WHERE room = ?1 AND user = ?2")?
                .execute(params![room, int(it.user), word(&it.role)])?;
        }
        Event::NicknameChanged(it) => {
            db.prepare_cached("UPDATE members SET nickname = ?3 WHERE room = ?1 AND user = ?2")?
                .execute(params![
                    room,
                    int(by),
                    it.nickname.as_ref().map(|name| name.as_str())
                ])?;
        }
        Event::Edited(it) => edit(db, record, it)?,
        Event::Deleted(it) => delete(db, record, it.message)?,
        Event::Reacted(it) => react(db, record, it)?,
        Event::Unreacted(it) => {
            db.prepare_cached(
                "DELETE FROM reactions
                 WHERE room = ?1 AND message = ?2 AND reaction = ?3 AND user = ?4",
            )?
            .execute(params![
                room,
                int(it.message),
                it.reaction.as_str(),
                int(by)
            ])?;
        }
        Event::GrantChanged(_)
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
        db.prepare_cached("UPDATE rooms SET updated_at = ?2 WHERE id = ?1")?
            .execute([room, int(record.at)])?;
    }
    Ok(matches!(record.event, Event::Deleted(_)))
}

fn create(db: &Connection, record: &Record, it: &RoomCreated) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO rooms (id, head_seq, head_idx, head_message, head_sum, kind, name, alias, name_fold,
             alias_fold, topic, access, listed, lifecycle, owner, members, created_by, created_at,
             updated_at, due_at)
         VALUES (?1, 0, 0, 0, x'', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'active', ?10, 0, ?11, ?12, ?12,
             NULL)",
    )?
    .execute(params![
        int(record.room),
        word(&it.kind),
        it.name.as_ref().map(|name| name.as_str()),
        it.alias.as_ref().map(|alias| alias.as_str()),
        it.name.as_ref().map(|name| fold(name.as_str())),
        it.alias.as_ref().map(|alias| fold(alias.as_str())),
        it.topic.as_ref().map(|topic| topic.as_str()),
        word(&Mode::from(&it.access)),
        it.listed,
        int(it.owner),
        int(record.by.id),
        int(record.at),
    ])?;
    if it.retention != Retention::default() {
        retention::note(db, int(record.room), it.retention)?;
    }
    let by = record.by.id;
    if let (Kind::Direct, Some(pair)) = (it.kind, it.pair) {
        for user in pair {
            add(db, record, user, Role::Member, Idx::default())?;
        }
    } else if it.joined {
        let role = if by.is_guest() {
            Role::Guest
        } else {
            Role::Admin
        };
        add(db, record, by, role, Idx::default())?;
    }
    Ok(())
}

fn update(db: &Connection, room: i64, it: &RoomUpdated) -> Result<()> {
    if let Some(name) = it.name.as_ref().map(|name| name.as_str()) {
        db.prepare_cached("UPDATE rooms SET name = ?2, name_fold = ?3 WHERE id = ?1")?
            .execute(params![room, name, fold(name)])?;
    }
    if let Some(alias) = it.alias.as_ref().map(|alias| alias.as_str()) {
        db.prepare_cached("UPDATE rooms SET alias = ?2, alias_fold = ?3 WHERE id = ?1")?
            .execute(params![room, alias, fold(alias)])?;
    }
    if let Some(topic) = &it.topic {
        let topic = Some(topic.as_str()).filter(|_| !topic.is_blank());
        db.prepare_cached("UPDATE rooms SET topic = ?2 WHERE id = ?1")?
            .execute(params![room, topic])?;
    }
    if let Some(retention) = it.retention {
        retention::note(db, room, retention)?;
    }
    Ok(())
}

fn change_access(db: &Connection, room: i64, it: &AccessChanged) -> Result<()> {
    let access = it.access.as_ref().map(|access| word(&Mode::from(access)));
    db.prepare_cached(
        "UPDATE rooms SET access = coalesce(?2, access), listed = coalesce(?3, listed)
         WHERE id = ?1",
    )?
    .execute(params![room, access, it.listed])?;
    Ok(())
}

fn set_lifecycle(db: &Connection, room: i64, lifecycle: &str) -> Result<()> {
    db.prepare_cached("UPDATE rooms SET lifecycle = ?2 WHERE id = ?1")?
        .execute(params![room, lifecycle])?;
    Ok(())
}

fn join(db: &Connection, record: &Record, it: &Joined, head_idx: Idx) -> Result<()> {
    remove(db, int(record.room), record.by.id)?;
    add(db, record, record.by.id, it.role, head_idx)
}

/// Adds a member. What was said before he came counts as read.
fn add(db: &Connection, record: &Record, user: UserId, role: Role, read: Idx) -> Result<()> {
    let room = int(record.room);
    let name = record.by.name.as_ref().filter(|_| user == record.by.id);
    db.prepare_cached(
        "INSERT INTO members (room, user, role, since, name, read)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        room,
        int(user),
        word(&role),
        int(record.seq),
        name.map(|name| name.as_str()),
        int(read)
    ])?;
    db.prepare_cached("UPDATE rooms SET members = members + 1 WHERE id = ?1")?
        .execute([room])?;
    Ok(())
}

fn remove(db: &Connection, room: i64, user: UserId) -> Result<()> {
    let removed = db
        .prepare_cached("DELETE FROM members WHERE room = ?1 AND user = ?2")?
        .execute([room, int(user)])?;
    if removed > 0 {
        db.prepare_cached("UPDATE rooms SET members = members - 1 WHERE id = ?1")?
            .execute([room])?;
    }
    Ok(())
}

fn post(db: &Connection, record: &Record, it: &Posted) -> Result<()> {
    let (room, by) = (int(record.room), int(record.by.id));
    if let Some(thread) = it.thread {
        db.prepare_cached("INSERT INTO threads (room, thread, message) VALUES (?1, ?2, ?3)")?
            .execute([room, int(thread), int(record.seq)])?;
    }
    // Posting marks read up to one's own.
    db.prepare_cached("UPDATE members SET read = ?3 WHERE room = ?1 AND user = ?2")?
        .execute([room, by, int(it.idx)])?;
    mention(db, room, it.idx, it.mention_all, &it.mentions)
}

fn mention<'a>(
    db: &Connection,
    room: i64,
    idx: Idx,
    all: bool,
    users: impl IntoIterator<Item = &'a UserId>,
) -> Result<()> {
    if all {
        return mention_one(db, room, idx, UserId::HOUSE);
    }
    let named = users.into_iter().filter(|user| **user != UserId::HOUSE);
    named
        .into_iter()
        .try_for_each(|user| mention_one(db, room, idx, *user))
}

fn mention_one(db: &Connection, room: i64, idx: Idx, user: UserId) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO mentions (room, user, idx) VALUES (?1, ?2, ?3)")?
        .execute([room, int(user), int(idx)])?;
    Ok(())
}

fn react(db: &Connection, record: &Record, it: &Reacted) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO reactions (room, message, reaction, user, seq)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        int(record.room),
        int(it.message),
        it.reaction.as_str(),
        int(record.by.id),
        int(record.seq)
    ])?;
    Ok(())
}

/// What the log says of a message before the record that is being followed.
pub(super) struct Known {
    idx: Idx,
    name: Option<Name>,
    mentions: BTreeSet<UserId>,
    mention_all: bool,
    pub(super) content: Option<Content>,
}

fn edit(db: &Connection, record: &Record, it: &Edited) -> Result<()> {
    let (room, message) = (int(record.room), int(it.message));
    let Some(known) = known(db, room, it.message)? else {
        return Ok(());
    };
    unmention(db, room, &known)?;
    mention(db, room, known.idx, known.mention_all, &it.mentions)?;
    if terms::has(db, room, it.message)? {
        terms::remove(db, room, it.message, known.content.as_ref())?;
        terms::add(db, room, it.message, it.content.as_ref())?;
    }
    db.prepare_cached(
        "INSERT INTO changed (room, message, idx, edit) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (room, message) DO UPDATE SET edit = excluded.edit",
    )?
    .execute([room, message, int(known.idx), int(record.seq)])?;
    db.prepare_cached("INSERT INTO edits (room, message, seq) VALUES (?1, ?2, ?3)")?
        .execute([room, message, int(record.seq)])?;
    Ok(())
}

fn delete(db: &Connection, record: &Record, message: Seq) -> Result<()> {
    let (room, seq) = (int(record.room), int(message));
    let Some(known) = known(db, room, message)? else {
        return Ok(());
    };
    unmention(db, room, &known)?;
    // His name goes with the words, and is kept beside them: that he said something is no secret.
    db.prepare_cached(
        "INSERT INTO changed (room, message, idx, deleted, deleted_at, name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (room, message) DO UPDATE SET deleted = excluded.deleted,
             deleted_at = excluded.deleted_at, name = excluded.name",
    )?
    .execute(params![
        room,
        seq,
        int(known.idx),
        int(record.seq),
        int(record.at),
        known.name.as_ref().map(|name| name.as_str())
    ])?;
    erase::message(db, room, message, known.content.as_ref())?;
    db.prepare_cached("DELETE FROM reactions WHERE room = ?1 AND message = ?2")?
        .execute([room, seq])?;
    Ok(())
}

/// A message as the log has it so far; none if this is no message.
pub(super) fn known(db: &Connection, room: i64, message: Seq) -> Result<Option<Known>> {
    let Some(record) = super::log::record(db, room, message)? else {
        return Ok(None);
    };
    let Event::Posted(it) = record.event else {
        return Ok(None);
    };
    let mut known = Known {
        idx: it.idx,
        name: record.by.name,
        mentions: it.mentions,
        mention_all: it.mention_all,
        content: it.content,
    };
    let mut query =
        db.prepare_cached("SELECT edit FROM changed WHERE room = ?1 AND message = ?2")?;
    let mut rows = query.query([room, int(message)])?;
    let Some(row) = rows.next()? else {
        return Ok(Some(known));
    };
    if let Some(edit) = super::column::maybe(row, 0)?
        && let Some(Event::Edited(it)) = super::log::record(db, room, edit)?.map(|it| it.event)
    {
        known.mentions = it.mentions;
        known.content = it.content;
    }
    Ok(Some(known))
}

fn unmention(db: &Connection, room: i64, known: &Known) -> Result<()> {
    let everybody = Some(UserId::HOUSE).filter(|_| known.mention_all);
    for user in known.mentions.iter().copied().chain(everybody) {
        db.prepare_cached("DELETE FROM mentions WHERE room = ?1 AND user = ?2 AND idx = ?3")?
            .execute([room, int(user), int(known.idx)])?;
    }
    Ok(())
}
