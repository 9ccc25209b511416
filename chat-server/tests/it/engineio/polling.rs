//! Sessions that poll.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{Echo, get};

#[tokio::test]
async fn a_session_opens_and_says_what_it_holds_to() {
    let echo = Echo::new().await;
    let said = get(echo.address, "/engine.io/?EIO=4&transport=polling").await;
    assert_eq!(said.status, 200);
    assert!(
        said.head
            .contains("content-type: text/plain; charset=utf-8"),
        "{}",
        said.head
    );
    let mut open: Value = serde_json::from_str(said.body.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].take();
    assert_eq!(sid.as_str().unwrap().len(), 20);
    let expected = json!({
        "sid": null, "upgrades": ["websocket"],
        "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000,
    });
    assert_eq!(open, expected);
    echo.stop().await;
}

#[tokio::test]
async fn packets_come_back_as_they_were_sent() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    for payload in [
        "4hello",
        "4test1\x1e4test2\x1e4test3",
        "4hello\x1ebAQIDBA==",
        "bAQIDBA==\x1eb\x1e4",
        "4\u{20ac}\u{1f44b}",
    ] {
        poller.say(payload).await;
        let mut heard = poller.hear().await;
        while heard.len() < payload.len() {
            heard = format!("{heard}\x1e{}", poller.hear().await);
        }
        assert_eq!(heard, payload);
    }
    // A noop is nothing.
    poller.say("6\x1e4after\x1e6").await;
    assert_eq!(poller.hear().await, "4after");
    echo.stop().await;
}

#[tokio::test]
async fn a_poll_waits_for_something_to_hear() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let (heard, ()) = tokio::join!(poller.hear(), poller.say("4hello"));
    assert_eq!(heard, "4hello");
    echo.stop().await;
}

#[tokio::test]
async fn what_waits_is_cut_into_payloads_of_the_length_that_was_told() {
    let echo = Echo::with(|_, settings| settings.line.payload_bytes_max = 16).await;
    let poller = echo.poller().await;
    for text in ["4aaaaaaa", "4bbbbbb", "4cccccc", "bAQIDBAUG"] {
        poller.say(text).await;
    }
    let mut heard: Vec<String> = Vec::new();
    while heard.concat().len() < 31 {
        let payload = poller.hear().await;
        assert!(payload.len() <= 16, "{payload:?}");
        heard.extend(payload.split('\x1e').map(str::to_owned));
    }
    assert_eq!(heard, ["4aaaaaaa", "4bbbbbb", "4cccccc", "bAQIDBAUG"]);
    echo.stop().await;
}

#[tokio::test]
async fn however_much_waits_a_poll_takes_little_of_it() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let message = |letter: &str, bytes| format!("4{}", letter.repeat(bytes));
    let messages = [("a", 40_000), ("b", 20_000), ("c", 40_000), ("d", 100_000)];
    let said: Vec<_> = messages
        .map(|(letter, bytes)| message(letter, bytes))
        .into();
    poller.say(said.join("\x1e")).await;
    let mut heard: Vec<String> = Vec::new();
    while heard.len() < said.len() {
        let payload = poller.hear().await;
        let packets: Vec<_> = payload.split('\x1e').map(str::to_owned).collect();
        assert!(payload.len() <= 64 * 1024 || packets.len() == 1);
        heard.extend(packets);
    }
    assert_eq!(heard, said);
    echo.stop().await;
}

#[tokio::test]
async fn what_is_no_payload_ends_the_session() {
    let echo = Echo::new().await;
    for payload in [
        b"abc".as_slice(),
        b"",
        b"\x1e",
        b"4ok\x1e",
        b"4ok\x1e7",
        b"b!",
        b"bA",
        b"4\xff",
        // A client neither opens nor pings.
        b"0{}",
        b"2",
    ] {
        let poller = echo.poller().await;
        let said = poller.post(payload).await;
        let refused = r#"{"code":3,"message":"Bad request"}"#;
        assert_eq!((said.status, &*said.body), (400, refused), "{payload:?}");
        poller.is_unknown().await;
    }
    echo.stop().await;
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused() {
    let echo = Echo::with(|_, settings| settings.line.payload_bytes_max = 1_000).await;
    let poller = echo.poller().await;
    let message = |length: usize| format!("4{}", "x".repeat(length - 1));
    for length in [1_001, 3_000, 100_000] {
        assert_eq!(poller.post(message(length)).await.status, 400, "{length}");
    }
    poller.say(message(1_000)).await;
    assert_eq!(poller.hear().await, message(1_000));
    echo.stop().await;
}

#[tokio::test]
async fn a_second_poll_ends_the_session() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let (one, other) = tokio::join!(poller.poll(), poller.poll());
    let (told, refused) = if one.status == 200 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!((told.status, &*told.body), (200, "1"));
    assert_eq!(refused.status, 400);
    poller.is_unknown().await;
    echo.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_given_up_ends_the_session() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut stream = TcpStream::connect(echo.address).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", poller.url("polling"));
    stream.write_all(request.as_bytes()).await.unwrap();
    // One that is given up before it was read was never there, however busy the machine is.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(stream);
    poller.ends().await;
    poller.is_unknown().await;
    echo.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_has_its_poll_ended() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    // Whichever of the two comes first.
    let (heard, ()) = tokio::join!(poller.hear(), poller.say("1"));
    assert_eq!(heard, "6");
    poller.is_unknown().await;
    echo.stop().await;
}

#[tokio::test]
async fn the_first_ping_comes_an_interval_after_the_opening_and_each_is_answered() {
    let echo = Echo::with(|_, settings| settings.line.ping_interval_ms = 100).await;
    let began = Instant::now();
    let poller = echo.poller().await;
    for pings in 1..=3 {
        assert_eq!(poller.hear().await, "2");
        assert!(began.elapsed() >= Duration::from_millis(100 * pings));
        poller.say("3").await;
    }
    echo.stop().await;
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_gone() {
    let echo = Echo::with(|_, settings| {
        settings.line.ping_interval_ms = 30;
        settings.line.ping_timeout_ms = 20;
    })
    .await;
    let silent = echo.poller().await;
    // He is forgotten though nobody asks for him: this may be long, and not short.
    tokio::time::sleep(Duration::from_secs(2)).await;
    silent.is_unknown().await;
    let waiting = echo.poller().await;
    waiting.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn who_never_polls_is_sent_away_when_too_much_waits() {
    let echo = Echo::with(|_, settings| settings.line.outbox_bytes_max = 1_000).await;
    let poller = echo.poller().await;
    let message = format!("4{}", "x".repeat(400));
    let mut posted = 0;
    while poller.post(&message).await.status == 200 {
        posted += 1;
        assert!(posted < 10, "it is never too much");
    }
    poller.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_says_so_to_whoever_waits() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    poller.say("4hello").await;
    assert_eq!(poller.hear().await, "4hello");
    let mut socket = echo.socket().await;
    // The poll has long been there when the server stops.
    let (heard, ()) = tokio::join!(poller.poll(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        echo.server.stop().await;
    });
    assert_eq!((heard.status, &*heard.body), (200, "1"));
    socket.ends().await;
}
