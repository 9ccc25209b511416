//! Requests that make no sense, and those that come from too many.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::{Echo, Poller, Socket, get};
use crate::world::{PATIENCE, Said, World, http, raw};

fn refusal(code: u8) -> Value {
    let message = match code {
        0 => "Transport unknown",
        1 => "Session ID unknown",
        2 => "Bad handshake method",
        3 => "Bad request",
        _ => "Unsupported protocol version",
    };
    json!({"code": code, "message": message})
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_number() {
    let echo = Echo::new().await;
    for (method, query, code) in [
        ("GET", "", 0),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=abc&sid=unknown", 0),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=5&transport=polling", 5),
    ] {
        let said = http(
            echo.address,
            method,
            &format!("/engine.io/?{query}"),
            &[],
            b"",
        )
        .await;
        assert_eq!(
            (said.status, said.json()),
            (400, refusal(code)),
            "{method} {query}"
        );
    }
    echo.stop().await;
}

#[tokio::test]
async fn a_websocket_that_makes_no_sense_is_refused_by_number() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mismatch = format!("EIO=4&transport=polling&sid={}", poller.sid);
    for (query, code) in [
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=websocket&sid=unknown", 1),
        ("EIO=4&transport=polling", 3),
        (mismatch.as_str(), 3),
        ("transport=websocket", 5),
        ("EIO=abc&transport=websocket", 5),
        ("EIO=3&transport=websocket", 5),
    ] {
        let Err((status, body)) = Socket::at(echo.address, &format!("/engine.io/?{query}")).await
        else {
            panic!("{query} was granted");
        };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body), (400, refusal(code)), "{query}");
    }
    // A handshake of another version of the WebSocket is none.
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n\
        connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n\
        sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let Said { status, body, .. } = raw(echo.address, request.as_bytes()).await;
    assert_eq!((status, body), (400, refusal(3).to_string()));
    echo.stop().await;
}

#[tokio::test]
async fn other_methods_on_a_session_are_refused_and_leave_it_alone() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let said = http(echo.address, "PUT", &poller.url("polling"), &[], b"4x").await;
    assert_eq!((said.status, said.json()), (400, refusal(3)));
    let said = get(echo.address, &poller.url("websocket")).await;
    assert_eq!((said.status, said.json()), (400, refusal(3)));
    poller.say("4hello").await;
    assert_eq!(poller.hear().await, "4hello");
    echo.stop().await;
}

#[tokio::test]
async fn a_session_is_unknown_behind_another_door() {
    let echo = Echo::new().await;
    let mut poller = echo.poller().await;
    poller.path = "/socket.io/";
    poller.is_unknown().await;
    echo.stop().await;
}

#[tokio::test]
async fn pages_are_told_whether_they_may_read() {
    let echo = Echo::new().await;
    let origin = [("origin", "http://page.example")];
    for path in ["/engine.io/?EIO=4&transport=polling", "/engine.io/"] {
        let said = http(echo.address, "GET", path, &origin, b"").await;
        assert!(
            said.head.contains("access-control-allow-origin: *"),
            "{}",
            said.head
        );
    }
    let asked = [origin[0], ("access-control-request-headers", "x-thing")];
    let said = http(echo.address, "OPTIONS", "/engine.io/", &asked, b"").await;
    assert_eq!(said.status, 204);
    assert!(
        said.head.contains("access-control-allow-headers: x-thing"),
        "{}",
        said.head
    );
    echo.stop().await;

    let mut config = crate::world::config();
    config.origins = vec!["https://front.example".to_owned()];
    let world = World::with(config).await;
    for (origin, may) in [
        ("https://front.example", true),
        ("http://localhost:3001", true),
        ("http://127.0.0.1:3001", true),
        ("http://localhost:3002", false),
    ] {
        let path = "/socket.io/?EIO=4&transport=polling";
        let said = http(world.address, "GET", path, &[("origin", origin)], b"").await;
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        assert_eq!(said.head.contains(&allowed), may, "{}", said.head);
        let credentials = "access-control-allow-credentials: true";
        assert_eq!(said.head.contains(credentials), may, "{}", said.head);
        assert!(said.head.contains("vary: origin"), "{}", said.head);
        // What is refused is read by the same pages, and they alone are told what they may send.
        let unknown = format!("{path}&sid=nobody");
        let said = http(world.address, "GET", &unknown, &[("origin", origin)], b"").await;
        assert_eq!(said.status, 400);
        assert_eq!(said.head.contains(&allowed), may, "{}", said.head);
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let said = http(world.address, "OPTIONS", path, &asked, b"").await;
        assert_eq!(said.status, 204);
        for line in [
            &*allowed,
            credentials,
            "access-control-allow-methods: get, post, options",
            "access-control-allow-headers: content-type",
        ] {
            assert_eq!(said.head.contains(line), may, "{line}: {}", said.head);
        }
    }
    let said = get(world.address, "/socket.io?EIO=4&transport=polling").await;
    assert!(said.body.starts_with("0{"), "{}", said.body);
    world.stop().await;
}

#[tokio::test]
async fn silent_sessions_of_one_address_are_bounded() {
    let echo = Echo::with(|config, _| {
        config.server_limits.rate_limits = true;
        config.server_limits.silent_sockets_per_address_max = 2;
    })
    .await;
    let first = echo.poller().await;
    let _second = echo.poller().await;
    let handshake = "/engine.io/?EIO=4&transport=polling";
    assert_eq!(get(echo.address, handshake).await.status, 429);
    // Whoever speaks isn't silent.
    first.say("4hello").await;
    assert_eq!(first.hear().await, "4hello");
    Poller::open(echo.address, "/engine.io/").await;
    echo.stop().await;
}

#[tokio::test]
async fn sessions_that_poll_count_as_connections() {
    let echo = Echo::with(|config, _| config.server_limits.connections_max = 3).await;
    // One connection carries all requests, so that none counts that is about to end.
    let mut stream = TcpStream::connect(echo.address).await.unwrap();
    let handshake = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut statuses = Vec::new();
    for _ in 0..4 {
        stream.write_all(handshake.as_bytes()).await.unwrap();
        statuses.push(status(&mut stream).await);
    }
    assert_eq!(statuses, [200, 200, 503, 503]);
    echo.stop().await;
}

/// Reads one response, and nothing of what follows it.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.unwrap();
        head.push(byte.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    let read = timeout(PATIENCE, stream.read_exact(&mut body)).await;
    read.unwrap().unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[tokio::test]
async fn whatever_a_stranger_sends_hurts_nobody_else() {
    const PIECES: [&str; 24] = [
        "4",
        "40",
        "41",
        "42",
        "43",
        "45",
        "46",
        "1",
        "2",
        "2probe",
        "3",
        "5",
        "6",
        "b",
        "AQ==",
        "\x1e",
        "/custom,",
        "7",
        "1-",
        "[\"message\"",
        ",{\"_placeholder\":true,\"num\":0}",
        "]",
        "{}",
        "\u{1f44b}",
    ];
    let echo = Echo::new().await;
    let witness = echo.poller().await;
    let mut dice = Dice(20_261_121);
    for round in 0..150 {
        let path = ["/engine.io/", "/socket.io/"][dice.roll(2)];
        let mut words = || {
            let count = 1 + dice.roll(8);
            let pieces = (0..count).map(|_| PIECES[dice.roll(PIECES.len())]);
            pieces.collect::<String>()
        };
        if round % 2 == 0 {
            let poller = Poller::open(echo.address, path).await;
            for _ in 0..3 {
                let said = poller.post(words()).await;
                assert!(said.status == 200 || said.status == 400, "{}", said.status);
            }
        } else {
            let mut socket = Socket::open(echo.address, path).await;
            for _ in 0..3 {
                socket.send(&words()).await;
                socket.send_binary(words().as_bytes()).await;
            }
            socket.send("1").await;
            while socket.hear().await.is_some() {}
        }
    }
    witness.say("4well").await;
    assert_eq!(witness.hear().await, "4well");
    echo.stop().await;
}
