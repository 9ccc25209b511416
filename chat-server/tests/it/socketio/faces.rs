//! Conversations in both faces.

use chat_core::RoomId;
use chat_protocol::{Dialect, Spelling};
use chat_server::config::Listen;
use serde_json::json;

use super::peer::{Peer, about, said, token_of, with_secret};
use crate::engineio::client::{Poller, get};
use crate::world::{Plain, World, config};

#[tokio::test]
async fn people_of_the_first_face_hear_who_comes_speaks_types_and_goes() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, "den", "bob").await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));

    bob.emit(about("typing", "den", "bob")).await;
    assert_eq!(ann.hear().await, about("typing", "den", "bob"));
    assert_eq!(ann.hear().await, about("userTyping", "den", "bob"));
    bob.emit(json!(["message", {"roomId": "den", "message": "hi", "sender": "bob"}]))
        .await;
    assert_eq!(ann.message().await, said("den", "bob", "hi"));
    // Nothing of his own came back to him before this.
    ann.granted(said("den", "ann", "hello")).await;
    assert_eq!(bob.message().await, said("den", "ann", "hello"));

    bob.granted(about("leaveRoom", "den", "bob")).await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    let why = bob.refused(said("den", "bob", "still here?")).await;
    assert_eq!(why, "not a member of this room");
    bob.granted(about("joinRoom", "den", "bob")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    drop(bob);
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    world.stop().await;
}

#[tokio::test]
async fn everybody_hears_the_room_by_the_word_he_called_it() {
    let world = World::new().await;
    let owner = world.account("owner").await;
    let mut owner = world.enter(&owner).await;
    let room = owner.create(json!({"name": "Den", "alias": "den"})).await;
    let key = Spelling::Key.write(RoomId::new(room));
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, &key, "bob").await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    let mut cyd = Peer::guest(&world).await;
    cyd.granted(json!(["joinRoom", {"roomId": room, "username": "cyd"}]))
        .await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "cyd"));
    assert_eq!(bob.hear().await, about("userJoined", &key, "cyd"));
    owner.post(room, "hi").await;
    assert_eq!(ann.message().await, said("den", "owner", "hi"));
    assert_eq!(bob.message().await, said(key.as_str(), "owner", "hi"));
    assert_eq!(cyd.message().await, said(room, "owner", "hi"));
    // Each may use any of the words.
    ann.granted(json!(["message", {"roomId": key, "message": "yes"}]))
        .await;
    assert_eq!(cyd.message().await, said(room, "ann", "yes"));
    world.stop().await;
}

#[tokio::test]
async fn the_maker_of_a_room_speaks_at_once_and_hears_when_he_has_joined() {
    let world = World::new().await;
    let account = world.account("alice").await;
    for (mut alice, name) in [
        (Peer::with(&world, &account.token).await, "alice"),
        (Peer::guest(&world).await, "guest"),
    ] {
        let made = alice.ask(json!(["create_room", "Room1"])).await;
        assert_eq!(made["success"], true);
        let id = made["roomId"].as_str().unwrap().to_owned();
        assert!(
            id.len() == 8
                && id
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        );
        let mut bob = Peer::guest(&world).await;
        let joined = bob.ask(json!(["join_room", id])).await;
        assert_eq!(joined, json!({"success": true, "roomName": "Room1"}));

        let send = |text: &str| json!(["send_message", {"roomId": id, "message": text}]);
        let heard =
            |name: &str, text: &str| json!(["receive_message", {"sender": name, "message": text}]);
        alice.emit(send("hi")).await;
        assert_eq!(bob.message().await, heard(name, "hi"));
        bob.granted(send("unheard")).await;
        let joined = alice.ask(json!(["join_room", id])).await;
        assert_eq!(joined, json!({"success": true, "roomName": "Room1"}));
        bob.granted(send("heard")).await;
        assert_eq!(alice.message().await, heard("guest", "heard"));

        alice.emit(json!(["leave_room", id])).await;
        alice.refused(json!(["leave_room", id])).await;
        bob.granted(send("to nobody")).await;
        let mut eve = Peer::guest(&world).await;
        let why = eve.refused(json!(["join_room", "0000000x"])).await;
        assert_eq!(why, "Room not found");
        assert_eq!(
            eve.refused(send("let me in")).await,
            "not a member of this room"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn each_face_hears_its_own_events_alone() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::guest(&world).await;
    let joined = bob.ask(json!(["join_room", "den"])).await;
    assert_eq!(joined["roomName"], "den");
    assert_eq!(ann.hear().await, about("userJoined", "den", "guest"));
    let mut cyd = Peer::joined(&world, "den", "cyd").await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "cyd"));
    cyd.granted(about("typing", "den", "cyd")).await;
    cyd.granted(said("den", "cyd", "hi")).await;
    cyd.granted(about("leaveRoom", "den", "cyd")).await;
    assert_eq!(
        bob.message().await,
        json!(["receive_message", {"sender": "cyd", "message": "hi"}])
    );
    bob.granted(json!(["send_message", {"roomId": "den", "message": "bye"}]))
        .await;
    for event in ["typing", "userTyping"] {
        assert_eq!(ann.hear().await, about(event, "den", "cyd"));
    }
    assert_eq!(ann.message().await, said("den", "cyd", "hi"));
    assert_eq!(ann.hear().await, about("userLeft", "den", "cyd"));
    assert_eq!(ann.message().await, said("den", "guest", "bye"));
    world.stop().await;
}

#[tokio::test]
async fn a_message_of_any_json_comes_through_to_the_byte_and_is_text_for_others() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, "den", "bob").await;
    ann.hear().await;
    let mut old = Plain::connect(world.address, "/").await;
    let join = json!({"type": "join", "payload": {"name": "old", "roomId": "den"}});
    old.ask(&join.to_string()).await;
    bob.hear().await;
    ann.hear().await;
    for json in [r#"{ "b":1,"a":[1.0,2e3,"\u00e9"] }"#, "null", "0", "[]"] {
        let event = format!(r#"42["message",{{"roomId":"den","message":{json}}}]"#);
        ann.socket.send(&event).await;
        let heard = bob.socket.text().await;
        let due = format!(
            r#"42["message",{{"roomId":"den","sender":"ann","message":{json},"timestamp":""#
        );
        assert!(heard.starts_with(&due), "{heard}");
        let line = json!({"msg": json, "user": "ann"});
        let heard = old.hear().await.unwrap();
        assert_eq!(heard, format!("message: {line}"));
    }
    // There is nothing to post in this.
    ann.refused(said("den", "ann", "")).await;
    old.send(r#"{"type":"chat","payload":{"roomId":"den","msg":"[1]"}}"#)
        .await;
    assert_eq!(bob.message().await, said("den", "old", "[1]"));
    world.stop().await;
}

#[tokio::test]
async fn a_signed_in_users_name_goes_before_any_that_he_gives() {
    let world = World::with(with_secret()).await;
    let mut ann = Peer::with(&world, &token_of(1, "ann")).await;
    let mut bob = Peer::with(&world, &token_of(2, "bob")).await;
    ann.granted(about("joinRoom", "den", "somebody")).await;
    bob.granted(about("joinRoom", "den", "else")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    bob.granted(said("den", "ann", "it is me, ann")).await;
    assert_eq!(ann.message().await, said("den", "bob", "it is me, ann"));
    bob.granted(about("leaveRoom", "den", "else")).await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    world.stop().await;
}

#[tokio::test]
async fn what_one_says_comes_back_to_him_only_if_that_is_set() {
    let mut config = config();
    config.socketio_echo = true;
    let world = World::with(config).await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    ann.granted(said("den", "ann", "hi")).await;
    assert_eq!(ann.message().await, said("den", "ann", "hi"));
    world.stop().await;
}

#[tokio::test]
async fn whoever_polls_hears_the_same() {
    let world = World::new().await;
    let poller = Poller::open(world.address, "/socket.io/").await;
    poller.say("40").await;
    assert!(poller.hear().await.starts_with(r#"40{"sid":""#));
    let join = about("joinRoom", "den", "pol");
    let hello = said("den", "pol", "hello");
    poller
        .say(format!("420{join}\u{1e}421{hello}\u{1e}422[\"nothing\"]"))
        .await;
    let mut heard = String::new();
    while heard.matches("43").count() < 3 {
        heard = format!("{heard}\u{1e}{}", poller.hear().await);
    }
    let heard: Vec<_> = heard.split('\u{1e}').filter(|it| !it.is_empty()).collect();
    let done = r#"[{"success":true}]"#;
    assert_eq!(heard[..2], [format!("430{done}"), format!("431{done}")]);
    let mut ann = Peer::joined(&world, "den", "ann").await;
    ann.granted(said("den", "ann", "hi")).await;
    let mut heard = poller.hear().await;
    if !heard.contains("message") {
        heard = format!("{heard}\u{1e}{}", poller.hear().await);
    }
    let heard: Vec<_> = heard.split('\u{1e}').collect();
    assert_eq!(heard[0], format!("42{}", about("userJoined", "den", "ann")));
    assert!(heard[1].starts_with(r#"42["message",{"roomId":"den","sender":"ann","message":"hi""#));
    poller.say("1").await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "pol"));
    world.stop().await;
}

#[tokio::test]
async fn a_listener_of_its_own_speaks_it_too() {
    let mut config = config();
    config.test_tokens = true;
    let world = World::with(config).await;
    let listen = Listen {
        dialect: Some(Dialect::Socketio),
        ..Listen::local(0)
    };
    let address = world.server.listen(listen).await.unwrap();
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::open(address).await;
    bob.knock("").await;
    bob.granted(about("joinRoom", "den", "bob")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    assert_eq!(get(address, "/test-token").await.status, 200);
    world.stop().await;
}
