//! The server over TLS: the same as in the clear, and what a handshake may not do.

mod handshakes;
mod idle;
mod reload;
mod site;

use serde_json::json;

use self::site::{Site, WIRES};
use crate::world::{Plain, config};

#[tokio::test]
async fn a_conversation_is_the_same_over_tls_as_in_the_clear() {
    for wire in WIRES {
        let site = Site::of(wire, config()).await;
        let (ann, bob) = (site.account("ann").await, site.account("bob").await);
        let mut a = site.enter(&ann).await;
        let room = a.create(json!({"name": "Den", "alias": "den"})).await;
        let mut b = site.enter(&bob).await;
        b.join(room).await;
        b.event("joined").await;
        a.event("joined").await;
        // Somebody of an older dialect, and somebody who polls.
        let mut cyd = Plain::over(site.stream().await, site.address(), "/").await;
        let join = json!({"type": "join", "payload": {"name": "cyd", "roomId": "den", "pass": ""}});
        cyd.ask(&join.to_string()).await;
        cyd.leave().await;
        let path = "/socket.io/?EIO=4&transport=polling";
        let opened = site.http("GET", path, "", "").await;
        assert!(opened.body.starts_with("0{\"sid\":"), "{}", opened.body);
        for line in 0..200 {
            let body = format!("{line} {}", "x".repeat(10_000));
            a.post(room, &body).await;
            for client in [&mut a, &mut b] {
                assert_eq!(client.event("posted").await["d"]["content"]["body"], *body);
            }
        }
        // An answer of many records of TLS.
        let path = format!("/v1/rooms/{room}/messages?limit=20");
        let page = site.http("GET", &path, &bob.token, "").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.len() > 190_000, "{}", page.body.len());
        assert!(page.json()["items"].as_array().is_some(), "it is whole");
        // Whoever leaves is answered, and whoever stays hears goodbye.
        b.leave().await;
        site.world.stop().await;
        assert_eq!(a.closed().await, 4000, "{wire:?}");
    }
}

#[tokio::test]
async fn who_never_reads_is_sent_away_over_tls_as_in_the_clear() {
    for wire in WIRES {
        let mut config = config();
        config.server_limits.outbox_bytes_max = 256 * 1024;
        let site = Site::of(wire, config).await;
        let (ann, bob) = (site.account("ann").await, site.account("bob").await);
        let mut a = site.enter(&ann).await;
        let room = a.create(json!({"name": "Den"})).await;
        let mut stalled = site.connect_narrowly().await;
        let epoch = stalled.hello(&bob).await["epoch"].clone();
        stalled.join(room).await;
        let begin = a.event("joined").await["seq"].as_u64().unwrap();

        let lagging = || site.world.server.node().metrics().sessions_lagging();
        let body = "x".repeat(16 * 1024);
        let mut head = begin;
        while lagging() == 0 {
            assert!(head < begin + 1_000, "{wire:?}: nobody was sent away");
            for _ in 0..10 {
                a.ask("post", json!({"room": room, "body": body})).await;
            }
            head = a.post(room, &body).await;
            a.rest().await;
        }
        assert!([4002, 1006].contains(&stalled.closed().await), "{wire:?}");
        let mut last = begin;
        while let Some(event) = stalled.heard_event() {
            if event["ev"] == "posted" {
                assert_eq!(event["seq"], last + 1);
                last += 1;
            }
        }
        assert!(last < head, "he was sent away in the middle");
        // What he missed is many times what may wait for one connection.
        let mut back = site.connect().await;
        back.resume(&bob, json!({ room.to_string(): [epoch, last] }))
            .await;
        for seq in last + 1..=head {
            assert_eq!(back.event_of(room).await["seq"], seq);
        }
        site.world.stop().await;
    }
}
