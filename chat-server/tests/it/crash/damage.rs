//! Files that it can't use, or not trust.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::program::Program;

#[test]
fn a_second_server_on_the_same_file_says_so_and_ends() {
    let folder = TempDir::new().unwrap();
    let first = Program::start(folder.path());
    let (code, said) = Program::refused(folder.path(), &[]);
    assert_eq!((code, said.lines().count()), (Some(73), 1), "{said}");
    assert!(said.contains("chat.db"), "{said}");
    // A taken port is another matter.
    let other = TempDir::new().unwrap();
    let taken = first.address.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.current_dir(other.path()).env_clear();
    let ended = command
        .args(["--store", "memory:", "--listen", &taken])
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains(&taken) && said.lines().count() == 1, "{said}");
}

#[test]
fn a_damaged_file_and_a_newer_one_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("chat.db");
    fs::write(
        &file,
        "this is no database, and longer than the head of one: ".repeat(100),
    )
    .unwrap();
    let (code, said) = Program::refused(folder.path(), &[]);
    assert_eq!((code, said.lines().count()), (Some(65), 1), "{said}");

    fs::remove_file(&file).unwrap();
    let mut server = Program::start(folder.path());
    assert_eq!(server.terminate().0, Some(0));
    let mut bytes = fs::read(&file).unwrap();
    // The schema's version lies here (SQLite's file format, section 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let (code, said) = Program::refused(folder.path(), &[]);
    assert_eq!((code, said.lines().count()), (Some(69), 1), "{said}");
    assert!(said.contains("99"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), bytes, "it was not touched");
}
