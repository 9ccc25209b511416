//! Two nodes that write into one large room at the same time: both get on.

use super::*;
use crate::postgres::{self, open};
use chat_core::Record;
use chat_server::store::{Append, Appended};

/// Has so many others join a room, past any server.
async fn fill(store: &dyn Store, room: u64, members: u64) {
    let den = RoomId::new(room);
    let mut state = store.load(den).await.unwrap().unwrap();
    let after = state.head_seq;
    let joined = |number: u64| {
        let (seq, user) = (after.number() + number, 1_000_000 + number);
        let joined = json!({
            "room": room, "seq": seq, "at": 1, "by": {"id": user, "name": format!("u{number}")},
            "ev": "joined", "d": {"way": "open", "role": "member"},
        });
        Arc::new(serde_json::from_value::<Record>(joined).unwrap())
    };
    let records: Vec<Arc<Record>> = (1..=members).map(joined).collect();
    for record in &records {
        state.follow(record).unwrap();
    }
    let append = Append {
        room: den,
        after,
        epoch: None,
        records,
        snapshot: Some(Box::new(state)),
    };
    assert_eq!(store.append(vec![append]).await.unwrap(), [Appended::Done]);
}

/// Posts line after line, some at a time, until it is over; how many were taken, how many refused, and
/// how long the slowest took.
async fn chatter(
    client: &mut Native,
    room: u64,
    at_once: usize,
    until: Instant,
) -> (u64, u64, Duration) {
    let (mut taken, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    while Instant::now() < until {
        let mut asked = Vec::new();
        let began = Instant::now();
        for _ in 0..at_once {
            asked.push(
                client
                    .ask("post", json!({"room": room, "body": "hello"}))
                    .await,
            );
        }
        for id in asked {
            match client.reply(id).await {
                Ok(_) => taken += 1,
                Err(_) => refused += 1,
            }
            slowest = slowest.max(began.elapsed());
        }
        drop(client.rest().await);
    }
    (taken, refused, slowest)
}

#[tokio::test]
async fn two_nodes_write_into_one_large_room_and_neither_starves() {
    let Some(server) = postgres::shared("two_nodes_write_into_one_large_room") else {
        return;
    };
    let number = |name: &str, else_: u64| {
        let said = std::env::var(name).ok();
        said.and_then(|it| it.parse().ok()).unwrap_or(else_)
    };
    let (members, seconds) = (number("MEMBERS", 200), number("SECONDS", 1));
    let url = server.schema().await;
    let stores: [Arc<dyn Store>; 2] = [Arc::new(open(&url)), Arc::new(open(&url))];
    let mut config = config();
    config.limits.posts_limited = false;
    let pair = Pair::each_over(stores.clone(), config, 0).await;
    let (ann, bob) = (pair.one.account("ann").await, pair.two.account("bob").await);
    let room = pair
        .one
        .enter(&ann)
        .await
        .create(json!({"name": "Den"}))
        .await;
    pair.two.enter(&bob).await.join(room).await;
    fill(&*stores[0], room, members).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push((0, pair.one.enter(&ann).await));
        clients.push((1, pair.two.enter(&bob).await));
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut talks = Vec::new();
    for (side, mut client) in clients {
        let talk = async move { chatter(&mut client, room, 4, until).await };
        talks.push((side, tokio::spawn(talk)));
    }
    for (side, talk) in talks {
        let (taken, refused, slowest) = talk.await.unwrap();
        println!("node {side}: {taken} taken, {refused} refused, slowest {slowest:?}");
        assert!(taken > 0);
    }
    pair.stop().await;
}
