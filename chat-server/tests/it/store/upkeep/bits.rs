//! Files that a disk has spoilt.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::types::Value;

use super::{House, LISTS, LOG, dump, findings};

/// Whether damage is noticed; if none is, the file has to say what is true.
fn noticed(path: &Path, truth: &BTreeMap<String, Vec<Vec<Value>>>, what: &str) -> bool {
    let found = match findings(path) {
        Ok(found) => found,
        Err(_) => return true,
    };
    if found.is_empty() {
        assert_eq!(&facts(path), truth, "{what}");
    }
    !found.is_empty()
}

/// All that the log tells: markers and the names of deleted messages' authors are beside it.
fn facts(path: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let mut facts = dump(path, LOG);
    facts.extend(dump(path, LISTS));
    for (table, column) in [("members", 6), ("changed", 6)] {
        for line in facts.get_mut(table).unwrap() {
            line.remove(column);
        }
    }
    // Which of the runs wrote a record is in no sum.
    facts.remove("runs");
    facts
}

#[tokio::test]
async fn of_any_flipped_bit_the_result_is_the_truth_or_a_refusal() {
    let house = House::new().await;
    let sound = fs::read(house.path("sound.db")).unwrap();
    let truth = facts(&house.path("sound.db"));
    let path = house.path("flipped.db");
    let mut count = 0;
    for flip in 0..400_usize {
        let bit = flip.wrapping_mul(2_654_435_761) % (sound.len() * 8);
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        count += usize::from(noticed(&path, &truth, &format!("bit {bit}")));
    }
    assert!(count > 20, "{count}");
}

#[tokio::test]
async fn of_a_truncated_file_the_result_is_a_refusal() {
    let house = House::new().await;
    let sound = fs::read(house.path("sound.db")).unwrap();
    let path = house.path("short.db");
    for part in 0..40 {
        let length = sound.len() * part / 40;
        fs::write(&path, &sound[..length]).unwrap();
        let outcome = findings(&path);
        assert!(
            !matches!(&outcome, Ok(found) if found.is_empty()),
            "{length} of {}",
            sound.len()
        );
    }
}
