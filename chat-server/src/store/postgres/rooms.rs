//! Lists of rooms and members, markers and counts.

use chat_core::{Author, Created, Idx, Kind, Role, RoomId, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, MyRoom, Page, RoomCard};
use tokio_postgres::Row;

use super::column::{get, int, maybe, number, rows, spelled, text};
use super::fault::{Fault, Result};
use super::tx::{Tx, params};
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
         greatest(0, r.head_idx - greatest(m.read, r.kept_idx) - (SELECT count(*) FROM changed d \
             WHERE d.room = m.room AND d.deleted IS NOT NULL \
             AND d.idx > greatest(m.read, r.kept_idx))), \
         (SELECT count(*) FROM mentions n WHERE n.room = m.room AND n.person IN (0, m.person) \
             AND n.idx > greatest(m.read, r.kept_idx))"
    };
}

/// Rooms of a directory that are read at a time, at most.
const LISTED_MAX: usize = 500;

fn read_card(row: &Row) -> Result<RoomCard> {
    Ok(RoomCard {
        id: number(row, 0)?,
        kind: spelled(row, 1)?,
        name: text(row, 2)?,
        alias: text(row, 3)?,
        topic: text(row, 4)?,
        access: spelled(row, 5)?,
        listed: get(row, 6)?,
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

fn read_marker(row: &Row, first: usize) -> Result<Marker> {
    Ok(Marker {
        read: number(row, first)?,
        unread: number(row, first + 1)?,
        mentions: number(row, first + 2)?,
    })
}

/// What anybody may know of a room.
pub(super) async fn card(tx: &Tx<'_>, room: RoomId) -> Result<Option<RoomCard>> {
    let sql = concat!(
        "SELECT ",
        card_columns!(),
        " FROM rooms r WHERE id = $1 AND lifecycle <> 'deleted'"
    );
    let found = tx.row(sql, params![int(room)]).await?;
    found.as_ref().map(read_card).transpose()
}

macro_rules! directory {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            card_columns!(),
            ", $2::text IS NULL OR coalesce(strpos(name_fold, $2), 0) > 0 \
               OR coalesce(strpos(alias_fold, $2), 0) > 0 \
             FROM rooms r WHERE listed AND lifecycle <> 'deleted' AND id ",
            $after,
            " $1 ORDER BY id ",
            $order,
            " LIMIT $3"
        )
    };
}

/// Listed rooms.
pub(super) async fn directory(tx: &Tx<'_>, query: &DirectoryQuery) -> Result<Page<RoomCard>> {
    let (sql, start) = match query.order {
        Order::Oldest => (directory!(">", "ASC"), -1),
        Order::Newest => (directory!("<", "DESC"), i64::MAX),
    };
    let nothing = Page {
        items: Vec::new(),
        next: None,
    };
    let mut after = match &query.cursor {
        None => start,
        Some(cursor) => match room_of_cursor(cursor) {
            Some(room) => int(room),
            None => return Ok(nothing),
        },
    };
    let search = query.search.as_deref().map(fold);
    if search
        .as_deref()
        .is_some_and(|it| !super::column::is_storable(it))
    {
        return Ok(nothing);
    }
    let (mut looked_at, mut found) = (Vec::new(), 0);
    // One more than is asked for, of either kind: it says whether the list goes on.
    while found <= query.limit && looked_at.len() <= query.looked_at_max {
        let left = query.looked_at_max.saturating_sub(looked_at.len());
        let part = left.saturating_add(1).min(LISTED_MAX);
        let rows = tx
            .rows(sql, params![after, search.clone(), rows(part)])
            .await?;
        for row in &rows {
            let (room, card) = read_found(row)?;
            after = int(room);
            found += usize::from(card.is_some());
            looked_at.push(Ok::<_, Fault>((room, card)));
        }
        if rows.len() < part {
            break;
        }
    }
    page(looked_at, query.limit, query.looked_at_max)
}

/// A room of a directory, and its card if it is what is looked for.
fn read_found(row: &Row) -> Result<(RoomId, Option<RoomCard>)> {
    let is_found: bool = get(row, CARD_COLUMNS)?;
    let card = is_found.then(|| read_card(row)).transpose()?;
    Ok((number(row, 0)?, card))
}

/// The rooms that a user is a member of. Who is the other one of a direct room is read beside.
pub(super) async fn rooms_of(tx: &Tx<'_>, user: UserId) -> Result<Vec<MyRoom>> {
    let sql = concat!(
        "SELECT ",
        card_columns!(),
        ", m.role, r.owner, ",
        marker_columns!(),
        ", p.person, p.name
         FROM members m JOIN rooms r ON r.id = m.room
         LEFT JOIN LATERAL (
             SELECT o.person, coalesce(o.nickname, o.name, a.name) AS name
             FROM members o LEFT JOIN accounts a ON a.id = o.person
             WHERE r.kind = 'direct' AND o.room = m.room AND o.person <> m.person
             ORDER BY o.person LIMIT 1) p ON true
         WHERE m.person = $1 AND r.lifecycle <> 'deleted' ORDER BY m.room"
    );
    let mut mine = Vec::new();
    for row in tx.rows(sql, params![int(user)]).await? {
        let room = read_card(&row)?;
        let marker = read_marker(&row, CARD_COLUMNS + 2)?;
        let peer = maybe(&row, CARD_COLUMNS + 5)?.map(|id| {
            let name = text(&row, CARD_COLUMNS + 6)?;
            Ok::<_, Fault>(Author { id, name })
        });
        mine.push(MyRoom {
            role: role(&row, CARD_COLUMNS, room.kind, user)?,
            peer: peer.transpose()?,
            read: marker.read,
            unread: marker.unread,
            mentions: marker.mentions,
            room,
        });
    }
    Ok(mine)
}

/// Who is a member of which rooms.
pub(super) async fn memberships(tx: &Tx<'_>, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>> {
    let sql = "SELECT m.person, m.room FROM members m JOIN rooms r ON r.id = m.room
         WHERE m.person = ANY($1) AND r.lifecycle <> 'deleted' ORDER BY m.person, m.room";
    let users: Vec<i64> = users.iter().copied().map(int).collect();
    let found = tx.rows(sql, params![users]).await?;
    let membership = |row: &Row| Ok((number(row, 0)?, number(row, 1)?));
    found.iter().map(membership).collect()
}

/// The role of a member, from the column of his own role and the owner's column after it.
fn role(row: &Row, column: usize, kind: Kind, user: UserId) -> Result<Role> {
    let owner: UserId = number(row, column + 1)?;
    if kind != Kind::Direct && owner == user {
        Ok(Role::Owner)
    } else {
        spelled(row, column)
    }
}

/// Members of a room in the order of their numbers.
pub(super) async fn members(
    tx: &Tx<'_>,
    room: RoomId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<MemberCard>> {
    let sql =
        "SELECT m.person, coalesce(m.nickname, m.name, a.name), m.since, r.kind, m.role, r.owner
         FROM members m JOIN rooms r ON r.id = m.room LEFT JOIN accounts a ON a.id = m.person
         WHERE m.room = $1 AND m.person > $2 AND r.lifecycle <> 'deleted'
         ORDER BY m.person LIMIT $3";
    let after = after.map_or(-1, int);
    let mut members = Vec::new();
    for row in tx.rows(sql, params![int(room), after, rows(limit)]).await? {
        let id: UserId = number(&row, 0)?;
        members.push(MemberCard {
            user: Author {
                id,
                name: text(&row, 1)?,
            },
            role: role(&row, 4, spelled(&row, 3)?, id)?,
            since: number(&row, 2)?,
        });
    }
    Ok(members)
}

/// A member's marker and counts; zeros for anybody else.
pub(super) async fn marker(tx: &Tx<'_>, room: RoomId, user: UserId) -> Result<Marker> {
    let sql = concat!(
        "SELECT ",
        marker_columns!(),
        " FROM members m JOIN rooms r ON r.id = m.room WHERE m.room = $1 AND m.person = $2"
    );
    let found = tx.row(sql, params![int(room), int(user)]).await?;
    let marker = found.map(|row| read_marker(&row, 0)).transpose()?;
    Ok(marker.unwrap_or_default())
}

/// How far the members of a room have read, in the order of their numbers.
pub(super) async fn markers(
    tx: &Tx<'_>,
    room: RoomId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Idx)>> {
    let sql = "SELECT m.person, m.read FROM members m JOIN rooms r ON r.id = m.room
         WHERE m.room = $1 AND m.person > $2 AND r.lifecycle <> 'deleted'
         ORDER BY m.person LIMIT $3";
    let after = after.map_or(-1, int);
    let found = tx.rows(sql, params![int(room), after, rows(limit)]).await?;
    let marker = |row: &Row| Ok((number(row, 0)?, number(row, 1)?));
    found.iter().map(marker).collect()
}

/// Moves members' markers on. A head only rises, so that of no room is held; the markers are, in the
/// order in which everybody holds them who moves some.
pub(super) async fn mark_read(tx: &Tx<'_>, markers: &[(RoomId, UserId, Idx)]) -> Result<()> {
    let rooms: Vec<i64> = markers.iter().map(|(room, ..)| int(*room)).collect();
    let people: Vec<i64> = markers.iter().map(|(_, user, _)| int(*user)).collect();
    let reads: Vec<i64> = markers.iter().map(|(.., idx)| int(*idx)).collect();
    let sql = "WITH wished AS (
             SELECT k.room, k.person, max(k.read) AS read
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k (room, person, read)
             JOIN rooms r ON r.id = k.room AND k.read <= r.head_idx GROUP BY k.room, k.person),
         held AS (
             SELECT m.room, m.person, w.read FROM wished w
             JOIN members m ON m.room = w.room AND m.person = w.person AND m.read < w.read
             ORDER BY m.room, m.person FOR NO KEY UPDATE OF m)
         UPDATE members m SET read = h.read FROM held h
         WHERE m.room = h.room AND m.person = h.person AND m.read < h.read";
    tx.execute(sql, params![rooms, people, reads]).await?;
    Ok(())
}

/// How many rooms a user is in, and how many he made.
pub(super) async fn standing(tx: &Tx<'_>, user: UserId, since: Timestamp) -> Result<Standing> {
    let sql = "SELECT
         (SELECT count(*) FROM members m JOIN rooms r ON r.id = m.room
          WHERE m.person = $1 AND r.lifecycle <> 'deleted' AND r.kind <> 'direct'),
         (SELECT count(*) FROM rooms
          WHERE created_by = $1 AND created_at >= $2 AND kind <> 'direct')";
    let found = tx.row(sql, params![int(user), int(since)]).await?;
    let row = found.ok_or_else(|| Fault::damaged("a count without a row"))?;
    Ok(Standing {
        rooms_joined: number(&row, 0)?,
        rooms_created: number(&row, 1)?,
    })
}
