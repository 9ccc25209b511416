//! How long the start takes, with much in the store. `ROOMS=100000 MESSAGES=1000000` measures it with
//! so much; in the usual run what is read is counted, which no loaded machine changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chat_core::commands::{Command, CreateRoom, Post};
use chat_core::{
    Actor, Cid, Decision, Engine, Facts, Limits, Name, Record, Request, RoomId, Seq, Standing,
    Text, Timestamp, UserId,
};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::{Append, Appended, Store};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::power::number;
use super::shim::{Field, Shim};
use crate::world::Native;

/// Rooms whose records are appended together.
const TOGETHER: u64 = 200;

#[tokio::test]
async fn the_start_reads_no_more_of_a_large_store_than_of_a_small_one() {
    let (rooms, messages) = (number("ROOMS", 300), number("MESSAGES", 1_500));
    let (small, large) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    stock(&small.path().join("chat.db"), 1..11, 5).await;
    stock(
        &large.path().join("chat.db"),
        1..rooms + 1,
        messages / rooms,
    )
    .await;
    let Some(few) = start(small.path()).await else {
        return;
    };
    let many = start(large.path()).await.unwrap();
    println!("{few} bytes read of 10 rooms, {many} of {rooms}");
    assert!(many < few + 128 * 1024, "{few} bytes, and {many} of more");
}

#[tokio::test]
async fn what_a_killed_server_left_in_its_log_is_there_at_the_first_hello() {
    let (rooms, messages) = (number("ROOMS", 200), number("MESSAGES", 1_000));
    let (folder, left) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("chat.db");
    stock(&path, 1..2, 1).await;
    // Somebody who reads all the while keeps the log from being moved into the database.
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM rooms")
        .unwrap();
    let store = Sqlite::open(&path).unwrap();
    fill(&store, 2..rooms / 5 + 2, messages / rooms).await;
    for name in ["chat.db", "chat.db-wal"] {
        fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
    }
    let log = fs::metadata(left.path().join("chat.db-wal")).unwrap().len();
    println!("a log of {log} bytes");
    if start(left.path()).await.is_none() {
        return;
    }
    drop(store);
    let store = Sqlite::open(left.path().join("chat.db")).unwrap();
    let last = store.load(RoomId::new(rooms / 5 + 1)).await.unwrap();
    assert_eq!(last.unwrap().head_seq.number(), 1 + messages / rooms);
}

/// Starts the program, says hello, and kills it; gives how many bytes of the store were read.
async fn start(folder: &Path) -> Option<i64> {
    let shim = Shim::new("the start", folder)?;
    let began = Instant::now();
    let program = shim.start();
    let listening = began.elapsed();
    let mut client = Native::connect(program.address).await;
    client.ok("hello", json!({"guest": {"name": "gina"}})).await;
    println!(
        "listening after {listening:?}, hello after {:?}",
        began.elapsed()
    );
    let read = shim.value(Field::ReadBytes);
    program.kill();
    Some(read)
}

/// Makes a store with these rooms, and so many messages in each.
async fn stock(path: &Path, rooms: std::ops::Range<u64>, messages: u64) {
    fill(&Sqlite::open(path).unwrap(), rooms, messages).await;
}

async fn fill(store: &Sqlite, rooms: std::ops::Range<u64>, messages: u64) {
    let numbers: Vec<u64> = rooms.collect();
    for part in numbers.chunks(usize::try_from(TOGETHER).unwrap()) {
        let batch: Vec<_> = part.iter().map(|room| log(*room, messages)).collect();
        let count = batch.len();
        let appended = store.append(batch).await.unwrap();
        assert_eq!(appended, vec![Appended::Done; count]);
    }
}

/// The log of a room in which its owner has said so much.
fn log(room: u64, messages: u64) -> Append {
    let mut limits = Limits::default();
    limits.posts_limited = false;
    let mut engine = Engine::new(limits);
    let name = Name::new(&format!("room {room}")).unwrap();
    let mut records = vec![act(&mut engine, room, 0, CreateRoom::named(name).into())];
    for line in 1..=messages {
        let body = Text::new(format!("line {line} of a room in which not much is said")).unwrap();
        records.push(act(&mut engine, room, line, Post::plain(body).into()));
    }
    Append {
        room: RoomId::new(room),
        after: Seq::default(),
        epoch: None,
        records,
        snapshot: None,
    }
}

fn act(engine: &mut Engine, room: u64, step: u64, command: Command) -> Arc<Record> {
    let owner = UserId::new(1 + room % 1_000);
    let request = Request {
        room: RoomId::new(room),
        actor: Actor::new(owner, Name::new("somebody").unwrap()),
        at: Timestamp::new(1_700_000_000_000 + step * 1_000),
        cid: Some(Cid::new(format!("{room}-{step}")).unwrap()),
        command,
        facts: Facts {
            standing: Some(Standing::default()),
            ..Facts::default()
        },
    };
    match engine.decide(&request) {
        Ok(Decision::New(record)) => {
            assert!(engine.evolve(&record));
            Arc::new(record)
        }
        other => panic!("{other:?}"),
    }
}
