//! How long, and how often: on a clock that stands still until it is told to go on.

use std::sync::Arc;
use std::time::Duration;

use chat_core::Timestamp;
use chat_core::limits::POST_REFILL_MS;
use chat_server::Server;
use chat_server::clock::ManualClock;
use chat_server::config::Config;
use serde_json::json;

use crate::world::{Native, World, by, config, http};

/// A server on such a clock.
async fn timed(config: Config) -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_800_000_000_000)));
    let server = Server::builder(config).clock(clock.clone());
    (World::started(server).await, clock)
}

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

async fn wait_ms(client: &mut Native, op: &str, d: serde_json::Value) -> u64 {
    let refused = client.refused(op, d).await;
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    refused["retry_ms"].as_u64().unwrap()
}

#[tokio::test]
async fn posts_have_a_budget_that_fills_again_to_the_millisecond() {
    let mut config = config();
    config.limits.posts_limited = true;
    config.limits.posts_burst = 4;
    let (world, clock) = timed(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let post = || json!({"room": room, "body": "x"});
    for _ in 0..4 {
        a.ok("post", post()).await;
    }
    assert_eq!(wait_ms(&mut a, "post", post()).await, POST_REFILL_MS);
    clock.advance(ms(POST_REFILL_MS - 1));
    assert_eq!(wait_ms(&mut a, "post", post()).await, 1);
    clock.advance(ms(1));
    a.ok("post", post()).await;
    wait_ms(&mut a, "post", post()).await;
    // Another connection of hers has no other budget, over another transport neither.
    let mut again = world.enter(&ann).await;
    wait_ms(&mut again, "post", post()).await;
    let line = json!({"id": 1, "op": "post", "d": post()}).to_string();
    let said = by(&world, &ann, "POST", "/v1/cmd", &line).await;
    assert!(said.body.contains("rate_limited"), "{}", said.body);
    world.stop().await;

    let mut config = crate::world::config();
    config.limits.posts_burst = 4;
    let (world, _) = timed(config).await;
    let mut a = world.enter(&world.account("ann").await).await;
    let room = a.create(json!({"name": "Den"})).await;
    for _ in 0..20 {
        a.post(room, "x").await;
    }
    world.stop().await;
}

#[tokio::test]
async fn commands_have_a_budget_that_fills_again_to_the_millisecond() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 5;
    config.server_limits.command_refill_ms = 1_000;
    let (world, clock) = timed(config).await;
    let mut a = world.connect().await;
    a.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    for _ in 0..4 {
        a.ok("limits", json!({})).await;
    }
    assert_eq!(wait_ms(&mut a, "limits", json!({})).await, 1_000);
    clock.advance(ms(999));
    assert_eq!(wait_ms(&mut a, "limits", json!({})).await, 1);
    clock.advance(ms(1));
    a.ok("limits", json!({})).await;
    assert_eq!(wait_ms(&mut a, "limits", json!({})).await, 1_000);
    world.stop().await;
}

#[tokio::test]
async fn what_the_guests_of_an_address_do_is_one_budget() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 1_000;
    config.server_limits.guests_burst = 3;
    config.server_limits.guest_refill_ms = 5_000;
    config.server_limits.guest_joins_burst = 2;
    config.server_limits.guest_join_refill_ms = 7_000;
    config.server_limits.guest_commands_burst = 40;
    config.server_limits.guest_command_refill_ms = 1_000;
    let (world, clock) = timed(config).await;
    let mut a = world.enter(&world.account("ann").await).await;
    let rooms = [
        a.create(json!({"name": "Den"})).await,
        a.create(json!({"name": "Hall"})).await,
    ];
    let hello = || json!({"guest": {"name": "Gus"}});
    let mut guests = Vec::new();
    for _ in 0..2 {
        let mut guest = world.connect().await;
        guest.ok("hello", hello()).await;
        guests.push(guest);
    }
    let admit = async || {
        let body = br#"{"name":"Zoe"}"#;
        http(world.address, "POST", "/v1/auth/guest", &[], body).await
    };
    // One more, by another door; then none.
    assert_eq!(admit().await.status, 200);
    let refused = admit().await;
    assert_eq!(
        (refused.status, refused.json()["retry_ms"].as_u64()),
        (429, Some(5_000))
    );
    let mut third = world.connect().await;
    assert_eq!(wait_ms(&mut third, "hello", hello()).await, 5_000);
    clock.advance(ms(5_000));
    third.ok("hello", hello()).await;

    let join = |room: u64| json!({"room": room});
    guests[0].ok("join", join(rooms[0])).await;
    guests[1].ok("join", join(rooms[0])).await;
    assert_eq!(wait_ms(&mut guests[0], "join", join(rooms[1])).await, 7_000);
    a.ok("join", join(rooms[1])).await;
    clock.advance(ms(7_000));
    guests[0].ok("join", join(rooms[1])).await;

    // Four were given of 40, and in the last seven seconds as many came back.
    let mut given = 0;
    for guest in &mut guests {
        while guest.call("limits", json!({})).await.is_ok() {
            given += 1;
            assert!(given < 100);
        }
    }
    assert_eq!(given, 40 - 4 + 7);
    assert_eq!(wait_ms(&mut third, "limits", json!({})).await, 1_000);
    a.ok("limits", json!({})).await;
    world.stop().await;
}

#[tokio::test]
async fn a_message_may_be_edited_up_to_the_last_millisecond() {
    let mut config = config();
    config.limits.edit_window_ms = 5_000;
    let (world, clock) = timed(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let message = a.post(room, "first").await;
    let edit = |body: &str| json!({"room": room, "message": message, "body": body});
    for (advance, body, granted) in [
        (4_999, "second", true),
        (1, "third", true),
        (1, "fourth", false),
    ] {
        clock.advance(ms(advance));
        let edited = a.call("edit", edit(body)).await;
        assert_eq!(edited.is_ok(), granted, "{body}: {edited:?}");
        if let Err(refusal) = edited {
            assert_eq!(refusal["code"], "edit_window_closed");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn tokens_and_log_ins_end_to_the_second() {
    let mut config = config();
    config.server_limits.token_ms = 10_000;
    config.server_limits.grant_ms = 20_000;
    config.server_limits.guest_token_ms = 30_000;
    let (world, clock) = timed(config).await;
    let ann = world.account("ann").await;
    let mut guest = world.connect().await;
    let welcome = guest.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    let guest_token = welcome["guest_token"].clone();
    let status = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let line = r#"{"id":1,"op":"limits"}"#;
        http(world.address, "POST", "/v1/cmd", &headers, line.as_bytes())
            .await
            .status
    };
    let refresh = async || {
        let body = json!({"refresh_token": ann.refresh}).to_string();
        http(
            world.address,
            "POST",
            "/v1/auth/refresh",
            &[],
            body.as_bytes(),
        )
        .await
    };
    assert_eq!(status(&ann.token).await, 200);
    clock.advance(ms(9_000));
    assert_eq!(status(&ann.token).await, 200);
    clock.advance(ms(1_000));
    assert_eq!(status(&ann.token).await, 401);
    clock.advance(ms(9_000));
    let guest_token = guest_token.as_str().unwrap();
    assert_eq!(status(guest_token).await, 200);
    clock.advance(ms(1_000));
    assert_eq!(refresh().await.status, 401);
    clock.advance(ms(9_000));
    assert_eq!(status(guest_token).await, 200);
    clock.advance(ms(1_000));
    assert_eq!(status(guest_token).await, 401);
    world.stop().await;
}
