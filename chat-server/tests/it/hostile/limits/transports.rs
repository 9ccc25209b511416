//! The same bound by whatever way something comes.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::engineio::client::{Poller, Socket};
use crate::people::{Kind, Person};
use crate::six::{guests, host};
use crate::world::{Native, Plain, World, by, config, http};

const BODY: usize = 300;

/// Says something of one byte less, of as many, and of one more, each followed by a short line;
/// whoever listens hears the first two and the short ones.
async fn measured(listener: &mut Native, room: u64, who: &str, mut say: impl AsyncFnMut(String)) {
    for bytes in [BODY - 1, BODY, BODY + 1] {
        say("x".repeat(bytes)).await;
        say(format!("{who} after {bytes}")).await;
        let mut heard = Vec::new();
        loop {
            let event = listener.event_of(room).await;
            if event["ev"] != "posted" {
                continue;
            }
            let body = event["d"]["content"]["body"].as_str().unwrap().to_owned();
            if body.ends_with(&format!("after {bytes}")) {
                break;
            }
            heard.push(body.len());
        }
        let due: &[usize] = if bytes > BODY { &[] } else { &[bytes] };
        assert_eq!(heard, due, "{who}");
    }
}

#[tokio::test]
async fn a_body_is_as_long_as_it_may_be_on_every_transport() {
    let mut config = config();
    config.limits.body_bytes_max = BODY;
    let world = World::with(config).await;
    let (ann, room) = host(&world).await;
    let mut people = guests(&world, room).await;
    people.insert(0, ann);
    let account = world.account("listener").await;
    let mut listener = world.enter(&account).await;
    listener.join(room).await;
    let mut kinds = Vec::new();
    for person in &mut people {
        let who = format!("{:?}", person.kind);
        measured(&mut listener, room, &who, async |body| {
            person.say(&body).await
        })
        .await;
        kinds.push(person.kind);
    }
    assert_eq!(kinds.len(), 6);
    measured(&mut listener, room, "native over http", async |body| {
        let line = json!({"id": 1, "op": "post", "d": {"room": room, "body": body}}).to_string();
        by(&world, &account, "POST", "/v1/cmd", &line).await;
    })
    .await;
    let poller = Poller::open(world.address, "/socket.io/").await;
    poller.say("40").await;
    assert!(poller.hear().await.starts_with("40"));
    poller
        .say(r#"421["joinRoom",{"roomId":"Den","username":"pol"}]"#)
        .await;
    measured(&mut listener, room, "polling", async |body| {
        let said = json!(["message", {"roomId": "Den", "username": "pol", "message": body}]);
        poller.say(format!("42{said}")).await;
    })
    .await;
    world.stop().await;
}

/// A frame that asks for nothing much, as long as this.
fn padded(frame: &Value, bytes: usize) -> String {
    let mut frame = frame.clone();
    frame["pad"] = json!("");
    let text = frame.to_string();
    text.replace(
        r#""pad":"""#,
        &format!(r#""pad":"{}""#, "x".repeat(bytes - text.len())),
    )
}

/// What somebody of this kind may say at any time.
fn harmless(kind: Kind) -> Value {
    match kind {
        Kind::Native => json!({"id": 9_000, "op": "limits"}),
        Kind::Rooms => json!({"type": "query", "payload": {"query": "rooms"}}),
        Kind::Actions => json!({"action": "nothing"}),
        Kind::Groups => json!({"type": "get_groups"}),
        Kind::Rest => json!({"chatRoomId": 1, "chatMessage": "x"}),
        Kind::Socketio => json!({}),
    }
}

/// Whether a connection lives after a frame.
async fn survives(socket: &mut Plain, frame: &str) -> bool {
    socket.send(frame).await;
    socket.lives().await
}

#[tokio::test]
async fn a_frame_is_as_long_as_it_may_be_on_every_transport() {
    const FRAME: usize = 20_000;
    let mut config = config();
    config.server_limits.frame_bytes_max = FRAME;
    let world = World::with(config).await;
    let (ann, room) = host(&world).await;
    let mut people: Vec<Person> = guests(&world, room).await;
    people.push(ann);
    // Engine.IO tells its sessions a bound of its own, which its own tests hold.
    people.retain(|person| person.kind != Kind::Socketio);
    assert_eq!(people.len(), 5);
    for person in &mut people {
        for (bytes, fits) in [(FRAME - 1, true), (FRAME, true), (FRAME + 1, false)] {
            let frame = padded(&harmless(person.kind), bytes);
            let lives = survives(&mut person.socket, &frame).await;
            assert_eq!(lives, fits, "{:?} {bytes}", person.kind);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_strangers_frame_is_shorter() {
    const FRAME: usize = 2_000;
    let mut config = config();
    config.server_limits.frame_unauthenticated_bytes_max = FRAME;
    let world = World::with(config).await;
    for (path, kind) in [
        ("/v1/ws", Kind::Native),
        ("/", Kind::Rooms),
        ("/chat", Kind::Actions),
        ("/", Kind::Groups),
    ] {
        for (bytes, fits) in [(FRAME - 1, true), (FRAME, true), (FRAME + 1, false)] {
            let mut socket = Plain::connect(world.address, path).await;
            let frame = padded(&harmless(kind), bytes);
            assert_eq!(
                survives(&mut socket, &frame).await,
                fits,
                "{kind:?} {bytes}"
            );
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_strangers_payload_is_shorter_too() {
    const FRAME: usize = 2_000;
    let mut config = config();
    config.server_limits.frame_unauthenticated_bytes_max = FRAME;
    let world = World::with(config).await;
    let knock = |bytes: usize| format!(r#"40{{"pad":"{}"}}"#, "x".repeat(bytes - 12));
    let long = format!(r#"42["nothing","{}"]"#, "x".repeat(FRAME));
    let join = r#"421["joinRoom",{"roomId":"Den","username":"pol"}]"#;
    for (bytes, fits) in [(FRAME, true), (FRAME + 1, false)] {
        let poller = Poller::open(world.address, "/socket.io/").await;
        let said = poller.post(knock(bytes)).await;
        assert_eq!(said.status == 200, fits, "a payload of {bytes}");
        let mut socket = Socket::open(world.address, "/socket.io/").await;
        socket.text().await;
        socket.send(&knock(bytes)).await;
        let answered = socket.hear().await.is_some();
        assert_eq!(answered, fits, "a frame of {bytes}");
        if !fits {
            continue;
        }
        // Whoever has come in says as much as he was told.
        assert!(poller.hear().await.starts_with("40"));
        poller.say(join).await;
        while !poller.hear().await.contains("431[") {}
        poller.say(&long).await;
        socket.send(join).await;
        while !socket.text().await.starts_with("431[") {}
        socket.send(&long).await;
        socket.send(join).await;
        while !socket.text().await.starts_with("431[") {}
        // On the way from the one to the other, too.
        let poller = Poller::open(world.address, "/socket.io/").await;
        poller.say(knock(FRAME)).await;
        assert!(poller.hear().await.starts_with("40"));
        let mut socket = Socket::at(world.address, &poller.url("websocket"))
            .await
            .unwrap();
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        socket.send(join).await;
        while !socket.text().await.starts_with("431[") {}
        socket.send(&long).await;
        socket.send(join).await;
        while !socket.text().await.starts_with("431[") {}
    }
    world.stop().await;
}

/// The status that a request with a body of this length is answered with.
async fn posted(at: SocketAddr, path: &str, bearer: &str, bytes: usize) -> u16 {
    let headers = [("authorization", bearer)];
    http(at, "POST", path, &headers, " ".repeat(bytes).as_bytes())
        .await
        .status
}

#[tokio::test]
async fn a_body_over_http_is_as_long_as_it_may_be() {
    const BYTES: usize = 5_000;
    let mut config = config();
    config.server_limits.http_body_bytes_max = BYTES;
    let world = World::with(config).await;
    let bearer = format!("Bearer {}", world.account("ann").await.token);
    for path in [
        "/v1/cmd",
        "/v1/auth/login",
        "/v1/auth/signup",
        "/v1/auth/refresh",
        "/v1/api/auth/login",
        "/v1/api/auth/signup",
        "/v1/api/chat/create",
        "/api/login",
        "/api/create-room",
        "/api/join-room",
    ] {
        let mut statuses = Vec::new();
        for bytes in [BYTES - 1, BYTES, BYTES + 1] {
            statuses.push(posted(world.address, path, &bearer, bytes).await);
        }
        assert_eq!(statuses[0], statuses[1], "{path}");
        assert!(
            statuses[0] != 413 && statuses[2] == 413,
            "{path}: {statuses:?}"
        );
    }
    world.stop().await;
}
