//! The program killed at any moment, told to stop, and started on files that it can't use.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::world::{Account, Native, http, sign_up};

/// The program as a process of its own. It dies with the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    fn command(folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command
            .current_dir(folder)
            .env_clear()
            .args(["--listen", "127.0.0.1:0", "--rate-limits", "off"])
            .args(["--workers", "2", "--store", "sqlite:chat.db"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it, and waits until it accepts connections.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Self::command(folder).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line:?}"));
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop by a signal; gives its code and how long it took.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal();
        let status = self.child.wait().unwrap();
        (status.code(), began.elapsed())
    }

    fn signal(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts the program where it can't run; gives its code and what it says.
fn refused(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut child = Program::command(folder).args(more).spawn().unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (child.wait().unwrap().code(), said)
}

/// What one client was promised: the position of each line that was acknowledged.
type Promised = BTreeMap<String, u64>;

/// Posts lines until the connection breaks; gives those that were acknowledged, and the last one,
/// of which nobody knows.
async fn talk(
    address: SocketAddr,
    account: Account,
    room: u64,
    name: String,
) -> (Promised, String) {
    let mut promised = Promised::new();
    let Ok(stream) = TcpStream::connect(address).await else {
        return (promised, format!("{name}-0"));
    };
    let mut client = Native::over(stream, address).await;
    client.ok("hello", json!({"token": account.token})).await;
    for line in 0.. {
        let cid = format!("{name}-{line}");
        let d = json!({"room": room, "body": cid, "cid": cid});
        let id = client.ask("post", d).await;
        match client.reply_or_end(id).await {
            Some(reply) => promised.insert(cid, reply["seq"].as_u64().unwrap()),
            None => return (promised, cid),
        };
    }
    unreachable!("a client talks until the server dies")
}

#[tokio::test]
async fn what_was_acknowledged_outlives_being_killed_at_any_moment() {
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let ann = sign_up(server.address, "ann").await;
    let mut a = Native::connect(server.address).await;
    a.hello(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    a.cut();
    let mut promised = Promised::new();
    let mut last_head = 0;
    for (kill, after_ms) in [350, 120, 500, 40].into_iter().enumerate() {
        let talks: Vec<_> = (0..4)
            .map(|who| {
                let name = format!("{kill}-{who}");
                tokio::spawn(talk(server.address, ann.clone(), room, name))
            })
            .collect();
        // The moment is what this test is about: any will do.
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        server.kill();
        let mut unknown = Vec::new();
        for talk in talks {
            let (more, last) = talk.await.unwrap();
            promised.extend(more);
            unknown.push(last);
        }
        server = Program::start(folder.path());
        let mut a = Native::connect(server.address).await;
        a.hello(&ann).await;
        // Whoever doesn't know sends it again: it is there once, be it by the first or the second.
        for cid in unknown {
            let d = json!({"room": room, "body": cid, "cid": cid});
            let again = a.ok("post", d).await;
            promised.insert(cid, again["seq"].as_u64().unwrap());
        }
        let some = promised.iter().last().unwrap();
        let d = json!({"room": room, "body": some.0, "cid": some.0});
        let again = a.ok("post", d).await;
        assert_eq!(
            (&again["dup"], &again["seq"]),
            (&json!(true), &json!(some.1))
        );
        let log = read_log(&mut a, room).await;
        let head = log.len() as u64;
        assert!(head > last_head);
        last_head = head;
        for (line, seq) in &promised {
            assert_eq!(log.get(seq), Some(line), "after kill {kill}");
        }
        let mut lines: Vec<_> = log.values().filter(|line| !line.is_empty()).collect();
        lines.sort_unstable();
        let count = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), count, "each line is there once");
    }
    assert!(promised.len() > 50, "only {} lines", promised.len());
}

/// All records of a room: the body of each that is a line, in a log without a hole.
async fn read_log(client: &mut Native, room: u64) -> BTreeMap<u64, String> {
    let mut log = BTreeMap::new();
    loop {
        let since = log.len() as u64;
        let records = client
            .ok("records", json!({"room": room, "since": since}))
            .await;
        for event in records["events"].as_array().unwrap() {
            let body = event["d"]["content"]["body"].as_str().unwrap_or_default();
            log.insert(event["seq"].as_u64().unwrap(), body.to_owned());
        }
        assert_eq!(log.keys().last().copied(), Some(log.len() as u64), "a hole");
        if records["upto"] == records["head"] {
            return log;
        }
    }
}

#[tokio::test]
async fn whoever_is_there_when_it_stops_hears_goodbye() {
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let ann = sign_up(server.address, "ann").await;
    let mut a = Native::connect(server.address).await;
    a.hello(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut silent = Native::connect(server.address).await;
    let mut stalled = Native::connect_narrowly(server.address).await;
    stalled.hello(&ann).await;
    let id = a
        .ask("post", json!({"room": room, "body": "one more"}))
        .await;
    a.reply(id).await.unwrap();
    let (code, took) = tokio::task::spawn_blocking(move || server.terminate())
        .await
        .unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let bye = a.system("bye").await;
    assert_eq!(bye["code"], 4000);
    assert!(bye["retry_ms"].as_u64().is_some_and(|ms| ms > 0));
    assert_eq!(a.closed().await, 4000);
    assert_eq!(silent.closed().await, 4000);
}

#[tokio::test]
async fn it_is_ready_until_it_stops() {
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let said = http(server.address, "GET", "/readyz", &[], b"").await;
    assert_eq!((said.status, said.body.as_str()), (200, "ok\n"));
    let address = server.address;
    assert_eq!(server.terminate().0, Some(0));
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn a_second_server_on_the_same_file_says_so_and_ends() {
    let folder = TempDir::new().unwrap();
    let first = Program::start(folder.path());
    let (code, said) = refused(folder.path(), &[]);
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
    let (code, said) = refused(folder.path(), &[]);
    assert_eq!((code, said.lines().count()), (Some(65), 1), "{said}");

    fs::remove_file(&file).unwrap();
    let mut server = Program::start(folder.path());
    assert_eq!(server.terminate().0, Some(0));
    let mut bytes = fs::read(&file).unwrap();
    // The schema's version lies here (SQLite's file format, section 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let (code, said) = refused(folder.path(), &[]);
    assert_eq!((code, said.lines().count()), (Some(69), 1), "{said}");
    assert!(said.contains("99"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), bytes, "it was not touched");
}

#[tokio::test]
async fn nobody_hears_what_is_not_on_disk() {
    let folder = TempDir::new().unwrap();
    let server = Program::start(folder.path());
    let (ann, bob) = (
        sign_up(server.address, "ann").await,
        sign_up(server.address, "bob").await,
    );
    let mut a = Native::connect(server.address).await;
    a.hello(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    a.cut();
    let mut b = Native::connect(server.address).await;
    b.hello(&bob).await;
    b.join(room).await;
    let heard = Arc::new(AtomicU64::new(0));
    let hears = heard.clone();
    let listens = tokio::spawn(async move {
        while let Some(event) = b.event_or_end().await {
            hears.store(event["seq"].as_u64().unwrap(), Ordering::SeqCst);
        }
    });
    let talks = tokio::spawn(talk(server.address, ann.clone(), room, "line".to_owned()));
    // As soon as something was heard: the append that follows is under way.
    while heard.load(Ordering::SeqCst) < 40 {
        tokio::task::yield_now().await;
    }
    server.kill();
    talks.await.unwrap();
    listens.await.unwrap();
    let server = Program::start(folder.path());
    let mut a = Native::connect(server.address).await;
    a.hello(&ann).await;
    let log = read_log(&mut a, room).await;
    assert!(log.len() as u64 >= heard.load(Ordering::SeqCst));
}
