//! The chat over Socket.IO, as far as it is the carrier's business.

use serde_json::Value;
use tokio::net::TcpListener;

use super::client::{Echo, Poller, Socket};
use crate::world::{World, config};

/// Somebody who has come in, and joined the lobby.
async fn guest(world: &World, name: &str) -> Socket {
    let mut socket = Socket::open(world.address, "/socket.io/").await;
    assert!(socket.text().await.starts_with("0{"));
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    socket.send(&join(name)).await;
    assert_eq!(socket.text().await, r#"430[{"success":true}]"#);
    socket
}

fn join(name: &str) -> String {
    format!(r#"420["joinRoom",{{"roomId":"lobby","username":"{name}"}}]"#)
}

fn says(sender: &str, message: &str) -> String {
    format!(r#"42["message",{{"roomId":"lobby","message":"{message}","sender":"{sender}"}}]"#)
}

/// Whether a frame is that line.
fn is_line(frame: &str, sender: &str, message: &str) -> bool {
    let said =
        format!(r#"42["message",{{"roomId":"lobby","sender":"{sender}","message":"{message}""#);
    frame.starts_with(&said)
}

#[tokio::test]
async fn the_chat_holds_to_the_same_rules() {
    let mut config = config();
    config.server_limits.hello_ms_max = 2_000;
    let world = World::with(config).await;
    let mut socket = Socket::open(world.address, "/socket.io/").await;
    let said = socket.text().await;
    let mut open: Value = serde_json::from_str(said.strip_prefix('0').unwrap()).unwrap();
    open["sid"].take();
    let expected = r#"{"maxPayload":1000000,"pingInterval":25000,"pingTimeout":20000,"sid":null,"upgrades":[]}"#;
    assert_eq!(open.to_string(), expected);
    socket.send("40/foo").await;
    assert_eq!(
        socket.text().await,
        r#"44/foo,{"message":"Invalid namespace"}"#
    );
    socket.send(r#"42["joinRoom",{"roomId":"lobby"}]"#).await;
    socket.ends().await;
    // Nor may anybody stay who doesn't come in.
    let mut idle = Socket::open(world.address, "/socket.io").await;
    assert!(idle.text().await.starts_with("0{"));
    let poller = Poller::open(world.address, "/socket.io/").await;
    idle.ends().await;
    poller.ends().await;
    world.stop().await;
}

#[tokio::test]
async fn who_polls_and_who_does_not_talk_with_each_other() {
    let world = World::new().await;
    let mut ann = guest(&world, "ann").await;
    let bob = Poller::open(world.address, "/socket.io/").await;
    bob.say(format!("40\x1e{}", join("bob"))).await;
    let mut heard = bob.hear().await;
    while !heard.contains("430[") {
        heard = bob.hear().await;
    }
    assert_eq!(
        ann.text().await,
        r#"42["userJoined",{"roomId":"lobby","username":"bob"}]"#
    );
    bob.say(says("bob", "one")).await;
    assert!(is_line(&ann.text().await, "bob", "one"));
    let (heard, ()) = tokio::join!(bob.hear(), async {
        ann.send(&says("ann", "two")).await;
    });
    assert!(is_line(&heard, "ann", "two"), "{heard}");
    // What waits for a poll leaves by the socket that bob goes on over.
    let mut socket = Socket::at(world.address, &bob.url("websocket"))
        .await
        .unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    ann.send(&says("ann", "three")).await;
    ann.send(&says("ann", "four")).await;
    socket.send("5").await;
    assert!(is_line(&socket.text().await, "ann", "three"));
    assert!(is_line(&socket.text().await, "ann", "four"));
    socket.send(&says("bob", "five")).await;
    assert!(is_line(&ann.text().await, "bob", "five"));
    socket.send("1").await;
    assert_eq!(
        ann.text().await,
        r#"42["userLeft",{"roomId":"lobby","username":"bob"}]"#
    );
    world.stop().await;
}

#[tokio::test]
async fn who_leaves_the_namespace_may_come_back_but_not_stay_out() {
    let mut config = config();
    config.server_limits.hello_ms_max = 2_000;
    let world = World::with(config).await;
    let mut ann = guest(&world, "ann").await;
    let mut bob = guest(&world, "bob").await;
    assert_eq!(
        ann.text().await,
        r#"42["userJoined",{"roomId":"lobby","username":"bob"}]"#
    );
    bob.send("41").await;
    assert_eq!(
        ann.text().await,
        r#"42["userLeft",{"roomId":"lobby","username":"bob"}]"#
    );
    bob.send("40").await;
    assert!(bob.text().await.starts_with("40{"));
    bob.send("41").await;
    bob.ends().await;
    ann.send(&says("ann", "still here")).await;
    ann.send(&join("ann")).await;
    assert_eq!(ann.text().await, r#"430[{"success":true}]"#);
    world.stop().await;
}

#[tokio::test]
async fn what_is_binary_is_refused_in_words_and_nobody_is_hurt() {
    let world = World::new().await;
    let mut ann = guest(&world, "ann").await;
    ann.send(r#"451-7["message",{"roomId":"lobby","message":{"_placeholder":true,"num":0}}]"#)
        .await;
    ann.send_binary(&[1, 2, 3]).await;
    let refused = r#"437[{"success":false,"error":"binary data can't be sent"}]"#;
    assert_eq!(ann.text().await, refused);
    ann.send(&join("ann")).await;
    assert_eq!(ann.text().await, r#"430[{"success":true}]"#);
    world.stop().await;
}

#[tokio::test]
async fn a_listener_of_the_dialect_speaks_it_on_every_path() {
    let world = World::new().await;
    let mut listen = chat_server::config::Listen::local(0);
    listen.dialect = Some(chat_protocol::Dialect::Socketio);
    let address = world.server.listen(listen).await.unwrap();
    let mut socket = Socket::open(address, "/chat/socket.io/").await;
    assert!(socket.text().await.starts_with("0{"));
    world.stop().await;
    // Nor does a service of an application end up elsewhere.
    let echo = Echo::new().await;
    assert!(
        Socket::at(echo.address, "/chat?EIO=4&transport=websocket")
            .await
            .is_err()
    );
    echo.stop().await;
}

#[tokio::test]
async fn lines_work_below_somebody_elses_application() {
    let world = World::new().await;
    let app = axum::Router::new().nest("/below", world.server.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let host = tokio::spawn(async move { axum::serve(listener, app).await });

    let poller = Poller::open(address, "/below/socket.io/").await;
    poller.say(format!("40\x1e{}", join("ann"))).await;
    let mut heard = poller.hear().await;
    while !heard.contains("430[") {
        heard = poller.hear().await;
    }
    let mut socket = Socket::at(address, &poller.url("websocket")).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    let mut bob = guest(&world, "bob").await;
    assert_eq!(
        socket.text().await,
        r#"42["userJoined",{"roomId":"lobby","username":"bob"}]"#
    );
    bob.send(&says("bob", "hi")).await;
    assert!(is_line(&socket.text().await, "bob", "hi"));
    // The line ends with the server.
    world.stop().await;
    while socket.hear().await.is_some() {}
    host.abort();
}
