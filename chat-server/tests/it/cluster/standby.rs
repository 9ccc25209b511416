//! A standby takes over that had not heard everything, and servers that live through it: what was
//! lost is nobody's state any more, and nobody goes on from it.

use super::postgres::post_in_the_end;
use super::*;
use crate::postgres::{self, Server as Database, open};

/// A server, and how often it looks into the store.
async fn node(url: &str, poll_ms: u64) -> World {
    let mut config = config();
    config.server_limits.poll_ms = poll_ms;
    World::started(Server::builder(config).store(Arc::new(open(url)))).await
}

/// What is said in a room from its first message on, and how each is numbered there.
async fn history(client: &mut Native, room: u64) -> Vec<(u64, u64, String)> {
    let page = client.ok("history", json!({"room": room})).await;
    let items = page["items"].as_array().unwrap().iter();
    let body = |it: &Value| {
        it["content"]["body"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let number = |it: &Value, what: &str| it[what].as_u64().unwrap();
    items
        .map(|it| (number(it, "seq"), number(it, "idx"), body(it)))
        .collect()
}

/// Has a standby take over that hears nothing of these deeds.
async fn lose(database: &mut Database, deeds: impl AsyncFnOnce()) {
    database.keep_copy();
    deeds().await;
    database.die();
    database.take_copy();
    database.go_on();
}

#[tokio::test]
async fn whoever_stood_on_what_was_lost_comes_again_and_hears_what_is() {
    // One looks often, the other not at all: it finds out by what it wants to say.
    for poll_ms in [50, 600_000] {
        let Some(mut database) = postgres::own("whoever_stood_on_what_was_lost") else {
            return;
        };
        let url = database.schema().await;
        let (one, before) = (node(&url, poll_ms).await, node(&url, 600_000).await);
        let (ann, bob) = (one.account("ann").await, one.account("bob").await);
        let eve = one.account("eve").await;
        let (mut a, mut b) = (one.enter(&ann).await, before.enter(&bob).await);
        let mut e = one.enter(&eve).await;
        let room = a.create(json!({"name": "Den"})).await;
        b.join(room).await;
        let quiet = a.create(json!({"name": "Quiet"})).await;
        a.post(room, "kept").await;
        before.stop().await;

        let epoch = one.connect().await.hello(&ann).await["epoch"].clone();
        lose(&mut database, async || {
            post_in_the_end(&mut a, room, "lost").await;
            e.join(room).await;
            post_in_the_end(&mut a, room, "lost too").await;
        })
        .await;
        let other = node(&url, 600_000).await;
        let mut b = other.enter(&bob).await;
        for body in ["true", "as true", "and so on"] {
            b.post(room, body).await;
        }
        if poll_ms > 1_000 {
            let post = json!({"room": room, "body": "?", "cid": "?"});
            a.ask("post", post).await;
        }
        assert_eq!((a.closed().await, e.closed().await), (4002, 4002));

        let mut a = one.connect().await;
        let at = json!({ room.to_string(): [epoch, 6], quiet.to_string(): [epoch, 1] });
        let welcome = a.resume(&ann, at).await;
        let state = |room: u64| &welcome["rooms"][room.to_string()];
        assert_eq!(state(room)["st"], "reset", "{welcome}");
        assert_eq!(state(room)["why"], "epoch_changed", "{welcome}");
        assert_eq!(state(quiet)["st"], "ok", "{welcome}");
        let seq = post_in_the_end(&mut a, room, "on true ground").await;
        let mut said = history(&mut a, room).await;
        assert_eq!(said.last().unwrap().0, seq);
        // Whoever looks at the store for it has the same before him.
        post_in_the_end(&mut b, room, "here, too").await;
        let mut there = history(&mut b, room).await;
        assert_eq!(there.pop().unwrap().2, "here, too");
        assert_eq!(there, said);
        let in_a_row = said.iter().map(|(_, idx, _)| *idx);
        assert!(in_a_row.eq(1..=said.len() as u64), "{said:?}");
        said.retain(|(_, _, body)| body != "?");
        let bodies: Vec<&str> = said.iter().map(|(_, _, body)| &**body).collect();
        assert_eq!(
            bodies,
            ["kept", "true", "as true", "and so on", "on true ground"]
        );
        let mut e = one.enter(&eve).await;
        let refused = e.code("post", json!({"room": room, "body": "?"})).await;
        assert_eq!(refused, "not_a_member");
        one.stop().await;
        other.stop().await;
    }
}
