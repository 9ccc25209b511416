//! Lists of rooms and members, markers and counts.

use std::collections::BTreeSet;

use chat_core::{Author, Created, Idx, Kind, Name, Role, RoomId, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, MyRoom, Page, RoomCard};
use rusqlite::{Connection, Row, params};

use super::column::{int, maybe, number, rows, spelled, text};
use super::fault::{Fault, Result};
use crate::store::project::{fold, page, room_of_cursor};
use crate::store::{DirectoryQuery, Marker, Order};

/// The columns of a card in the order in which [`read_card`] reads them.
macro_rules! card_columns {
    () => {
        "r.id, r.kind, r.name, r.alias, r.topic, r.access, r.listed, r.lifecycle, r.members, \
         r.created_by, r.created_at, r.updated_at, r.head_seq, r.head_idx"
    };
}
const CARD_COLUMNS: usize = 14;

/// A member's marker and counts. His own messages never lie after his marker, so what lies after it
/// is counted by the difference of two positions, less what was deleted since; what isn't kept any more
/// counts as read.
macro_rules! marker_columns {
    () => {
        "m.read, \
         max(0, r.head_idx - max(m.read, r.kept_idx) - (SELECT count(*) FROM changed d \
             WHERE d.room = m.room AND d.deleted IS NOT NULL AND d.idx > max(m.read, r.kept_idx))), \
         (SELECT count(*) FROM mentions n \
             WHERE n.room = m.room AND n.user = m.user AND n.idx > max(m.read, r.kept_idx)) \
         + (SELECT count(*) FROM mentions n \
             WHERE n.room = m.room AND n.user = 0 AND n.idx > max(m.read, r.kept_idx))"
    };
}

fn read_card(row: &Row<'_>) -> Result<RoomCard> {
    Ok(RoomCard {
        id: number(row, 0)?,
        kind: spelled(row, 1)?,
        name: text(row, 2)?,
        alias: text(row, 3)?,
        topic: row
            .get::<_, Option<String>>(4)?
            .map(chat_core::Text::new)
            .transpose()
            .map_err(|_| Fault::damaged("a topic is not valid"))?,
        access: spelled(row, 5)?,
        listed: row.get(6)?,
        lifecycle: spelled(row, 7)?,
        members: number(row, 8)?,
        created: Created {
            by: number(row, 9)?,
            at: number(row, 10)?,
        },
        updated_at: number(row, 11)?,
        head_seq: number(row, 12)?,
        head_idx: number(row, 13)?,
    })
}

fn read_marker(row: &Row<'_>, first: usize) -> Result<Marker> {
    Ok(Marker {
        read: number(row, first)?,
        unread: number(row, first + 1)?,
        mentions: number(row, first + 2)?,
    })
}

/// What anybody may know of a room.
pub(super) fn card(db: &Connection, room: RoomId) -> Result<Option<RoomCard>> {
    let mut query = db.prepare_cached(concat!(
        "SELECT ",
        card_columns!(),
        " FROM rooms r WHERE id = ?1 AND lifecycle <> 'deleted'"
    ))?;
    let mut found = query.query([int(room)])?;
    found.next()?.map(read_card).transpose()
}

macro_rules! directory {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            card_columns!(),
            ", ?2 IS NULL OR coalesce(instr(name_fold, ?2), 0) > 0 \
               OR coalesce(instr(alias_fold, ?2), 0) > 0 \
             FROM rooms r WHERE listed AND lifecycle <> 'deleted' AND id ",
            $after,
            " ?1 ORDER BY id ",
            $order
        )
    };
}

/// Listed rooms.
pub(super) fn directory(db: &Connection, query: &DirectoryQuery) -> Result<Page<RoomCard>> {
    let (sql, start) = match query.order {
        Order::Oldest => (directory!(">", "ASC"), -1),
        Order::Newest => (directory!("<", "DESC"), i64::MAX),
    };
    let after = match &query.cursor {
        None => start,
        Some(cursor) => match room_of_cursor(cursor) {
            Some(room) => int(room),
            None => {
                return Ok(Page {
                    items: Vec::new(),
                    next: None,
                });
            }
        },
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![after, query.search.as_deref().map(fold)])?;
    let rooms = std::iter::from_fn(|| match found.next() {
        Ok(row) => row.map(read_found),
        Err(error) => Some(Err(error.into())),
    });
    page(rooms, query.limit, query.looked_at_max)
}

/// A room of a directory, and its card if it is what is looked for.
fn read_found(row: &Row<'_>) -> Result<(RoomId, Option<RoomCard>)> {
    let is_found: bool = row.get(CARD_COLUMNS)?;
    let card = is_found.then(|| read_card(row)).transpose()?;
    Ok((number(row, 0)?, card))
}

/// The rooms that a user is a member of.
pub(super) fn rooms_of(db: &Connection, user: UserId) -> Result<Vec<MyRoom>> {
    let mut query = db.prepare_cached(concat!(
        "SELECT ",
        card_columns!(),
        ", m.role, r.owner, ",
        marker_columns!(),
        " FROM members m JOIN rooms r ON r.id = m.room
         WHERE m.user = ?1 AND r.lifecycle <> 'deleted' ORDER BY m.room"
    ))?;
    let mut found = query.query([int(user)])?;
    let mut mine = Vec::new();
    while let Some(row) = found.next()? {
        let room = read_card(row)?;
        let marker = read_marker(row, CARD_COLUMNS + 2)?;
        mine.push(MyRoom {
            role: role(row, CARD_COLUMNS, room.kind, user)?,
            peer: if room.kind == Kind::Direct {
                peer(db, room.id, user)?
            } else {
                None
            },
            read: marker.read,
            unread: marker.unread,
            mentions: marker.mentions,
            room,
        });
    }
    Ok(mine)
}

/// Who is a member of which rooms.
pub(super) fn memberships(
    db: &Connection,
    users: &BTreeSet<UserId>,
) -> Result<Vec<(UserId, RoomId)>> {
    let mut query = db.prepare_cached(
        "SELECT m.room FROM members m JOIN rooms r ON r.id = m.room
         WHERE m.user = ?1 AND r.lifecycle <> 'deleted' ORDER BY m.room",
    )?;
    let mut memberships = Vec::new();
    for user in users {
        let mut found = query.query([int(*user)])?;
        while let Some(row) = found.next()? {
            memberships.push((*user, number(row, 0)?));
        }
    }
    Ok(memberships)
}

/// The role of a member, from the column of his own role and the owner's column after it.
fn role(row: &Row<'_>, column: usize, kind: Kind, user: UserId) -> Result<Role> {
    let owner: UserId = number(row, column + 1)?;
    if kind != Kind::Direct && owner == user {
        Ok(Role::Owner)
    } else {
        spelled(row, column)
    }
}

fn peer(db: &Connection, room: RoomId, user: UserId) -> Result<Option<Author>> {
    let mut query = db.prepare_cached(
        "SELECT m.user, coalesce(m.nickname, m.name, a.name)
         FROM members m LEFT JOIN accounts a ON a.id = m.user
         WHERE m.room = ?1 AND m.user <> ?2 LIMIT 1",
    )?;
    let mut found = query.query([int(room), int(user)])?;
    found
        .next()?
        .map(|row| {
            Ok(Author {
                id: number(row, 0)?,
                name: text::<Name>(row, 1)?,
            })
        })
        .transpose()
}

/// Members of a room in the order of their numbers.
pub(super) fn members(
    db: &Connection,
    room: RoomId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<MemberCard>> {
    let mut query = db.prepare_cached(
        "SELECT m.user, coalesce(m.nickname, m.name, a.name), m.since, r.kind, m.role, r.owner
         FROM members m JOIN rooms r ON r.id = m.room LEFT JOIN accounts a ON a.id = m.user
         WHERE m.room = ?1 AND m.user > ?2 AND r.lifecycle <> 'deleted'
         ORDER BY m.user LIMIT ?3",
    )?;
    let after = after.map_or(-1, int);
    let mut found = query.query([int(room), after, rows(limit)])?;
    let mut members = Vec::new();
    while let Some(row) = found.next()? {
        let id: UserId = number(row, 0)?;
        members.push(MemberCard {
            user: Author {
                id,
                name: text(row, 1)?,
            },
            role: role(row, 4, spelled(row, 3)?, id)?,
            since: number(row, 2)?,
        });
    }
    Ok(members)
}

/// A member's marker and counts; zeros for anybody else.
pub(super) fn marker(db: &Connection, room: RoomId, user: UserId) -> Result<Marker> {
    let mut query = db.prepare_cached(concat!(
        "SELECT ",
        marker_columns!(),
        " FROM members m JOIN rooms r ON r.id = m.room WHERE m.room = ?1 AND m.user = ?2"
    ))?;
    let mut found = query.query([int(room), int(user)])?;
    Ok(found
        .next()?
        .map(|row| read_marker(row, 0))
        .transpose()?
        .unwrap_or_default())
}

/// How far the members of a room have read, in the order of their numbers.
pub(super) fn markers(
    db: &Connection,
    room: RoomId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Idx)>> {
    let mut query = db.prepare_cached(
        "SELECT m.user, m.read FROM members m JOIN rooms r ON r.id = m.room
         WHERE m.room = ?1 AND m.user > ?2 AND r.lifecycle <> 'deleted' ORDER BY m.user LIMIT ?3",
    )?;
    let after = after.map_or(-1, int);
    let mut found = query.query([int(room), after, rows(limit)])?;
    let mut markers = Vec::new();
    while let Some(row) = found.next()? {
        markers.push((number(row, 0)?, number(row, 1)?));
    }
    Ok(markers)
}

/// Moves members' markers on.
pub(super) fn mark_read(db: &Connection, markers: &[(RoomId, UserId, Idx)]) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE members SET read = ?3 WHERE room = ?1 AND user = ?2 AND read < ?3
             AND ?3 <= (SELECT head_idx FROM rooms WHERE id = ?1)",
    )?;
    for (room, user, idx) in markers {
        update.execute([int(*room), int(*user), int(*idx)])?;
    }
    Ok(())
}

/// How many rooms a user is in, and how many he made.
pub(super) fn standing(db: &Connection, user: UserId, since: Timestamp) -> Result<Standing> {
    let count = |sql: &str, params: &[i64]| -> Result<u64> {
        let mut query = db.prepare_cached(sql)?;
        let mut found = query.query(rusqlite::params_from_iter(params))?;
        let row = found
            .next()?
            .ok_or_else(|| Fault::damaged("a count without a row"))?;
        Ok(maybe(row, 0)?.unwrap_or_default())
    };
    Ok(Standing {
        rooms_joined: count(
            "SELECT count(*) FROM members m JOIN rooms r ON r.id = m.room
             WHERE m.user = ?1 AND r.lifecycle <> 'deleted' AND r.kind <> 'direct'",
            &[int(user)],
        )?,
        rooms_created: count(
            "SELECT count(*) FROM rooms
             WHERE created_by = ?1 AND created_at >= ?2 AND kind <> 'direct'",
            &[int(user), int(since)],
        )?,
    })
}
