//! Everybody comes back at once: rooms are read for all of them together.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chat_core::UserId;
use chat_server::store::Store;
use chat_server::{Builder, Server};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::watched::Watched;
use super::{Canary, many};
use crate::world::{Account, Native, World, config};

const ROOMS: usize = 4;

/// Lines of each room: as many as one who comes back may have missed, and more.
const LINES: usize = 300;

/// Everybody has one account, so that what is counted is reads of rooms.
fn server(store: &Arc<Watched>, clients: usize) -> Builder {
    let mut config = config();
    config.server_limits.sessions_per_user_max = clients + 10;
    let store: Arc<dyn Store> = store.clone();
    Server::builder(config).store(store)
}

/// Ann's rooms, with lines in each, and the epoch in which they were said.
async fn rooms(world: &World) -> (Native, Account, Vec<u64>, Value) {
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    let mut rooms = Vec::new();
    for room in 0..ROOMS {
        let room = a.create(json!({"name": format!("room {room}")})).await;
        for _ in 1..LINES {
            a.ask("post", json!({"room": room, "body": "said"})).await;
        }
        a.post(room, "the last one").await;
        a.rest().await;
        rooms.push(room);
    }
    (a, ann, rooms, epoch)
}

/// Comes back to all rooms from these positions; gives how often each line was heard in order.
async fn come_back(
    world: &World,
    ann: &Account,
    positions: Value,
    upto: Vec<(u64, u64)>,
) -> Native {
    let mut client = world.connect().await;
    let hello = json!({"token": ann.token, "resume": positions});
    let id = client.ask("hello", hello).await;
    client.reply(id).await.unwrap();
    for (room, seq) in upto {
        let from = positions[room.to_string()][1].as_u64().unwrap();
        for due in from + 1..=seq {
            assert_eq!(client.event_of(room).await["seq"], due);
        }
        assert!(client.synced(room).await >= seq);
    }
    client
}

#[tokio::test]
async fn everybody_comes_back_at_once_and_each_room_is_read_once_a_second() {
    let clients = many("CLIENTS", 200);
    let store = Watched::new();
    let world = World::started(server(&store, clients)).await;
    let mut canary = Canary::at(world.address).await;
    let (mut a, ann, rooms, epoch) = rooms(&world).await;
    let head = LINES as u64 + 1;
    store.reads();
    let began = Instant::now();
    let back = (0..clients).map(|client| {
        let positions: serde_json::Map<_, _> = rooms
            .iter()
            .map(|room| {
                // Everybody was cut off somewhere else.
                let missed = (client as u64 * 7 + room * 3) % 60;
                (room.to_string(), json!([epoch, head - missed]))
            })
            .collect();
        let upto = rooms.iter().map(|room| (*room, head)).collect();
        come_back(&world, &ann, positions.into(), upto)
    });
    let storm = async {
        let mut back: Vec<_> = back.collect();
        let mut here = Vec::new();
        // Many at once, but no more than there are descriptors for handshakes.
        while !back.is_empty() {
            let rest = back.split_off(back.len().min(500));
            here.extend(join_all(std::mem::replace(&mut back, rest)).await);
        }
        here
    };
    // Meanwhile the rooms go on.
    let talk = async {
        for line in 0..40 {
            for room in &rooms {
                a.post(*room, &format!("meanwhile {line}")).await;
            }
            canary.sings().await;
        }
    };
    let (mut here, ()) = tokio::join!(storm, talk);
    let seconds = began.elapsed().as_secs() + 1;
    let reads = store.reads();
    println!("{clients} clients came back in {seconds} s; reads of each room: {reads:?}");
    for (room, reads) in &reads {
        assert!(
            *reads as u64 <= seconds + 4,
            "{room}: {reads} reads in {seconds} s"
        );
    }
    for room in &rooms {
        let last = a.post(*room, "everybody hears this").await;
        for client in &mut here {
            while client.event_of(*room).await["seq"] != last {}
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn what_was_deleted_is_read_without_its_words_by_whoever_comes_right_after() {
    let store = Watched::new();
    let world = World::started(server(&store, 4)).await;
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    let room = a.create(json!({"name": "Den"})).await;
    let said = a.post(room, "a secret").await;
    let positions = json!({ room.to_string(): [epoch, 1] });
    // This one makes the room be read, and its lines be remembered for a moment.
    let mut first = world.connect().await;
    first.resume(&ann, positions.clone()).await;
    first.synced(room).await;
    let deleted = a.ok("delete", json!({"room": room, "message": said})).await;
    let mut second = world.connect().await;
    second.resume(&ann, positions).await;
    assert_eq!(second.synced(room).await, deleted["seq"]);
    while let Some(event) = second.heard_event() {
        assert!(!event.to_string().contains("a secret"), "{event}");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_an_erased_person_said_is_read_without_his_words_by_whoever_comes_right_after() {
    // Where somebody sits in the room, what was said is found with the worker that heard it, and
    // else with those who read it before.
    for somebody_sits in [false, true] {
        let store = Watched::new();
        let mut config = config();
        config.workers = NonZeroUsize::new(1);
        let held: Arc<dyn Store> = store.clone();
        let world = World::started(Server::builder(config).store(held)).await;
        let (ann, bob) = (world.account("ann").await, world.account("bob").await);
        let mut a = world.connect().await;
        let epoch = a.hello(&ann).await["epoch"].clone();
        let room = a.create(json!({"name": "Den"})).await;
        let mut b = world.enter(&bob).await;
        b.join(room).await;
        if !somebody_sits {
            b.leave().await;
        }
        let said = a.post(room, "a secret").await;
        let positions = json!({ room.to_string(): [epoch, said - 1] });
        a.leave().await;
        let mut first = world.connect().await;
        first.resume(&bob, positions.clone()).await;
        assert_eq!(
            first.event("posted").await["d"]["content"]["body"],
            "a secret"
        );
        first.synced(room).await;
        world.server.erase_user(UserId::new(ann.id)).await.unwrap();
        let mut second = world.connect().await;
        second.resume(&bob, positions).await;
        assert!(second.synced(room).await > said);
        while let Some(event) = second.heard_event() {
            assert!(!event.to_string().contains("a secret"), "{event}");
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn who_can_not_be_told_what_he_missed_is_sent_away_with_4006_and_comes_again() {
    let store = Watched::new();
    let world = World::started(server(&store, 4)).await;
    let (mut a, ann, rooms, epoch) = rooms(&world).await;
    let positions = json!({ rooms[0].to_string(): [epoch, 5] });
    store.fails.store(true, Ordering::SeqCst);
    let mut b = world.connect().await;
    b.resume(&ann, positions.clone()).await;
    let bye = b.system("bye").await;
    assert_eq!(bye["code"], 4006);
    assert!(bye["retry_ms"].as_u64().is_some_and(|ms| ms > 0), "{bye}");
    assert_eq!(b.closed().await, 4006);
    store.fails.store(false, Ordering::SeqCst);
    let mut again = world.connect().await;
    again.resume(&ann, positions).await;
    for seq in 6..=LINES as u64 + 1 {
        assert_eq!(again.event_of(rooms[0]).await["seq"], seq);
    }
    a.post(rooms[0], "still here").await;
    world.stop().await;
}

#[tokio::test]
async fn at_three_times_what_it_can_do_it_refuses_in_words_and_keeps_what_it_took() {
    const MAILBOX: usize = 32;
    let store = Watched::new();
    let mut config = config();
    config.server_limits.mailbox_requests_max = MAILBOX;
    config.server_limits.batch_requests_max = MAILBOX;
    config.server_limits.append_ms_max = 600_000;
    let held: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config).store(held)).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(world.enter(&ann).await);
        others.last_mut().unwrap().synced(room).await;
    }
    others.push(a);
    // Nothing is done from here on, while work comes at any rate.
    store.hangs.send_replace(true);
    let offered = 3 * 3 * MAILBOX;
    let mut asked = Vec::new();
    for number in 0..offered {
        let who = number % others.len();
        let d = json!({"room": room, "body": format!("line {number}"), "cid": format!("{number}")});
        asked.push((who, number, others[who].ask("post", d).await));
    }
    // Whoever is refused hears of it at once, though nothing moves.
    let refused_at_least = offered - 3 * MAILBOX;
    let refused = &world.server.node().metrics();
    let began = Instant::now();
    while shown(refused) < refused_at_least as u64 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{} refused",
            shown(refused)
        );
        tokio::task::yield_now().await;
    }
    store.hangs.send_replace(false);
    let (mut taken, mut again) = (0, Vec::new());
    for (who, number, id) in asked {
        match others[who].reply(id).await {
            Ok(_) => taken += 1,
            Err(refusal) => {
                assert_eq!(refusal["code"], "unavailable", "{refusal}");
                assert!(
                    refusal["retry_ms"].as_u64().is_some_and(|ms| ms > 0),
                    "{refusal}"
                );
                again.push((who, number));
            }
        }
    }
    println!("offered {offered}, taken {taken} with a mailbox of {MAILBOX}");
    assert!(
        (MAILBOX..=3 * MAILBOX).contains(&taken),
        "{taken} were taken"
    );
    // Sent again, everything is there once.
    for (who, number) in again {
        let d = json!({"room": room, "body": format!("line {number}"), "cid": format!("{number}")});
        others[who].ok("post", d).await;
    }
    let head = others[0].post(room, "the end").await;
    assert_eq!(head, 2 + offered as u64);
    world.stop().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_given_up_when_its_time_is_over() {
    let store = Watched::new();
    let mut config = config();
    config.server_limits.append_ms_max = 1_000;
    let held: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config).store(held)).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    store.hangs.send_replace(true);
    let began = Instant::now();
    let refused = a.refused("post", json!({"room": room, "body": "?"})).await;
    assert_eq!(refused["code"], "storage_unavailable", "{refused}");
    assert!(
        refused["retry_ms"].as_u64().is_some_and(|ms| ms > 0),
        "{refused}"
    );
    assert!(began.elapsed() >= Duration::from_secs(1));
    store.hangs.send_replace(false);
    while a
        .call("post", json!({"room": room, "body": "again"}))
        .await
        .is_err()
    {}
    world.stop().await;
}

/// Refusals so far, as operators see them.
fn shown(metrics: &chat_server::metrics::Metrics) -> u64 {
    let name = r#"chat_requests_refused_total{class="server"} "#;
    let text = metrics.encode();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0, |value| value.parse().unwrap())
}
