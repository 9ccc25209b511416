//! Servers on one PostgreSQL database, each with connections of its own.

use super::*;
use crate::postgres::{self, open};

/// Two servers, and no bus between them: each finds out by itself that it isn't alone.
async fn apart(url: &str) -> [World; 2] {
    let mut config = config();
    config.server_limits.poll_ms = 20;
    let node = |store| World::started(Server::builder(config.clone()).store(store));
    [
        node(Arc::new(open(url))).await,
        node(Arc::new(open(url))).await,
    ]
}

#[tokio::test]
async fn two_nodes_on_one_database_are_one_chat() {
    let Some(server) = postgres::shared("two_nodes_on_one_database_are_one_chat") else {
        return;
    };
    let url = server.schema().await;
    let stores: [Arc<dyn Store>; 2] = [Arc::new(open(&url)), Arc::new(open(&url))];
    let pair = Pair::each_over(stores, config(), 3).await;
    let (_, bob, mut a, mut b, room) = den(&pair).await;
    talk(&mut a, &mut b, room, 2, 30).await;
    let kick = json!({"room": room, "user": bob.id});
    a.ok("kick", kick).await;
    assert_eq!(
        b.code("post", json!({"room": room, "body": "?"})).await,
        "not_a_member"
    );
    pair.stop().await;
}

#[tokio::test]
async fn without_any_bus_nodes_find_each_other_in_the_database() {
    let Some(server) = postgres::shared("without_any_bus_nodes_find_each_other") else {
        return;
    };
    let [one, two] = apart(&server.schema().await).await;
    let (ann, bob) = (one.account("ann").await, two.account("bob").await);
    let (mut a, mut b) = (one.enter(&ann).await, two.enter(&bob).await);
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    assert_eq!(a.event("joined").await["by"]["id"], bob.id);
    b.event("joined").await;
    talk(&mut a, &mut b, room, 2, 20).await;
    // Where he stood at the one node, he goes on at the other.
    let epoch = one.connect().await.hello(&ann).await["epoch"].clone();
    let mut moved = two.connect().await;
    let at = json!({ room.to_string(): [epoch, 40] });
    let welcome = moved.resume(&ann, at).await;
    assert_eq!(welcome["rooms"][room.to_string()]["st"], "ok", "{welcome}");
    assert_eq!(heard(&mut moved, room, 42).await.len(), 2);
    one.stop().await;
    two.stop().await;
}

/// Posts the same again until it is taken.
pub(super) async fn post_in_the_end(client: &mut Native, room: u64, body: &str) -> u64 {
    let began = Instant::now();
    loop {
        let d = json!({"room": room, "body": body, "cid": body});
        match client.call("post", d).await {
            Ok(done) => return done["seq"].as_u64().unwrap(),
            Err(refusal) => assert_eq!(refusal["code"], "storage_unavailable", "{refusal}"),
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it doesn't recover"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn when_the_database_dies_and_comes_back_so_do_the_rooms() {
    let Some(mut server) = postgres::own("when_the_database_dies_and_comes_back") else {
        return;
    };
    let [one, two] = apart(&server.schema().await).await;
    let (ann, bob) = (one.account("ann").await, two.account("bob").await);
    let (mut a, mut b) = (one.enter(&ann).await, two.enter(&bob).await);
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    a.event("joined").await;
    b.event("joined").await;
    talk(&mut a, &mut b, room, 2, 5).await;
    for round in 0..2 {
        server.die();
        let post = json!({"room": room, "body": "?", "cid": format!("lost {round}")});
        assert_eq!(a.code("post", post.clone()).await, "storage_unavailable");
        assert_eq!(b.code("post", post).await, "storage_unavailable");
        server.go_on();
        // Nobody has to come back for it, and what was acknowledged is there, once.
        let seq = post_in_the_end(&mut a, room, &format!("again {round}")).await;
        assert_eq!(seq, 13 + 2 * round);
        let seq = post_in_the_end(&mut b, room, &format!("and again {round}")).await;
        assert_eq!(seq, 14 + 2 * round);
    }
    let (by_a, by_b) = (heard(&mut a, room, 16).await, heard(&mut b, room, 16).await);
    let order = |heard: &[(u64, Value)]| heard.iter().map(|(seq, _)| *seq).collect::<Vec<_>>();
    assert_eq!(order(&by_a), [13, 14, 15, 16]);
    assert_eq!(order(&by_b), [13, 14, 15, 16]);
    one.stop().await;
    two.stop().await;
}
