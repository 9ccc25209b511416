//! Logs that are not what was written.

use chat_server::store::StoreError;
use chat_server::store::sqlite::upkeep::{self, Part};

use super::{House, LISTS, NOW, dump, findings};

/// What can be done to a log, and the words that tell of it.
const WRONG_LOGS: &[(&str, &str)] = &[
    (
        "UPDATE records SET fact = CAST(replace(CAST(fact AS TEXT), '\"seq\":4', '\"seq\":5') AS BLOB)
         WHERE room = 1 AND seq = 4",
        "room 1, record 4: the chain of the log is broken",
    ),
    (
        "UPDATE records SET words = CAST(replace(CAST(words AS TEXT), 'hello', 'jello') AS BLOB)
         WHERE room = 1 AND seq = 4",
        "room 1, record 4: the words don't belong to their record",
    ),
    (
        "UPDATE records SET key = NULL WHERE room = 1 AND seq = 4",
        "room 1: a record has half of its words",
    ),
    (
        "UPDATE records SET sum = zeroblob(16) WHERE room = 1 AND seq = 4",
        "room 1, record 4: the chain of the log is broken",
    ),
    (
        "UPDATE records SET version = 7 WHERE room = 1 AND seq = 4",
        "room 1, record 4: log format 7 is unknown; this program knows up to 1",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 4",
        "room 1: record 4 is missing",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 1",
        "room 1: record 1 is missing",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq = 14",
        "room 1: the log ends at record 13, and there were 14",
    ),
    (
        "DELETE FROM records WHERE room = 1 AND seq >= 13; UPDATE rooms SET head_seq = 12",
        "room 1: the log ends at record 12, and the snapshot is of record 13",
    ),
    (
        "DELETE FROM records WHERE room = 2",
        "room 2: the log ends at record 0, and there were 1",
    ),
    (
        "UPDATE records SET room = 4 WHERE room = 2",
        "room 4, record 1: another record stands in its place",
    ),
    (
        "UPDATE records SET run = 0 WHERE room = 1 AND seq = 4",
        "room 1, record 4: its run is over",
    ),
];

#[tokio::test]
async fn every_damage_to_a_log_is_found_and_no_list_is_made_from_it() {
    let house = House::new().await;
    for (sql, words) in WRONG_LOGS {
        let path = house.damaged(sql);
        let found = findings(&path).unwrap();
        let meant = (Part::Log, (*words).to_owned());
        assert!(found.contains(&meant), "{sql}: {found:?}");
        let before = dump(&path, LISTS);
        let refused = upkeep::rebuild(&path, NOW);
        assert!(
            matches!(refused, Err(StoreError::Damaged(_))),
            "{sql}: {refused:?}"
        );
        assert_eq!(dump(&path, LISTS), before, "{sql}");
    }
}

#[tokio::test]
async fn the_other_rooms_of_a_damaged_store_are_not_blamed() {
    let house = House::new().await;
    let path = house.damaged("DELETE FROM records WHERE room = 1 AND seq = 4");
    let words = "room 1: record 4 is missing".to_owned();
    assert_eq!(findings(&path).unwrap(), [(Part::Log, words)]);
}
