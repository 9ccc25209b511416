//! More connections than there is room for, from one address and from many.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Canary, from};
use crate::websocket::raw::Raw;
use crate::world::{Native, PATIENCE, World, config};

/// Asks for the server's health over a connection, and leaves that open; gives the answer's status,
/// and its body.
async fn knock(stream: &mut TcpStream) -> (u16, String) {
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return (0, String::new());
    }
    let (mut answer, mut buffer) = (Vec::new(), [0; 2048]);
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return (status, body.to_owned());
            }
        }
        match timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
            Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return (0, text),
        }
    }
}

/// Asks for a WebSocket; gives the answer's status.
async fn upgrade(mut stream: TcpStream, headers: &str) -> (u16, TcpStream) {
    let request = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{headers}connection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    let status = std::str::from_utf8(&head[9..]).unwrap();
    (status.parse().unwrap(), stream)
}

#[tokio::test]
async fn each_address_has_its_share_and_hears_when_it_is_used_up() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.limits.posts_limited = false;
    config.server_limits.commands_burst = 100_000;
    config.server_limits.connections_per_address_max = 6;
    config.server_limits.connections_max = 20;
    let world = World::with(config).await;
    // Two of 127.0.0.1; what they signed up with has gone, or will have.
    let mut canary = Canary::at(world.address).await;
    let mut held = Vec::new();
    let (mut granted, mut refused, mut full) = (0, 0, 0);
    for last in 2..=5 {
        for number in 0..10 {
            let mut stream = from(last, world.address).await;
            let (status, body) = knock(&mut stream).await;
            let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            match status {
                200 => {
                    granted += 1;
                    assert!(number < 6, "one too many of 127.0.0.{last}");
                }
                429 => {
                    refused += 1;
                    assert_eq!(
                        (&problem["code"], &problem["details"]["max"]),
                        (&json!("too_many"), &json!(6))
                    );
                }
                503 => {
                    full += 1;
                    assert_eq!(problem["code"], "unavailable");
                }
                other => panic!("{other}: {body}"),
            }
            if status != 200 {
                assert_eq!(problem["retry_ms"], 1_000, "{problem}");
            }
            held.push(stream);
        }
        canary.sings().await;
    }
    println!("40 connections: {granted} taken on, {refused} over their share, {full} over all");
    // 6 + 6 + 6 of three addresses leave none but those of the canary, or one that is closing.
    assert!((16..=18).contains(&granted), "{granted} were taken on");
    assert_eq!(granted + refused + full, 40);
    canary.sings().await;
    drop(held);
    // Whoever comes later finds the places free again.
    loop {
        let mut stream = from(2, world.address).await;
        if knock(&mut stream).await.0 == 200 {
            break;
        }
    }
    let shown = world.server.node().metrics().connections_refused();
    assert!(shown >= refused + full, "{shown} are shown");
    world.stop().await;
}

#[tokio::test]
async fn who_speaks_through_a_proxy_counts_for_himself() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.silent_sockets_per_address_max = 2;
    config.server_limits.connections_per_address_max = 3;
    config.trusted_proxies = vec!["127.0.0.9".parse().unwrap()];
    let world = World::with(config).await;
    let mut held = Vec::new();
    for (last, told, status) in [
        // A proxy's clients have two silent sockets each, however many the proxy has.
        (9, "203.0.113.1", 101),
        (9, "203.0.113.1", 101),
        (9, "203.0.113.1", 429),
        (9, "203.0.113.2", 101),
        (9, "8.8.8.8, 203.0.113.2", 101),
        (9, "9.9.9.9, 203.0.113.2", 429),
        // So have the neighbours in one network of IPv6 together.
        (9, "2001:db8::1", 101),
        (9, "2001:db8::2", 101),
        (9, "2001:db8::3", 429),
        // Who is no proxy is himself, whatever he says.
        (7, "203.0.113.3", 101),
        (7, "203.0.113.4", 101),
        (7, "203.0.113.5", 429),
    ] {
        let stream = from(last, world.address).await;
        let (got, stream) = upgrade(stream, &format!("x-forwarded-for: {told}\r\n")).await;
        assert_eq!(got, status, "127.0.0.{last} for {told}");
        if got == 101 {
            held.push(stream);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn sockets_that_say_nothing_are_few_and_leave_the_rest_alone() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.limits.posts_limited = false;
    config.server_limits.commands_burst = 100_000;
    config.server_limits.silent_sockets_per_address_max = 5;
    let world = World::with(config).await;
    let mut canary = Canary::at(world.address).await;
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(Raw::connect(world.address).await);
    }
    for _ in 0..20 {
        let stream = from(1, world.address).await;
        assert_eq!(upgrade(stream, "").await.0, 429);
    }
    canary.sings().await;
    // Another address has its own.
    let stream = from(2, world.address).await;
    let mut other = Native::over(stream, world.address).await;
    other.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    world.stop().await;
}
