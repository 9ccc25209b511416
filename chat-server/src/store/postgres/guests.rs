//! When guests who are members were last here.

use chat_core::{Timestamp, UserId};
use tokio_postgres::Row;

use super::column::{int, number, rows, text};
use super::fault::Result;
use super::tx::{Steps, Tx, params};
use crate::store::GuestMember;

/// Notes that a guest was here, if he is a member of any room.
pub(super) async fn see(tx: &Tx<'_>, guest: UserId, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO guests (person, seen_at)
         SELECT $1::bigint, $2::bigint WHERE EXISTS (SELECT 1 FROM members WHERE person = $1)
         ON CONFLICT (person) DO UPDATE SET seen_at = greatest(guests.seen_at, excluded.seen_at)";
    tx.execute(sql, params![int(guest), int(at)]).await?;
    Ok(())
}

/// Memberships of guests who were last here before a moment.
pub(super) async fn unseen(
    tx: &Tx<'_>,
    before: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<GuestMember>> {
    let first = int(UserId::guest(0));
    let mut steps = Steps::default();
    steps.push(
        "INSERT INTO guests (person, seen_at)
         SELECT DISTINCT person, $2::bigint FROM members WHERE person >= $1 ORDER BY person
         ON CONFLICT (person) DO NOTHING",
        params![first, int(now)],
    );
    steps.push(
        "DELETE FROM guests g WHERE NOT EXISTS (SELECT 1 FROM members m WHERE m.person = g.person)",
        params![],
    );
    tx.all(&mut steps).await?;
    let sql = "SELECT m.room, m.person, m.name FROM members m JOIN guests g ON g.person = m.person
         WHERE m.person >= $1 AND g.seen_at < $2 ORDER BY m.person, m.room LIMIT $3";
    let found = tx
        .rows(sql, params![first, int(before), rows(limit)])
        .await?;
    let read = |row: &Row| {
        Ok(GuestMember {
            room: number(row, 0)?,
            guest: number(row, 1)?,
            name: text(row, 2)?,
        })
    };
    found.iter().map(read).collect()
}
