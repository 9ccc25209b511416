//! What is still on its way of somebody who was erased.

use std::sync::Arc;

use chat_core::UserId;
use chat_server::Server;
use chat_server::store::Store;
use serde_json::json;

use super::watched::Watched;
use crate::world::{World, config};

#[tokio::test]
async fn what_waits_of_somebody_who_was_erased_is_heard_without_his_words() {
    let store = Watched::new();
    let mut config = config();
    config.server_limits.append_ms_max = 600_000;
    let watched: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config).store(watched)).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    let mut b = world.enter(&bob).await;
    // He stays a member of what is between two.
    let opened = a.ok("open_direct", json!({"user": bob.id})).await;
    let direct = opened["room"].as_u64().unwrap();
    b.event_of(direct).await;
    a.synced(direct).await;
    let said = a.post(direct, "hello bob").await;
    while a.event_of(direct).await["seq"] != said {}

    store.hangs.send_replace(true);
    for body in ["my secret", "and another"] {
        b.ask("post", json!({"room": direct, "body": body})).await;
    }
    // It has come to the server by then.
    b.ok("limits", json!({})).await;
    world.server.erase_user(UserId::new(bob.id)).await.unwrap();
    store.hangs.send_replace(false);

    let mut later = world.connect().await;
    for seq in [said + 1, said + 2] {
        let event = a.event_of(direct).await;
        assert_eq!(event["seq"], seq, "{event}");
        assert!(event["d"].get("content").is_none(), "{event}");
    }
    let positions = json!({ direct.to_string(): [epoch, said] });
    later.resume(&ann, positions).await;
    later.synced(direct).await;
    while let Some(event) = later.heard_event() {
        assert!(event["d"].get("content").is_none(), "{event}");
    }
    world.stop().await;
}
