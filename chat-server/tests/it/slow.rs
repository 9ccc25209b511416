//! Readers who are too slow, or don't read at all: what becomes of them and of everybody else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Account, Native, PATIENCE, World, config};

const LINE_BYTES: usize = 16 * 1024;

/// More lines than any system holds for somebody who doesn't read.
const MANY_LINES: u64 = 4_000;

/// Ann's room, which Bob has joined and left alone.
async fn den(world: &World) -> (Native, Account, u64, Value) {
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut b = world.connect().await;
    let epoch = b.hello(&bob).await["epoch"].clone();
    b.join(room).await;
    b.leave().await;
    (a, bob, room, epoch)
}

/// Posts this many long lines, and reads what comes; gives the position of the last one.
async fn flood(a: &mut Native, room: u64, lines: usize) -> u64 {
    let body = "x".repeat(LINE_BYTES);
    let mut last = 0;
    let mut left = lines;
    while left > 0 {
        let count = left.min(10);
        left -= count;
        for _ in 1..count {
            a.ask("post", json!({"room": room, "body": body})).await;
        }
        last = a.post(room, &body).await;
        a.rest().await;
    }
    last
}

#[tokio::test]
async fn who_never_reads_is_sent_away_and_comes_back_to_everything() {
    let mut config = config();
    config.server_limits.outbox_bytes_max = 256 * 1024;
    // He is silent for as long as this takes.
    config.server_limits.ping_ms = 3_600_000;
    let world = World::with(config).await;
    let (mut a, bob, room, epoch) = den(&world).await;
    let cat = world.account("cat").await;
    let mut c = world.enter_on(1, &cat).await;
    c.join(room).await;
    let mut stalled = Native::connect_narrowly(world.address).await;
    stalled.hello(&bob).await;
    stalled.synced(room).await;
    let begin = c.event("joined").await["seq"].as_u64().unwrap();

    let mut head = begin;
    let metrics = world.server.node().metrics();
    while metrics.sessions_lagging() == 0 {
        assert!(head < MANY_LINES, "he is never sent away");
        head = flood(&mut a, room, 10).await;
        // Somebody who reads hears each line while the other one stalls.
        while c.event("posted").await["seq"] != head {}
    }
    assert_eq!(metrics.sessions_lagging(), 1, "one was sent away");
    // What he had heard before tells where to go on.
    assert!([4002, 1006].contains(&stalled.closed().await));
    let mut last = begin;
    while let Some(event) = stalled.heard_event() {
        if event["ev"] == "posted" {
            assert_eq!(event["seq"], last + 1);
            last += 1;
        }
    }
    assert!(last < head, "he was sent away in the middle");
    let mut back = world.connect().await;
    back.resume(&bob, json!({ room.to_string(): [epoch, last] }))
        .await;
    for seq in last + 1..=head {
        assert_eq!(back.event_of(room).await["seq"], seq);
    }
    world.stop().await;
}

/// Says hello with positions, and reads nothing until the server has more than leaves it.
async fn come_back(world: &World, a: &mut Native, bob: &Account, positions: Value) -> Native {
    let mut b = Native::connect_narrowly(world.address).await;
    let hello = json!({"token": bob.token, "resume": positions});
    let reads = || world.server.node().metrics().catch_up_reads();
    let before = reads();
    b.ask("hello", hello).await;
    while reads() == before {
        a.ok("limits", json!({})).await;
    }
    // Whichever worker it is answers this only after it has sent what it can.
    let eve = world.account("eve").await;
    for worker in [0, 1] {
        world.connect_on(worker, &eve).await.leave().await;
    }
    b
}

#[tokio::test]
async fn a_long_absence_is_made_up_for_on_one_connection() {
    let mut config = config();
    config.server_limits.outbox_bytes_max = 256 * 1024;
    let world = World::with(config).await;
    let (mut a, bob, room, epoch) = den(&world).await;
    // Many times what may wait for one connection, and what the system holds for it.
    let head = flood(&mut a, room, 900).await;
    let mut b = come_back(
        &world,
        &mut a,
        &bob,
        json!({ room.to_string(): [epoch, 2] }),
    )
    .await;
    for seq in 3..=head {
        assert_eq!(b.event_of(room).await["seq"], seq);
    }
    b.synced(room).await;
    world.stop().await;
}

#[tokio::test]
async fn who_stops_reading_while_catching_up_can_still_be_sent_away() {
    let mut config = config();
    config.server_limits.outbox_bytes_max = 256 * 1024;
    let world = World::with(config).await;
    let (mut a, bob, room, epoch) = den(&world).await;
    flood(&mut a, room, 900).await;
    let b = come_back(
        &world,
        &mut a,
        &bob,
        json!({ room.to_string(): [epoch, 2] }),
    )
    .await;
    let sessions = || world.server.node().metrics().sessions();
    while sessions() > 2 {
        // Those who looked in are on their way out.
        a.ok("limits", json!({})).await;
    }
    let bob_id = bob.id.try_into().unwrap();
    world.server.suspend(bob_id).await.unwrap();
    let began = Instant::now();
    while sessions() > 1 {
        assert!(began.elapsed() < PATIENCE, "he stays");
        // Answered by the same worker, so that this waits for nothing but its turns.
        a.ok("limits", json!({})).await;
    }
    assert_eq!(world.server.node().metrics().sessions_lagging(), 0);
    b.cut();
    world.stop().await;
}

#[tokio::test]
async fn stalled_readers_hold_no_more_than_their_bound_while_a_room_talks() {
    const STALLED: usize = 30;
    let mut config = config();
    config.server_limits.outbox_bytes_max = 64 * 1024;
    config.server_limits.sessions_per_user_max = STALLED + 1;
    // They are silent for as long as this takes.
    config.server_limits.ping_ms = 3_600_000;
    let world = World::with(config).await;
    let (mut a, bob, room, _) = den(&world).await;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut client = Native::connect_narrowly(world.address).await;
        client.hello(&bob).await;
        client.synced(room).await;
        stalled.push(client);
    }
    let began = Instant::now();
    let metrics = world.server.node().metrics();
    while metrics.sessions_lagging() < STALLED as u64 {
        let head = flood(&mut a, room, 10).await;
        assert!(head < MANY_LINES, "they are never sent away");
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the room waits for nobody"
        );
    }
    drop(stalled);
    world.stop().await;
}
