//! Much of everything that a room and a session hold: bounds that are told when they are reached.

use serde_json::json;

use super::{Canary, many};
use crate::world::{Native, World, config};

#[tokio::test]
async fn a_session_hears_as_many_rooms_as_it_may_and_is_told_when_there_are_no_more() {
    let rooms = many("SWARM", 60);
    let mut config = config();
    config.limits.rooms_created_a_day_max = 10 * rooms as u64;
    config.limits.rooms_joined_max = 10 * rooms as u64;
    config.server_limits.rooms_per_session_max = rooms;
    let world = World::with(config).await;
    let mut canary = Canary::at(world.address).await;
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    a.ok("hello", json!({"token": ann.token})).await;
    let mut made = Vec::new();
    for room in 0..=rooms {
        let room = a
            .ok("create_room", json!({"name": format!("room {room}")}))
            .await;
        made.push(room["room"].clone());
    }
    // Whoever follows what he makes has as many seats; the last room has none.
    let mut b = world.connect().await;
    b.ok("hello", json!({"token": ann.token})).await;
    for part in made[..rooms].chunks(20) {
        b.ok("subscribe", json!({"rooms": part})).await;
    }
    let refused = b
        .refused("subscribe", json!({"rooms": [made[rooms]]}))
        .await;
    assert_eq!(
        (&refused["code"], &refused["details"]["max"]),
        (&json!("too_many"), &json!(rooms))
    );
    // It goes on in those that it has, and has another one for one that it lets go.
    b.ok("unsubscribe", json!({"rooms": [made[0]]})).await;
    b.ok("subscribe", json!({"rooms": [made[rooms]]})).await;
    let again = b.code("subscribe", json!({"rooms": [made[0]]})).await;
    assert_eq!(again, "too_many");
    // The same rooms again and again are no more rooms.
    for _ in 0..5 {
        for part in made[1..].chunks(20) {
            b.ok("subscribe", json!({"rooms": part})).await;
        }
    }
    canary.sings().await;
    world.stop().await;
}

#[tokio::test]
async fn thousands_of_commands_at_once_are_answered_one_by_one() {
    let commands = many("SWARM", 60) * 50;
    let world = World::new().await;
    let mut canary = Canary::at(world.address).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut lines = String::new();
    for id in 0..commands {
        let d = json!({"room": room, "body": format!("line {id}")});
        lines.push_str(&json!({"id": 10_000 + id, "op": "post", "d": d}).to_string());
        lines.push('\n');
        // Nearly as many as one frame may hold.
        if id % 900 == 899 {
            a.send(std::mem::take(&mut lines)).await;
            canary.sings().await;
        }
    }
    a.send(lines).await;
    let mut taken = 0;
    for id in 0..commands as u64 {
        match a.reply(10_000 + id).await {
            Ok(_) => taken += 1,
            Err(refusal) => assert_eq!(refusal["code"], "unavailable", "{refusal}"),
        }
    }
    assert!(taken > 0);
    canary.sings().await;
    world.stop().await;
}

#[tokio::test]
async fn signals_without_number_are_slowed_down_and_never_pile_up() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.limits.posts_limited = false;
    config.server_limits.commands_burst = 100;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut b = world.enter(&bob).await;
    b.join(room).await;
    let typing = |on: bool| json!({"room": room, "on": on});
    for number in 0..250 {
        b.ask("typing", typing(number % 2 == 0)).await;
    }
    let mut refused = 0;
    for id in 3..=252_u64 {
        match b.reply(id).await {
            Ok(_) => {}
            Err(refusal) => {
                assert_eq!(refusal["code"], "rate_limited", "{refusal}");
                assert!(refusal["retry_ms"].as_u64().is_some_and(|ms| ms > 0));
                refused += 1;
            }
        }
    }
    // Hello and join came before.
    assert_eq!(refused, 250 - 98);
    let signals = a
        .rest()
        .await
        .into_iter()
        .filter(|frame| frame["sig"] == "typing")
        .count();
    assert!((1..=98).contains(&signals), "{signals} were heard");
    world.stop().await;
}

#[tokio::test]
async fn reactions_come_to_an_end_and_say_so() {
    let mut config = config();
    config.limits.reactions_max = 45;
    let world = World::with(config).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    let message = a.post(room, "react to this").await;
    let react =
        |number: usize| json!({"room": room, "message": message, "reaction": format!("r{number}")});
    let distinct = chat_core::Limits::default().reactions_distinct_max;
    let mut granted = 0;
    for number in 0..many("SWARM", 60) * 30 {
        match a.call("react", react(number)).await {
            Ok(_) => granted += 1,
            Err(refusal) => {
                assert_eq!(refusal["code"], "too_many", "{refusal}");
                assert_eq!(refusal["details"]["max"], distinct);
            }
        }
    }
    assert_eq!(granted, distinct);
    // What is there already may be shared, up to the other bound.
    for number in 0..distinct {
        b.ok("react", react(number)).await;
    }
    a.post(room, "still here").await;
    world.stop().await;
}

#[tokio::test]
async fn who_comes_and_goes_without_end_leaves_nothing_behind() {
    let world = World::new().await;
    let mut canary = Canary::at(world.address).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    a.ok("subscribe", json!({"rooms": [room]})).await;
    for turn in 0..many("SWARM", 60) {
        let mut guest = world.connect().await;
        guest
            .ok("hello", json!({"guest": {"name": format!("guest {turn}")}}))
            .await;
        guest.ok("join", json!({"room": room})).await;
        guest
            .ok(
                "set_status",
                json!({"status": "away", "text": "x".repeat(100)}),
            )
            .await;
        guest.ok("typing", json!({"room": room, "on": true})).await;
        guest.ok("leave", json!({"room": room})).await;
        guest.leave().await;
    }
    let here = a.ok("presence", json!({"room": room})).await;
    assert_eq!(here["items"].as_array().unwrap().len(), 1, "{here}");
    let sessions = world.server.node().metrics().sessions();
    // Ann's, and the canary's two: the last guest may still be on his way out.
    assert!((3..=4).contains(&sessions), "{sessions}");
    canary.sings().await;
    world.stop().await;
}

/// Only to be sure of what the numbers above stand for.
#[tokio::test]
async fn what_clients_are_told_of_bounds_is_what_is_enforced() {
    let mut config = config();
    config.server_limits.rooms_per_session_max = 17;
    let world = World::with(config).await;
    let mut a = Native::connect(world.address).await;
    let welcome = a.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    assert_eq!(welcome["limits"]["rooms_per_session_max"], 17, "{welcome}");
    world.stop().await;
}
