//! Those who are behind with a room, while it isn't theirs any more or the store is in trouble.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_server::Server;
use chat_server::store::Store;
use serde_json::json;

use super::watched::Watched;
use crate::world::{Account, Native, World, config};

/// Lines that whoever comes back has missed.
const LINES: usize = 300;

/// One worker: what was answered has been delivered.
async fn world(store: &Arc<Watched>) -> World {
    let mut config = config();
    config.workers = NonZeroUsize::new(1);
    let store: Arc<dyn Store> = store.clone();
    World::started(Server::builder(config).store(store)).await
}

async fn talk(client: &mut Native, room: u64, lines: usize) -> u64 {
    let mut last = 0;
    for line in 0..lines {
        last = client.post(room, &format!("line {line}")).await;
    }
    last
}

/// Two devices of somebody: the one waits for the store, which hangs, while he does something with
/// the other. Gives the number of what it has asked, too.
async fn busy(world: &World, store: &Arc<Watched>, owner: &Account) -> (Native, Native, u64) {
    let (mut desk, mut phone) = (world.enter(owner).await, world.enter(owner).await);
    let attic = desk.create(json!({"name": "Attic"})).await;
    phone.synced(attic).await;
    store.reads_hang.send_replace(true);
    let asked = json!({"room": attic, "since": 0});
    let asked = desk.ask("records", asked).await;
    store.reader().await;
    (desk, phone, asked)
}

#[tokio::test]
async fn who_is_kicked_while_he_catches_up_hears_all_up_to_that_and_nothing_after() {
    let store = Watched::new();
    let world = world(&store).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let mut b = world.connect().await;
    let epoch = b.hello(&bob).await["epoch"].clone();
    b.join(den).await;
    b.leave().await;
    talk(&mut a, den, LINES).await;

    store.reads_hang.send_replace(true);
    let mut b = world.connect().await;
    b.resume(&bob, json!({ den.to_string(): [epoch, 2] })).await;
    store.reader().await;
    let kicked = a.ok("kick", json!({"room": den, "user": bob.id})).await["seq"].clone();
    a.post(den, "now that he has gone").await;
    store.reads_hang.send_replace(false);

    for seq in 3..=kicked.as_u64().unwrap() {
        let event = b.event_of(den).await;
        assert_eq!(event["seq"], seq, "{event}");
        assert_eq!(event["ev"] == "kicked", event["seq"] == kicked);
    }
    let rest = b.rest().await;
    assert!(rest.iter().all(|frame| frame["room"] != den), "{rest:?}");
    // He may come again, from there on.
    b.ok("join", json!({"room": den})).await;
    assert_eq!(b.event_of(den).await["ev"], "joined");
    b.synced(den).await;
    world.stop().await;
}

#[tokio::test]
async fn who_loses_a_room_with_his_group_while_he_catches_up_hears_nothing_more_of_it() {
    let store = Watched::new();
    let world = world(&store).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.connect().await);
    let epoch = b.hello(&bob).await["epoch"].clone();
    let crew = a.create(json!({"name": "Crew", "kind": "group"})).await;
    b.join(crew).await;
    let access = json!({"mode": "invite"});
    let hidden = json!({"name": "Den", "listed": false, "access": access});
    let den = a.create(hidden).await;
    let grant = json!({"room": den, "group": crew, "role": "member"});
    a.ok("set_grant", grant).await;
    talk(&mut a, den, LINES).await;

    store.reads_hang.send_replace(true);
    b.leave().await;
    let mut b = world.connect().await;
    b.resume(&bob, json!({ den.to_string(): [epoch, 2] })).await;
    store.reader().await;
    a.ok("kick", json!({"room": crew, "user": bob.id})).await;
    a.post(den, "now that he has gone").await;
    store.reads_hang.send_replace(false);

    let rest = b.rest().await;
    assert!(rest.iter().all(|frame| frame["room"] != den), "{rest:?}");
    assert_eq!(
        b.code("history", json!({"room": den})).await,
        "room_not_found"
    );
    world.stop().await;
}

#[tokio::test]
async fn who_has_joined_and_can_not_be_let_in_for_the_store_s_sake_comes_back_by_himself() {
    let store = Watched::new();
    let world = world(&store).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let (mut desk, mut phone, busy) = busy(&world, &store, &bob).await;
    phone.ok("join", json!({"room": den})).await;
    // Nobody knows what has become of this, and the room can't be loaded again.
    store.down.store(true, Ordering::SeqCst);
    assert_eq!(
        a.code("post", json!({"room": den, "body": "?"})).await,
        "storage_unavailable"
    );
    store.reads_hang.send_replace(false);
    desk.reply(busy).await.unwrap();
    let bye = desk.system("bye").await;
    assert_eq!(bye["code"], 4006, "{bye}");
    assert_eq!(desk.closed().await, 4006);
    store.down.store(false, Ordering::SeqCst);
    let mut desk = world.enter(&bob).await;
    desk.synced(den).await;
    let said = a.post(den, "everybody hears this").await;
    assert_eq!(desk.event_of(den).await["seq"], said);
    world.stop().await;
}

#[tokio::test]
async fn who_left_and_came_back_hears_nothing_of_the_time_between_where_the_room_says_so() {
    let store = Watched::new();
    let world = world(&store).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let den = a
        .create(json!({"name": "Den", "history": "since_join"}))
        .await;
    let (mut desk, mut phone, busy) = busy(&world, &store, &bob).await;
    phone.ok("join", json!({"room": den})).await;
    phone.ok("leave", json!({"room": den})).await;
    a.post(den, "between us").await;
    let back = phone.ok("join", json!({"room": den})).await["seq"].clone();
    let said = a.post(den, "welcome back").await;
    store.reads_hang.send_replace(false);
    desk.reply(busy).await.unwrap();
    for seq in [back, json!(said)] {
        let event = desk.event_of(den).await;
        assert_eq!(event["seq"], seq, "{event}");
    }
    world.stop().await;
}

#[tokio::test]
async fn who_waits_for_the_server_is_not_taken_for_silent() {
    let store = Watched::new();
    let mut config = config();
    config.server_limits.ping_ms = 1_000;
    config.server_limits.pong_ms_max = 2_000;
    let over: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config).store(over)).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let mut b = world.enter(&bob).await;
    b.join(den).await;

    store.reads_hang.send_replace(true);
    let mut a = world.enter(&ann).await;
    let asked = a.ask("records", json!({"room": den, "since": 0})).await;
    store.reader().await;
    for _ in 0..6 {
        b.system("ping").await;
    }
    store.reads_hang.send_replace(false);
    a.reply(asked).await.unwrap();
    a.ok("rooms", json!({})).await;
    world.stop().await;
}
