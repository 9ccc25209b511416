//! From polling to a WebSocket.

use super::client::{Echo, Poller, Socket};

async fn probe(poller: &Poller) -> Socket {
    let url = poller.url("websocket");
    let mut socket = Socket::at(poller.address, &url).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket
}

#[tokio::test]
async fn a_session_goes_on_over_a_socket() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut socket = probe(&poller).await;
    // A poll is ended, so that the client can change over.
    assert_eq!(poller.hear().await, "6");
    socket.send("5").await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    socket.send_binary(&[1, 2]).await;
    assert_eq!(socket.binary().await, [1, 2]);
    echo.stop().await;
}

#[tokio::test]
async fn a_poll_that_waits_is_ended_by_the_probe() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let (heard, mut socket) = tokio::join!(poller.hear(), probe(&poller));
    assert_eq!(heard, "6");
    socket.send("5").await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    echo.stop().await;
}

#[tokio::test]
async fn what_waited_for_a_poll_leaves_by_the_socket() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut socket = probe(&poller).await;
    poller.say("4one\x1ebAQI=\x1e4two").await;
    socket.send("5").await;
    socket.send("4three").await;
    assert_eq!(socket.text().await, "4one");
    assert_eq!(socket.binary().await, [1, 2]);
    assert_eq!(socket.text().await, "4two");
    assert_eq!(socket.text().await, "4three");
    echo.stop().await;
}

#[tokio::test]
async fn a_session_that_has_gone_over_refuses_whatever_else_comes() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut socket = probe(&poller).await;
    socket.send("5").await;
    socket.send("4here").await;
    assert_eq!(socket.text().await, "4here");
    let refused = r#"{"code":3,"message":"Bad request"}"#;
    for said in [poller.poll().await, poller.post("4x").await] {
        assert_eq!((said.status, &*said.body), (400, refused));
    }
    // A further socket is let in, for it could not read a refusal, and closed.
    let mut other = Socket::at(echo.address, &poller.url("websocket"))
        .await
        .unwrap();
    other.ends().await;
    socket.send("4still here").await;
    assert_eq!(socket.text().await, "4still here");
    echo.stop().await;
}

#[tokio::test]
async fn a_client_that_changes_over_without_waiting_is_followed() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut socket = Socket::at(echo.address, &poller.url("websocket"))
        .await
        .unwrap();
    socket.send("2probe").await;
    socket.send("5").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    assert_eq!(poller.poll().await.status, 400);
    echo.stop().await;
}

#[tokio::test]
async fn a_socket_that_does_not_ask_is_closed_and_the_session_polls_on() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    for words in ["5", "2", "4hello", "abc"] {
        let mut socket = Socket::at(echo.address, &poller.url("websocket"))
            .await
            .unwrap();
        socket.send(words).await;
        socket.ends().await;
        poller.say("4hello").await;
        assert_eq!(poller.hear().await, "4hello");
    }
    // The next one may.
    let mut socket = probe(&poller).await;
    socket.send("5").await;
    socket.send("4there").await;
    assert_eq!(socket.text().await, "4there");
    echo.stop().await;
}

#[tokio::test]
async fn one_socket_is_tried_at_a_time_and_for_a_time() {
    let echo = Echo::with(|_, settings| settings.line.upgrade_ms_max = 1_000).await;
    let poller = echo.poller().await;
    let mut first = probe(&poller).await;
    let mut second = Socket::at(echo.address, &poller.url("websocket"))
        .await
        .unwrap();
    second.ends().await;
    first.ends().await;
    poller.say("4hello").await;
    assert_eq!(poller.hear().await, "4hello");
    echo.stop().await;
}

#[tokio::test]
async fn a_socket_that_breaks_ends_the_session() {
    let echo = Echo::new().await;
    let poller = echo.poller().await;
    let mut socket = probe(&poller).await;
    socket.send("5").await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    drop(socket);
    poller.ends().await;
    echo.stop().await;
}
