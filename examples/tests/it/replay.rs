//! A room from its log.

use std::fs;
use std::process::{Command, Output};

fn replay(argument: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
    command.args(argument).output().unwrap()
}

#[test]
fn a_log_gives_the_room_that_it_made() {
    let output = replay(None);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "room 12 den, Active\n  \
           10 records, 4 messages\n  \
           owner alice\n  \
           member alice, Admin, since 1\n  \
           member bob, Moderator, since 2\n  \
           pinned message 4\n\
         every snapshot and its tail give the same room\n\
         the chain of 10 entries is whole\n\
         with everything said erased the chain is whole and the room is the same\n",
    );
}

#[test]
fn a_log_with_a_hole_gives_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let whole = include_str!("../../den.jsonl");
    let holed: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"seq\":5,"))
        .collect();
    fs::write(&path, holed).unwrap();
    let output = replay(path.to_str());
    assert!(!output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("without a hole")
    );
}
