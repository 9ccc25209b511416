//! Socket.IO over both transports.

use serde_json::Value;

use super::client::{Echo, Poller, Socket};

/// A client over a WebSocket, before it has entered a namespace.
async fn stranger(echo: &Echo) -> Socket {
    let mut socket = Socket::open(echo.address, "/socket.io/").await;
    assert!(socket.text().await.starts_with("0{"));
    socket
}

/// A client in the main namespace.
async fn client(echo: &Echo) -> Socket {
    let mut socket = stranger(echo).await;
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    assert_eq!(socket.text().await, r#"42["auth",{}]"#);
    socket
}

#[tokio::test]
async fn namespaces_are_entered_with_a_word_about_oneself() {
    let echo = Echo::new().await;
    for (enters, entered, auth) in [
        ("40", "40", r#"42["auth",{}]"#),
        (
            r#"40{"token":"123"}"#,
            "40",
            r#"42["auth",{"token":"123"}]"#,
        ),
        ("40/custom,", "40/custom,", r#"42/custom,["auth",{}]"#),
        ("40/custom", "40/custom,", r#"42/custom,["auth",{}]"#),
        (
            r#"40/custom,{"token":"abc"}"#,
            "40/custom,",
            r#"42/custom,["auth",{"token":"abc"}]"#,
        ),
    ] {
        let mut socket = stranger(&echo).await;
        socket.send(enters).await;
        let said = socket.text().await;
        let said: Value = serde_json::from_str(said.strip_prefix(entered).unwrap()).unwrap();
        assert_eq!(said.as_object().unwrap().len(), 1);
        assert_eq!(said["sid"].as_str().unwrap().len(), 20);
        assert_eq!(socket.text().await, auth);
    }
    echo.stop().await;
}

#[tokio::test]
async fn a_namespace_that_there_is_not_is_refused_and_the_others_stay() {
    let echo = Echo::new().await;
    let mut socket = stranger(&echo).await;
    socket.send("40/random").await;
    let refused = r#"44/random,{"message":"Invalid namespace"}"#;
    assert_eq!(socket.text().await, refused);
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    echo.stop().await;
}

#[tokio::test]
async fn nobody_speaks_before_he_has_entered() {
    let echo = Echo::new().await;
    for message in [
        r#"42["message","hi"]"#,
        r#"42/custom,["message"]"#,
        "430[]",
        "41",
        r#"44{"message":"no"}"#,
    ] {
        let mut socket = stranger(&echo).await;
        socket.send(message).await;
        socket.ends().await;
    }
    let mut socket = client(&echo).await;
    socket.send(r#"42/custom,["message"]"#).await;
    socket.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn what_is_no_packet_ends_the_session() {
    let echo = Echo::new().await;
    for message in [
        "4",
        "4abc",
        "42{}",
        "42[]",
        r#"42abc["message-with-ack",1]"#,
        r#"42["connect"]"#,
        r#"45["message"]"#,
        r#"4517-["message"]"#,
        r#"451-["message",{"_placeholder":true,"num":1}]"#,
    ] {
        let mut socket = client(&echo).await;
        socket.send(message).await;
        socket.ends().await;
    }
    let mut socket = client(&echo).await;
    socket.send_binary(&[1]).await;
    socket.ends().await;
    let mut socket = client(&echo).await;
    socket
        .send(r#"451-["message",{"_placeholder":true,"num":0}]"#)
        .await;
    socket.send(r#"42["message"]"#).await;
    socket.ends().await;
    echo.stop().await;
}

#[tokio::test]
async fn events_and_acknowledgements_carry_any_json() {
    let echo = Echo::new().await;
    let mut socket = client(&echo).await;
    for (sent, heard) in [
        (
            r#"42["message",1,"2",{"3":[true]}]"#,
            r#"42["message-back",1,"2",{"3":[true]}]"#,
        ),
        (r#"42["message"]"#, r#"42["message-back"]"#),
        (
            r#"42456["message-with-ack",1,"2",{"3":[false]}]"#,
            r#"43456[1,"2",{"3":[false]}]"#,
        ),
        (r#"420["message-with-ack"]"#, "430[]"),
    ] {
        socket.send(sent).await;
        assert_eq!(socket.text().await, heard);
    }
    echo.stop().await;
}

#[tokio::test]
async fn what_is_binary_follows_its_packet() {
    let echo = Echo::new().await;
    let mut socket = client(&echo).await;
    let places = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    for (sent, heard) in [
        (
            format!(r#"452-["message",{places}]"#),
            format!(r#"452-["message-back",{places}]"#),
        ),
        (
            format!(r#"452-789["message-with-ack",{places}]"#),
            format!("462-789[{places}]"),
        ),
    ] {
        socket.send(&sent).await;
        socket.send_binary(&[1, 2, 3]).await;
        socket.send_binary(b"456").await;
        assert_eq!(socket.text().await, heard);
        assert_eq!(socket.binary().await, [1, 2, 3]);
        assert_eq!(socket.binary().await, b"456");
    }
    echo.stop().await;
}

#[tokio::test]
async fn the_server_asks_and_is_answered() {
    let echo = Echo::new().await;
    let mut socket = client(&echo).await;
    for id in 0..2 {
        socket.send(r#"42["ask-me","how are you"]"#).await;
        assert_eq!(
            socket.text().await,
            format!(r#"42{id}["question","how are you"]"#)
        );
        socket.send(&format!(r#"43{id}["well"]"#)).await;
        assert_eq!(socket.text().await, r#"42["acknowledged","well"]"#);
    }
    let placeholder = r#"[{"_placeholder":true,"num":0}]"#;
    socket.send(&format!("461-5{placeholder}")).await;
    socket.send_binary(&[7]).await;
    let told = r#"451-["acknowledged",{"_placeholder":true,"num":0}]"#;
    assert_eq!(socket.text().await, told);
    assert_eq!(socket.binary().await, [7]);
    echo.stop().await;
}

#[tokio::test]
async fn leaving_one_namespace_leaves_the_others() {
    let echo = Echo::new().await;
    let mut socket = client(&echo).await;
    socket.send("40/custom").await;
    assert!(socket.text().await.starts_with("40/custom,{"));
    assert_eq!(socket.text().await, r#"42/custom,["auth",{}]"#);
    socket.send("41/custom").await;
    assert_eq!(socket.text().await, r#"42["left","/custom"]"#);
    socket.send(r#"42["message","to main"]"#).await;
    assert_eq!(socket.text().await, r#"42["message-back","to main"]"#);
    socket.send(r#"42["put-me-out"]"#).await;
    assert_eq!(socket.text().await, "41");
    // It may come in again.
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    echo.stop().await;
}

#[tokio::test]
async fn who_enters_no_namespace_in_time_is_closed() {
    let echo = Echo::with(|_, settings| settings.connect_ms_max = 2_000).await;
    let mut member = client(&echo).await;
    let mut idle = stranger(&echo).await;
    let poller = Poller::open(echo.address, "/socket.io/").await;
    idle.ends().await;
    assert_eq!(poller.hear().await, "1");
    poller.is_unknown().await;
    member.send(r#"42["message"]"#).await;
    assert_eq!(member.text().await, r#"42["message-back"]"#);
    echo.stop().await;
}

#[tokio::test]
async fn a_client_that_polls_says_and_hears_the_same() {
    let echo = Echo::new().await;
    let poller = Poller::open(echo.address, "/socket.io/").await;
    poller.say(r#"40{"token":"123"}"#).await;
    let mut heard = poller.hear().await;
    if !heard.contains('\x1e') {
        heard = format!("{heard}\x1e{}", poller.hear().await);
    }
    let (entered, auth) = heard.split_once('\x1e').unwrap();
    assert!(entered.starts_with("40{"));
    assert_eq!(auth, r#"42["auth",{"token":"123"}]"#);
    let place = r#"{"_placeholder":true,"num":0}"#;
    poller
        .say(format!(
            "451-[\"message\",{place}]\x1ebAQIDBA==\x1e421[\"message-with-ack\",1]"
        ))
        .await;
    let expected = format!("451-[\"message-back\",{place}]\x1ebAQIDBA==\x1e431[1]");
    let mut heard = poller.hear().await;
    while heard.len() < expected.len() {
        heard = format!("{heard}\x1e{}", poller.hear().await);
    }
    assert_eq!(heard, expected);
    echo.stop().await;
}
