//! Rooms that keep what was said for a time only.

use std::sync::Arc;

use chat_core::Timestamp;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;
use serde_json::{Value, json};

use crate::world::{Account, Native, World, by};

const BEGAN: Timestamp = Timestamp::new(1_800_000_000_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A room that keeps lines for a day, with two of them, and somebody who has heard the first.
struct Story {
    room: u64,
    first: u64,
    position: Value,
}

async fn begin(store: &Arc<dyn Store>) -> Story {
    let world = World::on(store, BEGAN).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut b = world.connect().await;
    let epoch = b.hello(&bob).await["epoch"].clone();
    let mut a = world.enter(&ann).await;
    let wish = json!({"name": "Den", "alias": "Den", "listed": true, "retention": {"days": 1}});
    let room = a.create(wish).await;
    b.join(room).await;
    let first = a.post(room, "an old secret").await;
    a.post(room, "another old secret").await;
    a.ok("pin", json!({"room": room, "message": first})).await;
    b.cut();
    world.stop().await;
    let position = json!({ room.to_string(): [epoch, first] });
    Story {
        room,
        first,
        position,
    }
}

/// Everything that somebody can ask a room for, in every dialect that has a word for it.
async fn reads(world: &World, who: &Account, client: &mut Native, story: &Story) -> Vec<String> {
    let (room, first) = (story.room, story.first);
    let mut read = Vec::new();
    for (op, d) in [
        ("history", json!({"room": room})),
        ("history", json!({"room": room, "after": 0})),
        ("history", json!({"room": room, "around": first})),
        ("history", json!({"room": room, "thread": first})),
        ("records", json!({"room": room, "since": 0})),
        ("snapshot", json!({"room": room})),
        ("pins", json!({"room": room})),
        ("search", json!({"text": "secret"})),
    ] {
        read.push(client.ok(op, d).await.to_string());
    }
    let body = json!({"roomId": room}).to_string();
    for (method, path, body) in [
        ("GET", format!("/v1/rooms/{room}/messages"), ""),
        ("GET", "/v1/search?q=secret".to_owned(), ""),
        ("POST", "/v1/api/chat/room-messages".to_owned(), &*body),
        ("GET", format!("/api/chat-history/room_{room}"), ""),
        ("GET", "/api/chat-history/Den".to_owned(), ""),
    ] {
        let said = by(world, who, method, &path, body).await;
        assert_eq!(said.status, 200, "{path}: {}", said.body);
        read.push(said.body);
    }
    read
}

async fn the_house_trims(store: Arc<dyn Store>) {
    let story = begin(&store).await;
    let world = World::on(&store, BEGAN.plus_ms(2 * DAY_MS)).await;
    let room = story.room;
    // What they logged in with has ended.
    let (ann, bob) = (world.log_in("ann").await, world.log_in("bob").await);
    let mut a = world.enter(&ann).await;
    // Members hear it as anything else that happens in their room.
    let trimmed = a.event("room_trimmed").await;
    assert_eq!(trimmed["by"]["id"], json!(0), "{trimmed}");
    let from = trimmed["d"]["from"].as_u64().unwrap();
    assert_eq!(trimmed["seq"], json!(from), "nothing is young enough");
    for text in reads(&world, &ann, &mut a, &story).await {
        assert!(!text.contains("old secret"), "{text}");
    }
    let gone = json!({"room": room, "message": story.first});
    assert_eq!(a.code("message", gone.clone()).await, "message_not_found");
    assert_eq!(a.code("pin", gone).await, "message_not_found");
    let missed = json!({"room": room, "since": story.first});
    let refused = a.refused("records", missed).await;
    assert_eq!(refused["code"], "unrecoverable", "{refused}");
    assert_eq!(refused["details"]["why"], "trimmed", "{refused}");

    // Whoever was away has nothing unread of what isn't there, and is told that he missed it.
    let mut b = world.connect().await;
    let welcome = b.resume(&bob, story.position.clone()).await;
    let state = &welcome["rooms"][room.to_string()];
    let told = (state["st"].clone(), state["why"].clone());
    assert_eq!(told, (json!("reset"), json!("trimmed")), "{welcome}");
    let mine = b.ok("rooms", json!({})).await;
    assert_eq!(mine["items"][0]["unread"], json!(0), "{mine}");
    // Life goes on.
    a.post(room, "a fresh line").await;
    let mine = b.ok("rooms", json!({})).await;
    assert_eq!(mine["items"][0]["unread"], json!(1), "{mine}");
    for text in reads(&world, &bob, &mut b, &story).await {
        assert!(!text.contains("old secret"), "{text}");
    }
    let page = b.ok("history", json!({"room": room})).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    world.stop().await;
}

#[tokio::test]
async fn the_house_trims_a_room_whose_time_is_over() {
    the_house_trims(Arc::new(Memory::new().unwrap())).await;
}

#[tokio::test]
async fn the_house_trims_a_room_on_disk_whose_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path().join("chat.db")).unwrap();
    the_house_trims(Arc::new(store)).await;
}

#[tokio::test]
async fn what_was_trimmed_is_read_without_its_words_by_whoever_comes_right_after() {
    let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
    let world = World::on(&store, BEGAN).await;
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    let room = a.create(json!({"name": "Den"})).await;
    a.post(room, "an old secret").await;
    let kept = a.post(room, "a line").await;
    // Nobody hears the line before the secret's edit is known: it is a part of what goes.
    let edit = json!({"room": room, "message": kept - 1, "body": "an old secret, edited"});
    let edited = a.ok("edit", edit).await["seq"].as_u64().unwrap();
    let positions = json!({ room.to_string(): [epoch, kept - 1] });
    // This one makes the room be read, and its lines be remembered for a moment.
    let mut first = world.connect().await;
    first.resume(&ann, positions.clone()).await;
    assert_eq!(first.synced(room).await, edited);
    let trimmed = a.ok("trim", json!({"room": room, "from": kept})).await;
    let mut second = world.connect().await;
    second.resume(&ann, positions).await;
    assert_eq!(second.synced(room).await, trimmed["seq"]);
    let mut heard = 0;
    while let Some(event) = second.heard_event() {
        assert!(!event.to_string().contains("old secret"), "{event}");
        heard += 1;
    }
    assert_eq!(heard, 3, "the line, the edit, and that it was trimmed");
    world.stop().await;
}
