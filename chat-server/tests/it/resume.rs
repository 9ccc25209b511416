//! Connections that break, and what their clients hear when they come back.

use std::path::Path;

use chat_server::config::{Config, StoreUrl};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Account, Native, World, config};

/// A client as it should be: it applies what follows, drops what it has, and holds a position.
struct Follower {
    account: Account,
    room: u64,
    epoch: String,
    heard: Vec<(u64, String)>,
    /// The first record that it heard of.
    first: u64,
}

impl Follower {
    fn last(&self) -> u64 {
        self.heard.last().map_or(self.first - 1, |(seq, _)| *seq)
    }

    fn position(&self) -> Value {
        json!({ self.room.to_string(): [self.epoch, self.last()] })
    }

    /// Takes in events until this one, and insists that each is the next.
    async fn follow(&mut self, client: &mut Native, to: u64) {
        while self.last() < to {
            let event = client.event_of(self.room).await;
            let seq = event["seq"].as_u64().unwrap();
            assert_eq!(seq, self.last() + 1, "a gap, or twice: {event}");
            let body = event["d"]["content"]["body"].as_str().unwrap_or_default();
            self.heard.push((seq, body.to_owned()));
        }
    }
}

fn on_disk(folder: &Path, file: &str) -> Config {
    let mut config = config();
    config.store = StoreUrl::Sqlite(folder.join(file));
    config
}

/// Numbers that look drawn, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test]
async fn a_connection_may_break_at_any_time_and_nothing_is_missed() {
    const LINES: u64 = 600;
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut b = world.enter_on(1, &bob).await;
    b.join(room).await;
    let joined = b.event("joined").await["seq"].as_u64().unwrap();
    let welcome = world.connect().await.hello(&bob).await;
    let mut follower = Follower {
        account: bob,
        room,
        epoch: welcome["epoch"].as_str().unwrap().to_owned(),
        heard: Vec::new(),
        first: joined + 1,
    };
    let talk = tokio::spawn(async move {
        for line in 0..LINES {
            a.post(room, &line.to_string()).await;
        }
        a
    });
    let mut dice = Dice(0x5eed);
    let mut cuts = 0;
    while follower.last() < joined + LINES {
        let stay = (follower.last() + dice.roll(40)).min(joined + LINES);
        follower.follow(&mut b, stay).await;
        if stay == joined + LINES {
            break;
        }
        b.cut();
        cuts += 1;
        b = world.connect().await;
        let welcome = b.resume(&follower.account, follower.position()).await;
        let state = &welcome["rooms"][room.to_string()];
        assert_eq!(
            (&state["st"], &state["from"]),
            (&json!("ok"), &json!(follower.last()))
        );
    }
    assert!(cuts > 5, "only {cuts} cuts");
    let bodies = follower.heard.iter().map(|(_, body)| body.clone());
    assert!(bodies.eq((0..LINES).map(|line| line.to_string())));
    talk.await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_snapshot_and_what_follows_it_have_no_seam() {
    const LINES: u64 = 300;
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    world.enter(&bob).await.join(room).await;
    let talk = tokio::spawn(async move {
        for line in 0..LINES {
            a.post(room, &line.to_string()).await;
        }
    });
    let end = LINES + 2;
    for worker in [0, 1].into_iter().cycle().take(8) {
        let mut client = world.connect_on(worker, &bob).await;
        let snapshot = client.ok("snapshot", json!({"room": room})).await;
        let seq = snapshot["position"]["seq"].as_u64().unwrap();
        let messages = snapshot["messages"].as_array().unwrap();
        let newest = messages.last().map_or(2, |it| it["seq"].as_u64().unwrap());
        // Everything since the room was made and joined is a message.
        assert_eq!(newest, seq, "the page ends where the position is");
        for next in seq + 1..=end.min(seq + 40) {
            assert_eq!(client.event_of(room).await["seq"], next);
        }
        client.leave().await;
    }
    talk.await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_position_that_is_of_no_use_is_reset_with_its_reason() {
    let folder = TempDir::new().unwrap();
    let mut config = on_disk(folder.path(), "chat.db");
    config.server_limits.catch_up_records_max = 10;
    let world = World::with(config.clone()).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    for line in 0..20 {
        a.post(room, &line.to_string()).await;
    }
    let head = 21;
    let welcome = world.connect().await.hello(&ann).await;
    let epoch = welcome["epoch"].as_str().unwrap().to_owned();
    let states = |room: u64, welcome: &Value| welcome["rooms"][room.to_string()].clone();
    for (at, expected) in [
        (head, json!({"st": "ok", "from": head, "to": head})),
        (
            head - 10,
            json!({"st": "ok", "from": head - 10, "to": head}),
        ),
        (
            head - 11,
            json!({"st": "reset", "why": "too_far", "epoch": epoch, "head": head}),
        ),
        (
            head + 1,
            json!({"st": "reset", "why": "ahead", "epoch": epoch, "head": head}),
        ),
    ] {
        let mut client = world.connect().await;
        let positions = json!({ room.to_string(): [epoch, at] });
        let welcome = client.resume(&ann, positions).await;
        assert_eq!(states(room, &welcome), expected, "{at}");
        client.synced(room).await;
    }
    let mut client = world.connect().await;
    let positions = json!({ room.to_string(): ["another", head], "999": [epoch, 1] });
    let welcome = client.resume(&ann, positions).await;
    assert_eq!(states(room, &welcome)["why"], "epoch_changed");
    assert_eq!(states(999, &welcome), json!({"st": "gone"}));
    world.stop().await;

    // A restart is no other log.
    let world = World::with(config).await;
    let mut client = world.connect().await;
    let positions = json!({ room.to_string(): [epoch, head - 1] });
    let welcome = client.resume(&ann, positions).await;
    assert_eq!(states(room, &welcome)["st"], "ok");
    assert_eq!(client.event_of(room).await["seq"], head);
    world.stop().await;
}

#[tokio::test]
async fn a_copy_that_was_brought_back_is_another_log() {
    let folder = TempDir::new().unwrap();
    let world = World::with(on_disk(folder.path(), "chat.db")).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    a.post(room, "in both").await;
    world.stop().await;
    std::fs::copy(folder.path().join("chat.db"), folder.path().join("copy.db")).unwrap();

    let world = World::with(on_disk(folder.path(), "chat.db")).await;
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    for line in ["lost 1", "lost 2"] {
        a.post(room, line).await;
    }
    let position = json!({ room.to_string(): [epoch, 4] });
    world.stop().await;

    let world = World::with(on_disk(folder.path(), "copy.db")).await;
    let mut a = world.enter(&ann).await;
    for line in ["other 1", "other 2", "other 3"] {
        a.post(room, line).await;
    }
    let mut client = world.connect().await;
    let welcome = client.resume(&ann, position).await;
    let state = &welcome["rooms"][room.to_string()];
    assert_eq!(
        (&state["st"], &state["why"]),
        (&json!("reset"), &json!("epoch_changed"))
    );
    // A position from before the two logs parted means the same in both.
    world.stop().await;
}

#[tokio::test]
async fn whoever_was_kicked_meanwhile_finds_the_room_gone() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut b = world.enter(&bob).await;
    b.join(room).await;
    let epoch = world.connect().await.hello(&bob).await["epoch"].clone();
    b.cut();
    a.ok("kick", json!({"room": room, "user": bob.id})).await;
    let kicked = a.post(room, "between us").await;
    let mut b = world.connect().await;
    let position = json!({ room.to_string(): [epoch, 2] });
    let welcome = b.resume(&bob, position).await;
    assert_eq!(welcome["rooms"][room.to_string()], json!({"st": "gone"}));
    a.post(room, "still").await;
    assert!(b.rest().await.is_empty(), "{kicked}");
    world.stop().await;
}

#[tokio::test]
async fn what_was_said_before_one_joined_stays_unheard_where_the_room_says_so() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let room = a
        .create(json!({"name": "Den", "history": "since_join"}))
        .await;
    let early = a.post(room, "before his time").await;
    let mut b = world.enter_on(1, &bob).await;
    let epoch = world.connect().await.hello(&bob).await["epoch"].clone();
    b.join(room).await;
    let late = a.post(room, "in his time").await;
    let mut told = vec![b.ok("history", json!({"room": room})).await];
    told.push(
        b.ok("history", json!({"room": room, "around": early}))
            .await,
    );
    told.push(b.ok("records", json!({"room": room, "since": 0})).await);
    told.push(b.ok("snapshot", json!({"room": room})).await);
    let one = json!({"room": room, "message": early});
    assert_eq!(b.code("message", one.clone()).await, "message_not_found");
    assert_eq!(
        b.code(
            "react",
            json!({"room": room, "message": early, "reaction": "x"})
        )
        .await,
        "message_not_found"
    );
    b.cut();
    let mut b = world.connect().await;
    let position = json!({ room.to_string(): [epoch, 1] });
    let welcome = b.resume(&bob, position).await;
    assert_eq!(welcome["rooms"][room.to_string()]["st"], "reset");
    told.extend(b.rest().await);
    let told = format!("{told:?}");
    assert!(!told.contains("before his time"), "{told}");
    assert!(told.contains("in his time"), "{late}");
    world.stop().await;
}

#[tokio::test]
async fn the_same_wish_sent_again_over_another_connection_has_one_effect() {
    let folder = TempDir::new().unwrap();
    let world = World::with(on_disk(folder.path(), "chat.db")).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let made = json!({"name": "Den", "cid": "make"});
    let room = a.create(made.clone()).await;
    let line = json!({"room": room, "body": "once", "cid": "say"});
    let first = a.ok("post", line.clone()).await;
    assert_eq!(first.get("dup"), None);
    a.cut();
    let mut a = world.enter(&ann).await;
    let again = a.ok("post", line.clone()).await;
    assert_eq!(
        (&again["seq"], &again["dup"]),
        (&first["seq"], &json!(true))
    );
    world.stop().await;
    let world = World::with(on_disk(folder.path(), "chat.db")).await;
    let mut a = world.enter(&ann).await;
    let again = a.ok("post", line.clone()).await;
    assert_eq!(
        (&again["seq"], &again["dup"]),
        (&first["seq"], &json!(true))
    );
    let again = a.ok("create_room", made).await;
    assert_eq!(
        (&again["room"], &again["dup"]),
        (&json!(room), &json!(true))
    );
    let mut other = line;
    other["body"] = json!("twice");
    assert_eq!(a.code("post", other).await, "cid_conflict");
    let history = a.ok("history", json!({"room": room})).await;
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    world.stop().await;
}
