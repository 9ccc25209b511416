//! People who want to be forgotten, and what others hear of it.

use std::collections::BTreeSet;

use chat_core::UserId;
use serde_json::{Value, json};

use crate::world::{Native, PASSWORD, World, by, http, sign_up};

/// The next event of this kind, whatever comes before it.
async fn until(socket: &mut Native, kind: &str) -> Value {
    loop {
        let event = socket.any_event().await;
        if event["ev"] == json!(kind) {
            return event;
        }
    }
}

#[tokio::test]
async fn who_deletes_his_account_is_gone_at_once_and_others_hear_that_he_left() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let den = a.create(json!({"name": "den"})).await;
    b.join(den).await;
    let own = b.create(json!({"name": "bob's own"})).await;
    a.join(own).await;
    let line = a.post(den, "my words").await;
    a.post(own, "more words").await;

    let wrong = json!({"password": "wrong"}).to_string();
    let said = by(&world, &ann, "DELETE", "/v1/account", &wrong).await;
    assert_eq!(said.status, 401, "{}", said.body);
    let said = by(&world, &ann, "DELETE", "/v1/account", "").await;
    assert_eq!(
        said.status, 401,
        "a token alone is not enough: {}",
        said.body
    );
    let right = json!({"password": PASSWORD}).to_string();
    let said = by(&world, &ann, "DELETE", "/v1/account", &right).await;
    assert_eq!(said.status, 204, "{}", said.body);

    assert_eq!(a.closed().await, 4501);
    // Each room tells what becomes of it by itself, in its own time.
    let mut left = BTreeSet::new();
    let mut owned = Vec::new();
    while left.len() < 2 || owned.is_empty() {
        let event = b.any_event().await;
        let room = event["room"].as_u64().unwrap_or_default();
        if event["ev"] == "left" {
            assert_eq!(event["by"]["id"], ann.id);
            left.insert(room);
        } else if event["ev"] == "ownership_transferred" {
            owned.push((room, event["d"]["to"].clone()));
        }
    }
    assert_eq!(left, BTreeSet::from([den, own]));
    assert_eq!(owned, [(den, json!(0))]);
    let mine = by(&world, &ann, "GET", "/v1/me", "").await;
    assert_eq!(mine.status, 401);
    let login = json!({"login": "ann", "password": PASSWORD}).to_string();
    let path = "/v1/auth/login";
    let said = http(world.address, "POST", path, &[], login.as_bytes()).await;
    assert_eq!(said.status, 401);
    let page = b.ok("history", json!({"room": den})).await;
    let message = &page["items"][0];
    assert_eq!(message["seq"], json!(line));
    assert_eq!(message["by"], json!({"id": ann.id}));
    assert!(message.get("content").is_none(), "{message}");
    assert!(message["deleted_at"].is_u64(), "{message}");
    let found = b.ok("search", json!({"text": "words"})).await;
    assert_eq!(found["items"], json!([]));
    // Her name is free, her number isn't.
    assert_ne!(sign_up(world.address, "ann").await.id, ann.id);
    world.stop().await;
}

#[tokio::test]
async fn an_archived_room_of_an_erased_owner_stays_archived() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let den = a.create(json!({"name": "den"})).await;
    b.join(den).await;
    a.ok("archive", json!({"room": den})).await;
    world.server.erase_user(UserId::new(ann.id)).await.unwrap();
    assert_eq!(a.closed().await, 4501);
    until(&mut b, "left").await;
    let snapshot = b.ok("snapshot", json!({"room": den})).await;
    assert_eq!(snapshot["settings"]["owner"], json!(0));
    assert_eq!(snapshot["room"]["lifecycle"], json!("archived"));
    assert_eq!(snapshot["room"]["members"], json!(1));
    world.stop().await;
}

#[tokio::test]
async fn the_one_who_stays_in_a_direct_room_keeps_what_he_said() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let opened = a.ok("open_direct", json!({"user": bob.id})).await;
    let direct = opened["room"].as_u64().unwrap();
    b.event_of(direct).await;
    a.post(direct, "from ann").await;
    b.post(direct, "from bob").await;
    world.server.erase_user(UserId::new(ann.id)).await.unwrap();
    let page = b.ok("history", json!({"room": direct})).await;
    assert!(page["items"][0].get("content").is_none(), "{page}");
    assert_eq!(page["items"][1]["content"]["body"], json!("from bob"));
    assert_eq!(
        b.code("open_direct", json!({"user": ann.id})).await,
        "user_not_found"
    );
    world.stop().await;
}
