//! The keys that a log leaves its room with.

use chat_core::{Key, Record, RoomId, Seq};
use rusqlite::{Connection, params};

use crate::store::sqlite::column::int;
use crate::store::sqlite::fault::Result;

/// The alias that a room holds so far.
pub(super) type Alias = Option<(String, Seq)>;

/// Follows a record's keys; says in words what they can't be.
///
/// Logs are read room after room, not in the order in which the rooms were written to. So an alias
/// counts once its room's log has ended, and of one cid that was used again after its window, the
/// latest use does.
pub(super) fn follow(
    db: &Connection,
    record: &Record,
    alias: &mut Alias,
) -> Result<Option<&'static str>> {
    if record.frees_alias() {
        *alias = None;
    }
    let (room, seq, at) = (int(record.room), int(record.seq), int(record.at));
    let mut cid = db.prepare_cached(
        "INSERT INTO cids (scope, user, cid, room, seq, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (scope, user, cid)
         DO UPDATE SET room = excluded.room, seq = excluded.seq, at = excluded.at
         WHERE excluded.at >= at",
    )?;
    for key in record.keys() {
        match key {
            Key::Alias(skeleton) => *alias = Some((skeleton, record.seq)),
            Key::Creation(user, id) => {
                cid.execute(params![0, int(user), id.as_str(), room, seq, at])?;
            }
            Key::Command(scope, user, id) => {
                cid.execute(params![int(scope), int(user), id.as_str(), room, seq, at])?;
            }
            Key::Direct(one, other) => {
                let claimed = db
                    .prepare_cached(
                        "INSERT OR IGNORE INTO directs (one, other, room) VALUES (?1, ?2, ?3)",
                    )?
                    .execute([int(one), int(other), room])?;
                if claimed == 0 {
                    return Ok(Some("these two have a direct room already"));
                }
            }
        }
    }
    Ok(None)
}

/// Gives a room the alias that its log left it with; says in words if another has it.
pub(super) fn settle(db: &Connection, room: RoomId, alias: Alias) -> Result<Option<&'static str>> {
    let Some((skeleton, seq)) = alias else {
        return Ok(None);
    };
    let claimed = db
        .prepare_cached("INSERT OR IGNORE INTO aliases (skeleton, room, seq) VALUES (?1, ?2, ?3)")?
        .execute(params![skeleton, int(room), int(seq)])?;
    Ok((claimed == 0).then_some("its alias is another room's too"))
}
