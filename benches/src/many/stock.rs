//! A store full of rooms, one of which is full of messages.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::Post;
use chat_core::{Command, Engine, Record, RoomId, Seq, Text, Timestamp, UserId};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::{Append, Store};

use crate::batches::{append, keep};
use crate::crowd::{Posts, act, engine, fill};

/// The room that is full.
pub const DEN: RoomId = RoomId::new(1);

/// Members of the full room; who asks is one of them.
pub const MEMBERS: u64 = 100;

/// Somebody who is in the full room, and in some others.
pub const ASKER: UserId = UserId::new(2);

/// A member of the full room who says nothing there, so that nothing is read by him.
pub const READER: UserId = UserId::new(MEMBERS);

/// Rooms that the asker is in beside the full one, whatever their number.
const ROOMS_OF_ASKER: u64 = 20;

/// How often the rare word is said, whatever the number of messages.
const RARELY: u64 = 10;

/// Records that are appended together.
const TOGETHER: u64 = 5_000;

/// Records after the last snapshot: no more than a server leaves there.
const TAIL: u64 = 200;

/// How much a store holds.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rooms in all.
    pub rooms: u64,
    /// Messages of the full one.
    pub messages: u64,
}

/// A store and what lies in it.
#[derive(Debug)]
pub struct Stock {
    /// The file.
    pub path: PathBuf,
    /// How much it holds.
    pub size: Size,
    /// Bytes of the file for each room with one message.
    pub bytes_a_room: u64,
    /// Bytes of the file for each message of the full room.
    pub bytes_a_message: u64,
    /// An engine that has the full room, to go on with.
    pub engine: Engine,
    /// What is said there next.
    pub posts: Posts,
}

impl Stock {
    /// Fills a store in this folder, and takes in all words.
    ///
    /// # Panics
    ///
    /// If the disk is full or worse.
    pub async fn fill(folder: &Path, name: &str, size: Size) -> Self {
        let path = folder.join(name);
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |it| it.len());
        add(&path, Vec::new).await;
        let empty = bytes(&path);

        let others: Vec<u64> = (2..=size.rooms).collect();
        let mut parts = others.chunks(500);
        add(&path, || {
            let part = parts.next().unwrap_or_default();
            part.iter()
                .map(|room| {
                    log(
                        RoomId::new(*room),
                        is_one_of(*room, size.rooms, ROOMS_OF_ASKER),
                    )
                })
                .collect()
        })
        .await;
        let roomy = bytes(&path);

        let mut engine = engine();
        let mut posts = Posts::new(DEN, MEMBERS - 1);
        let founding = fill(&mut engine, DEN, MEMBERS).into_iter().map(Arc::new);
        let mut founding = Some(append(founding.collect()));
        let mut said = 0;
        add(&path, || {
            let next = founding.take();
            let next = next.or_else(|| speak(&mut engine, &mut posts, &mut said, size.messages));
            next.into_iter().collect()
        })
        .await;
        Self {
            bytes_a_room: (roomy - empty) / others.len().max(1) as u64,
            bytes_a_message: (bytes(&path) - roomy) / size.messages.max(1),
            path,
            size,
            engine,
            posts,
        }
    }

    /// The record of the next message in the full room.
    pub fn say(&mut self) -> Append {
        let record = act(&mut self.engine, &self.posts.post());
        as_kept(&self.engine, vec![Arc::new(record)])
    }

    /// The last record of the full room.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.engine
            .room(DEN)
            .map_or(Seq::default(), |room| room.head_seq)
    }
}

/// Appends batches until one is empty, takes in their words, and closes the store, so that all of it
/// lies in one file.
async fn add(path: &Path, mut next: impl FnMut() -> Vec<Append>) {
    let open = || Sqlite::open(path).expect("the folder is there");
    let store = open();
    loop {
        let batch = next();
        if batch.is_empty() {
            break;
        }
        keep(&store, batch).await;
    }
    let now = Timestamp::new(1_800_000_000_000);
    while store.tend(now).await.expect("the disk is well") {}
    drop(store);
    // Who opens it moves what the write-ahead log still holds.
    drop(open());
}

/// A room in which one thing was said.
fn log(room: RoomId, with_asker: bool) -> Append {
    let mut engine = engine();
    let members = if with_asker { 10 } else { 1 };
    let mut records = fill(&mut engine, room, members);
    records.push(act(&mut engine, &Posts::new(room, members).post()));
    append(records.into_iter().map(Arc::new).collect())
}

/// The next messages of the full room; none once all is said.
fn speak(engine: &mut Engine, posts: &mut Posts, said: &mut u64, messages: u64) -> Option<Append> {
    let left = messages - *said;
    let count = if left > TAIL {
        TOGETHER.min(left - TAIL)
    } else {
        left
    };
    let mut records = Vec::new();
    for _ in 0..count {
        *said += 1;
        let mut post = posts.post();
        post.command = Command::from(Post::plain(line(*said, messages)));
        records.push(Arc::new(act(engine, &post)));
    }
    let is_tail = left <= TAIL;
    let room = || engine.room(DEN).cloned().map(Box::new);
    (!records.is_empty()).then(|| Append {
        snapshot: if is_tail { None } else { room() },
        ..append(records)
    })
}

/// One line: everyone has a common word, ten a rare one, and every other one one of two that never
/// stand together.
fn line(number: u64, messages: u64) -> Text {
    let is_rare = is_one_of(number, messages, RARELY);
    let place = if is_rare { "lighthouse" } else { "bridge" };
    let side = if number.is_multiple_of(2) {
        "larboard"
    } else {
        "starboard"
    };
    let text = format!("harbour {number}, to {side} of the {place}");
    Text::new(text).expect("it has no NUL")
}

/// Whether a number, which counts from 1, is one of so many that lie evenly among all of them.
fn is_one_of(number: u64, all: u64, chosen: u64) -> bool {
    let step = (all / chosen).max(1);
    number.is_multiple_of(step) && number / step <= chosen
}

/// The records of a room that was just made: so many members, who say nothing.
#[must_use]
pub fn silent(room: RoomId, members: u64) -> Append {
    let log: Vec<Record> = fill(&mut engine(), room, members);
    append(log.into_iter().map(Arc::new).collect())
}

/// Records as the server has them appended: with a snapshot where they pass a multiple of the
/// distance that is for a room of this size.
///
/// # Panics
///
/// If the engine doesn't have their room.
#[must_use]
pub fn as_kept(engine: &Engine, records: Vec<Arc<Record>>) -> Append {
    let mut batch = append(records);
    let room = engine.room(batch.room).expect("it was made");
    let distance = 1 << 256.max(room.members.len() as u64 / 4).ilog2();
    let is_due = room.head_seq.number() / distance > batch.after.number() / distance;
    batch.snapshot = is_due.then(|| Box::new(room.clone()));
    batch
}
