//! Sessions over a WebSocket from their beginning.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Echo, Socket};

#[tokio::test]
async fn a_session_opens_and_has_nothing_to_upgrade_to() {
    let echo = Echo::new().await;
    let mut socket = Socket::open(echo.address, "/engine.io/").await;
    let said = socket.text().await;
    let mut open: Value = serde_json::from_str(said.strip_prefix('0').unwrap()).unwrap();
    assert!(open["sid"].take().is_string());
    let expected = json!({
        "sid": null, "upgrades": [],
        "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000,
    });
    assert_eq!(open, expected);
    echo.stop().await;
}

#[tokio::test]
async fn text_and_binary_come_back_as_they_were_sent() {
    let echo = Echo::new().await;
    let mut socket = echo.socket().await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    // Bytes stay bytes, even those that are text.
    for bytes in [[1, 2, 3, 4].as_slice(), b"text", b"", b"\xff"] {
        socket.send_binary(bytes).await;
        assert_eq!(socket.binary().await, bytes);
    }
    echo.stop().await;
}

#[tokio::test]
async fn what_is_no_packet_ends_the_session() {
    let echo = Echo::new().await;
    for text in ["abc", "", "7", "0{}", "2", "2probe", "bAQ=="] {
        let mut socket = echo.socket().await;
        socket.send(text).await;
        socket.ends().await;
    }
    echo.stop().await;
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_session() {
    let echo = Echo::with(|_, settings| settings.line.payload_bytes_max = 1_000).await;
    let mut socket = echo.socket().await;
    let fits = format!("4{}", "x".repeat(999));
    socket.send(&fits).await;
    assert_eq!(socket.text().await, fits);
    socket.send(&format!("{fits}x")).await;
    socket.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_let_go() {
    let echo = Echo::new().await;
    let mut socket = echo.socket().await;
    socket.send("4last words").await;
    socket.send("1").await;
    assert_eq!(socket.text().await, "4last words");
    socket.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn pings_come_at_intervals_and_who_answers_stays() {
    let echo = Echo::with(|_, settings| settings.line.ping_interval_ms = 100).await;
    let began = Instant::now();
    let mut socket = echo.socket().await;
    for pings in 1..=3 {
        assert_eq!(socket.text().await, "2");
        assert!(began.elapsed() >= Duration::from_millis(100 * pings));
        socket.send("3").await;
    }
    echo.stop().await;
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_closed() {
    let echo = Echo::with(|_, settings| {
        settings.line.ping_interval_ms = 30;
        settings.line.ping_timeout_ms = 20;
    })
    .await;
    let began = Instant::now();
    let mut socket = echo.socket().await;
    assert_eq!(socket.text().await, "2");
    socket.ends().await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    echo.stop().await;
}
