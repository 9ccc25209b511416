//! Who may come in, who comes again, and who has to go.

use serde_json::json;

use super::peer::{Peer, SECRET, about, said, signed, token_of, with_secret};
use crate::world::{World, by, config, http};

const REFUSED: &str = r#"44{"message":"Authentication error"}"#;

#[tokio::test]
async fn where_a_secret_is_configured_nobody_comes_in_without_a_good_token() {
    let world = World::with(with_secret()).await;
    let account = world.account("alice").await;
    let now = jsonwebtoken::get_current_timestamp();
    let claims = json!({"id": 7, "username": "sam", "iat": now, "exp": now + 60});
    let old = json!({"id": 7, "username": "sam", "iat": now - 60, "exp": now - 1});
    let mut sam = Peer::open(world.address).await;
    for auth in [
        String::new(),
        "{}".to_owned(),
        json!({"token": null}).to_string(),
        json!({"token": ""}).to_string(),
        json!({"token": 5}).to_string(),
        json!({"token": "a.b.c"}).to_string(),
        json!({"token": signed(&claims, "another secret")}).to_string(),
        json!({"token": signed(&old, SECRET)}).to_string(),
    ] {
        assert_eq!(sam.knock(&auth).await, REFUSED, "{auth}");
    }
    // Who was refused may try again.
    let good = json!({"token": signed(&claims, SECRET)}).to_string();
    assert!(sam.knock(&good).await.starts_with(r#"40{"sid":""#));
    let mut alice = Peer::with(&world, &account.token).await;
    sam.granted(about("joinRoom", "den", "")).await;
    alice.granted(about("joinRoom", "den", "")).await;
    assert_eq!(sam.hear().await, about("userJoined", "den", "alice"));
    alice.granted(said("den", "", "hi")).await;
    assert_eq!(sam.message().await, said("den", "alice", "hi"));
    world.stop().await;
}

#[tokio::test]
async fn without_guests_a_token_is_needed_everywhere() {
    let mut config = config();
    config.guests = false;
    let world = World::with(config).await;
    let account = world.account("alice").await;
    let mut alice = Peer::open(world.address).await;
    assert_eq!(alice.knock("").await, REFUSED);
    Peer::with(&world, &account.token).await;
    world.stop().await;
}

#[tokio::test]
async fn a_guest_may_not_use_the_name_of_an_account() {
    let world = World::new().await;
    world.account("alice").await;
    let mut eve = Peer::guest(&world).await;
    let why = eve.refused(about("joinRoom", "den", "Alice")).await;
    assert_eq!(why, "This name is registered, log in to use it");
    eve.granted(about("joinRoom", "den", "eve")).await;
    world.stop().await;
}

#[tokio::test]
async fn who_leaves_the_namespace_is_out_of_all_rooms_and_may_enter_again() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, "den", "bob").await;
    ann.hear().await;
    bob.ask(json!(["create_room", "his own"])).await;
    bob.socket.send("41").await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    ann.granted(said("den", "ann", "unheard")).await;
    assert!(bob.knock("").await.starts_with(r#"40{"sid":""#));
    bob.granted(about("joinRoom", "den", "bob")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    bob.socket.send("41").await;
    bob.emit(said("den", "bob", "from nowhere")).await;
    bob.socket.ends().await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    world.stop().await;
}

#[tokio::test]
async fn who_speaks_before_he_has_entered_is_sent_away() {
    let world = World::new().await;
    for first in [
        r#"42["message",{"roomId":"den","message":"hi"}]"#,
        r#"420["create_room","Room1"]"#,
        "41",
        "430[1]",
        r#"42/foo,["message",{}]"#,
        r#"451-["message",{"_placeholder":true,"num":0}]"#,
        "4",
        "nonsense",
    ] {
        let mut eve = Peer::open(world.address).await;
        eve.socket.send(first).await;
        eve.socket.ends().await;
    }
    let mut eve = Peer::open(world.address).await;
    eve.socket.send("40/foo,{}").await;
    let said = eve.socket.text().await;
    assert_eq!(said, r#"44/foo,{"message":"Invalid namespace"}"#);
    assert!(eve.knock("").await.starts_with("40{"));
    world.stop().await;
}

#[tokio::test]
async fn an_account_that_is_logged_out_everywhere_is_gone_at_once() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut there = Peer::with(&world, &alice.token).await;
    there.granted(about("joinRoom", "den", "")).await;
    ann.hear().await;
    let out = by(&world, &alice, "POST", "/v1/auth/logout", r#"{"all":true}"#).await;
    assert!(out.status < 300, "{}", out.body);
    there.socket.ends().await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "alice"));
    let mut again = Peer::open(world.address).await;
    let auth = json!({"token": alice.token}).to_string();
    assert_eq!(again.knock(&auth).await, REFUSED);
    world.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let world = World::with(with_secret()).await;
    let now = jsonwebtoken::get_current_timestamp();
    let claims = json!({"id": 7, "username": "sam", "iat": now, "exp": now + 2});
    let mut ann = Peer::with(&world, &token_of(1, "ann")).await;
    ann.granted(about("joinRoom", "den", "")).await;
    let mut sam = Peer::with(&world, &signed(&claims, SECRET)).await;
    sam.granted(about("joinRoom", "den", "")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "sam"));
    sam.socket.ends().await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "sam"));
    world.stop().await;
}

#[tokio::test]
async fn somebody_with_two_tabs_comes_and_goes_once() {
    let world = World::with(with_secret()).await;
    let mut ann = Peer::with(&world, &token_of(1, "ann")).await;
    ann.granted(about("joinRoom", "den", "")).await;
    let token = token_of(2, "bob");
    let mut one = Peer::with(&world, &token).await;
    one.granted(about("joinRoom", "den", "")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    let mut two = Peer::with(&world, &token).await;
    two.granted(about("joinRoom", "den", "")).await;
    drop(one);
    ann.granted(said("den", "", "hi")).await;
    assert_eq!(two.message().await, said("den", "ann", "hi"));
    two.granted(said("den", "", "still here")).await;
    assert_eq!(ann.message().await, said("den", "bob", "still here"));
    drop(two);
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    world.stop().await;
}

#[tokio::test]
async fn who_is_kicked_is_out_of_the_room_and_keeps_his_socket() {
    let world = World::new().await;
    let owner = world.account("owner").await;
    let bob = world.account("bob").await;
    let mut owner = world.enter(&owner).await;
    let room = owner.create(json!({"name": "den", "alias": "den"})).await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut kicked = Peer::with(&world, &bob.token).await;
    kicked.granted(about("joinRoom", "den", "")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    owner
        .ok("kick", json!({"room": room, "user": bob.id}))
        .await;
    assert_eq!(ann.hear().await, about("userLeft", "den", "bob"));
    owner.post(room, "he is gone").await;
    assert_eq!(ann.message().await, said("den", "owner", "he is gone"));
    let why = kicked.refused(said("den", "bob", "am I?")).await;
    assert_eq!(why, "not a member of this room");
    kicked.granted(about("joinRoom", "den", "")).await;
    assert_eq!(ann.hear().await, about("userJoined", "den", "bob"));
    world.stop().await;
}

#[tokio::test]
async fn tokens_of_a_test_user_are_given_only_where_that_is_switched_on() {
    let world = World::with(with_secret()).await;
    let none = http(world.address, "GET", "/test-token", &[], b"").await;
    assert_eq!(none.status, 404);
    world.stop().await;

    let mut config = with_secret();
    config.test_tokens = true;
    config.origins = vec!["https://front.example".to_owned()];
    let world = World::with(config).await;
    for (origin, allowed) in [
        ("http://localhost:3001", true),
        ("http://127.0.0.1:3001", true),
        ("https://front.example", true),
        ("https://else.example", false),
    ] {
        let headers = [("origin", origin)];
        for path in ["/test-token", "/socket.io/?EIO=4&transport=polling"] {
            let given = http(world.address, "GET", path, &headers, b"").await;
            assert_eq!(given.status, 200);
            let told = given
                .head
                .contains(&format!("access-control-allow-origin: {origin}\r\n"));
            assert_eq!(told, allowed, "{}", given.head);
            let credentials = given
                .head
                .contains("access-control-allow-credentials: true\r\n");
            assert_eq!(credentials, allowed);
            assert!(given.head.contains("vary: origin"));
        }
    }
    let given = http(world.address, "GET", "/test-token", &[], b"")
        .await
        .json();
    let mut peer = Peer::with(&world, given["token"].as_str().unwrap()).await;
    peer.granted(about("joinRoom", "den", "")).await;
    let mut ann = Peer::with(&world, &token_of(9, "ann")).await;
    ann.granted(about("joinRoom", "den", "")).await;
    peer.hear().await;
    peer.granted(said("den", "", "hi")).await;
    assert_eq!(ann.message().await, said("den", "testuser", "hi"));
    world.stop().await;
}
