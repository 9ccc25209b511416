//! Coming, speaking, leaving and reading, in both faces and over HTTP.

use chat_protocol::Dialect;
use chat_server::config::Listen;
use serde_json::json;

use super::{
    api, create, enter, error, failed, hears, join, leave, log_in, moved, send, silent, welcome,
};
use crate::world::{PASSWORD, Plain, World, http};

#[tokio::test]
async fn a_front_end_goes_the_whole_way_of_its_seed() {
    let world = World::new().await;
    let at = world.address;
    let (john, jane) = (log_in(at, "john_doe").await, log_in(at, "jane_doe").await);
    let room = create(at, &john, "TechTalk").await;
    assert!(room.starts_with("room_"), "{room}");
    let other = create(at, &jane, "GamingZone").await;

    let list = api(at, &john, ("GET", "/api/rooms"), json!(null)).await;
    assert_eq!(
        list.body,
        format!(
            r#"[{{"roomId":"{room}","roomName":"TechTalk"}},{{"roomId":"{other}","roomName":"GamingZone"}}]"#
        )
    );
    for (token, name) in [
        (&john, "john_doe"),
        (&jane, "jane_doe"),
        (&jane, "jane_doe"),
    ] {
        let wish = json!({"roomId": room, "username": name});
        let said = api(at, token, ("POST", "/api/join-room"), wish).await;
        let due =
            format!(r#"{{"status":"success","message":"Joined room TechTalk","roomId":"{room}"}}"#);
        assert_eq!((said.status, said.body), (200, due));
    }

    let mut a = enter(&world, &room, "TechTalk", "john_doe").await;
    let mut b = enter(&world, &room, "TechTalk", "jane_doe").await;
    assert_eq!(a.hear().await.unwrap(), moved("user-joined", "jane_doe"));
    a.send(&send(&room, "Hello!")).await;
    for socket in [&mut a, &mut b] {
        hears(socket, &room, "john_doe", "Hello!").await;
    }
    b.send(&send(&room, "Hi!")).await;
    for socket in [&mut a, &mut b] {
        hears(socket, &room, "jane_doe", "Hi!").await;
    }
    b.send(&leave(&room, "jane_doe")).await;
    assert_eq!(a.hear().await.unwrap(), moved("user-left", "jane_doe"));
    silent(&mut b).await;
    silent(&mut a).await;

    for spelled in [&*room, "TechTalk"] {
        let path = format!("/api/chat-history/{spelled}");
        let said = api(at, &john, ("GET", &path), json!(null)).await;
        assert_eq!(said.status, 200);
        let told = said.json();
        assert_eq!(told["roomId"], spelled);
        let lines: Vec<_> = told["messages"].as_array().unwrap().iter().collect();
        assert_eq!(
            (&lines[0]["sender"], &lines[0]["message"]),
            (&json!("john_doe"), &json!("Hello!"))
        );
        assert_eq!(
            (&lines[1]["sender"], &lines[1]["message"]),
            (&json!("jane_doe"), &json!("Hi!"))
        );
        assert!(lines[1]["timestamp"].as_str().unwrap().ends_with('Z') && lines.len() == 2);
    }
    world.stop().await;
}

/// Who asks what, and what he is told. Those who are nobody have no token.
const REFUSED: &str = r#"
nobody POST /api/login {"username":"john_doe","password":"a guess"} -> 401 Invalid username or password
nobody POST /api/login {} -> 400 Username and password are required
nobody POST /api/login [] -> 400 Invalid request body
nobody POST /api/create-room {} -> 401 Authorization header missing
nobody POST /api/join-room {} -> 401 Authorization header missing
nobody GET /api/rooms - -> 401 Authorization header missing
nobody GET /api/chat-history/TechTalk - -> 401 Authorization header missing
a.b.c GET /api/rooms - -> 401 Invalid or expired token
nonsense POST /api/join-room {} -> 401 Invalid or expired token
john POST /api/create-room {"roomName":"techtalk","creator":"john_doe"} -> 200 RoomName already exists
john POST /api/create-room [] -> 400 Invalid request body
john POST /api/join-room {"roomId":"room_99","username":"john_doe"} -> 200 Room does not exist
john POST /api/join-room {"roomId":"TechTalk","username":"jane_doe"} -> 403 The token is another user's
john GET /api/chat-history/room_99 - -> 404 Room does not exist
john PATCH /api/rooms - -> 405 Method not allowed
john GET /api/nothing - -> 404 Not found
"#;

#[tokio::test]
async fn what_goes_wrong_over_http_is_said_in_one_envelope() {
    let world = World::new().await;
    let at = world.address;
    let john = log_in(at, "john_doe").await;
    create(at, &john, "TechTalk").await;
    for line in REFUSED.trim().lines() {
        let (asked, due) = line.split_once(" -> ").unwrap();
        let mut words = asked.splitn(4, ' ');
        let [who, method, path, body] = std::array::from_fn(|_| words.next().unwrap());
        let token = match who {
            "nobody" => "",
            "john" => &john,
            token => token,
        };
        let body = serde_json::from_str(body).unwrap_or_default();
        let said = api(at, token, (method, path), body).await;
        let (status, message) = due.split_once(' ').unwrap();
        assert_eq!(
            (said.status.to_string(), said.body),
            (status.to_owned(), failed(message)),
            "{line}"
        );
        assert!(
            said.head.contains("access-control-allow-origin: *"),
            "{line}"
        );
        assert!(
            said.head.contains("content-type: application/json"),
            "{line}"
        );
    }
    let huge = json!({"username": "x".repeat(1 << 20), "password": "p"});
    let said = api(at, "", ("POST", "/api/login"), huge).await;
    assert_eq!(
        (said.status, &said.json()["status"]),
        (413, &json!("failed"))
    );
    world.stop().await;
}

#[tokio::test]
async fn no_name_is_given_twice_whatever_it_is() {
    let world = World::new().await;
    let at = world.address;
    let john = log_in(at, "john").await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    host.create(json!({"name": "Native", "listed": true})).await;
    // Longer than an alias, and like the number of a room that there is.
    let long = "x".repeat(80);
    for name in ["TechTalk", &long, "room_1", "1"] {
        create(at, &john, name).await;
    }
    for name in ["TechTalk", "techtalk", &long, "room_1", "1", "Native"] {
        let wish = json!({"roomName": name});
        let said = api(at, &john, ("POST", "/api/create-room"), wish).await;
        assert_eq!(said.status, 200, "{name}: {}", said.body);
        assert_eq!(said.body, failed("RoomName already exists"), "{name}");
    }
    world.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_the_routes() {
    let world = World::new().await;
    let asked = [
        ("origin", "http://localhost:5173"),
        ("access-control-request-method", "POST"),
    ];
    let said = http(world.address, "OPTIONS", "/api/login", &asked, b"").await;
    assert_eq!((said.status, &*said.body), (204, ""));
    for line in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: get, post, options",
        "access-control-allow-headers: content-type, authorization",
    ] {
        assert!(said.head.contains(line), "{}", said.head);
    }
    world.stop().await;
}

#[tokio::test]
async fn the_other_front_end_hears_its_own_words() {
    let world = World::new().await;
    let john = log_in(world.address, "owner").await;
    let room = create(world.address, &john, "TechTalk").await;
    let notice =
        |name: &str| format!(r#"{{"type":"system","message":"{name} has joined the room"}}"#);
    let enter_second = async |name: &str| {
        let mut socket = Plain::connect(world.address, "/chat").await;
        let wish = json!({"type": "join-room", "roomName": "TechTalk", "username": name});
        assert_eq!(socket.ask(&wish.to_string()).await, notice(name));
        assert_eq!(
            socket.hear().await.unwrap(),
            r#"{"status":"success","message":"Joined room successfully"}"#
        );
        socket
    };
    let mut a = enter_second("john").await;
    let mut b = enter_second("jane").await;
    assert_eq!(a.hear().await.unwrap(), notice("jane"));
    // One who came in by the first face is in the same room, and each hears his own words.
    let mut c = enter(&world, &room, "TechTalk", "jim").await;
    for socket in [&mut a, &mut b] {
        assert_eq!(socket.hear().await.unwrap(), notice("jim"));
    }
    let chat = json!({"type": "chat", "roomName": "TechTalk", "username": "john", "message": "hi"});
    a.send(&chat.to_string()).await;
    for socket in [&mut a, &mut b] {
        assert_eq!(
            socket.hear().await.unwrap(),
            r#"{"type":"chat","username":"john","message":"hi"}"#
        );
    }
    hears(&mut c, &room, "john", "hi").await;
    drop(a);
    assert_eq!(c.hear().await.unwrap(), moved("user-left", "john"));
    c.send(&send(&room, "bye")).await;
    assert_eq!(
        b.hear().await.unwrap(),
        r#"{"type":"chat","username":"jim","message":"bye"}"#
    );

    let elsewhere = json!({"type": "join-room", "roomName": "Nowhere", "username": "jane"});
    assert_eq!(
        b.ask(&elsewhere.to_string()).await,
        failed("Room does not exist")
    );
    let unheard = json!({"type": "chat", "roomName": "Nowhere", "username": "j", "message": "hi"});
    assert_eq!(
        b.ask(&unheard.to_string()).await,
        failed("Room does not exist")
    );
    assert_eq!(
        b.ask(r#"{"type":"chat"}"#).await,
        failed("Invalid message format")
    );
    let said: serde_json::Value = serde_json::from_str(&b.ask("not json").await).unwrap();
    assert_eq!(
        (&said["status"], &said["message"]),
        (&json!("failed"), &json!("Invalid message format"))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_socket_may_use_both_faces_and_hears_each_room_in_its_own() {
    let world = World::new().await;
    let john = log_in(world.address, "owner").await;
    let (tech, games) = (
        create(world.address, &john, "TechTalk").await,
        create(world.address, &john, "GamingZone").await,
    );
    let mut both = enter(&world, &tech, "TechTalk", "jane").await;
    let wish = json!({"type": "join-room", "roomName": "GamingZone", "username": "jane"});
    both.ask(&wish.to_string()).await;
    both.hear().await.unwrap();
    both.send(&send(&games, "in the other face")).await;
    assert_eq!(
        both.hear().await.unwrap(),
        r#"{"type":"chat","username":"jane","message":"in the other face"}"#
    );
    let chat = json!({"type": "chat", "roomName": "TechTalk", "username": "x", "message": "here"});
    both.send(&chat.to_string()).await;
    hears(&mut both, &tech, "jane", "here").await;
    silent(&mut both).await;
    world.stop().await;
}

#[tokio::test]
async fn people_of_the_native_dialect_are_there_too() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let number = host
        .create(json!({"name": "Tech Talk", "alias": "TechTalk"}))
        .await;
    let room = format!("room_{number}");
    let mut a = enter(&world, &room, "Tech Talk", "john").await;
    assert_eq!(host.signal("arrived").await["by"]["name"], "john");
    // By the exact name, and in whatever spelling the client chose.
    let mut b = enter(&world, "TechTalk", "Tech Talk", "jane").await;
    let guest = host.signal("arrived").await["by"]["id"].clone();
    assert_eq!(a.hear().await.unwrap(), moved("user-joined", "jane"));
    host.post(number, "welcome").await;
    hears(&mut a, &room, "ann", "welcome").await;
    hears(&mut b, "TechTalk", "ann", "welcome").await;
    host.event("posted").await;
    a.send(&send("TechTalk", "thanks")).await;
    assert_eq!(host.event("posted").await["by"]["name"], "john");
    hears(&mut a, &room, "john", "thanks").await;
    hears(&mut b, "TechTalk", "john", "thanks").await;

    host.ok("kick", json!({"room": number, "user": guest}))
        .await;
    assert_eq!(a.hear().await.unwrap(), moved("user-left", "jane"));
    assert_eq!(
        b.ask(&send("TechTalk", "?")).await,
        error("You are not in this room")
    );
    drop(host);
    assert_eq!(a.hear().await.unwrap(), moved("user-left", "ann"));
    silent(&mut a).await;
    world.stop().await;
}

#[tokio::test]
async fn who_goes_without_a_word_has_left_too() {
    let world = World::new().await;
    let john = log_in(world.address, "owner").await;
    let room = create(world.address, &john, "TechTalk").await;
    let mut a = enter(&world, &room, "TechTalk", "john").await;
    let b = enter(&world, &room, "TechTalk", "jane").await;
    assert_eq!(a.hear().await.unwrap(), moved("user-joined", "jane"));
    drop(b);
    assert_eq!(a.hear().await.unwrap(), moved("user-left", "jane"));
    assert_eq!(
        a.ask(&join(&room, "john")).await,
        welcome(&room, "TechTalk")
    );
    assert_eq!(
        a.ask(&leave("room_99", "john")).await,
        error("Room does not exist")
    );
    a.send(&leave(&room, "john")).await;
    assert_eq!(
        a.ask(&leave(&room, "john")).await,
        error("You are not in this room")
    );
    assert_eq!(
        a.ask(&send(&room, "hi")).await,
        error("You are not in this room")
    );
    world.stop().await;
}

#[tokio::test]
async fn in_a_throng_everybody_is_welcomed_before_he_hears_of_others() {
    let world = World::new().await;
    let john = log_in(world.address, "owner").await;
    let room = create(world.address, &john, "TechTalk").await;
    let mut throng = Vec::new();
    for number in 0..60 {
        let mut socket = Plain::connect(world.address, "/chat").await;
        silent(&mut socket).await;
        throng.push((number, socket));
    }
    for (number, socket) in &mut throng {
        socket.send(&join(&room, &format!("guest {number}"))).await;
    }
    for (_, socket) in &mut throng {
        assert_eq!(socket.hear().await.unwrap(), welcome(&room, "TechTalk"));
    }
    // Of any two, one came first and was told of the other.
    let mut told = 0;
    let pairs = throng.len() * (throng.len() - 1) / 2;
    throng[0].1.send(&send(&room, "all here")).await;
    for (_, socket) in &mut throng {
        loop {
            let heard = socket.hear().await.unwrap();
            if heard.starts_with(r#"{"action":"new-message""#) {
                break;
            }
            assert!(heard.starts_with(r#"{"action":"user-joined""#), "{heard}");
            told += 1;
        }
    }
    assert_eq!(told, pairs);
    world.stop().await;
}

#[tokio::test]
async fn any_path_will_do_and_so_will_a_port_of_its_own() {
    let world = World::new().await;
    let john = log_in(world.address, "owner").await;
    let room = create(world.address, &john, "TechTalk").await;
    for path in ["/", "/socket", "/ws"] {
        let mut socket = Plain::connect(world.address, path).await;
        assert_eq!(
            socket.ask(&join(&room, "jane")).await,
            welcome(&room, "TechTalk"),
            "{path}"
        );
    }
    let mut listen = Listen::local(0);
    listen.dialect = Some(Dialect::Actions);
    let own = world.server.listen(listen).await.unwrap();
    let mut socket = Plain::connect(own, "/anywhere").await;
    // Whatever comes first is answered in the dialect of the port.
    assert_eq!(socket.ask("hello?").await, error("Invalid message format"));
    assert_eq!(
        socket.ask(&join(&room, "jane")).await,
        welcome(&room, "TechTalk")
    );
    let again = log_in(own, "owner").await;
    let list = api(own, &again, ("GET", "/api/rooms"), json!(null)).await;
    assert!(list.body.contains(&room), "{}", list.body);
    let elsewhere = http(own, "GET", "/nothing", &[], b"").await;
    assert_eq!(
        (elsewhere.status, elsewhere.body),
        (404, failed("Not found"))
    );
    world.stop().await;
}

#[tokio::test]
async fn who_joins_over_http_is_a_member_for_good() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let number = host
        .create(json!({"name": "TechTalk", "alias": "TechTalk"}))
        .await;
    let jane = log_in(world.address, "jane").await;
    let wish = json!({"roomId": "TechTalk"});
    let said = api(world.address, &jane, ("POST", "/api/join-room"), wish).await;
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(host.event("joined").await["by"]["name"], "jane");
    let members = host.ok("members", json!({"room": number})).await;
    assert_eq!(members["items"].as_array().map(Vec::len), Some(2));
    // Her socket comes and goes; leaving by a word ends it.
    let socket = enter(&world, "TechTalk", "TechTalk", "jane").await;
    drop(socket);
    let mut socket = enter(&world, "TechTalk", "TechTalk", "jane").await;
    socket.send(&leave("TechTalk", "jane")).await;
    assert_eq!(host.event("left").await["by"]["name"], "jane");
    world.stop().await;
}

#[tokio::test]
async fn what_is_private_is_private_from_here_too() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let hidden = host
        .create(json!({"name": "Vault", "alias": "Vault", "access": {"mode": "invite"}, "listed": false}))
        .await;
    let locked = host
        .create(json!({"name": "Safe", "alias": "Safe", "access": {"mode": "password", "password": PASSWORD}, "listed": true}))
        .await;
    for room in [hidden, locked] {
        host.post(room, "a secret").await;
    }
    let jane = log_in(world.address, "jane").await;
    let mut socket = Plain::connect(world.address, "/chat").await;
    for room in [format!("room_{hidden}"), "Vault".to_owned()] {
        for frame in [join(&room, "jane"), send(&room, "hi"), leave(&room, "jane")] {
            assert_eq!(
                socket.ask(&frame).await,
                error("Room does not exist"),
                "{frame}"
            );
        }
        let path = format!("/api/chat-history/{room}");
        let said = api(world.address, &jane, ("GET", &path), json!(null)).await;
        assert_eq!(
            (said.status, said.body),
            (404, failed("Room does not exist"))
        );
    }
    let wish = json!({"roomName": "Vault"});
    let said = api(world.address, &jane, ("POST", "/api/create-room"), wish).await;
    assert_eq!(
        (said.status, said.body),
        (200, failed("RoomName already exists"))
    );

    assert_eq!(
        socket.ask(&join("Safe", "jane")).await,
        error("wrong password")
    );
    assert_eq!(
        socket.ask(&send("Safe", "hi")).await,
        error("You are not in this room")
    );
    let said = api(
        world.address,
        &jane,
        ("GET", "/api/chat-history/Safe"),
        json!(null),
    )
    .await;
    assert_eq!(
        (said.status, said.body),
        (403, failed("You are not in this room"))
    );
    let said = api(
        world.address,
        &jane,
        ("POST", "/api/join-room"),
        json!({"roomId": "Safe"}),
    )
    .await;
    assert_eq!((said.status, said.body), (403, failed("wrong password")));
    let list = api(world.address, &jane, ("GET", "/api/rooms"), json!(null)).await;
    assert_eq!(
        list.body,
        format!(r#"[{{"roomId":"room_{locked}","roomName":"Safe"}}]"#)
    );
    world.stop().await;
}
