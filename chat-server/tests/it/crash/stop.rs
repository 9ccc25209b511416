//! The program told to stop.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::program::Program;
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
