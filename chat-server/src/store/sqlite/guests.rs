//! When guests who are members were last here.

use chat_core::{Timestamp, UserId};
use rusqlite::Connection;

use super::column::{int, number, rows, text};
use super::fault::Result;
use crate::store::GuestMember;

/// Notes that a guest was here, if he is a member of any room.
pub(super) fn see(db: &Connection, guest: UserId, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO guests (user, seen_at)
         SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM members WHERE user = ?1)
         ON CONFLICT (user) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
    )?
    .execute([int(guest), int(at)])?;
    Ok(())
}

/// Memberships of guests who were last here before a moment.
pub(super) fn unseen(
    db: &Connection,
    before: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<GuestMember>> {
    let first = int(UserId::guest(0));
    db.execute(
        "INSERT OR IGNORE INTO guests (user, seen_at)
         SELECT DISTINCT user, ?2 FROM members WHERE user >= ?1",
        [first, int(now)],
    )?;
    db.execute(
        "DELETE FROM guests WHERE NOT EXISTS (SELECT 1 FROM members m WHERE m.user = guests.user)",
        [],
    )?;
    let mut query = db.prepare_cached(
        "SELECT m.room, m.user, m.name FROM members m JOIN guests g ON g.user = m.user
         WHERE m.user >= ?1 AND g.seen_at < ?2 ORDER BY m.user, m.room LIMIT ?3",
    )?;
    let mut found = query.query([first, int(before), rows(limit)])?;
    let mut members = Vec::new();
    while let Some(row) = found.next()? {
        members.push(GuestMember {
            room: number(row, 0)?,
            guest: number(row, 1)?,
            name: text(row, 2)?,
        });
    }
    Ok(members)
}
