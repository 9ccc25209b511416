//! Those who take their time: each is cut off at a deadline that is published.

use std::net::SocketAddr;
use std::time::Duration;

use chat_server::config::Config;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::Canary;
use crate::engineio::client::{Poller, Socket};
use crate::websocket::raw::{CLOSE, FIN, Raw, TEXT, frame, header};
use crate::world::{PATIENCE, World, config};

/// Deadlines that are near.
fn impatient() -> Config {
    let mut config = config();
    let limits = &mut config.server_limits;
    limits.header_read_ms_max = 1_000;
    limits.request_ms_max = 2_000;
    limits.hello_ms_max = 2_000;
    config
}

/// The same, and whoever is silent is soon given up.
fn listening() -> Config {
    let mut config = impatient();
    config.server_limits.ping_ms = 1_000;
    config.server_limits.pong_ms_max = 2_000;
    config
}

/// Sends these bytes at once, and then one after the other of these; gives what is said until the
/// server has closed.
async fn trickle(address: SocketAddr, at_once: &[u8], slowly: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(at_once).await.unwrap();
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    let mut slowly = slowly.iter().cycle();
    let closed = async {
        loop {
            // A byte for each moment in which nothing is said.
            match timeout(Duration::from_millis(20), stream.read(&mut buffer)).await {
                Ok(Ok(count @ 1..)) => said.extend_from_slice(&buffer[..count]),
                Ok(_) => return,
                Err(_) => {
                    let byte = slowly.next().copied();
                    let sent = stream.write_all(byte.as_slice()).await;
                    if sent.is_err() {
                        return;
                    }
                }
            }
        }
    };
    timeout(PATIENCE, closed).await.expect("it is cut off");
    String::from_utf8_lossy(&said).into_owned()
}

/// A post of which the body is to come.
fn body(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: 50000\r\n\r\n")
}

/// The status of an answer, if there is one.
fn status(said: &str) -> &str {
    said.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn whatever_comes_byte_by_byte_ends_at_its_deadline() {
    let world = World::with(impatient()).await;
    let mut canary = Canary::at(world.address).await;
    let bearer = format!(
        "authorization: Bearer {}\r\n",
        world.account("ann").await.token
    );
    let poller = Poller::open(world.address, "/socket.io/").await;
    let stories = [
        ("nothing", String::new(), "", ""),
        ("a request line", String::new(), "GET /", ""),
        (
            "headers",
            "GET /v1/ws HTTP/1.1\r\nhost: x\r\n".into(),
            "x-y: z\r\n",
            "",
        ),
        (
            "a second request",
            "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".into(),
            "",
            "200",
        ),
        (
            "the body of a command",
            body("/v1/cmd", &bearer),
            " ",
            "503",
        ),
        (
            "the body of a log-in",
            body("/v1/auth/login", ""),
            " ",
            "503",
        ),
        (
            "the body of the end of an account",
            body("/v1/account", &bearer).replacen("POST", "DELETE", 1),
            " ",
            "503",
        ),
        (
            "the body of a log-in of rest",
            body("/v1/api/auth/login", ""),
            " ",
            "503",
        ),
        (
            "the body of a log-in of actions",
            body("/api/login", ""),
            " ",
            "503",
        ),
        ("a post", body(&poller.url("polling"), ""), "4", "400"),
        (
            "chunks",
            format!(
                "POST /v1/cmd HTTP/1.1\r\nhost: x\r\n{bearer}transfer-encoding: chunked\r\n\r\n"
            ),
            "1\r\n \r\n",
            "503",
        ),
    ];
    let troubles = stories.each_ref();
    let troubles = troubles.map(|it| trickle(world.address, it.1.as_bytes(), it.2.as_bytes()));
    let said = canary.sings_during(join_all(troubles)).await;
    for ((story, .., due), said) in stories.iter().zip(said) {
        assert_eq!(status(&said), *due, "{story}: {said}");
    }
    world.stop().await;
}

#[tokio::test]
async fn half_a_frame_is_no_sign_of_life() {
    let world = World::with(listening()).await;
    let mut canary = Canary::at(world.address).await;
    let hello = json!({"id": 1, "op": "hello", "d": {"guest": {"name": "Gus"}}}).to_string();
    let query = br#"{"type":"query","payload":{"query":"rooms"}}"#;
    let stories = [
        ("/v1/ws", Vec::new()),
        ("/v1/ws", frame(FIN | TEXT, hello.as_bytes())),
        ("/", frame(FIN | TEXT, query)),
        ("/", Vec::new()),
    ];
    let ended = stories.map(|(path, first)| {
        let address = world.address;
        async move {
            let mut raw = Raw::at(address, path).await;
            raw.send(&first).await;
            let mut begun = header(FIN | TEXT, 0x80, 1_000);
            begun.extend([0; 4]);
            raw.send(&begun).await;
            let (mut read, mut write) = raw.0.into_split();
            // Its payload comes more often than it is asked for a sign of life.
            let slowly = async {
                while write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                std::future::pending::<()>().await;
            };
            let mut heard = Vec::new();
            tokio::select! {
                _ = timeout(PATIENCE, read.read_to_end(&mut heard)) => {}
                () = slowly => {}
            }
            assert!(heard.contains(&(FIN | CLOSE)), "{path}: {heard:?}");
        }
    });
    canary.sings_during(join_all(ended)).await;
    world.stop().await;
}

#[tokio::test]
async fn who_vanishes_without_a_word_is_given_up() {
    let world = World::with(listening()).await;
    let mut canary = Canary::at(world.address).await;
    let sessions = || world.server.node().metrics().sessions();
    let before = sessions();
    let mut gone = Vec::new();
    for _ in 0..5 {
        let mut client = world.connect().await;
        client.ok("hello", json!({"guest": {"name": "Gus"}})).await;
        // It is there, and neither reads nor answers.
        gone.push(client);
    }
    let given_up = async {
        while sessions() > before {
            tokio::task::yield_now().await;
        }
    };
    canary
        .sings_during(timeout(PATIENCE, given_up))
        .await
        .unwrap();
    world.stop().await;
}

/// Joins a room by this line as somebody of this name; `1` is what the server acknowledges.
fn joins(room: &str, name: &str) -> String {
    let event = json!(["joinRoom", {"roomId": room, "username": name}]);
    format!("421{event}")
}

/// Somebody in the den, over a WebSocket.
async fn in_the_den(world: &World, name: &str) -> Socket {
    let mut socket = Socket::open(world.address, "/socket.io/").await;
    for said in ["40", &joins("den", name)] {
        socket.text().await;
        socket.send(said).await;
    }
    while !socket.text().await.starts_with("431[") {}
    socket
}

#[tokio::test]
async fn who_asks_and_vanishes_while_much_waits_for_him_is_given_up() {
    let mut config = listening();
    config.server_limits.hello_ms_max = 20_000;
    config.server_limits.outbox_bytes_max = 8 * 1024 * 1024;
    let world = World::with(config).await;
    let mut canary = Canary::at(world.address).await;
    let sessions = || world.server.node().metrics().sessions();
    let before = sessions();
    let mut ann = in_the_den(&world, "ann").await;
    let poller = Poller::open(world.address, "/socket.io/").await;
    poller.say(format!("40\x1e{}", joins("den", "bob"))).await;
    while !poller.hear().await.contains("431[") {}
    let mut cat = in_the_den(&world, "cat").await;
    // More than half of what may wait for each, and not all of it.
    let line =
        json!(["message", {"roomId": "den", "sender": "ann", "message": "x".repeat(16_000)}]);
    for _ in 0..400 {
        ann.send(&format!("42{line}")).await;
    }
    ann.send(&joins("hall", "ann")).await;
    while !ann.text().await.starts_with("431[") {}
    // Both are there, ask for something, and take nothing any more.
    poller.say(joins("hall", "bob")).await;
    cat.send(&joins("hall", "cat")).await;
    assert_eq!(sessions(), before + 3);
    ann.send("1").await;
    let given_up = async {
        while sessions() > before {
            tokio::task::yield_now().await;
        }
    };
    canary
        .sings_during(timeout(PATIENCE, given_up))
        .await
        .unwrap();
    drop((poller, cat));
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_with_its_connection() {
    let mut config = impatient();
    config.server_limits.connections_max = 1;
    let world = World::with(config).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(world.address).await.unwrap();
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    // More answers than all buffers hold; they are asked for as fast as they are taken.
    let asks = tokio::spawn(async move {
        while let Ok(Ok(())) = timeout(Duration::from_millis(500), deaf.write_all(request)).await {}
        deaf
    });
    let deaf = asks.await.unwrap();
    // Its place is free again though it is still there.
    loop {
        let said = crate::world::http(world.address, "GET", "/healthz", &[], b"").await;
        if said.status == 200 {
            break;
        }
        assert_eq!(said.status, 503);
    }
    drop(deaf);
    world.stop().await;
}

#[tokio::test]
async fn many_long_posts_that_never_end_are_not_all_kept() {
    let world = World::with(impatient()).await;
    let poller = Poller::open(world.address, "/socket.io/").await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n4",
        poller.url("polling")
    );
    let mut posts = Vec::new();
    let mut refused = 0;
    for _ in 0..12 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        posts.push(stream);
    }
    for stream in &mut posts {
        // Those over the number hear so at once; the others when their time is over.
        let mut first = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut first))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&first, b"HTTP/1.1 400");
        refused += 1;
    }
    assert_eq!(refused, 12);
    world.stop().await;
}
