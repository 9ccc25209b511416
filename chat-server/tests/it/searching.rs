//! Looking for what was said, over the wire.

use serde_json::{Value, json};

use crate::world::{World, by};

fn places(found: &Value) -> Vec<(u64, u64)> {
    let items = found["items"].as_array().unwrap().iter();
    items
        .map(|it| (it["room"].as_u64().unwrap(), it["seq"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_search_sees_what_its_reader_may_read_and_no_more() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let den = a
        .create(json!({"name": "den", "history": "since_join"}))
        .await;
    a.post(den, "tea before bob").await;
    b.join(den).await;
    let shared = a.post(den, "tea for two").await;
    let pit = a.create(json!({"name": "pit"})).await;
    let alone = a.post(pit, "tea in the pit").await;

    let found = b.ok("search", json!({"text": "tea"})).await;
    assert_eq!(places(&found), [(den, shared)]);
    let found = a.ok("search", json!({"text": "tea", "limit": 2})).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    let next = &found["next"];
    let found = a.ok("search", json!({"text": "tea", "cursor": next})).await;
    assert_eq!(places(&found), [(pit, alone)]);
    assert_eq!(
        b.code("search", json!({"text": "tea", "room": pit})).await,
        "not_a_member"
    );
    a.ok("kick", json!({"room": den, "user": bob.id})).await;
    let found = b.ok("search", json!({"text": "tea"})).await;
    assert_eq!(found["items"], json!([]));
    // Wherever a cursor comes from, it opens no door.
    let forged = json!({"text": "tea", "cursor": format!("{den}:99")});
    assert_eq!(b.ok("search", forged).await["items"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn a_search_over_http_takes_any_text_for_words() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "den"})).await;
    let first = a.post(den, "NEAR the cat's \"house\"").await;
    let last = a.post(den, "another cat").await;
    let search = async |query: &str| {
        let path = format!("/v1/search?{query}");
        let said = by(&world, &ann, "GET", &path, "").await;
        (said.status, said.json())
    };
    let (status, found) = search("q=cat").await;
    assert_eq!(
        (status, places(&found)),
        (200, vec![(den, last), (den, first)])
    );
    let (status, found) = search(&format!("q=cat&room={den}&before={last}&limit=1")).await;
    assert_eq!((status, places(&found)), (200, vec![(den, first)]));
    for query in [
        "q=%22NEAR%22+*",
        "q=near(house)",
        "q=cat%27s",
        "q=house+NEAR",
    ] {
        let (status, found) = search(query).await;
        assert_eq!(status, 200, "{query}: {found}");
    }
    assert_eq!(places(&search("q=cat%27s").await.1), [(den, first)]);
    for query in [
        "q=",
        "q=%22*%22",
        "q=1+2+3+4+5+6+7+8+9",
        "q=cat&before=3",
        "q=cat&cursor=x",
        "q=cat&cursor=1:2&room=1&before=3",
        "",
    ] {
        assert_eq!(search(query).await.0, 422, "{query}");
    }
    let long = "x".repeat(300);
    assert_eq!(search(&format!("q={long}")).await.0, 422);
    assert_eq!(search("q=cat&room=99").await.0, 404);
    world.stop().await;
}
