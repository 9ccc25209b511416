//! What is spoken over HTTP: accounts, commands, lists, problems, health; and who may come in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{Account, PASSWORD, PATIENCE, Plain, Said, World, by, config, http, raw};

#[tokio::test]
async fn an_account_lives_from_sign_up_to_logout() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let me = by(&world, &ann, "GET", "/v1/me", "").await;
    assert_eq!((me.status, me.json()["name"].clone()), (200, json!("ann")));
    let login = json!({"login": "ANN", "password": PASSWORD}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/login",
        &[],
        login.as_bytes(),
    )
    .await;
    assert_eq!(said.status, 200, "{}", said.body);
    assert!(
        said.head.contains("cache-control: no-store"),
        "{}",
        said.head
    );
    let refresh = json!({"refresh_token": said.json()["refresh_token"]}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/refresh",
        &[],
        refresh.as_bytes(),
    )
    .await;
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(
        by(&world, &ann, "POST", "/v1/auth/logout", "").await.status,
        204
    );
    let me = by(&world, &ann, "GET", "/v1/me", "").await;
    assert_eq!(me.status, 401);
    assert!(me.head.contains("content-type: application/problem+json"));
    assert!(me.head.contains("www-authenticate: bearer"), "{}", me.head);
    let problem = me.json();
    assert_eq!(
        (&problem["code"], &problem["class"], &problem["status"]),
        (&json!("token_invalid"), &json!("auth"), &json!(401))
    );
    world.stop().await;
}

#[tokio::test]
async fn guesses_at_a_rooms_password_count_alike_on_every_way_in() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.attempts_burst = 4;
    let world = World::with(config).await;
    let (ann, eve) = (world.account("ann").await, world.account("eve").await);
    let access = json!({"mode": "password", "password": "sesame"});
    let made = json!({"name": "Vault", "access": access, "listed": true});
    let room = world.enter(&ann).await.create(made).await;
    let guess = json!({"room": room, "password": "a guess"});

    let body = json!({"id": 1, "op": "join", "d": guess}).to_string();
    let two = format!("{body}\n{body}");
    for reply in lines(&by(&world, &eve, "POST", "/v1/cmd", &two).await) {
        assert_eq!(reply["err"]["code"], "wrong_password", "{reply}");
    }
    let mut native = world.enter(&eve).await;
    assert_eq!(native.code("join", guess.clone()).await, "wrong_password");
    let spelled = chat_protocol::Spelling::Code.write(chat_core::RoomId::new(room));
    let join = json!({"name": "mallory", "roomId": spelled, "pass": "a guess"});
    let mut socket = Plain::connect(world.address, "/").await;
    let said = socket
        .ask(&json!({"type": "join", "payload": join}).to_string())
        .await;
    assert_eq!(said, r#"{"code":1,"message":"Invalid Pass Key!"}"#);

    // From here on even the right one isn't heard.
    let right = json!({"room": room, "password": "sesame"});
    let body = json!({"id": 1, "op": "join", "d": right}).to_string();
    let said = by(&world, &eve, "POST", "/v1/cmd", &body).await;
    assert_eq!(lines(&said)[0]["err"]["code"], "rate_limited");
    assert_eq!(native.code("join", right).await, "rate_limited");
    world.stop().await;
}

fn lines(said: &Said) -> Vec<Value> {
    let lines = said.body.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn frames_are_answered_in_order_and_a_key_makes_them_safe_to_repeat() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut live = world.enter(&ann).await;
    let frames = [
        json!({"id": 1, "op": "create_room", "d": {"name": "Den", "alias": "den"}}),
        json!({"id": 2, "op": "post", "d": {"room": "den", "body": "one"}}),
        json!({"id": 3, "op": "fly"}),
        json!({"id": 4, "op": "snapshot", "d": {"room": "den"}}),
        json!({"id": 5, "op": "history", "d": {"room": "den"}}),
    ];
    let body = frames.map(|frame| frame.to_string()).join("\n");
    let said = by(&world, &ann, "POST", "/v1/cmd", &body).await;
    let replies = lines(&said);
    let ids: Vec<_> = replies
        .iter()
        .map(|it| it["re"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 5], "{}", said.body);
    let room = replies[0]["ok"]["room"].as_u64().unwrap();
    assert_eq!(replies[2]["err"]["code"], "unknown_command");
    assert_eq!(replies[3]["err"]["code"], "bad_frame");
    assert_eq!(replies[4]["ok"]["items"][0]["content"]["body"], "one");
    live.synced(room).await;

    let bearer = format!("Bearer {}", ann.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", "k1"),
    ];
    let frame = json!({"id": 1, "op": "post", "d": {"room": room, "body": "two"}}).to_string();
    let post = || http(world.address, "POST", "/v1/cmd", &headers, frame.as_bytes());
    let (first, again) = (lines(&post().await), lines(&post().await));
    assert_eq!(first[0]["ok"]["seq"], again[0]["ok"]["seq"]);
    assert_eq!(again[0]["ok"]["dup"], true);
    // The socket hears it with the key as its cid, once.
    for kind in ["room_created", "posted"] {
        live.event(kind).await;
    }
    assert_eq!(live.event("posted").await["cid"], "k1");
    assert!(live.rest().await.is_empty());

    let rooms = by(&world, &ann, "GET", "/v1/rooms", "").await.json();
    assert_eq!(rooms["items"][0]["room"]["name"], "Den");
    let path = format!("/v1/rooms/{room}/messages?limit=1");
    let page = by(&world, &ann, "GET", &path, "").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let before = format!("{path}&before={}", page["items"][0]["seq"]);
    let page = by(&world, &ann, "GET", &before, "").await.json();
    assert_eq!(page["items"][0]["content"]["body"], "one");
    // What no position can be is refused, whichever side of it one asks for.
    for side in ["before", "after", "around", "thread"] {
        let path = format!("{path}&{side}=9007199254740992");
        let refused = by(&world, &ann, "GET", &path, "").await;
        let said = (refused.status, refused.json()["code"].clone());
        assert_eq!(said, (422, json!("bad_argument")), "{side}");
    }
    let bob = world.account("bob").await;
    let other = by(&world, &bob, "GET", &path, "").await;
    assert_eq!(
        (other.status, other.json()["code"].clone()),
        (403, json!("not_a_member"))
    );
    let nowhere = by(&world, &bob, "GET", "/v1/rooms/999/messages", "").await;
    assert_eq!(nowhere.status, 404);
    world.stop().await;
}

#[tokio::test]
async fn what_is_too_much_or_too_slow_is_refused() {
    let mut config = config();
    config.server_limits.header_read_ms_max = 1_000;
    config.server_limits.request_ms_max = 2_000;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    for (path, bytes) in [("/v1/cmd", 64 * 1024), ("/v1/auth/login", 64 * 1024)] {
        let said = by(&world, &ann, "POST", path, &" ".repeat(bytes)).await;
        assert_eq!(said.status, 400, "{path}: {}", said.body);
        let said = by(&world, &ann, "POST", path, &" ".repeat(bytes + 1)).await;
        assert_eq!(said.status, 413, "{path}: {}", said.body);
        assert_eq!(said.json()["code"], "too_large");
    }
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert_eq!(raw(world.address, head.as_bytes()).await.status, 431);
    let half = "POST /v1/cmd HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n";
    let half = format!("{half}authorization: Bearer {}\r\n\r\n{{", ann.token);
    assert_eq!(raw(world.address, half.as_bytes()).await.status, 503);
    // Whoever begins a request and lets it lie is cut off, and so is who says nothing.
    for begun in ["GET /healthz HTTP/1.1\r\nhost:", ""] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(
            read.is_ok() && began.elapsed() < Duration::from_secs(8),
            "{begun:?}"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn operators_see_health_and_numbers_but_no_words() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    a.post(room, "canary-in-the-body").await;
    for path in ["/healthz", "/readyz"] {
        let said = http(world.address, "GET", path, &[], b"").await;
        assert_eq!((said.status, said.body.as_str()), (200, "ok\n"), "{path}");
    }
    let said = http(world.address, "GET", "/metrics", &[], b"").await;
    assert_eq!(said.status, 200);
    assert!(said.body.contains("\nchat_sessions 1\n"), "{}", said.body);
    assert!(said.body.ends_with("# EOF\n"));
    assert!(!said.body.contains("canary"));
    let nothing = http(world.address, "GET", "/nothing", &[], b"").await;
    assert_eq!(nothing.status, 404);
    world.stop().await;
}

/// The status of a handshake by a page of this origin.
async fn knock(world: &World, path: &str, origin: Option<&str>) -> u16 {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let origin = origin.map_or(String::new(), |origin| format!("origin: {origin}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{origin}\r\n",
        world.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn pages_come_in_by_their_origin() {
    let mut named = config();
    named.origins = vec!["https://front.example".to_owned()];
    let (open, named) = (World::new().await, World::with(named).await);
    let own = |world: &World| format!("http://{}", world.address);
    let (evil, front) = ("https://evil.example", "https://front.example");
    for (world, path, origin, status) in [
        (&open, "/v1/ws", None, 101),
        (&open, "/v1/ws", Some(own(&open)), 101),
        (&open, "/v1/ws", Some(evil.to_owned()), 403),
        (&open, "/v1/ws", Some("null".to_owned()), 403),
        // The front ends of the older dialects live elsewhere, unless origins are named.
        (&open, "/", Some(evil.to_owned()), 101),
        (&named, "/", Some(evil.to_owned()), 403),
        (&named, "/", Some(front.to_owned()), 101),
        (&named, "/v1/ws", Some(front.to_owned()), 101),
        (&named, "/v1/ws", Some(own(&named)), 101),
        (&named, "/v1/ws", Some(format!("{front}.evil.example")), 403),
        (&named, "/v1/ws", None, 101),
    ] {
        let status_now = knock(world, path, origin.as_deref()).await;
        assert_eq!(status_now, status, "{path} {origin:?}");
    }
    open.stop().await;
    named.stop().await;
}

#[tokio::test]
async fn a_socket_speaks_what_its_first_frame_speaks() {
    let world = World::new().await;
    let mut old = Plain::connect(world.address, "/any/path?x=1").await;
    // Nothing that anybody can read is passed over in silence.
    for frame in [
        "",
        "hello",
        "{}",
        r#"{"type":"dance"}"#,
        r#"{"id":1,"op":"limits"}"#,
    ] {
        old.send(frame).await;
    }
    let rooms = old
        .ask(r#"{"type":"query","payload":{"query":"rooms"}}"#)
        .await;
    assert_eq!(rooms, "[]");
    let bad = old.ask("hello").await;
    assert_eq!(bad, r#"{"code":1,"message":"Invalid message"}"#);
    let mut noise = Plain::connect(world.address, "/").await;
    for _ in 0..10 {
        noise.send("noise").await;
    }
    assert_eq!(noise.hear().await, Err(1007));
    world.stop().await;
}

#[tokio::test]
async fn every_route_that_is_described_is_there() {
    let world = World::new().await;
    let described = http(world.address, "GET", "/v1/openapi.json", &[], b"").await;
    let paths = described.json()["paths"].as_object().unwrap().clone();
    assert!(paths.contains_key("/v1/cmd"));
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1");
            let said = http(world.address, &method.to_uppercase(), &path, &[], b"").await;
            assert!(said.status != 404 && said.status != 405, "{method} {path}");
        }
    }
    let page = http(world.address, "GET", "/v1/docs", &[], b"").await;
    assert!(page.body.contains("/v1/openapi.json"));
}

#[tokio::test]
async fn commands_over_http_have_a_budget_too() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 2;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let rooms = async |account: &Account| by(&world, account, "GET", "/v1/rooms", "").await;
    assert_eq!(rooms(&ann).await.status, 200);
    assert_eq!(rooms(&ann).await.status, 200);
    let refused = rooms(&ann).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(rooms(&bob).await.status, 200);
}
