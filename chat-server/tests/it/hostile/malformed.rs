//! Whatever can be wrong with what is sent, by every way that something comes: each is answered or
//! ended, and somebody chats on.

use chat_protocol::Dialect;
use chat_server::config::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Canary;
use crate::engineio::client::Poller;
use crate::websocket::raw::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, Raw, TEXT, close, frame, header, join, plain,
};
use crate::world::{PATIENCE, World, config, raw};

/// Frames that break the protocol of sockets, and the code that each ends with.
fn broken() -> Vec<(String, Vec<u8>, u16)> {
    let mut all = Vec::new();
    for bit in [0x40, 0x20, 0x10] {
        all.push((
            format!("reserved bit {bit:x}"),
            frame(FIN | bit | TEXT, b"x"),
            1002,
        ));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        all.push((
            format!("reserved opcode {opcode}"),
            frame(FIN | opcode, b"x"),
            1002,
        ));
    }
    for control in [CLOSE, PING, 0xa] {
        all.push((format!("{control:x} in parts"), frame(control, b""), 1002));
        all.push((
            format!("{control:x} of 126 bytes"),
            frame(FIN | control, &[b'x'; 126]),
            1002,
        ));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        all.push((format!("close with {code}"), close(code, b""), 1002));
    }
    all.push(("close with one byte".into(), frame(FIN | CLOSE, b"x"), 1002));
    all.push((
        "close with bad words".into(),
        close(1000, &[0xff, 0xfe]),
        1007,
    ));
    all.push(("no mask".into(), plain(FIN | TEXT, b"{}"), 1002));
    all.push(("a part of nothing".into(), frame(CONTINUATION, b"x"), 1002));
    all.push((
        "two beginnings".into(),
        join(&[(TEXT, b"x"), (TEXT, b"y")]),
        1002,
    ));
    for bytes in [
        &[0xff_u8] as &[u8],
        &[0xc0, 0xaf],
        &[0xed, 0xa0, 0x80],
        &[0xf4, 0x90, 0x80, 0x80],
    ] {
        all.push((
            format!("no text {bytes:x?}"),
            frame(FIN | TEXT, bytes),
            1007,
        ));
    }
    for length in [1 << 20, u32::MAX as usize, usize::MAX >> 1, usize::MAX] {
        let mut sent = header(FIN | BINARY, 0x80, length);
        sent.extend([0; 4]);
        all.push((format!("{length} bytes to come"), sent, 1009));
    }
    let part = vec![b'x'; 9_000];
    all.push((
        "parts without end".into(),
        [frame(TEXT, &part), frame(CONTINUATION, &part).repeat(20)].concat(),
        1009,
    ));
    all
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_their_socket_in_every_dialect() {
    let world = World::new().await;
    let mut canary = Canary::at(world.address).await;
    let ports = [
        ("/", world.address),
        ("/v1/ws", world.address),
        ("/chat", world.address),
        ("/socket.io/?EIO=4&transport=websocket", world.address),
    ];
    let mut count = 0;
    for (path, address) in ports {
        for (story, sent, code) in broken() {
            if path.starts_with("/socket.io") && code == 1009 {
                // Longer ones are allowed there.
                continue;
            }
            let mut socket = Raw::at(address, path).await;
            socket.send(&sent).await;
            let ended = socket.ends().await;
            // A limit of the chat's has a code of the dialect's.
            let codes: &[u16] = if code == 1009 { &[1009, 4507] } else { &[code] };
            assert!(
                ended.is_some_and(|it| codes.contains(&it)),
                "{path} {story}: {ended:?}"
            );
            count += 1;
        }
        canary.sings().await;
    }
    println!("{count} broken frames");
    world.stop().await;
}

/// Packets that are none, and some that come at a wrong time.
const PACKETS: [&str; 34] = [
    "",
    "0",
    "0{}",
    "1x",
    "2",
    "2probe",
    "3probe",
    "5",
    "6x",
    "7",
    "9",
    "x",
    "b",
    "bAQ",
    "b====",
    "4",
    "44",
    "45",
    "47",
    "4x",
    "41/x,",
    "42",
    "42[",
    "42[]",
    "42{}",
    "42[1]",
    "42[null]",
    "4299999999999999999999[\"x\"]",
    "451-",
    "451-[\"x\"]",
    "45-1-[\"x\",{\"_placeholder\":true,\"num\":0}]",
    "459999999999-[\"x\"]",
    "43[]",
    "40{\"token\":1",
];

#[tokio::test]
async fn packets_that_are_none_end_their_session_or_nothing() {
    let world = World::new().await;
    let mut canary = Canary::at(world.address).await;
    let mut count = 0;
    for packet in PACKETS {
        for entered in [false, true] {
            let mut socket = Raw::at(world.address, "/socket.io/?EIO=4&transport=websocket").await;
            if entered {
                socket.send(&frame(FIN | TEXT, b"40")).await;
            }
            socket.send(&frame(FIN | TEXT, packet.as_bytes())).await;
            socket.send(&frame(FIN | BINARY, packet.as_bytes())).await;
            socket.send(&close(1000, b"")).await;
            socket.ends().await;
            let poller = Poller::open(world.address, "/socket.io/").await;
            if entered {
                poller.say("40").await;
            }
            for payload in [
                packet.to_owned(),
                format!("{packet}\u{1e}{packet}"),
                format!("{packet}\u{1e}"),
            ] {
                let status = poller.post(payload).await.status;
                assert!([200, 400].contains(&status), "{packet}: {status}");
            }
            let status = poller.post([0xff, 0xfe]).await.status;
            assert_eq!(status, 400, "{packet}");
            count += 6;
        }
        canary.sings().await;
    }
    println!("{count} strange packets and payloads");
    world.stop().await;
}

/// Requests, and the statuses that may answer them; 0 is the end without a word.
fn requests() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let long = |name: &str, length: usize| {
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\n{name}: {}\r\n\r\n",
            "x".repeat(length)
        )
        .into_bytes()
    };
    let many = "x: y\r\n".repeat(1_000);
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("HTTP/0.9", text("GET /\r\n\r\n"), &[0, 400]),
        ("HTTP/3.0", text("GET / HTTP/3.0\r\nhost: x\r\n\r\n"), &[0, 400, 505]),
        ("no HTTP", text("\x16\x03\x01\x02\x00\x01\x00\x01\x7c"), &[0, 400]),
        ("another protocol", text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), &[0, 400]),
        ("no method", text(" / HTTP/1.1\r\nhost: x\r\n\r\n"), &[0, 400]),
        ("a long method", long("x", 1).iter().fold(vec![b'G'; 20_000], |mut all, byte| { all.push(*byte); all }), &[0, 400, 414, 431]),
        ("a long target", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000)).into_bytes(), &[0, 400, 414, 431]),
        ("a long header", long("x", 70_000), &[431]),
        ("many headers", format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").into_bytes(), &[431]),
        ("a space before the colon", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length : 5\r\n\r\nGET /"), &[0, 400]),
        ("a folded header", text("GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n"), &[0, 400]),
        ("a NUL", text("GET / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n"), &[0, 400]),
        ("a bare carriage return", text("GET / HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n"), &[0, 400]),
        ("two lengths", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), &[0, 400]),
        ("a list of lengths", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 2\r\n\r\nxx"), &[0, 400]),
        ("a negative length", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"), &[0, 400]),
        ("a signed length", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\nx"), &[0, 400]),
        ("an endless length", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n"), &[0, 400, 413]),
        ("chunks of the wrong name", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"), &[0, 400, 501]),
        ("chunks not at the end", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"), &[0, 400, 501]),
        ("a bad chunk", text("POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n"), &[0, 400]),
        ("an endless chunk", text("POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), &[0, 400]),
        ("a chunk with much to say", format!("POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(70_000)).into_bytes(), &[0, 400]),
        ("trailers", format!("POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n{many}{many}{many}\r\n").into_bytes(), &[0, 400, 431]),
        ("a tunnel", text("CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n"), &[0, 400, 404, 405, 426]),
        ("everything", text("OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[0, 200, 204, 400, 404, 405]),
        ("an unknown method", text("BREW /v1/cmd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[405]),
        ("a trace", text("TRACE /v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[405]),
        ("another one's target", text("GET http://evil.example/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[200, 400, 404]),
        ("an upgrade to nothing", text("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n"), &[404, 400, 426]),
        ("an upgrade that is no get", text("POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), &[404, 400, 405, 426]),
        ("an upgrade without a key", text("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"), &[400]),
        ("an upgrade of long ago", text("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 7\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"), &[426]),
        ("two lengths of which one is hidden", text("POST /v1/cmd HTTP/1.1\r\nhost: x\r\nX: y\ncontent-length: 3\r\n\r\nxyz"), &[0, 400, 401]),
        ("a path that climbs", text("GET /v1/../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[404]),
        ("escapes that are none", text("GET /v1/api/%zz%00%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), &[400, 404]),
    ]
}

/// A server that doesn't wait for long for what is missing.
async fn impatient() -> World {
    let mut config = config();
    config.server_limits.header_read_ms_max = 300;
    config.server_limits.request_ms_max = 600;
    World::with(config).await
}

#[tokio::test]
async fn requests_that_are_none_are_refused_or_cut_off() {
    let world = impatient().await;
    let mut canary = Canary::at(world.address).await;
    let requests = requests();
    for (story, request, statuses) in &requests {
        let said = raw(world.address, request).await;
        assert!(
            statuses.contains(&said.status),
            "{story}: {} {}",
            said.status,
            said.head
        );
        canary.sings().await;
    }
    println!("{} requests that are none", requests.len());
    world.stop().await;
}

/// Sends bytes on one connection; gives how many answers come, and the last one's status.
async fn answers(world: &World, bytes: &[u8]) -> (usize, String) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    drop(read.unwrap());
    let said = String::from_utf8_lossy(&said).into_owned();
    (said.matches("HTTP/1.1 ").count(), said)
}

#[tokio::test]
async fn a_request_is_never_hidden_in_another() {
    let world = World::new().await;
    let hidden = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    // Both ways to tell a length: either it isn't heard at all, or what follows isn't another.
    let both = format!(
        "POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        5 + hidden.len()
    );
    let (count, said) = answers(&world, both.as_bytes()).await;
    assert!(count <= 1 && !said.contains("chat_sessions"), "{said}");
    // One after the other is another matter: each has its answer, in order.
    let three = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2)
        + "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (count, said) = answers(&world, three.as_bytes()).await;
    assert_eq!(count, 3, "{said}");
    // What was sent behind an upgrade is frames, and never a request.
    let behind = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n{hidden}"
    );
    let (count, said) = answers(&world, behind.as_bytes()).await;
    assert!(count == 1 && said.starts_with("HTTP/1.1 101"), "{said}");
    world.stop().await;
}

#[tokio::test]
async fn a_listener_of_one_dialect_is_as_robust() {
    let world = impatient().await;
    let mut canary = Canary::at(world.address).await;
    for dialect in [
        Dialect::Rooms,
        Dialect::Groups,
        Dialect::Actions,
        Dialect::Socketio,
    ] {
        let mut listen = Listen::local(0);
        listen.dialect = Some(dialect);
        let address = world.server.listen(listen).await.unwrap();
        for (_, request, _) in requests() {
            raw(address, &request).await;
        }
        canary.sings().await;
    }
    let said = crate::world::http(world.address, "GET", "/healthz", &[], b"").await;
    assert_eq!(said.status, 200);
    world.stop().await;
}
