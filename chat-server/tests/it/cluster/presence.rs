//! Who is present in a room, as each of several nodes tells it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Pair;
use crate::six;
use crate::world::Native;

/// Who is present in a room, as somebody hears it who asks.
async fn present(client: &mut Native, room: u64) -> Vec<Value> {
    let present = client.ok("presence", json!({"room": room})).await;
    present["items"].as_array().unwrap().clone()
}

fn name(card: &Value) -> String {
    card["user"]["name"].as_str().unwrap().to_owned()
}

/// Asks until these are present: what other nodes tell comes by itself.
async fn sees(client: &mut Native, room: u64, names: &[&str]) {
    let names: BTreeSet<String> = names.iter().map(|it| (*it).to_owned()).collect();
    loop {
        let here = present(client, room).await;
        if here.iter().map(name).collect::<BTreeSet<_>>() == names {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn everybody_sees_who_is_there_by_whatever_node_and_dialect_he_came() {
    let pair = Pair::restless().await;
    let (ann, bob) = (pair.one.account("ann").await, pair.two.account("bob").await);
    let (mut a, mut b) = (pair.one.enter(&ann).await, pair.two.enter(&bob).await);
    let den = json!({"name": "Den", "alias": "Den", "listed": true});
    let room = a.create(den).await;
    b.ok("set_status", json!({"status": "away", "text": "lunch"}))
        .await;
    b.join(room).await;
    assert_eq!(a.signal("arrived").await["by"]["name"], "bob");
    let here = present(&mut a, room).await;
    assert_eq!((here.len(), &here[1]["status"]), (2, &json!("away")));

    let people = six::guests(&pair.two, room).await;
    let all = ["ann", "bob", "roo", "sue", "rea", "abe", "guy"];
    sees(&mut a, room, &all).await;
    sees(&mut b, room, &all).await;
    let mut arrived = BTreeSet::new();
    while arrived.len() < people.len() {
        let signal = a.signal("arrived").await;
        arrived.insert(signal["by"]["name"].as_str().unwrap().to_owned());
    }

    // With a session on either node he is there until both have gone.
    let mut again = pair.one.enter(&bob).await;
    let rest = a.rest().await;
    assert!(rest.iter().all(|it| it["sig"] != "arrived"), "{rest:?}");
    again.ok("limits", json!({})).await;
    b.leave().await;
    drop(people);
    sees(&mut a, room, &["ann", "bob"]).await;
    again.leave().await;
    sees(&mut a, room, &["ann"]).await;
    let mut departed = Vec::new();
    while departed.last().is_none_or(|last| last != "bob") {
        let signal = a.signal("departed").await;
        departed.push(signal["by"]["name"].as_str().unwrap().to_owned());
    }
    let once: BTreeSet<&String> = departed.iter().collect();
    assert_eq!(once.len(), departed.len(), "{departed:?}");
    pair.stop().await;
}

#[tokio::test]
async fn what_the_bus_lost_of_comings_and_goings_is_told_again() {
    let pair = Pair::restless().await;
    let (ann, bob) = (pair.one.account("ann").await, pair.two.account("bob").await);
    let mut a = pair.one.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    pair.cut();
    let mut b = pair.two.enter(&bob).await;
    b.join(room).await;
    assert_eq!(a.event("joined").await["by"]["id"], bob.id);
    let here = present(&mut a, room).await;
    assert_eq!(here.iter().map(name).collect::<Vec<_>>(), ["ann"]);
    pair.mend();
    sees(&mut a, room, &["ann", "bob"]).await;
    sees(&mut b, room, &["ann", "bob"]).await;

    // A node of which nothing is heard for long is gone, and its people with it.
    pair.cut();
    sees(&mut a, room, &["ann"]).await;
    assert_eq!(a.signal("departed").await["by"]["name"], "bob");
    sees(&mut b, room, &["bob"]).await;
    pair.mend();
    sees(&mut a, room, &["ann", "bob"]).await;
    pair.stop().await;
}
