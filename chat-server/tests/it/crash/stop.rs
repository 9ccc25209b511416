//! The program told to stop.

use std::collections::BTreeSet;
use std::env;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::program::Program;
use super::talker::{Talker, all_talk, body, compare, read_log};
use crate::world::{Native, http, sign_up};

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

/// `ROUNDS=n` stops it so often; more often where little is said in between.
#[tokio::test]
async fn what_was_received_when_it_stops_is_answered_or_never_happens() {
    let rounds: usize = env::var("ROUNDS").map_or(3, |it| it.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let ann = sign_up(server.address, "ann").await;
    let mut client = Native::connect(server.address).await;
    client.hello(&ann).await;
    let room = client.create(json!({"name": "Den"})).await;
    let mut talkers: Vec<_> = (0..12)
        .map(|who| Talker::new(&ann, room, format!("line {who}")))
        .collect();
    let mut retries = BTreeSet::new();
    let mut lines = 0;
    for round in 0..10 * rounds {
        if round >= rounds && lines > 10 * rounds && retries.len() > rounds {
            break;
        }
        let talking = all_talk(talkers, server.address, usize::MAX / 2);
        let stopping = async {
            // The moment is what this test is about: any will do.
            let moment = 150 + 70 * (round as u64 % 5) + 100 * round.saturating_sub(rounds) as u64;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            let stopped = tokio::task::spawn_blocking(move || server.terminate());
            stopped.await.unwrap()
        };
        let (talked, (code, took)) = tokio::join!(talking, stopping);
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
        talkers = talked.into_iter().map(|(talker, _)| talker).collect();
        server = Program::start(folder.path());
        let mut client = Native::connect(server.address).await;
        client.hello(&ann).await;
        let log = read_log(&mut client, room).await;
        for talker in &mut talkers {
            if let Some(mut left) = talker.left.take() {
                let bye = left.system("bye").await;
                retries.insert(bye["retry_ms"].as_u64().unwrap());
            }
            let unanswered = talker.unanswered();
            let done = log.iter().find(|record| Some(body(record)) == unanswered);
            assert_eq!(done, None, "it was done, and not answered");
        }
        lines = talkers.iter().map(|it| it.acknowledged.len()).sum();
    }
    compare(server.address, &talkers).await;
    assert!(lines > 10 * rounds, "{lines} lines");
    assert!(
        retries.len() > rounds,
        "they come back at once: {retries:?}"
    );
    println!("{rounds} stops or more, {lines} lines");
}

#[tokio::test]
async fn while_it_stops_it_is_not_ready_and_takes_nobody_in() {
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let address = server.address;
    let ann = sign_up(address, "ann").await;
    let mut a = Native::connect(address).await;
    a.hello(&ann).await;
    let mut probe = TcpStream::connect(address).await.unwrap();
    server.signal();
    a.system("bye").await;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    drop(probe.write_all(request.as_bytes()).await);
    let mut said = String::new();
    drop(probe.read_to_string(&mut said).await);
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 503"),
        "{said:?}"
    );
    if let Ok(mut late) = TcpStream::connect(address).await {
        drop(late.write_all(request.as_bytes()).await);
        let mut said = String::new();
        drop(late.read_to_string(&mut said).await);
        let refused = said.is_empty() || said.starts_with("HTTP/1.1 503");
        assert!(refused, "somebody is taken in: {said:?}");
    }
    assert_eq!(server.ended(), Some(0));
}
