//! Pages of what is long: an answer fits into what may wait for a socket, and nothing is missing.

use serde_json::{Value, json};

use crate::world::{Native, World, config};

/// As long as a message may be.
const BODY_BYTES: usize = 16 * 1024;

/// More than what may wait for a socket, and on one page if it were for their number alone.
const MESSAGES: u64 = 80;

/// A quarter of what may wait.
const PAGE_BYTES: usize = 256 * 1024;

/// Ann's room, full of messages that begin with this word.
async fn room(world: &World, word: &str) -> (Native, u64) {
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Library"})).await;
    let body = format!("{word:.<BODY_BYTES$}");
    for _ in 0..MESSAGES {
        a.post(room, &body).await;
        a.event_of(room).await;
    }
    (a, room)
}

fn seqs(page: &Value) -> Vec<u64> {
    let items = page.as_array().unwrap().iter();
    items.map(|it| it["seq"].as_u64().unwrap()).collect()
}

/// The messages of a page, which is as large as it may be and not larger.
fn checked(page: &Value) -> Vec<u64> {
    let bytes = page["items"].to_string().len();
    assert!(bytes <= PAGE_BYTES, "{bytes} bytes");
    let is_full = bytes > PAGE_BYTES - 2 * BODY_BYTES;
    assert!(is_full || page["next"].is_null(), "{bytes} bytes");
    seqs(&page["items"])
}

#[tokio::test]
async fn whoever_pages_through_long_messages_gets_all_of_them_and_stays() {
    let world = World::with(config()).await;
    let (mut a, room) = room(&world, "tome").await;
    let all: Vec<u64> = (2..MESSAGES + 2).collect();
    let limits = a.ok("limits", json!({})).await;
    assert_eq!(limits["page_bytes_max"], PAGE_BYTES);

    let mut back = Vec::new();
    let mut wish = json!({"room": room, "limit": MESSAGES});
    loop {
        let page = a.ok("history", wish.clone()).await;
        back.splice(0..0, checked(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        wish["before"] = json!(next.parse::<u64>().unwrap());
    }
    assert_eq!(back, all);

    let mut forth = Vec::new();
    let mut wish = json!({"room": room, "limit": MESSAGES, "after": 0});
    loop {
        let page = a.ok("history", wish.clone()).await;
        forth.extend(checked(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        wish["after"] = json!(next.parse::<u64>().unwrap());
    }
    assert_eq!(forth, all);

    let around = json!({"room": room, "limit": MESSAGES, "around": 50});
    let around = checked(&a.ok("history", around).await);
    assert!(around.contains(&49) && around.contains(&51), "{around:?}");

    let (mut filled, mut since) = (Vec::new(), 0);
    loop {
        let d = json!({"room": room, "since": since, "limit": 1_000});
        let part = a.ok("records", d).await;
        filled.extend(seqs(&part["events"]));
        since = part["upto"].as_u64().unwrap();
        if part["upto"] == part["head"] {
            break;
        }
    }
    assert_eq!(filled, (1..MESSAGES + 2).collect::<Vec<_>>());

    let (mut found, mut wish) = (
        Vec::new(),
        json!({"text": "tome", "room": room, "limit": MESSAGES}),
    );
    loop {
        let part = a.ok("search", wish.clone()).await;
        found.splice(0..0, checked(&part).into_iter().rev());
        let Some(next) = part["next"].as_str() else {
            break;
        };
        wish["cursor"] = json!(next);
    }
    assert_eq!(found, all);

    let snapshot = a.ok("snapshot", json!({"room": room})).await;
    let newest = seqs(&snapshot["messages"]);
    assert!(all.ends_with(&newest) && newest.len() > 10, "{newest:?}");
    world.stop().await;
}

#[tokio::test]
async fn lists_that_are_cut_go_on_where_they_ended() {
    let mut config = config();
    // A page of 16 KiB.
    config.server_limits.outbox_bytes_max = 64 * 1024;
    config.limits.rooms_created_a_day_max = 60;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let topic = "x".repeat(200);
    let mut rooms = Vec::new();
    for number in 0..60 {
        let d = json!({"name": format!("Room {number}"), "topic": topic});
        rooms.push(a.create(d).await);
    }
    let room = rooms[0];
    let mut pinned = Vec::new();
    for _ in 0..4 {
        let seq = a.post(room, &"y".repeat(BODY_BYTES / 2)).await;
        a.ok("pin", json!({"room": room, "message": seq})).await;
        pinned.push(seq);
    }
    let listed = parts(&mut a, "rooms", json!({}), |it| it["room"]["id"].as_u64()).await;
    assert_eq!(listed, rooms);
    let pins = parts(&mut a, "pins", json!({"room": room}), |it| {
        it["seq"].as_u64()
    })
    .await;
    assert_eq!(pins, pinned);
    for list in ["markers", "presence"] {
        let wish = json!({"room": room, "after": ann.id});
        let page = a.ok(list, wish).await;
        assert_eq!(page, json!({"items": []}), "{list}");
    }
    world.stop().await;
}

/// What a list of several parts holds.
async fn parts(
    client: &mut Native,
    op: &str,
    mut wish: Value,
    id: impl Fn(&Value) -> Option<u64>,
) -> Vec<u64> {
    let (mut found, mut parts) = (Vec::new(), 1);
    loop {
        let page = client.ok(op, wish.clone()).await;
        found.extend(page["items"].as_array().unwrap().iter().filter_map(&id));
        let Some(next) = page["next"].as_str() else {
            assert!(parts > 1, "{op} came in one part");
            return found;
        };
        wish["after"] = json!(next.parse::<u64>().unwrap());
        parts += 1;
    }
}

#[tokio::test]
async fn whoever_asks_for_much_at_once_waits_for_himself() {
    let world = World::with(config()).await;
    // Each of these characters takes two bytes on the wire.
    let (mut a, room) = room(&world, &"\"".repeat(BODY_BYTES)).await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        let d = json!({"room": room, "limit": MESSAGES});
        asked.push(a.ask("history", d).await);
    }
    // What is heard live goes out meanwhile.
    let mut b = world.enter(&world.log_in("ann").await).await;
    b.post(room, "anybody here?").await;
    for id in asked {
        assert!(!seqs(&a.reply(id).await.unwrap()["items"]).is_empty());
    }
    a.post(room, "still here").await;
    world.stop().await;
}
