//! The rooms dialect over real sockets: what its codec can't show by itself.

use chat_protocol::Dialect;
use chat_server::config::{Config, Listen};
use serde_json::{Value, json};

use crate::world::{Plain, World, by, config, http};

const REGISTERED: &str = "This name is registered, log in to use it";

fn said(code: u8, message: &str) -> String {
    format!(r#"{{"code":{code},"message":"{message}"}}"#)
}

fn create(name: &str, visibility: &str, pass: &str) -> String {
    let payload = json!({"name": name, "visibility": visibility, "pass": pass});
    json!({"type": "create", "payload": payload}).to_string()
}

fn join(room: &str, name: &str, pass: &str) -> String {
    let payload = json!({"name": name, "roomId": room, "pass": pass});
    json!({"type": "join", "payload": payload}).to_string()
}

fn join_by(room: &str, name: &str, token: &str) -> String {
    let payload = json!({"name": name, "roomId": room, "token": token});
    json!({"type": "join", "payload": payload}).to_string()
}

fn joined(room: &str) -> String {
    said(0, &format!("Successfully joined the Room: {room}"))
}

const ROOMS: &str = r#"{"type":"query","payload":{"query":"rooms"}}"#;

async fn socket(world: &World) -> Plain {
    Plain::connect(world.address, "/").await
}

/// The list of rooms as a client gets it.
async fn list(socket: &mut Plain) -> Value {
    serde_json::from_str(&socket.ask(ROOMS).await).unwrap()
}

/// The world with a setting that isn't the default.
async fn world_where(set: impl FnOnce(&mut Config)) -> World {
    let mut config = config();
    set(&mut config);
    World::with(config).await
}

#[tokio::test]
async fn a_frame_over_the_limit_is_measured_by_the_limit_that_it_broke() {
    let world = World::new().await;
    let (short, long) = ("x".repeat(16 * 1024), "x".repeat(64 * 1024));

    // Who is in no room yet may say less.
    let mut outside = socket(&world).await;
    outside.ask(&create("galaxy", "public", "")).await;
    outside.send(&join("galaxy", &short, "")).await;
    assert_eq!(
        outside.hear().await.unwrap(),
        said(1, "at most 16384 bytes")
    );
    assert_eq!(outside.hear().await, Err(1009));

    let mut inside = socket(&world).await;
    assert_eq!(
        inside.ask(&join("galaxy", "alok", "")).await,
        joined("galaxy")
    );
    let refused = inside.ask(&join("galaxy2", &short, "")).await;
    assert_eq!(refused, said(1, "a name has at most 1024 bytes"));
    inside.send(&join("galaxy", &long, "")).await;
    assert_eq!(inside.hear().await.unwrap(), said(1, "at most 65536 bytes"));
    assert_eq!(inside.hear().await, Err(1009));

    // Nobody knows in which words to say it.
    let mut stranger = socket(&world).await;
    stranger.send(&join("galaxy", &short, "")).await;
    assert_eq!(stranger.hear().await, Err(1009));
    world.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_those_too_who_have_said_nothing() {
    let world = World::new().await;
    let mut silent = socket(&world).await;
    let mut talker = socket(&world).await;
    talker.ask(ROOMS).await;
    let ((), (), ()) = tokio::join!(
        world.stop(),
        async { assert_eq!(silent.hear().await, Err(1001)) },
        async { assert_eq!(talker.hear().await, Err(1001)) },
    );
}

#[tokio::test]
async fn a_port_of_its_own_answers_in_its_words_from_the_first_frame_on() {
    let world = World::new().await;
    let mut listen = Listen::local(0);
    listen.dialect = Some(Dialect::Rooms);
    let address = world.server.listen(listen).await.unwrap();
    let mut socket = Plain::connect(address, "/whatever").await;
    for _ in 0..12 {
        assert_eq!(socket.ask("hello?").await, said(1, "Invalid message"));
    }
    assert_eq!(socket.ask(ROOMS).await, "[]");
    world.stop().await;
}

#[tokio::test]
async fn a_registered_name_is_for_whoever_brings_its_token() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = socket(&world).await;
    a.ask(&create("galaxy", "public", "")).await;
    for name in ["ann", "Ann", "\u{ff21}nn"] {
        let refused = a.ask(&join("galaxy", name, "")).await;
        assert_eq!(refused, said(1, REGISTERED), "{name}");
    }
    let refused = a.ask(&join_by("galaxy", "ann", "a.b.c")).await;
    assert!(
        refused.starts_with(r#"{"code":1,"message":"the token"#),
        "{refused}"
    );
    assert_eq!(
        a.ask(&join_by("galaxy", "ann", &ann.token)).await,
        joined("galaxy")
    );
    let mut bob = socket(&world).await;
    bob.ask(&join("galaxy", "bob", "")).await;
    a.send(r#"{"type":"chat","payload":{"roomId":"galaxy","msg":"it's me"}}"#)
        .await;
    assert_eq!(
        bob.hear().await.unwrap(),
        r#"message: {"msg":"it's me","user":"ann"}"#
    );
    world.stop().await;

    let free = world_where(|config| {
        config.registered_names = chat_server::config::RegisteredNames::Free;
    })
    .await;
    free.account("ann").await;
    let mut eve = socket(&free).await;
    eve.ask(&create("galaxy", "public", "")).await;
    assert_eq!(eve.ask(&join("galaxy", "ann", "")).await, joined("galaxy"));
    free.stop().await;
}

#[tokio::test]
async fn a_log_in_that_ends_takes_its_sockets_with_it() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = socket(&world).await;
    a.ask(&create("galaxy", "public", "")).await;
    assert_eq!(
        a.ask(&join_by("galaxy", "ann", &ann.token)).await,
        joined("galaxy")
    );
    assert_eq!(
        by(&world, &ann, "POST", "/v1/auth/logout", "{}")
            .await
            .status,
        204
    );
    assert_eq!(a.hear().await, Err(1008));
    world.stop().await;
}

#[tokio::test]
async fn where_guests_are_not_welcome_nobody_makes_a_room_or_enters_one_unknown() {
    let world = world_where(|config| config.guests = false).await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    host.create(
        json!({"name": "galaxy", "alias": "galaxy", "access": {"mode": "open"}, "listed": true}),
    )
    .await;
    let mut stranger = socket(&world).await;
    let unknown = said(1, "say who you are first");
    assert_eq!(stranger.ask(&create("nebula", "public", "")).await, unknown);
    assert_eq!(stranger.ask(&join("galaxy", "alok", "")).await, unknown);
    assert_eq!(list(&mut stranger).await.as_array().unwrap().len(), 1);
    assert_eq!(
        stranger.ask(&join_by("galaxy", "ann", &ann.token)).await,
        joined("galaxy")
    );
    world.stop().await;
}

#[tokio::test]
async fn a_room_behind_a_password_is_listed_and_one_behind_an_invitation_is_not() {
    for shown in [true, false] {
        let world = world_where(|config| config.locked_people = shown).await;
        let ann = world.account("ann").await;
        let mut host = world.enter(&ann).await;
        host.create(json!({"name": "Den", "access": {"mode": "invite"}, "listed": false}))
            .await;
        let mut alok = socket(&world).await;
        for wish in [
            create("vault", "private", "sesame"),
            create("gate", "public", "sesame"),
        ] {
            let made = alok.ask(&wish).await;
            assert!(made.starts_with(r#"{"code":0,"#), "{made}");
        }
        assert_eq!(
            alok.ask(&join("gate", "alok", "")).await,
            said(1, "Invalid Pass Key!")
        );
        for room in ["vault", "gate"] {
            assert_eq!(alok.ask(&join(room, "alok", "sesame")).await, joined(room));
        }
        let people = if shown {
            json!([{"name": "alok"}])
        } else {
            json!([])
        };
        let listed = list(&mut alok).await;
        for (room, name) in listed.as_array().unwrap().iter().zip(["vault", "gate"]) {
            assert_eq!(room["name"], name);
            assert_eq!(room["visibility"], "private");
            assert_eq!(room["people"], people);
        }
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        assert!(!listed.to_string().contains("sesame"));
        let inside =
            json!({"type": "query", "payload": {"query": "userInRoom", "roomId": "room_1"}});
        assert_eq!(
            alok.ask(&inside.to_string()).await,
            said(1, "Room does not exist")
        );
        world.stop().await;
    }
}

#[tokio::test]
async fn a_room_goes_by_all_its_names() {
    let world = World::new().await;
    let mut alok = socket(&world).await;
    let made = alok.ask(&create("Milky Way", "public", "")).await;
    let code = made
        .split_once("Room id: ")
        .unwrap()
        .1
        .trim_end_matches("\"}")
        .to_owned();
    for spelled in [code.as_str(), "Milky Way", "milky way", "1", "room_1"] {
        assert_eq!(alok.ask(&join(spelled, "alok", "")).await, joined(spelled));
        let left = format!("User 'alok' left the Room '{spelled}");
        let leave = json!({"type": "leave", "payload": {"roomId": spelled}});
        assert_eq!(alok.ask(&leave.to_string()).await, said(0, &left));
    }
    // A second room of the name has no other than its code.
    let twin = alok.ask(&create("Milky Way", "public", "")).await;
    let twin = twin
        .split_once("Room id: ")
        .unwrap()
        .1
        .trim_end_matches("\"}")
        .to_owned();
    assert_ne!(twin, code);
    let mut bina = socket(&world).await;
    assert_eq!(bina.ask(&join(&twin, "bina", "")).await, joined(&twin));
    assert_eq!(
        alok.ask(&join("Milky Way", "alok", "")).await,
        joined("Milky Way")
    );
    let listed = list(&mut alok).await;
    assert_eq!(
        (&listed[0]["id"], &listed[1]["id"]),
        (&json!(code), &json!(twin))
    );
    assert_eq!(listed[0]["people"], json!([{"name": "alok"}]));
    assert_eq!(listed[1]["people"], json!([{"name": "bina"}]));
    world.stop().await;
}

#[tokio::test]
async fn a_client_may_ask_for_much_before_it_hears_anything() {
    let world = World::new().await;
    let mut alok = socket(&world).await;
    alok.ask(&create("galaxy", "public", "")).await;
    let chat =
        |room: &str| json!({"type": "chat", "payload": {"roomId": room, "msg": "hi"}}).to_string();
    for frame in [
        chat("galaxy"),
        join("galaxy", "alok", ""),
        chat("galaxy"),
        chat("nowhere"),
        "?".into(),
        r#"{"type":"leave","payload":{"roomId":"galaxy"}}"#.into(),
        chat("galaxy"),
        r#"{"type":"leave"}"#.into(),
    ] {
        alok.send(&frame).await;
    }
    for words in [
        said(1, "You are not in the Room"),
        joined("galaxy"),
        said(1, "Room does not exist"),
        said(1, "Invalid message"),
        said(0, "User 'alok' left the Room 'galaxy"),
        said(1, "You are not in the Room"),
        said(0, "Left all rooms"),
    ] {
        assert_eq!(alok.hear().await.unwrap(), words);
    }
    world.stop().await;
}

#[tokio::test]
async fn no_list_has_more_than_a_thousand_rooms_or_a_quarter_of_a_mebibyte() {
    let world = world_where(|config| config.limits.rooms_created_a_day_max = 2_000).await;
    let login = json!({"username": "ann", "password": "secret"}).to_string();
    let login = http(world.address, "POST", "/api/login", &[], login.as_bytes()).await;
    let bearer = format!("Bearer {}", login.json()["token"].as_str().unwrap());
    let mut alok = socket(&world).await;
    for number in 0..1_001 {
        // Longer than an alias, so that each has its name alone.
        let name = format!("{number:04}{}", "\u{1f680}".repeat(76));
        alok.send(&create(&name, "public", "")).await;
    }
    for _ in 0..1_001 {
        let made = alok.hear().await.unwrap();
        assert!(made.starts_with(r#"{"code":0,"#), "{made}");
    }
    let api = http(
        world.address,
        "GET",
        "/api/rooms",
        &[("authorization", &bearer)],
        b"",
    )
    .await;
    for (text, name) in [
        (alok.ask(ROOMS).await, "name"),
        (api.body.clone(), "roomName"),
    ] {
        let rooms: Value = serde_json::from_str(&text).unwrap();
        let rooms = rooms.as_array().unwrap();
        assert!(
            text.len() <= 256 * 1024 && text.len() > 255 * 1024,
            "{}",
            text.len()
        );
        assert!(rooms.len() < 1_000);
        for (number, room) in rooms.iter().enumerate() {
            assert!(
                room[name]
                    .as_str()
                    .unwrap()
                    .starts_with(&format!("{number:04}"))
            );
        }
    }
    let mut groups = socket(&world).await;
    let said = groups.ask(r#"{"type":"get_groups"}"#).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["groups"].as_array().unwrap().len(), 1_000);
    world.stop().await;
}
