//! How a session begins, and all the ways in which it ends without being slow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::Timestamp;
use chat_server::Server;
use chat_server::clock::ManualClock;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use serde_json::json;

use tokio::time::timeout;

use crate::world::{Native, PASSWORD, PATIENCE, Plain, World, by, config, http};

/// How long an end may take that is meant to take less than a second, on a machine that is busy.
const SOON: Duration = Duration::from_secs(5);

/// Asserts that a session ends by this code soon.
async fn ends_soon(client: &mut Native, code: u16) {
    let began = Instant::now();
    assert_eq!(client.closed().await, code);
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn what_ends_a_log_in_ends_its_sessions_within_a_second() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let other = world.log_in("ann").await;

    // A logout ends one log-in, on both workers, and leaves the other.
    let mut here = world.enter_on(0, &ann).await;
    let mut there = world.enter_on(1, &ann).await;
    let mut stays = world.enter_on(1, &other).await;
    assert_eq!(
        by(&world, &ann, "POST", "/v1/auth/logout", "").await.status,
        204
    );
    ends_soon(&mut here, 4501).await;
    ends_soon(&mut there, 4501).await;
    stays.ok("rooms", json!({})).await;
    let again = json!({"token": ann.token});
    assert_eq!(
        world.connect().await.code("hello", again).await,
        "token_invalid"
    );

    // The same by a frame, which is answered.
    let mut second = world.enter_on(0, &other).await;
    stays.ok("logout", json!({"all": true})).await;
    ends_soon(&mut stays, 4501).await;
    ends_soon(&mut second, 4501).await;

    // Another password ends everything.
    let bob = world.account("bob").await;
    let mut b = world.enter_on(1, &bob).await;
    let change = json!({"old": PASSWORD, "new": "battery staple"}).to_string();
    assert_eq!(
        by(&world, &bob, "POST", "/v1/auth/password", &change)
            .await
            .status,
        200
    );
    ends_soon(&mut b, 4501).await;

    let cat = world.account("cat").await;
    let mut c = world.enter_on(0, &cat).await;
    world
        .server
        .suspend(cat.id.try_into().unwrap())
        .await
        .unwrap();
    assert_eq!(c.system("bye").await["code"], 4503);
    ends_soon(&mut c, 4503).await;
    world.stop().await;
}

#[tokio::test]
async fn a_log_in_that_ends_takes_the_sockets_of_older_dialects_along() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    a.create(json!({"name": "Den", "alias": "den"})).await;
    for end in ["logout", "suspension"] {
        let mut old = Plain::connect(world.address, "/").await;
        let who = if end == "logout" { &ann } else { &bob };
        let payload = json!({"name": "x", "roomId": "den", "token": who.token});
        let join = json!({"type": "join", "payload": payload}).to_string();
        let joined = old.ask(&join).await;
        assert_eq!(
            joined,
            r#"{"code":0,"message":"Successfully joined the Room: den"}"#
        );
        let began = Instant::now();
        if end == "logout" {
            assert_eq!(
                by(&world, &ann, "POST", "/v1/auth/logout", "").await.status,
                204
            );
        } else {
            let bob = bob.id.try_into().unwrap();
            world.server.suspend(bob).await.unwrap();
        }
        while old.hear().await.is_ok() {}
        assert!(began.elapsed() < SOON, "{end}");
        let again = Plain::connect(world.address, "/").await.ask(&join).await;
        assert!(again.starts_with(r#"{"code":1,"#), "{again}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_token_runs_out_unless_it_is_refreshed() {
    let mut config = config();
    config.server_limits.token_ms = 100_000;
    config.server_limits.ping_ms = 3_600_000;
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_790_000_000_000)));
    let world = World::started(Server::builder(config).clock(clock.clone())).await;
    let half = || clock.advance(Duration::from_millis(50_000));
    let ann = world.account("ann").await;
    let (mut stays, mut goes) = (world.enter(&ann).await, world.enter(&ann).await);
    half();
    goes.system("token_expiring").await;
    let first = stays.system("token_expiring").await;
    let fresh = world.refreshed(&ann).await;
    stays.ok("refresh", json!({"token": fresh})).await;
    half();
    assert_eq!(goes.closed().await, 4004);
    // Past the end of the first token he is told of the end of the second.
    let second = stays.system("token_expiring").await;
    assert!(second["at"].as_u64() > first["at"].as_u64());
    stays.ok("rooms", json!({})).await;
    half();
    assert_eq!(stays.closed().await, 4004);
    let stranger = world.account("bob").await;
    let mut ann = world.enter(&stranger).await;
    let other = world.account("eve").await;
    assert_eq!(
        ann.code("refresh", json!({"token": other.token})).await,
        "token_invalid"
    );
    world.stop().await;
}

#[tokio::test]
async fn who_does_not_say_hello_in_time_is_sent_away() {
    let mut config = config();
    config.server_limits.hello_ms_max = 2_000;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let mut silent = world.connect().await;
    let mut talker = world.connect().await;
    assert_eq!(
        talker.code("post", json!({"room": 1, "body": "?"})).await,
        "unauthenticated"
    );
    assert_eq!(talker.code("hello", json!({})).await, "unauthenticated");
    assert_eq!(silent.closed().await, 4501);
    assert_eq!(talker.closed().await, 4501);
    assert_eq!(
        a.code("hello", json!({"token": ann.token})).await,
        "bad_frame"
    );
    world.stop().await;
}

#[tokio::test]
async fn nobody_has_more_sessions_than_allowed() {
    let mut config = config();
    config.server_limits.sessions_per_user_max = 2;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let (first, _second) = (world.enter(&ann).await, world.enter_on(1, &ann).await);
    let mut third = world.connect().await;
    let refused = third.refused("hello", json!({"token": ann.token})).await;
    assert_eq!(
        (&refused["code"], &refused["details"]["max"]),
        (&json!("too_many"), &json!(2))
    );
    assert_eq!(third.closed().await, 4506);
    first.leave().await;
    // The place is free as soon as the server has noticed.
    let mut again = world.connect().await;
    while again
        .call("hello", json!({"token": ann.token}))
        .await
        .is_err()
    {
        again = world.connect().await;
    }
    world.stop().await;
}

#[tokio::test]
async fn one_address_has_few_sockets_that_say_nothing() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.silent_sockets_per_address_max = 2;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut first = world.connect().await;
    let mut second = Plain::connect(world.address, "/").await;
    let knock = || http(world.address, "GET", "/v1/ws", &HANDSHAKE, b"");
    let refused = knock().await;
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (429, json!("too_many"))
    );
    // Whoever says who he is makes room for the next one.
    first.hello(&ann).await;
    let third = world.connect().await;
    assert_eq!(knock().await.status, 429);
    let room = first.create(json!({"name": "Den", "alias": "den"})).await;
    second
        .ask(r#"{"type":"join","payload":{"name":"x","roomId":"den"}}"#)
        .await;
    let fourth = world.connect().await;
    assert_eq!(knock().await.status, 429);
    third.leave().await;
    fourth.leave().await;
    first.post(room, "still here").await;
    second.hear().await.unwrap();
    world.stop().await;
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[tokio::test]
async fn a_server_that_is_full_takes_on_nobody_else() {
    let mut config = config();
    config.server_limits.connections_max = 2;
    let world = World::with(config).await;
    let (mut a, mut b) = (world.connect().await, world.connect().await);
    for client in [&mut a, &mut b] {
        client.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    }
    let said = http(world.address, "GET", "/healthz", &[], b"").await;
    assert_eq!(said.status, 503, "a third one was taken on");
    assert_eq!(said.json()["retry_ms"], 1_000);
    a.leave().await;
    while http(world.address, "GET", "/healthz", &[], b"")
        .await
        .status
        != 200
    {}
    b.ok("rooms", json!({})).await;
    world.stop().await;
}

#[tokio::test]
async fn who_goes_on_and_on_too_fast_is_sent_away() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 5;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let mut a = world.connect().await;
    a.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    for _ in 0..4 {
        a.ok("rooms", json!({})).await;
    }
    for _ in 0..250 {
        a.ask("rooms", json!({})).await;
    }
    assert_eq!(a.closed().await, 4005);
    world.stop().await;
}

#[tokio::test]
async fn who_answers_no_ping_is_given_up() {
    let mut config = config();
    config.server_limits.ping_ms = 1_000;
    config.server_limits.pong_ms_max = 2_000;
    let world = World::with(config).await;
    let mut a = world.connect().await;
    a.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    let mut mute = world.connect().await;
    mute.ok("hello", json!({"guest": {"name": "Max"}})).await;
    let sessions = || world.server.node().metrics().sessions();
    // One reads, and so answers pings; the other doesn't even do that.
    while sessions() == 2 {
        a.system("ping").await;
    }
    a.ok("rooms", json!({})).await;
    assert_eq!(mute.closed().await, 4003);
    world.stop().await;
}

/// Makes a room without being in it.
async fn make(client: &mut Native, name: &str) -> u64 {
    let wish = json!({"name": name, "join": false});
    client.ok("create_room", wish).await["room"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_hello_that_comes_to_nothing_may_be_said_again() {
    let mut config = config();
    config.server_limits.rooms_per_session_max = 1;
    config.server_limits.sessions_per_user_max = 1;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut client = world.connect().await;
    client.ok("hello", json!({"token": ann.token})).await;
    let one = make(&mut client, "one").await;
    let two = make(&mut client, "two").await;
    client.leave().await;

    let mut client = world.connect().await;
    let too_many = json!({"token": ann.token, "subscribe": [one, two]});
    assert_eq!(client.code("hello", too_many).await, "too_many");
    assert_eq!(client.code("rooms", json!({})).await, "unauthenticated");
    let fewer = json!({"token": ann.token, "subscribe": [two]});
    let welcome = client.ok("hello", fewer).await;
    assert_eq!(welcome["rooms"][two.to_string()]["st"], "new");
    client.post(two, "here").await;
}

#[tokio::test]
async fn a_guest_is_a_member_until_a_day_after_he_was_last_here() {
    let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
    let start = Timestamp::new(1_790_000_000_000);
    let world = World::on(&store, start).await;
    let ann = world.account("ann").await;
    let mut owner = world.enter(&ann).await;
    let room = owner.create(json!({"name": "den"})).await;
    let mut guest = world.connect().await;
    guest.ok("hello", json!({"guest": {"name": "gus"}})).await;
    guest.join(room).await;
    guest.leave().await;
    world.stop().await;

    for (hours, members) in [(23, 2), (25, 1)] {
        let world = World::on(&store, start.plus_ms(hours * 60 * 60 * 1000)).await;
        let ann = world.log_in("ann").await;
        let mut owner = world.enter(&ann).await;
        // What is past its time ends when the server starts, in its own time.
        let as_many = async {
            loop {
                let there = owner.ok("members", json!({"room": room})).await;
                if there["items"].as_array().unwrap().len() == members {
                    return;
                }
            }
        };
        timeout(PATIENCE, as_many).await.unwrap();
        world.stop().await;
    }
}
