//! Files that it can't use, or not trust.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::power::number;
use super::program::Program;
use super::talker::read_log;
use crate::world::{Native, sign_up};
use chat_server::simulation::Dice;

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

/// `IMAGES=n` breaks so many copies, `SEED=n` in other places.
#[tokio::test]
async fn whatever_is_broken_in_a_file_what_is_served_is_true() {
    let folder = TempDir::new().unwrap();
    let server = Program::start(folder.path());
    let ann = sign_up(server.address, "ann").await;
    let mut client = Native::connect(server.address).await;
    client.hello(&ann).await;
    let room = client.create(json!({"name": "Den"})).await;
    for line in 0..80 {
        client.post(room, &format!("line {line}")).await;
    }
    let truth = read_log(&mut client, room).await;
    // Killed, so that there are both files; and stopped, so that all is in one.
    server.kill();
    let read = |name| (name, fs::read(folder.path().join(name)).unwrap());
    let killed = vec![read("chat.db"), read("chat.db-wal")];
    assert_eq!(Program::start(folder.path()).terminate().0, Some(0));
    let stopped = vec![read("chat.db")];
    let mut dice = Dice::new(number("SEED", 3));
    let (mut refused, mut served) = (0, 0);
    for _ in 0..number("IMAGES", 16).min(1_000) {
        let broken = TempDir::new().unwrap();
        let files = if dice.chance(30) { &killed } else { &stopped };
        let which = dice.below(files.len());
        let how = dice.below(3);
        for (place, (name, bytes)) in files.iter().enumerate() {
            let mut bytes = bytes.clone();
            let at = dice.below(bytes.len().max(1));
            match how {
                _ if place != which => {}
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << dice.below(8),
                _ => {
                    let end = bytes.len().min(at + 512);
                    bytes[at..end].fill(0);
                }
            }
            fs::write(broken.path().join(name), bytes).unwrap();
        }
        match Program::try_run(Program::command(broken.path())) {
            Err((code, said)) => {
                assert_eq!(said.lines().count(), 1, "{said}");
                // A number that is too high is that of a later program.
                let is_later = code == Some(69) && said.contains("schema");
                assert!(code == Some(65) || is_later, "{code:?} {said}");
                refused += 1;
            }
            Ok(server) => {
                tell_the_truth(&server, &ann.token, room, &truth).await;
                served += 1;
            }
        }
    }
    println!("{refused} refused at the start, {served} served");
    assert!(served > 0 && refused > 0);
}

/// Whatever is said of a room is a part of the truth, or a refusal.
async fn tell_the_truth(server: &Program, token: &str, room: u64, truth: &[Value]) {
    let mut client = Native::connect(server.address).await;
    if client.call("hello", json!({"token": token})).await.is_err() {
        return;
    }
    let records = client.call("records", json!({"room": room, "since": 0}));
    if let Ok(records) = records.await {
        let records = records["events"].as_array().unwrap();
        assert_eq!(records[..], truth[..records.len()]);
    }
    let history = client.call("history", json!({"room": room, "limit": 50}));
    if let Ok(page) = history.await {
        for message in page["items"].as_array().unwrap() {
            let seq = usize::try_from(message["seq"].as_u64().unwrap()).unwrap();
            let said = &truth[seq - 1]["d"]["content"]["body"];
            assert_eq!(&message["content"]["body"], said);
        }
    }
}
