//! Who comes in where, and who has to go.

use super::*;

#[tokio::test]
async fn a_private_room_needs_membership_before_the_handshake() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let owner = world.account("owner").await;
    let mut native = world.enter(&owner).await;
    let den = json!({"name": "den", "access": {"mode": "invite"}, "listed": true});
    let den = native.create(den).await;
    let hidden = json!({"name": "hidden", "access": {"mode": "invite"}, "listed": false});
    let hidden = native.create(hidden).await;
    let vault = json!({"name": "vault", "access": {"mode": "password", "password": "sesame"}, "listed": true});
    let vault = native.create(vault).await;
    let at = |room: &str| format!("/ws?room_id={room}&jwt={}", ann.token);
    for (room, status, words) in [
        (den.to_string(), 403, "an invitation is needed"),
        (vault.to_string(), 403, "wrong password"),
        (hidden.to_string(), 404, "no such room"),
        ("999999".to_owned(), 404, "no such room"),
        ("nonsense".to_owned(), 404, "no such room"),
        (String::new(), 400, "invalid/bad request paramenters"),
    ] {
        let said = refused(world.address, &at(&room), &[]).await;
        assert_eq!(said, envelope(status, words), "{room}");
    }
    let body = json!({"roomId": den});
    let said = post(world.address, Some(&ann.token), "chat/room-messages", &body).await;
    assert_eq!(said.status, 403, "{}", said.body);

    native
        .ok("invite", json!({"room": den, "user": ann.id}))
        .await;
    let mut chat = Chat::enter(&world, &ann, den).await;
    chat.say(den, ("ann", ann.id), "in").await;
    world.stop().await;
}

#[tokio::test]
async fn who_is_kicked_hears_and_says_nothing_more() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let owner = world.account("owner").await;
    let mut native = world.enter(&owner).await;
    let room = native.create(json!({"name": "den"})).await;
    let mut chat = Chat::enter(&world, &ann, room).await;
    chat.say(room, ("ann", ann.id), "here").await;
    native
        .ok("kick", json!({"room": room, "user": ann.id}))
        .await;
    native.post(room, "she is gone").await;
    chat.send(json!({"chatMessage": "am I?"})).await;
    // What the socket says last is its own goodbye: nothing was delivered before.
    for _ in 0..10 {
        chat.send(json!("nonsense")).await;
    }
    assert_eq!(chat.hear().await, Err(1007));
    let history = native.ok("history", json!({"room": room})).await;
    let said: Vec<_> = history["items"].as_array().unwrap().iter().collect();
    assert_eq!(said.len(), 2, "{said:?}");

    // The room is open, so she may come again.
    let mut chat = Chat::enter(&world, &ann, room).await;
    chat.say(room, ("ann", ann.id), "back").await;
    world.stop().await;
}

#[tokio::test]
async fn ten_bad_frames_in_a_row_are_too_many_and_nine_are_not() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let room = create(&world, &ann, "Chat name").await;
    let mut chat = Chat::enter(&world, &ann, room).await;
    for _ in 0..3 {
        for _ in 0..9 {
            chat.send(json!({"chatRoomId": room})).await;
        }
        chat.say(room, ("ann", ann.id), "still here").await;
    }
    // What is readable and refused is no bad frame.
    for _ in 0..20 {
        chat.send(json!({"chatMessage": ""})).await;
    }
    chat.say(room, ("ann", ann.id), "still here").await;
    for _ in 0..5 {
        chat.send_message(Message::binary(vec![0xff, 0xfe])).await;
        chat.send(json!(["chatMessage"])).await;
    }
    assert_eq!(chat.hear().await, Err(1007));
    world.stop().await;
}

#[tokio::test]
async fn the_last_fifty_messages_are_there_before_one_enters() {
    let world = world().await;
    let (ann, bob) = (sign_up(&world, "ann").await, sign_up(&world, "bob").await);
    let room = create(&world, &ann, "Chat name").await;
    let mut chat = Chat::enter(&world, &ann, room).await;
    for number in 0..60 {
        chat.say(room, ("ann", ann.id), &number.to_string()).await;
    }
    for body in [
        json!({ "roomId": room }),
        json!({"ROOMID": room.to_string()}),
    ] {
        let said = post(world.address, Some(&bob.token), "chat/room-messages", &body).await;
        let chats = said.json()["chats"].as_array().unwrap().clone();
        let words: Vec<_> = chats.iter().map(|it| it["chatMessage"].clone()).collect();
        let expected: Vec<_> = (10..60).map(|it| json!(it.to_string())).collect();
        assert_eq!(words, expected);
        let first = chats[0].as_object().unwrap();
        assert_eq!(first["chatUser"], "ann");
        assert_eq!(first["chatUserId"], ann.id);
        assert_eq!(first["chatRoomId"], room);
        assert_eq!(first["chatRoomName"], "Chat name");
        assert!(first["ChatMessageTs"].as_str().unwrap().ends_with('Z'));
    }
    let body = json!({"roomId": 999_999});
    let said = post(world.address, Some(&bob.token), "chat/room-messages", &body).await;
    assert_eq!((said.status, said.json()), envelope(404, "no such room"));
    world.stop().await;
}

#[tokio::test]
async fn a_path_without_the_query_is_for_other_dialects() {
    let world = world().await;
    let ann = world.account("ann").await;
    let mut native = world.connect().await;
    native.ok("hello", json!({"token": ann.token})).await;
    // By its name the native dialect is meant whatever the query says.
    let stream = TcpStream::connect(world.address).await.unwrap();
    let native = Native::below(stream, world.address, "/v1/ws?room_id=1&jwt=x&at=").await;
    native.cut();
    let mut sniffed = Plain::connect(world.address, "/ws").await;
    let rooms = json!({"type": "query", "payload": {"query": "rooms"}});
    assert_eq!(sniffed.ask(&rooms.to_string()).await, "[]");
    world.stop().await;
}

#[tokio::test]
async fn a_listener_of_its_own_serves_sockets_on_any_path_and_requests() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let room = create(&world, &ann, "Chat name").await;
    let listen: Listen = "rest=127.0.0.1:0".parse().unwrap();
    let address = world.server.listen(listen).await.unwrap();

    let body = json!({"email": "ann@mail.com", "password": "pass"});
    assert_eq!(post(address, None, "auth/login", &body).await.status, 200);
    let nowhere = http(address, "GET", "/v1/rooms", &[], b"").await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.json()["Code"], 404);
    let path = format!("/?room_id={room}");
    let bearer = format!("Bearer {}", ann.token);
    let mut chat = Chat::open(address, &path, &[("authorization", &bearer)])
        .await
        .unwrap();
    chat.say(room, ("ann", ann.id), "here").await;
    let said = refused(address, "/ws", &[]).await;
    assert_eq!(said, envelope(401, "malformed jwt token"));
    world.stop().await;
}
