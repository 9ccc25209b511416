//! What a connection takes up that says nothing: a figure, and no test.
//! `cargo test -p chat-server --test it tls::idle -- --ignored --nocapture`

use serde_json::json;
use tempfile::TempDir;

use super::site::FIRST;
use crate::hostile::process::Setup;
use crate::world::Native;

const CONNECTIONS: u64 = 1_000;

/// Bytes that the program takes up for each of many silent sessions.
async fn bytes_each(secure: bool) -> u64 {
    let folder = TempDir::new().unwrap();
    FIRST.lie_in(folder.path());
    let config = "rate_limits = false\n".to_owned();
    let config = match secure {
        true => config + "tls_cert = 'chat.pem'\ntls_key = 'chat.key'\n",
        false => config,
    };
    let program = Setup {
        config: &config,
        ..Setup::in_folder(folder.path())
    }
    .start();
    let address = program.address;
    let connect = async || {
        let mut client = if secure {
            Native::over(FIRST.connect(address).await.unwrap(), address).await
        } else {
            Native::connect(address).await
        };
        client.ok("hello", json!({"guest": {"name": "Gus"}})).await;
        client
    };
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect().await);
    }
    let before = program.resident();
    for _ in 0..CONNECTIONS {
        clients.push(connect().await);
    }
    let after = program.resident();
    drop(clients);
    (after - before) / CONNECTIONS
}

#[tokio::test]
#[ignore = "a figure for the documentation"]
async fn idle_connections_take_up_so_much() {
    let (plain, secure) = (bytes_each(false).await, bytes_each(true).await);
    println!("resident bytes of an idle connection: {plain} in the clear, {secure} over TLS");
}
