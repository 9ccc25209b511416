//! Each of the five, moving in.

use chat_core::UserId;
use chat_server::store::Store;
use serde_json::json;

use super::{HASH, House, file, hello, history, line, log_in};

#[tokio::test]
async fn who_was_erased_and_is_named_again_is_somebody_else_and_has_said_nothing() {
    let house = House::new();
    let mut lines = vec![
        json!({"type": "user", "ID": 7, "UserName": "user", "Email": "email@mail.com",
            "Password": HASH}),
        json!({"type": "user", "ID": 8, "UserName": "other", "password": "plain words"}),
        json!({"type": "room", "ID": 3, "name": "Chat name"}),
        json!({"type": "message", "ID": 1, "chatRoomId": 3, "chatUserId": 7, "chatUser": "user",
            "chatMessage": "hello", "ChatMessageTs": "2023-10-30T15:52:00Z"}),
        json!({"type": "message", "ID": 2, "chatRoomId": 3, "chatUserId": 8, "chatUser": "other",
            "chatMessage": "and you", "ChatMessageTs": "2023-10-30T15:52:01.5Z"}),
    ];
    let moved = house.import_twice("rest", &lines);
    let id = moved.of("user", "7")["user"].as_u64().unwrap();
    let store = house.store();
    let now = chat_core::Timestamp::new(1_800_000_000_000);
    assert!(store.erase_user(UserId::new(id), now).await.unwrap());
    // The file comes again in the midst of that, and has grown.
    drop(store);
    lines.push(
        json!({"type": "message", "ID": 3, "chatRoomId": 3, "chatUserId": 7,
        "chatUser": "user", "chatMessage": "later", "ChatMessageTs": "2023-10-30T15:53:00Z"}),
    );
    let again = house.import("rest", file(&lines), &[]);
    assert_eq!((again.code, again.err.as_str()), (Some(0), ""));
    assert_eq!(again.count("users"), (1, 1, 0));
    assert_eq!(again.count("messages"), (1, 2, 0));
    assert_ne!(again.of("user", "7")["user"], json!(id));

    let world = house.open().await;
    let claims = json!({"UserID": 7, "UserName": "user", "exp": 9_999_999_999_u64});
    let (mut client, user) = hello(&world, &claims).await;
    assert_eq!(user["id"], again.of("user", "7")["user"]);
    let page = client.ok("history", json!({"room": 3})).await;
    let said: Vec<_> = page["items"].as_array().unwrap().iter().collect();
    assert_eq!(said[0]["by"], json!({"id": id}));
    assert!(said[0].get("content").is_none(), "{page}");
    assert_eq!(said[1]["content"]["body"], "and you");
    assert_eq!(said[2]["content"]["body"], "later");
    assert_eq!(said[2]["by"]["id"], user["id"]);
    world.stop().await;
}

#[tokio::test]
async fn people_of_the_rest_backend_find_their_rooms_their_words_and_themselves() {
    let house = House::new();
    let moved = house.import_twice(
        "rest",
        &[
            json!({"type": "user", "ID": 7, "UserName": "user", "Email": "email@mail.com",
                "Password": HASH, "CreatedAt": "2023-10-30T15:47:33.246704222Z"}),
            json!({"type": "user", "ID": 8, "UserName": "other", "Email": "other@mail.com",
                "password": "plain words"}),
            json!({"type": "room", "ID": 3, "name": "Chat name",
                "CreatedAt": "2023-10-30T15:51:50.149489876Z"}),
            json!({"type": "message", "ID": 1, "chatRoomId": 3, "chatUserId": 7, "chatUser": "user",
                "chatMessage": "hello", "ChatMessageTs": "2023-10-30T15:52:00Z"}),
            json!({"type": "message", "ID": 2, "chatRoomId": 3, "chatUserId": 8, "chatUser": "other",
                "chatMessage": "and you", "ChatMessageTs": "2023-10-30T15:52:01.5Z"}),
        ],
    );
    assert_eq!(moved.count("users"), (2, 0, 0));
    assert_eq!(moved.count("messages"), (2, 0, 0));
    // The number is free here: it stays.
    assert_eq!(moved.of("room", "3")["room"], 3);
    assert_eq!(moved.of("room", "3")["old_id_works"], true);
    let id = moved.of("user", "7")["user"].as_u64();
    assert_eq!(house.hash_of("user").await, HASH);

    let world = house.open().await;
    assert_eq!(log_in(&world, "email@mail.com", "U*V").await, None);
    assert_eq!(log_in(&world, "email@mail.com", "U*U").await, id);
    assert_eq!(log_in(&world, "user", "U*U").await, id);
    assert_eq!(
        log_in(&world, "other@mail.com", "plain words").await,
        moved.of("user", "8")["user"].as_u64()
    );
    let claims = json!({"UserID": 7, "UserName": "user", "Email": "email@mail.com", "exp": 9_999_999_999_u64});
    let (mut client, user) = hello(&world, &claims).await;
    assert_eq!(user["id"].as_u64(), id);
    assert_eq!(
        history(&mut client, 3).await,
        [
            line("user", "hello", 1_698_681_120_000),
            line("other", "and you", 1_698_681_121_500),
        ]
    );
    world.stop().await;
    let hash = house.hash_of("user").await;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    // The next log-in is by the other hash, and what was imported is still known.
    let world = house.open().await;
    assert_eq!(log_in(&world, "user", "U*U").await, id);
    world.stop().await;
}

#[tokio::test]
async fn people_of_the_actions_backend_are_their_names() {
    let house = House::new();
    let moved = house.import_twice(
        "actions",
        &[
            json!({"type": "room", "roomId": "room_12345", "roomName": "TechTalk", "creator": "john_doe"}),
            json!({"type": "message", "roomId": "room_12345", "sender": "john_doe",
                "message": "Hello, everyone!", "timestamp": "2024-12-10T12:00:00Z"}),
            json!({"type": "message", "roomId": "room_12345", "sender": "passer-by",
                "message": "hi", "timestamp": "2024-12-10T12:00:01Z"}),
            json!({"type": "user", "username": "john_doe", "password": "securepassword"}),
        ],
    );
    let room = moved.of("room", "room_12345");
    assert_eq!(
        (&room["room"], &room["alias"]),
        (&json!(12345), &json!("TechTalk"))
    );
    assert_eq!(moved.of("user", "john_doe")["name"], "john_doe");
    let world = house.open().await;
    let john = log_in(&world, "john_doe", "securepassword").await;
    let now_s = world_s();
    let (mut client, user) = hello(&world, &json!({"username": "john_doe", "iat": now_s})).await;
    assert_eq!(user["id"].as_u64(), john);
    let told = [
        line("john_doe", "Hello, everyone!", 1_733_832_000_000),
        line("passer-by", "hi", 1_733_832_001_000),
    ];
    for spelling in ["room_12345", "TechTalk"] {
        assert_eq!(history(&mut client, spelling).await, told);
    }
    // He made the room, and it is his.
    let card = client.ok("room", json!({"room": 12345})).await;
    assert_eq!(card["created"]["by"].as_u64(), john);
    client.ok("delete_room", json!({"room": 12345})).await;
    // The rooms that come after are numbered on.
    let next = client.ok("create_room", json!({"name": "next"})).await;
    assert!(next["room"].as_u64().unwrap() > 12345, "{next}");
    world.stop().await;
}

#[tokio::test]
async fn people_of_the_socketio_backend_keep_their_ids_and_any_json() {
    let house = House::new();
    let moved = house.import_twice(
        "socketio",
        &[
            json!({"type": "user", "id": "65a1", "username": "alice", "password_hash": HASH}),
            json!({"type": "room", "roomId": "qwxw5ykz", "roomName": "Room1"}),
            json!({"type": "message", "roomId": "qwxw5ykz", "sender": "alice", "message": "hi",
                "timestamp": "2025-11-20T23:45:59.970Z"}),
            json!({"type": "message", "roomId": "qwxw5ykz", "sender": "bob", "message": {"n": 1},
                "timestamp": "2025-11-20T23:46:00Z"}),
        ],
    );
    assert_eq!(moved.of("room", "qwxw5ykz")["alias"], "qwxw5ykz");
    assert_eq!(moved.of("room", "qwxw5ykz")["old_id_works"], true);
    let world = house.open().await;
    let claims = json!({"id": "65a1", "username": "alice", "iat": world_s()});
    let (mut alice, user) = hello(&world, &claims).await;
    assert_eq!(user["id"], moved.of("user", "65a1")["user"]);
    assert_eq!(
        history(&mut alice, "qwxw5ykz").await,
        [
            line("alice", "hi", 1_763_682_359_970),
            line("bob", r#"{"n":1}"#, 1_763_682_360_000),
        ]
    );
    world.stop().await;
}

#[tokio::test]
async fn rooms_of_the_rooms_backend_keep_their_codes_and_pass_keys() {
    let house = House::new();
    let moved = house.import_twice(
        "rooms",
        &[
            json!({"type": "room", "id": "YBVGS", "name": "galaxy", "visibility": "private", "pass": "s3"}),
            json!({"type": "room", "id": "EOF29", "name": "galaxy", "visibility": "public", "pass": ""}),
            json!({"type": "message", "roomId": "YBVGS", "user": "alok", "msg": "Hello", "at": 1_700_000_000_000_u64}),
        ],
    );
    assert_eq!(moved.count("rooms"), (2, 0, 0));
    assert_eq!(moved.of("room", "EOF29")["alias"], "EOF29");
    let world = house.open().await;
    let mut guest = world.connect().await;
    guest.ok("hello", json!({"guest": {"name": "eve"}})).await;
    let wrong = guest
        .refused("join", json!({"room": "YBVGS", "password": "known"}))
        .await;
    assert_eq!(wrong["code"], "wrong_password");
    guest
        .ok("join", json!({"room": "YBVGS", "password": "s3"}))
        .await;
    let told = [line("alok", "Hello", 1_700_000_000_000)];
    assert_eq!(history(&mut guest, "YBVGS").await, told);
    guest.ok("join", json!({"room": "EOF29"})).await;
    world.stop().await;
}

#[tokio::test]
async fn people_of_the_groups_backend_are_in_their_groups() {
    let house = House::new();
    let moved = house.import_twice(
        "groups",
        &[
            json!({"type": "group", "group_name": "Plg"}),
            json!({"type": "group", "group_name": "Amg"}),
            json!({"type": "user", "name": "Skr", "id": "s1", "pwrd": "sesame", "groups": ["Plg", "Amg"]}),
            json!({"type": "user", "name": "Skr", "id": "s2", "pwrd": "other"}),
            json!({"type": "message", "name": "sokoro", "group": "Plg", "Text": "hi", "at": 1_700_000_000_000_u64}),
        ],
    );
    assert_eq!(moved.count("members"), (2, 0, 0));
    assert_eq!(
        moved.of("user", "s2")["name"],
        "Skr-2",
        "names weren't unique there"
    );
    assert_eq!(moved.of("room", "Plg")["old_id_works"], true);
    let world = house.open().await;
    let skr = log_in(&world, "s1", "sesame").await;
    assert!(skr.is_some());
    assert_eq!(log_in(&world, "Skr", "sesame").await, skr);
    assert_eq!(
        log_in(&world, "s2", "other").await,
        moved.of("user", "s2")["user"].as_u64()
    );
    let body = json!({"login": "s1", "password": "sesame"}).to_string();
    let said = crate::world::http(
        world.address,
        "POST",
        "/v1/auth/login",
        &[],
        body.as_bytes(),
    )
    .await;
    let mut client = world.connect().await;
    client
        .ok("hello", json!({"token": said.json()["token"]}))
        .await;
    let rooms = client.ok("rooms", json!({})).await;
    let names: Vec<_> = rooms["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["room"]["name"].clone())
        .collect();
    assert_eq!(names, ["Plg", "Amg"]);
    assert_eq!(
        history(&mut client, "Plg").await,
        [line("sokoro", "hi", 1_700_000_000_000)]
    );
    world.stop().await;
}

/// The time, in whole seconds.
fn world_s() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
