//! Those who only listen: server-sent events at `/v1/events`.

mod breaking;
pub(crate) mod reader;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use chat_core::Timestamp;
use chat_server::Server;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use self::reader::Reader;
use crate::world::{Account, World, by, config, http};

#[tokio::test]
async fn a_short_conversation_is_spelled_like_this() {
    let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
    let world = World::on(&store, Timestamp::new(1_790_000_000_000)).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den", "alias": "den"})).await;
    assert_eq!(room, 1);
    let mut reader = Reader::to(&world, &ann, "/v1/events?rooms=den", "").await;
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        assert!(reader.head.contains(header), "{}", reader.head);
    }
    let welcome = reader.welcome().await;
    let epoch = welcome["epoch"].as_str().unwrap().to_owned();
    let new = json!({"1": {"st": "new", "epoch": epoch, "head": 1}});
    assert_eq!(welcome["rooms"], new);
    assert_eq!(welcome["user"], json!({"id": ann.id, "name": "ann"}));
    assert_eq!(reader.last_id, format!("1-1~{epoch}"));
    let retry_ms = reader.retry_ms.expect("how long to stay away");
    assert!((500..5_000).contains(&retry_ms), "{retry_ms}");
    let first = format!("retry: {retry_ms}\nid: 1-1~{epoch}\ndata: {{\"re\":0,\"ok\":{{");
    assert!(reader.text().starts_with(&first), "{}", reader.text());
    let begun = reader.text().find("\n\n").unwrap() + 2;

    reader.system("synced").await;
    a.ok("typing", json!({"room": room, "on": true})).await;
    let words = json!({"room": room, "body": "two\nlines", "cid": "k1"});
    a.ok("post", words).await;
    reader.event().await;
    let by = format!(r#""by":{{"id":{},"name":"ann"}}"#, ann.id);
    let at = 1_790_000_000_000_u64;
    let said = r#""d":{"idx":1,"content":{"body":"two\nlines"}}"#;
    let expected = format!(
        "data: {{\"sys\":\"synced\",\"room\":1,\"seq\":1}}\n\n\
         data: {{\"sig\":\"typing\",\"room\":1,{by},\"d\":{{\"on\":true}}}}\n\n\
         id: 1-2~{epoch}\n\
         data: {{\"ev\":\"posted\",\"room\":1,\"seq\":2,\"at\":{at},{by},{said},\"cid\":\"k1\"}}\n\n"
    );
    // A sign of life may come at any time.
    let text = reader.text()[begun..].replace("\n\n:\n\n", "\n\n");
    assert_eq!(text, expected);
    world.stop().await;
    let bye = reader.frame().await;
    let expected = json!({
        "sys": "bye", "code": 4000, "why": "shutting down", "retry_ms": bye["retry_ms"],
    });
    assert_eq!(bye, expected);
    assert!(reader.next().await.is_none(), "the response has ended");
}

#[tokio::test]
async fn everybody_who_listens_hears_the_same_lines_in_the_same_order() {
    const LINES: usize = 100;
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let hall = a.create(json!({"name": "Hall"})).await;
    let mut b = world.enter_on(1, &bob).await;
    b.join(den).await;
    b.join(hall).await;
    // Two of one user, one of another, and one of the two rooms alone.
    let only = format!("/v1/events?rooms={hall}");
    let mut readers = [
        Reader::of(&world, &bob).await,
        Reader::of(&world, &bob).await,
        Reader::of(&world, &ann).await,
        Reader::to(&world, &bob, &only, "").await,
    ];
    for reader in &mut readers {
        reader.welcome().await;
    }
    for line in 0..LINES {
        let room = if line % 3 == 0 { hall } else { den };
        let body = json!({"room": room, "body": line.to_string()});
        a.ok("post", body.clone()).await;
        b.ok("post", body).await;
    }
    let mut heard = Vec::new();
    for (reader, room) in readers.iter_mut().zip([None, None, None, Some(hall)]) {
        let mut lines: Vec<(Value, Value)> = Vec::new();
        let of_hall = 2 * LINES.div_ceil(3);
        let count = if room.is_some() { of_hall } else { 2 * LINES };
        while lines.len() < count {
            let event = reader.event().await;
            lines.push((event["room"].clone(), event["seq"].clone()));
        }
        for room in [den, hall] {
            let of = lines.iter().filter(|(it, _)| *it == room);
            let seqs: Vec<u64> = of.map(|(_, seq)| seq.as_u64().unwrap()).collect();
            let expected: Vec<u64> = (0..seqs.len() as u64).map(|it| it + 3).collect();
            assert_eq!(seqs, expected, "both joined before");
        }
        heard.push(lines);
    }
    let others = heard[0].iter().filter(|(room, _)| *room == hall);
    assert!(others.eq(&heard[3]), "the hall alone");
    world.stop().await;
}

#[tokio::test]
async fn rooms_that_are_joined_are_heard_and_rooms_that_are_left_are_not() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let hall = a.create(json!({"name": "Hall"})).await;
    let mut b = world.enter(&bob).await;
    b.join(hall).await;
    let mut reader = Reader::of(&world, &bob).await;
    let only = format!("/v1/events?rooms={hall}");
    let mut named = Reader::to(&world, &bob, &only, "").await;
    reader.welcome().await;
    let epoch = named.welcome().await["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    // Commands go by HTTP: nobody needs a socket.
    let cmd = json!({"id": 1, "op": "join", "d": {"room": den}}).to_string();
    assert_eq!(by(&world, &bob, "POST", "/v1/cmd", &cmd).await.status, 200);
    assert_eq!(reader.event().await["ev"], "joined");
    a.post(den, "welcome").await;
    assert_eq!(reader.event().await["ev"], "posted");
    assert_eq!(reader.last_id, format!("1-3.1-2~{epoch}"));
    let before = reader.last_id.clone();
    a.ok("kick", json!({"room": den, "user": bob.id})).await;
    assert_eq!(reader.event().await["ev"], "kicked");
    a.post(den, "he is gone").await;
    a.post(hall, "and here?").await;
    let heard = reader.event().await;
    assert_eq!((&heard["room"], &heard["seq"]), (&json!(hall), &json!(3)));
    assert_eq!(reader.last_id, format!("2-3~{epoch}"), "the den is gone");
    // Whoever has named his rooms hears of no other.
    assert_eq!(named.event().await, heard);

    // Who comes back from before that hears that it is gone, and no word of it.
    let mut back = Reader::to(&world, &bob, "/v1/events", &before).await;
    let rooms = back.welcome().await["rooms"].clone();
    let den_and_hall = (&rooms[den.to_string()], &rooms[hall.to_string()]);
    let ok = json!({"st": "ok", "from": 2, "to": 3});
    assert_eq!(den_and_hall, (&json!({"st": "gone"}), &ok));
    assert_eq!(back.event().await["room"], hall);
    let both = format!("/v1/events?rooms={den},{hall}");
    let mut back = Reader::to(&world, &bob, &both, &before).await;
    let rooms = back.welcome().await["rooms"].clone();
    assert_eq!(rooms[den.to_string()], json!({"st": "gone"}));
    assert_eq!(back.event().await["room"], hall);
    world.stop().await;
}

#[tokio::test]
async fn who_can_not_be_let_in_hears_why_in_words() {
    let mut config = config();
    config.origins = vec!["https://front.example".to_owned()];
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let bearer = format!("Bearer {}", ann.token);
    let known = ("authorization", bearer.as_str());
    let many = vec!["1"; 251].join(",");
    let many = format!("/v1/events?rooms={many}");
    let long = "x".repeat(9_000);
    let spoiled = ("last-event-id", "c-16~k3\u{e9}");
    let (other, long) = (("last-event-id", "12"), ("last-event-id", long.as_str()));
    let foreign = ("origin", "https://evil.example");
    // Nothing that stands in an address is a token: addresses end up in logs.
    let told = format!("/v1/events?token={}", ann.token);
    let all = "/v1/events";
    for (path, headers, status, code) in [
        (all, vec![], 401, "unauthenticated"),
        (&told, vec![], 401, "unauthenticated"),
        (
            all,
            vec![("authorization", "Bearer no")],
            401,
            "token_invalid",
        ),
        (all, vec![known, spoiled], 400, "bad_frame"),
        (all, vec![known, other], 400, "bad_frame"),
        (all, vec![known, long], 400, "bad_frame"),
        ("/v1/events?rooms=", vec![known], 404, "room_not_found"),
        ("/v1/events?rooms=no", vec![known], 404, "room_not_found"),
        (&many, vec![known], 429, "too_many"),
        (all, vec![known, foreign], 403, ""),
    ] {
        let stream = TcpStream::connect(world.address).await.unwrap();
        let said = Reader::over(stream, world.address, path, &headers).await;
        let said = said.err().unwrap_or_else(|| panic!("{path} {headers:?}"));
        assert_eq!(said.status, status, "{path} {headers:?}: {}", said.body);
        if !code.is_empty() {
            assert_eq!(said.json()["code"], code, "{}", said.body);
            assert!(said.head.contains("application/problem+json"));
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn one_who_listens_is_a_session_like_any_other() {
    let mut config = config();
    config.server_limits.sessions_per_user_max = 1;
    config.origins = vec!["https://front.example".to_owned()];
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let bearer = format!("Bearer {}", ann.token);
    let known = ("authorization", bearer.as_str());
    let own = format!("http://{}", world.address);
    for origin in [own.as_str(), "https://front.example"] {
        let stream = TcpStream::connect(world.address).await.unwrap();
        let headers = [known, ("origin", origin)];
        let mut reader = Reader::over(stream, world.address, "/v1/events", &headers).await;
        reader.as_mut().ok().unwrap().welcome().await;
        let head = &reader.as_ref().ok().unwrap().head;
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        assert_eq!(head.contains(&allowed), origin != own, "{head}");
        let second = Reader::ask(&world, &ann, "/v1/events", "").await;
        let said = second.err().expect("one session is all");
        assert_eq!(
            (said.status, &said.json()["code"]),
            (429, &json!("too_many"))
        );
        let mut socket = world.connect().await;
        let hello = json!({"token": ann.token});
        assert_eq!(socket.code("hello", hello).await, "too_many");
        drop(reader);
        while world.server.node().metrics().sessions() > 0 {
            http(world.address, "GET", "/healthz", &[], b"").await;
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_listener_has_as_many_rooms_as_an_id_can_name() {
    const MOST: usize = 250;
    let mut config = config();
    config.limits.rooms_created_a_day_max = 1_000;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    a.ok("hello", json!({"token": ann.token})).await;
    let mut asked = Vec::new();
    for room in 1..MOST {
        let name = json!({"name": format!("room {room}")});
        asked.push(a.ask("create_room", name).await);
    }
    for id in asked {
        a.reply(id).await.unwrap();
    }
    let mut reader = Reader::of(&world, &ann).await;
    reader.welcome().await;
    let mut made = Vec::new();
    for name in ["the last", "one more"] {
        made.push(a.ok("create_room", json!({"name": name})).await["room"].clone());
    }
    assert_eq!(reader.event().await["room"], made[0]);
    // He isn't left to believe that he hears all of them.
    let bye = reader.system("bye").await;
    assert_eq!(
        (&bye["code"], &bye["retry_ms"]),
        (&json!(4508), &json!(null))
    );
    assert!(reader.next().await.is_none());
    assert!(reader.last_id.len() < 4_096, "{}", reader.last_id);
    // Who comes back is told to choose.
    let said = Reader::ask(&world, &ann, "/v1/events", &reader.last_id).await;
    let said = said.err().expect("one room too many").json();
    let told = (&said["code"], &said["details"]["max"]);
    assert_eq!(told, (&json!("too_many"), &json!(MOST)));
    let mut rooms = [made[1].to_string()].to_vec();
    rooms.extend((1..MOST).map(|room| room.to_string()));
    let path = format!("/v1/events?rooms={}", rooms.join(","));
    let mut chosen = Reader::to(&world, &ann, &path, &reader.last_id).await;
    let states = chosen.welcome().await["rooms"].clone();
    assert_eq!(states.as_object().unwrap().len(), MOST);
    assert_eq!(states[made[1].to_string()]["st"], "new");
    world.stop().await;
}

#[tokio::test]
async fn a_guest_listens_as_himself() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let body = json!({"name": "gil"}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/guest",
        &[],
        body.as_bytes(),
    )
    .await;
    let gil = Account {
        id: said.json()["user"]["id"].as_u64().unwrap(),
        token: said.json()["token"].as_str().unwrap().to_owned(),
        refresh: String::new(),
    };
    let mut reader = Reader::of(&world, &gil).await;
    assert_eq!(reader.welcome().await["user"]["id"], gil.id);
    let cmd = json!({"id": 1, "op": "join", "d": {"room": room}}).to_string();
    assert_eq!(by(&world, &gil, "POST", "/v1/cmd", &cmd).await.status, 200);
    assert_eq!(reader.event().await["by"]["id"], gil.id);
    a.post(room, "hello").await;
    assert_eq!(reader.event().await["d"]["content"]["body"], "hello");
    world.stop().await;
}

#[tokio::test]
async fn a_quiet_stream_gives_a_sign_of_life_and_ends_with_its_reader() {
    let mut config = config();
    config.server_limits.ping_ms = 1_000;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut reader = Reader::of(&world, &ann).await;
    reader.welcome().await;
    for _ in 0..2 {
        reader.beat().await;
    }
    let live = || world.server.node().metrics().sessions();
    assert_eq!(live(), 1);
    drop(reader);
    while live() > 0 {
        http(world.address, "GET", "/healthz", &[], b"").await;
    }
    world.stop().await;
}

/// Somebody who was welcomed, and holds little of what comes before he reads it.
async fn slow_reader(world: &World, account: &Account) -> Reader {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(world.address).await.unwrap();
    let bearer = format!("Bearer {}", account.token);
    let headers = [("authorization", bearer.as_str())];
    let reader = Reader::over(stream, world.address, "/v1/events", &headers).await;
    let mut reader = reader.ok().unwrap();
    reader.welcome().await;
    reader
}

#[tokio::test]
async fn whoever_takes_nothing_any_more_is_sent_away() {
    let mut config = config();
    config.server_limits.ping_ms = 1_000;
    config.server_limits.pong_ms_max = 1_000;
    config.server_limits.outbox_bytes_max = 8 * 1024 * 1024;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut reader = slow_reader(&world, &ann).await;
    // More than the system holds, and less than may wait.
    for _ in 0..100 {
        a.post(room, &"x".repeat(16 * 1024)).await;
    }
    while world.server.node().metrics().sessions() > 1 {
        a.ok("limits", json!({})).await;
    }
    let rest = reader.rest().await;
    assert_eq!(rest.last().unwrap()["code"], 4003, "{:?}", rest.last());
    world.stop().await;
}

#[tokio::test]
async fn whoever_is_slow_when_the_server_stops_takes_the_rest_when_he_comes_back() {
    const LINES: u64 = 200;
    let mut config = config();
    config.server_limits.outbox_bytes_max = 8 * 1024 * 1024;
    let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
    let begin = || World::started(Server::builder(config.clone()).store(store.clone()));
    let world = begin().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut reader = slow_reader(&world, &ann).await;
    for _ in 0..LINES {
        a.post(room, &"x".repeat(16 * 1024)).await;
    }
    let stops = tokio::spawn(world.stop());
    let mut heard = 0;
    while let Some((_, frame)) = reader.next().await {
        if frame.get("ev").is_some() {
            heard += 1;
            assert_eq!(frame["seq"], heard + 1);
        }
    }
    stops.await.unwrap();
    assert!(heard < LINES, "all of it was spelled for him");
    let world = begin().await;
    let ann = world.log_in("ann").await;
    let mut reader = Reader::to(&world, &ann, "/v1/events", &reader.last_id).await;
    for seq in heard + 2..LINES + 2 {
        assert_eq!(reader.event().await["seq"], seq);
    }
    world.stop().await;
}

#[tokio::test]
async fn an_application_that_mounts_the_server_has_its_events_too() {
    let world = World::new().await;
    let app = Router::new().nest("/chat", world.server.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let host = tokio::spawn(async move { axum::serve(listener, app).await });
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let bearer = format!("Bearer {}", ann.token);
    let headers = [("authorization", bearer.as_str())];
    let reader = Reader::over(stream, address, "/chat/v1/events", &headers).await;
    let mut reader = reader.ok().unwrap();
    reader.welcome().await;
    for line in 0..200 {
        let body = format!("{line} {}", "x".repeat(10_000));
        a.post(room, &body).await;
        assert_eq!(reader.event().await["d"]["content"]["body"], *body);
    }
    world.stop().await;
    assert_eq!(reader.system("bye").await["code"], 4000);
    assert!(reader.next().await.is_none());
    host.abort();
}
