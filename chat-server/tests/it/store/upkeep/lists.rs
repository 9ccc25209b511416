//! Lists and snapshots that say something else than the log.

use chat_protocol::log::Sum;
use chat_server::store::Store;
use chat_server::store::sqlite::Sqlite;
use chat_server::store::sqlite::upkeep::{self, Part};
use rusqlite::Connection;

use super::{DEN, House, LISTS, LOG, NOW, dump, findings, sound};
use crate::store::stage::name;

/// What can be done to a list, and the words that tell of it.
const WRONG_LISTS: &[(&str, &str)] = &[
    (
        "UPDATE rooms SET name = 'pit' WHERE id = 1",
        "room 1: rooms: name is not what the log says",
    ),
    (
        "UPDATE rooms SET members = 9, head_idx = 1 WHERE id = 1",
        "room 1: rooms: head_idx, members is not what the log says",
    ),
    (
        "DELETE FROM rooms WHERE id = 2",
        "room 2: rooms: is missing",
    ),
    (
        "UPDATE members SET role = 'admin' WHERE room = 1 AND user = 2",
        "room 1, user 2: members: role is not what the log says",
    ),
    (
        "DELETE FROM members WHERE room = 1 AND user = 3",
        "room 1, user 3: members: is missing",
    ),
    (
        "INSERT INTO members SELECT room, 8, role, since, name, nickname, read FROM members
         WHERE room = 1 AND user = 3",
        "room 1, user 8: members: the log knows nothing of it",
    ),
    (
        "UPDATE members SET nickname = NULL WHERE nickname IS NOT NULL",
        "room 1, user 2: members: nickname is not what the log says",
    ),
    (
        "UPDATE members SET read = 99 WHERE room = 1 AND user = 2",
        "room 1: the marker of user 2 is where he can't have read to",
    ),
    (
        "UPDATE members SET read = 1 WHERE room = 1 AND user = 2",
        "room 1: the marker of user 2 is where he can't have read to",
    ),
    (
        "UPDATE changed SET deleted = NULL WHERE deleted IS NOT NULL",
        "room 1, record 9: changed: deleted is not what the log says",
    ),
    (
        "UPDATE changed SET edit = 10 WHERE message = 4",
        "room 1, record 4: changed: edit is not what the log says",
    ),
    (
        "DELETE FROM threads",
        "room 1, record 4, message 6: threads: is missing",
    ),
    (
        "DELETE FROM edits",
        "room 1, record 9, edit 10: edits: is missing",
    ),
    (
        "DELETE FROM terms WHERE room = 1 AND term = 'carol'",
        "room 1, message 5: terms: is missing",
    ),
    (
        "UPDATE terms SET term = 'hallo' WHERE room = 1 AND message = 6 AND term = 'hello'",
        "room 1, message 6: terms: the log knows nothing of it",
    ),
    (
        "INSERT INTO terms VALUES (1, 'secret', 9)",
        "room 1, message 9: terms: the log knows nothing of it",
    ),
    (
        "UPDATE rooms SET indexed = 99 WHERE id = 2",
        "room 2: words were taken in up to record 99, which isn't there",
    ),
    (
        "DELETE FROM mentions",
        "room 1, message number 2, user 3: mentions: is missing",
    ),
    (
        "UPDATE reactions SET user = 1",
        "room 1, record 6, user 1: reactions: the log knows nothing of it",
    ),
    (
        "UPDATE aliases SET room = 1",
        "room 2: aliases: room is not what the log says",
    ),
    (
        "UPDATE directs SET room = 2",
        "room 3, user 1, user 2: directs: room is not what the log says",
    ),
    (
        "DELETE FROM cids",
        "room 1, record 13: its cid is not kept, and may come again",
    ),
    (
        "UPDATE cids SET seq = 4",
        "room 1, record 4: its cid is kept for another record, or for none",
    ),
    (
        "UPDATE records SET message = 4 WHERE room = 1 AND seq = 7",
        "room 1, record 7: counts messages wrongly",
    ),
    (
        "UPDATE records SET idx = 9 WHERE room = 1 AND seq = 14",
        "room 1, record 14: counts messages wrongly",
    ),
    (
        "UPDATE snapshots SET state = CAST(replace(CAST(state AS TEXT), 'den', 'pit') AS BLOB)",
        "room 1: the snapshot is damaged",
    ),
    (
        "INSERT INTO snapshots SELECT 99, seq, state, sum, seal FROM snapshots",
        "room 99: there is a snapshot of record 13, and no log",
    ),
];

#[tokio::test]
async fn every_wrong_line_of_a_list_is_found_and_comes_back_from_the_log() {
    let house = House::new().await;
    sound(&house.path("sound.db"));
    let truth = dump(&house.path("sound.db"), LISTS);
    let log = dump(&house.path("sound.db"), LOG);
    for (sql, words) in WRONG_LISTS {
        let path = house.damaged(sql);
        let found = findings(&path).unwrap();
        let meant = (Part::Lists, (*words).to_owned());
        assert!(found.contains(&meant), "{sql}: {found:?}");
        upkeep::rebuild(&path, NOW).unwrap_or_else(|error| panic!("{sql}: {error}"));
        sound(&path);
        // How far somebody has read is in no log, nor how far words were taken in; what can't be is
        // put right, all else stays.
        let told_nowhere = ["read = 99", "DELETE FROM members", "DELETE FROM rooms"];
        if !told_nowhere.iter().any(|part| sql.contains(part)) {
            assert_eq!(dump(&path, LISTS), truth, "{sql}");
        }
        assert_eq!(dump(&path, LOG), log, "{sql}");
        Sqlite::open(&path)
            .unwrap()
            .load(DEN)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_that_is_whole_and_wrong_is_found() {
    let house = House::new().await;
    let path = house.damaged("UPDATE snapshots SET seq = seq");
    let db = Connection::open(&path).unwrap();
    let (state, sum): (Vec<u8>, [u8; 16]) = db
        .query_row("SELECT state, sum FROM snapshots", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let state = String::from_utf8(state).unwrap().replace("den", "pit");
    let seal = Sum(sum).seal(state.as_bytes()).0;
    db.execute(
        "UPDATE snapshots SET state = ?1, seal = ?2",
        rusqlite::params![state.as_bytes(), seal],
    )
    .unwrap();
    drop(db);
    let words = "room 1: the snapshot at record 13 is not what the log leads to";
    assert_eq!(findings(&path).unwrap(), [(Part::Lists, words.to_owned())]);
    upkeep::rebuild(&path, NOW).unwrap();
    sound(&path);
    let loaded = Sqlite::open(&path).unwrap().load(DEN).await.unwrap();
    assert_eq!(loaded.unwrap().name, Some(name("den")));
}
