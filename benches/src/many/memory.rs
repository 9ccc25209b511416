//! What rooms take in memory that are loaded and in which nothing is said.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use chat_core::RoomId;
use chat_server::store::Store;
use chat_server::store::sqlite::Sqlite;
use tokio::runtime::Runtime;

use super::start::{Server, program};
use super::stock::silent;
use crate::batches::keep;
use crate::crowd::engine;
use crate::load::frame::{self, Frame};
use crate::load::process::Processes;

/// Rooms that are loaded before anything is counted: caches fill with them.
const FIRST: u64 = 1_000;

/// Rooms in all.
const ROOMS: u64 = 10_000;

/// Members of each, in turn.
const SIZES: [u64; 2] = [10, 100];

/// Loads rooms into an engine and into a server, and prints by how much these grow.
///
/// # Panics
///
/// If a store or the server fails.
pub fn weigh(runtime: &Runtime, folder: &Path) {
    println!(
        "Memory of a room that is loaded, of {} rooms, nobody there and nothing said\n",
        ROOMS - FIRST
    );
    println!("| members | in an engine, bytes | in a server, bytes |");
    println!("|---|---|---|");
    for members in SIZES {
        let path = folder.join(format!("rooms-of-{members}.db"));
        let store = Sqlite::open(&path).expect("the folder is there");
        for first in (1..=ROOMS).step_by(100) {
            let rooms = (first..first + 100).map(RoomId::new);
            runtime.block_on(keep(
                &store,
                rooms.map(|room| silent(room, members)).collect(),
            ));
        }
        let alone = in_engine(runtime, &store);
        drop(store);
        let served = in_server(folder, &path);
        let served = served.map_or_else(|why| why, |bytes| bytes.to_string());
        println!("| {members} | {alone} | {served} |");
    }
    println!();
}

/// Loads rooms into an engine of this process.
fn in_engine(runtime: &Runtime, store: &Sqlite) -> u64 {
    let mut engine = engine();
    grown(std::process::id(), |room| {
        let room = runtime.block_on(store.load(RoomId::new(room)));
        engine.load(room.expect("the disk is well").expect("it is there"));
    })
}

/// Has a server load them, since somebody asks what he may do there.
fn in_server(folder: &Path, path: &Path) -> Result<u64, String> {
    let server = Server::start(&program()?, path, folder)?;
    let mut reader = Reader::connect(server.port);
    Ok(grown(server.running.pid(), |room| {
        reader.ask(&format!(
            r#"{{"id":{room},"op":"explain","d":{{"room":{room},"permission":"post"}}}}"#
        ));
    }))
}

/// By how many bytes a process grows with each room that is loaded, the first of them left out.
fn grown(pid: u32, mut load: impl FnMut(u64)) -> u64 {
    let process = Processes::watch(&[pid]).expect("it runs");
    (1..=FIRST).for_each(&mut load);
    let before = process.memory().private_bytes;
    (FIRST + 1..=ROOMS).for_each(&mut load);
    process.memory().private_bytes.saturating_sub(before) / (ROOMS - FIRST)
}

/// Somebody who asks one thing after the other over a WebSocket.
struct Reader {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Reader {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("it is a socket");
        stream.set_nodelay(true).expect("it is a socket");
        let heard = Vec::new();
        let mut reader = Self { stream, heard };
        let request = "GET /v1/ws HTTP/1.1\r\nHost: chat\r\nConnection: upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        reader
            .stream
            .write_all(request.as_bytes())
            .expect("little fits");
        while !reader.heard.ends_with(b"\r\n\r\n") {
            reader.read();
        }
        reader.heard.clear();
        reader.ask(r#"{"id":1,"op":"hello","d":{"guest":{"name":"gina"}}}"#);
        reader
    }

    /// Asks, and waits for the answer, which has to be a good one.
    fn ask(&mut self, text: &str) {
        let mut out = Vec::new();
        frame::text(text.as_bytes(), &mut out);
        self.stream.write_all(&out).expect("little fits");
        loop {
            while let Some((frame, rest)) = frame::take(&self.heard).expect("it speaks well") {
                let said = match frame {
                    Frame::Message(said) => String::from_utf8_lossy(said).into_owned(),
                    // It is over long before a ping would have to be answered.
                    Frame::Ping(_) | Frame::Pong => String::new(),
                    Frame::Close(why) => panic!("{}", frame::reason(why)),
                };
                self.heard = rest.to_vec();
                if said.starts_with(r#"{"re":"#) {
                    assert!(said.contains(r#""ok":"#), "{text} came to {said}");
                    return;
                }
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let mut bytes = [0; 4_096];
        let count = self.stream.read(&mut bytes).expect("it answers in time");
        assert!(count > 0, "the server has gone");
        self.heard.extend(bytes.iter().take(count));
    }
}
