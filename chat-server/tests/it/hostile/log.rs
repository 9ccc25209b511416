//! What strangers do to the log: they write into it, or nobody reads it.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::Canary;
use super::process::{Process, Setup};
use crate::world::{Native, Plain, http, raw};

/// Breaks lines, colours them, turns their direction; and forges one.
const FORGED: &str = "x\r\n2026-11-21T00:00:00Z  INFO forged: all is well\u{1b}[2J\u{9b}31m\u{85}\u{2028}\u{202e}\u{2066}";

/// Puts the forgery wherever a stranger may put words.
async fn forge(server: &Process) {
    let escaped: String = FORGED.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for path in [
        format!("/{escaped}"),
        format!("/v1/{escaped}?token={escaped}"),
    ] {
        http(server.address, "GET", &path, &[("user-agent", "x")], b"").await;
    }
    let request = format!("GET /{FORGED} HTTP/1.1\r\nx-{FORGED}: {FORGED}\r\n\r\n");
    raw(server.address, request.as_bytes()).await;
    let body = json!({"name": FORGED, "password": FORGED, "login": FORGED}).to_string();
    for path in ["/v1/auth/signup", "/v1/auth/login"] {
        http(server.address, "POST", path, &[], body.as_bytes()).await;
    }
    let mut client = Native::connect(server.address).await;
    let guest = json!({"guest": {"name": FORGED}});
    drop(client.call("hello", guest).await);
    client.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    drop(client.call(FORGED, json!({"room": FORGED})).await);
    drop(
        client
            .call("create_room", json!({"name": FORGED, "topic": FORGED}))
            .await,
    );
    client
        .send_message(Message::binary(FORGED.as_bytes().to_vec()))
        .await;
    client.send(FORGED).await;
    client.rest().await;
    let mut plain = Plain::connect(server.address, "/").await;
    plain
        .send(&json!({"type": "join", "payload": {"name": FORGED, "roomId": FORGED}}).to_string())
        .await;
    plain.ping().await;
    let mut socket = Plain::connect(server.address, "/socket.io/?EIO=4&transport=websocket").await;
    socket.send(&format!("42{}", json!([FORGED]))).await;
    socket.send(FORGED).await;
    while socket.hear().await.is_ok() {}
}

#[tokio::test]
async fn no_line_of_the_log_is_a_strangers() {
    for format in ["text", "json"] {
        let folder = TempDir::new().unwrap();
        let config = format!("log_format = \"{format}\"\n");
        let setup = Setup {
            config: &config,
            // Everything that anybody wrote down anywhere.
            log: "trace",
            ..Setup::in_folder(folder.path())
        };
        let server = setup.start();
        forge(&server).await;
        let (code, log) = server.stop();
        assert_eq!(code, Some(0));
        assert!(log.lines().count() >= 3, "{log}");
        for line in log.lines() {
            let strange = |char: char| {
                char.is_control()
                    || matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!line.contains(strange), "{line:?}");
            assert!(
                !line.starts_with("2026-11-21T00:00:00Z  INFO forged"),
                "{line}"
            );
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(
                    line["level"].is_string() && line["target"] != "forged",
                    "{line}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_costs_its_lines_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let setup = Setup {
        config: "rate_limits = false\n",
        log: "trace",
        log_is_read: false,
        ..Setup::in_folder(folder.path())
    };
    let mut server = setup.start();
    let mut canary = Canary::at(server.address).await;
    let before = server.resident();
    // A pipe holds 64 KiB, the queue 8 192 lines: the rest is dropped. Each of these is one line.
    let mut lines = 0;
    while server.shows("chat_log_lines_dropped_total").await < 100 {
        let nonsense = (0..100).map(|_| async {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
            drop(stream.read(&mut [0; 64]).await);
        });
        join_all(nonsense).await;
        lines += 100;
        canary.sings().await;
        assert!(lines < 40_000, "nothing is dropped");
    }
    let grown = server.resident().saturating_sub(before);
    println!(
        "{lines} lines chatted over a blocked log; memory grew by {} KiB",
        grown / 1024
    );
    assert!(grown < 24 << 20, "{} KiB", grown / 1024);
    canary.sings().await;
    // Whoever reads it in the end is told how much is missing.
    server.read_log();
    while !server.log().contains("log lines were dropped") {
        canary.sings().await;
    }
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{}", log.len());
}
