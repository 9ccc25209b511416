//! The program killed at any moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::program::Program;
use crate::world::{Account, Native, sign_up};

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
