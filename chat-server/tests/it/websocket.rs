//! Sockets below any dialect (RFC 6455): frames by hand, to a service that gives everything back.

pub(crate) mod raw;

use std::net::SocketAddr;

use chat_server::Server;
use chat_server::config::Listen;
use chat_server::websocket::{Peer, Settings};
use tokio::io::AsyncWriteExt;

use self::raw::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Part, Raw, TEXT, close, frame, header, join,
    plain,
};
use crate::world::{self, http};

/// Long enough for lengths of eight bytes.
const MESSAGE_BYTES_MAX: usize = 200_000;

/// What is told of it, what is sent, and what is heard.
type Exchange<'a> = (&'a str, &'a [Part<'a>], &'a [Vec<u8>]);

struct Echo {
    server: Server,
    address: SocketAddr,
}

impl Echo {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let server = Server::builder(world::config()).start().await.unwrap();
        let mut settings = Settings::default();
        settings.message_bytes_max = MESSAGE_BYTES_MAX;
        change(&mut settings);
        let application = server.websocket(settings, async |peer: &mut Peer| {
            while let Some(message) = peer.next().await {
                peer.send(&message);
            }
        });
        let address = Listen::local(0).address;
        let address = server.listen_for(address, &application).await.unwrap();
        Self { server, address }
    }

    /// Sends these bytes by a connection of their own, and hears these frames and nothing more.
    async fn answers(&self, story: &str, sent: &[u8], expected: &[Vec<u8>]) {
        let mut raw = Raw::connect(self.address).await;
        raw.send(sent).await;
        for frame in expected {
            let heard = raw.hear().await.unwrap_or_default();
            assert_eq!(&heard, frame, "{story}");
        }
        // What is heard next answers this alone.
        if expected.last().is_some_and(|it| it[0] == FIN | CLOSE) {
            assert_eq!(raw.hear().await, None, "{story}");
        } else {
            raw.send(&frame(FIN | PING, b"over")).await;
            let over = raw.hear().await.unwrap_or_default();
            assert_eq!(over, plain(FIN | PONG, b"over"), "{story}");
        }
    }

    /// Sends these bytes, and hears the connection end with this code.
    async fn refuses(&self, story: &str, sent: &[u8], code: u16) {
        let mut raw = Raw::connect(self.address).await;
        raw.send(sent).await;
        assert_eq!(raw.ends().await, Some(code), "{story}");
    }
}

#[tokio::test]
async fn messages_of_every_length_come_back_as_what_they_were() {
    let echo = Echo::new().await;
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, MESSAGE_BYTES_MAX] {
        for (sort, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; length];
            let story = format!("{length} bytes of sort {sort}");
            let (sent, back) = (frame(FIN | sort, &payload), plain(FIN | sort, &payload));
            echo.answers(&story, &sent, &[back]).await;
        }
    }
    echo.server.stop().await;
}

#[tokio::test]
async fn a_message_in_odd_pieces_is_whole_again() {
    let echo = Echo::new().await;
    let text = "κόσμε ö 🎈 ".repeat(400);
    let whole = plain(FIN | TEXT, text.as_bytes());
    // Pieces of the stream have nothing to do with frames, nor those with letters.
    for piece in [1, 2, 3, 7, 125, 997, 4_096] {
        let mut raw = Raw::connect(echo.address).await;
        for bytes in frame(FIN | TEXT, text.as_bytes()).chunks(piece) {
            raw.send(bytes).await;
        }
        assert!(raw.hear().await.unwrap() == whole, "sent by {piece}");
        let parts: Vec<_> = text.as_bytes().chunks(piece).collect();
        let last = parts.len() - 1;
        let sent: Vec<u8> = (0..=last)
            .flat_map(|index| {
                let sort = if index == 0 { TEXT } else { CONTINUATION };
                let fin = if index == last { FIN } else { 0 };
                frame(fin | sort, parts[index])
            })
            .collect();
        raw.send(&sent).await;
        assert!(raw.hear().await.unwrap() == whole, "framed by {piece}");
    }
    echo.server.stop().await;
}

#[tokio::test]
async fn control_frames_pass_between_the_parts_of_a_message() {
    let echo = Echo::new().await;
    let longest = [0xff; 125];
    let pong = |payload: &[u8]| plain(FIN | PONG, payload);
    let text = |payload: &[u8]| plain(FIN | TEXT, payload);
    let (b, c) = (BINARY, CONTINUATION);
    let table: [Exchange<'_>; 8] = [
        ("an empty ping", &[(FIN | PING, b"")], &[pong(b"")]),
        (
            "the longest ping",
            &[(FIN | PING, &longest)],
            &[pong(&longest)],
        ),
        ("a pong that nobody asked for", &[(FIN | PONG, b"so?")], &[]),
        (
            "pings are answered in order",
            &[
                (FIN | PING, b"1"),
                (FIN | PONG, b"x"),
                (FIN | PING, b"2"),
                (FIN | PING, b"3"),
            ],
            &[pong(b"1"), pong(b"2"), pong(b"3")],
        ),
        (
            "a ping in the middle",
            &[
                (TEXT, b"a"),
                (FIN | PING, b"?"),
                (c, b"b"),
                (FIN | PING, b"!"),
                (FIN | c, b"c"),
            ],
            &[pong(b"?"), pong(b"!"), text(b"abc")],
        ),
        (
            "parts may be empty",
            &[(TEXT, b""), (c, b""), (FIN | c, b"")],
            &[text(b"")],
        ),
        (
            "only the middle has something",
            &[(b, b""), (c, b"\xff"), (FIN | c, b"")],
            &[plain(FIN | BINARY, b"\xff")],
        ),
        (
            "one message after the other",
            &[(TEXT, b"a"), (FIN | c, b"b"), (FIN | TEXT, b"c")],
            &[text(b"ab"), text(b"c")],
        ),
    ];
    for (story, sent, expected) in table {
        echo.answers(story, &join(sent), expected).await;
    }
    echo.server.stop().await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_the_connection() {
    let echo = Echo::new().await;
    let (c, too_long) = (CONTINUATION, [0; 126]);
    for reserved in [0x10, 0x20, 0x30, 0x40, 0x70] {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            let story = format!("reserved bits {reserved:x} of {opcode}");
            let sent = frame(FIN | reserved | opcode, b"");
            echo.refuses(&story, &sent, 1002).await;
        }
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        let story = format!("the opcode {opcode}");
        echo.refuses(&story, &frame(FIN | opcode, b"hi"), 1002)
            .await;
    }
    for opcode in [PING, PONG, CLOSE] {
        let long = frame(FIN | opcode, &too_long);
        echo.refuses("a long control frame", &long, 1002).await;
        let part = join(&[(opcode, b""), (FIN | c, b"")]);
        echo.refuses("a control frame in parts", &part, 1002).await;
    }
    let table: [(&str, &[Part<'_>]); 5] = [
        ("nothing to continue", &[(FIN | c, b"x")]),
        (
            "nothing to begin to continue",
            &[(c, b"x"), (FIN | c, b"y")],
        ),
        (
            "nothing more to continue",
            &[(TEXT, b"a"), (FIN | c, b"b"), (FIN | c, b"c")],
        ),
        (
            "a text inside of a text",
            &[(TEXT, b"a"), (FIN | TEXT, b"b")],
        ),
        ("bytes inside of a text", &[(TEXT, b"a"), (BINARY, b"b")]),
    ];
    for (story, sent) in table {
        echo.refuses(story, &join(sent), 1002).await;
    }
    echo.refuses("no mask", &plain(FIN | TEXT, b"bare"), 1002)
        .await;
    echo.server.stop().await;
}

#[tokio::test]
async fn text_that_is_none_ends_the_connection() {
    let echo = Echo::new().await;
    let bad: [&[u8]; 12] = [
        b"\xff",
        b"\x80",
        b"a\xbfb",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        "κόσμε".as_bytes().split_last().unwrap().1,
    ];
    for bytes in bad {
        let story = format!("{bytes:x?}");
        echo.refuses(&story, &frame(FIN | TEXT, bytes), 1007).await;
        let mut parts = frame(TEXT, b"good ");
        for byte in bytes {
            parts.extend(frame(CONTINUATION, &[*byte]));
        }
        parts.extend(frame(FIN | CONTINUATION, b""));
        echo.refuses(&story, &parts, 1007).await;
        // Bytes may be anything.
        let back = plain(FIN | BINARY, bytes);
        echo.answers(&story, &frame(FIN | BINARY, bytes), &[back])
            .await;
    }
    // With the frame that can't become a text any more, not with the last one.
    let hopeless = join(&[(TEXT, "ö".as_bytes()), (CONTINUATION, b"\xf4\x90")]);
    echo.refuses("no last frame", &hopeless, 1007).await;
    for text in [
        "\0",
        "\u{7f}\u{80}",
        "\u{7ff}\u{800}",
        "\u{fffe}\u{ffff}",
        "\u{10000}\u{10ffff}",
    ] {
        let back = plain(FIN | TEXT, text.as_bytes());
        echo.answers(text, &frame(FIN | TEXT, text.as_bytes()), &[back])
            .await;
    }
    echo.server.stop().await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code_or_with_what_is_wrong_with_it() {
    let echo = Echo::new().await;
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        let back = plain(
            FIN | CLOSE,
            &[&u16::to_be_bytes(code), b"bye".as_slice()].concat(),
        );
        let story = format!("the code {code}");
        echo.answers(&story, &close(code, b"bye"), &[back]).await;
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        let story = format!("the code {code}");
        echo.refuses(&story, &close(code, b""), 1002).await;
    }
    let none = plain(FIN | CLOSE, b"");
    echo.answers("no code", &frame(FIN | CLOSE, b""), &[none])
        .await;
    echo.refuses("half a code", &frame(FIN | CLOSE, b"\x03"), 1002)
        .await;
    echo.refuses(
        "a reason that is no text",
        &close(1000, b"\xce\xba\xe1"),
        1007,
    )
    .await;
    let longest = [b'*'; 123];
    let back = plain(
        FIN | CLOSE,
        &[&1000_u16.to_be_bytes(), longest.as_slice()].concat(),
    );
    echo.answers("the longest reason", &close(1000, &longest), &[back])
        .await;
    echo.server.stop().await;
}

#[tokio::test]
async fn nothing_is_heard_after_a_close() {
    let echo = Echo::new().await;
    let after = [
        close(1000, b""),
        join(&[(FIN | TEXT, b"late"), (FIN | PING, b"?")]),
    ]
    .concat();
    let back = plain(FIN | CLOSE, &1000_u16.to_be_bytes());
    echo.answers("words after the close", &after, std::slice::from_ref(&back))
        .await;
    let before = [frame(FIN | TEXT, b"first"), close(1000, b"")].concat();
    let first = plain(FIN | TEXT, b"first");
    echo.answers("words before it", &before, &[first, back.clone()])
        .await;
    let amid = [frame(TEXT, b"half"), close(1000, b"")].concat();
    echo.answers("half a message before it", &amid, &[back])
        .await;
    echo.server.stop().await;
}

#[tokio::test]
async fn lengths_over_the_limit_are_refused_before_their_bytes_come() {
    let echo = Echo::new().await;
    for length in [
        MESSAGE_BYTES_MAX + 1,
        u32::MAX as usize,
        usize::MAX >> 1,
        usize::MAX,
    ] {
        let mut sent = header(FIN | BINARY, 0x80, length);
        sent.extend([0; 4]);
        echo.refuses(&format!("{length} bytes"), &sent, 1009).await;
    }
    let part = vec![b'x'; MESSAGE_BYTES_MAX / 2 + 1];
    let parts = join(&[(TEXT, &part), (FIN | CONTINUATION, &part)]);
    echo.refuses("two parts", &parts, 1009).await;
    echo.server.stop().await;
}

#[tokio::test]
async fn whoever_ends_his_half_hears_what_he_asked_for() {
    let echo = Echo::new().await;
    let mut raw = Raw::connect(echo.address).await;
    raw.send(&join(&[(FIN | TEXT, b"last words"), (FIN | PING, b"?")]))
        .await;
    raw.0.shutdown().await.unwrap();
    assert_eq!(raw.hear().await, Some(plain(FIN | TEXT, b"last words")));
    assert_eq!(raw.hear().await, Some(plain(FIN | PONG, b"?")));
    raw.ends().await;
    echo.server.stop().await;
}

#[tokio::test]
async fn whoever_is_silent_is_asked_once_and_then_given_up() {
    let echo = Echo::with(|settings| settings.silence_ms_max = 1_000).await;
    let mut raw = Raw::connect(echo.address).await;
    assert_eq!(raw.hear().await, Some(plain(FIN | PING, b"")));
    raw.send(&frame(FIN | PONG, b"")).await;
    assert_eq!(raw.hear().await, Some(plain(FIN | PING, b"")));
    assert_eq!(raw.ends().await, Some(1001));
    echo.server.stop().await;
}

#[tokio::test]
async fn whoever_does_not_read_is_sent_away() {
    let echo = Echo::with(|settings| settings.outbox_bytes_max = MESSAGE_BYTES_MAX).await;
    let mut raw = Raw::connect(echo.address).await;
    let message = frame(FIN | BINARY, &vec![7; MESSAGE_BYTES_MAX - 100]);
    // Far more than the system keeps for both.
    let (mut sent, mut heard) = (0, 0);
    while sent < 500 && raw.0.write_all(&message).await.is_ok() {
        sent += 1;
    }
    // Nobody waits for him: he is told why only if he reads in time.
    while let Some(frame) = raw.hear().await {
        if frame[0] == FIN | CLOSE {
            assert_eq!(frame[2..4], 1008_u16.to_be_bytes());
        } else {
            heard += 1;
        }
    }
    assert!(heard < sent, "{heard} of {sent}");
    echo.server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let echo = Echo::new().await;
    let mut raw = Raw::connect(echo.address).await;
    raw.send(&frame(FIN | TEXT, b"here")).await;
    assert_eq!(raw.hear().await, Some(plain(FIN | TEXT, b"here")));
    let (code, ()) = tokio::join!(raw.ends(), echo.server.stop());
    assert_eq!(code, Some(1001));
}

#[tokio::test]
async fn who_asks_for_no_socket_is_told_what_is_spoken() {
    let echo = Echo::new().await;
    let said = http(echo.address, "GET", "/", &[], b"").await;
    assert_eq!(said.status, 426);
    assert!(
        said.head.contains("sec-websocket-version: 13"),
        "{}",
        said.head
    );
    echo.server.stop().await;
}
