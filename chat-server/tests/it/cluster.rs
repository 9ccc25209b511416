//! Several servers on one store: one chat, whatever the bus between them does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_core::RoomId;
use chat_server::Server;
use chat_server::bus::local::Local;
use chat_server::bus::{Bus, Hint};
use chat_server::config::Config;
use chat_server::limits::ServerLimits;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;
use serde_json::{Value, json};

use crate::hostile::watched::Watched;
use crate::world::{Account, Native, World, by, config};

#[cfg(feature = "postgres")]
mod crowd;
#[cfg(feature = "postgres")]
mod postgres;
mod presence;
#[cfg(feature = "postgres")]
mod standby;

/// An end of a bus that is down, or loses and disorders what is published.
#[derive(Debug)]
struct Shaky {
    end: Local,
    down: Arc<AtomicBool>,
    /// Loses every so manieth hint; none at zero.
    loses: u64,
    count: AtomicU64,
}

#[async_trait]
impl Bus for Shaky {
    fn publish(&self, mut hints: Vec<Hint>) {
        if self.down.load(Ordering::SeqCst) {
            return;
        }
        if self.loses > 0 {
            let kept = |_: &Hint| {
                !self
                    .count
                    .fetch_add(1, Ordering::SeqCst)
                    .is_multiple_of(self.loses)
            };
            hints.retain(kept);
            hints.reverse();
            let again = hints.clone();
            hints.extend(again);
        }
        self.end.publish(hints);
    }

    fn subscribe(&self, room: RoomId) {
        self.end.subscribe(room);
    }

    fn unsubscribe(&self, room: RoomId) {
        self.end.unsubscribe(room);
    }

    async fn hear(&self) -> Option<Vec<Hint>> {
        self.end.hear().await
    }
}

/// Two servers on one store.
struct Pair {
    one: World,
    two: World,
    down: Arc<AtomicBool>,
}

impl Pair {
    /// Looks into the store so often that nobody has to wait for it.
    async fn restless() -> Self {
        let mut config = config();
        config.server_limits.poll_ms = 20;
        Self::over(Arc::new(Memory::new().unwrap()), config, 0).await
    }

    async fn over(store: Arc<dyn Store>, config: Config, loses: u64) -> Self {
        Self::each_over([store.clone(), store], config, loses).await
    }

    /// Each server has a way of its own to what both keep.
    async fn each_over(stores: [Arc<dyn Store>; 2], config: Config, loses: u64) -> Self {
        let down = Arc::new(AtomicBool::new(false));
        let bus = Local::new();
        let other = bus.join();
        let shaky = |end| {
            let (down, count) = (down.clone(), AtomicU64::new(0));
            Arc::new(Shaky {
                end,
                down,
                loses,
                count,
            })
        };
        let node = |end, store| {
            let server = Server::builder(config.clone()).store(store);
            World::started(server.bus(shaky(end)))
        };
        let [store, same] = stores;
        let (one, two) = (node(bus, store).await, node(other, same).await);
        Self { one, two, down }
    }

    fn cut(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    async fn stop(self) {
        self.one.stop().await;
        self.two.stop().await;
    }
}

/// Ann on the first node and Bob on the second, in a room.
async fn den(pair: &Pair) -> (Account, Account, Native, Native, u64) {
    let (ann, bob) = (pair.one.account("ann").await, pair.two.account("bob").await);
    let (mut a, mut b) = (pair.one.enter(&ann).await, pair.two.enter(&bob).await);
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    assert_eq!(a.event("joined").await["by"]["id"], bob.id);
    assert_eq!(b.event("joined").await["by"]["id"], bob.id);
    (ann, bob, a, b, room)
}

/// The positions of a room's events from here to there, as one client hears them.
async fn heard(client: &mut Native, room: u64, to: u64) -> Vec<(u64, Value)> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|(seq, _)| *seq < to) {
        let event = client.event_of(room).await;
        heard.push((event["seq"].as_u64().unwrap(), event["d"]["body"].clone()));
    }
    heard
}

/// Both say so many lines at once; both hear all of them, in the same order.
async fn talk(a: &mut Native, b: &mut Native, room: u64, from: u64, lines: u64) {
    let mut asked = Vec::new();
    for line in 0..lines {
        let post = |who: &str| json!({"room": room, "body": format!("{who} {line}")});
        let by_a = a.ask("post", post("ann")).await;
        asked.push((by_a, b.ask("post", post("bob")).await));
    }
    for (by_a, by_b) in asked {
        a.reply(by_a).await.unwrap();
        b.reply(by_b).await.unwrap();
    }
    let to = from + 2 * lines;
    let (by_a, by_b) = (heard(a, room, to).await, heard(b, room, to).await);
    let order: Vec<u64> = by_a.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(order, (from + 1..=to).collect::<Vec<_>>());
    assert!(
        by_a.iter()
            .map(|(seq, _)| seq)
            .eq(by_b.iter().map(|(seq, _)| seq))
    );
}

#[tokio::test]
async fn two_nodes_are_one_chat() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = Sqlite::open(folder.path().join("chat.db")).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(Memory::new().unwrap()), Arc::new(on_disk)];
    for store in stores {
        let pair = Pair::over(store, config(), 0).await;
        let (_, bob, mut a, mut b, room) = den(&pair).await;
        talk(&mut a, &mut b, room, 2, 30).await;

        a.ok("typing", json!({"room": room, "on": true})).await;
        assert_eq!(b.signal("typing").await["d"]["on"], true);

        a.ok("set_status", json!({"status": "away"})).await;
        assert_eq!(b.signal("status").await["d"]["status"], "away");

        let kick = json!({"room": room, "user": bob.id});
        let kicked = a.ok("kick", kick).await["seq"].as_u64().unwrap();
        a.post(room, "he is gone").await;
        assert_eq!(b.event_of(room).await["seq"], kicked);
        assert_eq!(
            b.code("post", json!({"room": room, "body": "?"})).await,
            "not_a_member"
        );
        let rest = b.rest().await;
        assert!(
            rest.iter()
                .all(|frame| frame["seq"].as_u64() <= Some(kicked)),
            "{rest:?}"
        );
        pair.stop().await;
    }
}

#[tokio::test]
async fn a_bus_that_loses_and_doubles_and_disorders_changes_nothing_that_is_heard() {
    let mut config = config();
    config.server_limits.poll_ms = 20;
    let pair = Pair::over(Arc::new(Memory::new().unwrap()), config, 3).await;
    let (_, _, mut a, mut b, room) = den(&pair).await;
    talk(&mut a, &mut b, room, 2, 100).await;
    pair.stop().await;
}

#[tokio::test]
async fn without_a_bus_lines_come_late_and_not_never() {
    let pair = Pair::restless().await;
    let (_, bob, mut a, mut b, room) = den(&pair).await;
    pair.cut();
    talk(&mut a, &mut b, room, 2, 10).await;
    // Who was thrown out on the one hears nothing on the other once that is known there.
    let kicked = a.ok("kick", json!({"room": room, "user": bob.id})).await;
    a.post(room, "he is gone").await;
    assert_eq!(b.event_of(room).await["seq"], kicked["seq"]);
    assert_eq!(
        b.code("post", json!({"room": room, "body": "?"})).await,
        "not_a_member"
    );
    let rest = b.rest().await;
    assert!(rest.iter().all(|frame| frame["ev"] != "posted"), "{rest:?}");
    pair.stop().await;
}

#[tokio::test]
async fn a_room_that_is_joined_on_one_node_is_heard_on_the_other_without_a_bus() {
    let pair = Pair::restless().await;
    let bob = pair.one.account("bob").await;
    let (mut here, mut there) = (pair.one.enter(&bob).await, pair.two.enter(&bob).await);
    pair.cut();
    let den = here.create(json!({"name": "Den"})).await;
    here.post(den, "hello?").await;
    assert_eq!(heard(&mut there, den, 2).await.len(), 2);
    // What he hears no more of his own will isn't brought back.
    there.ok("unsubscribe", json!({"rooms": [den]})).await;
    let hall = here.create(json!({"name": "Hall"})).await;
    assert_eq!(there.event_of(hall).await["ev"], "room_created");
    here.post(den, "hello?").await;
    here.post(hall, "hello?").await;
    assert_eq!(there.event_of(hall).await["ev"], "posted");
    let rest = there.rest().await;
    let of_den = |frame: &Value| frame["room"] == den && frame["ev"].is_string();
    assert!(!rest.iter().any(of_den), "{rest:?}");
    pair.stop().await;
}

/// Two servers of which neither hears of the other unless it has to know.
async fn deaf() -> Pair {
    deaf_on(Arc::new(Memory::new().unwrap())).await
}

async fn deaf_on(store: Arc<dyn Store>) -> Pair {
    let mut config = config();
    config.server_limits.poll_ms = 3_600_000;
    Pair::over(store, config, 0).await
}

#[tokio::test]
async fn what_somebody_did_on_one_node_counts_when_he_comes_to_another() {
    let pair = deaf().await;
    let (_, bob, mut a, mut b, room) = den(&pair).await;
    pair.cut();
    // Neither node thinks him out or in for longer than he is.
    let mut elsewhere = pair.one.connect().await;
    elsewhere.ok("hello", json!({"token": bob.token})).await;
    elsewhere.ok("leave", json!({"room": room})).await;
    assert_eq!(b.ok("join", json!({"room": room})).await["seq"], 4);
    let line = json!({"room": room, "body": "here and there"});
    assert_eq!(elsewhere.ok("post", line).await["seq"], 5);
    assert_eq!(heard(&mut a, room, 5).await.len(), 3);
    pair.stop().await;
}

#[tokio::test]
async fn who_comes_to_a_node_that_has_not_heard_of_his_kick_hears_nothing_after_it() {
    let pair = deaf().await;
    let (_, bob, mut a, _b, room) = den(&pair).await;
    pair.cut();
    a.ok("kick", json!({"room": room, "user": bob.id})).await;
    a.post(room, "he is gone").await;
    let mut again = pair.two.connect().await;
    let epoch = again.hello(&bob).await["epoch"].clone();
    // From the beginning, which no worker remembers: the store is read.
    let at = json!({ room.to_string(): [epoch, 0] });
    let mut again = pair.two.connect().await;
    again.resume(&bob, at).await;
    again.synced(room).await;
    // Not even the kick, which his node hasn't heard: it might be anything that isn't for him.
    let rest = again.rest().await;
    assert!(
        rest.iter().all(|frame| frame["seq"].as_u64() <= Some(2)),
        "{rest:?}"
    );
    pair.stop().await;
}

#[tokio::test]
async fn a_node_that_cannot_read_what_a_client_has_heard_does_not_send_it_back() {
    let store = Watched::new();
    let pair = deaf_on(store.clone()).await;
    let (ann, _, mut a, _b, room) = den(&pair).await;
    let mut moved = pair.two.connect().await;
    let epoch = pair.two.connect().await.hello(&ann).await["epoch"].clone();
    pair.cut();
    a.post(room, "three").await;
    store.fails.store(true, Ordering::SeqCst);
    let resume = json!({"token": ann.token, "resume": {room.to_string(): [epoch, 3]}});
    let code = moved.code("hello", resume.clone()).await;
    assert_eq!(code, "storage_unavailable");
    store.fails.store(false, Ordering::SeqCst);
    let welcome = pair.two.connect().await.ok("hello", resume).await;
    assert_eq!(welcome["rooms"][room.to_string()]["st"], "ok", "{welcome}");
    pair.stop().await;
}

#[tokio::test]
async fn a_client_goes_on_at_a_node_that_has_heard_less_than_it_has() {
    let pair = deaf().await;
    let (ann, _, mut a, mut b, room) = den(&pair).await;
    pair.cut();
    let epoch = {
        let welcome = pair.two.connect().await.hello(&ann).await;
        welcome["epoch"].clone()
    };
    a.post(room, "three").await;
    a.post(room, "four").await;
    let mut moved = pair.two.connect().await;
    let at = json!({ room.to_string(): [epoch, 4] });
    let welcome = moved.resume(&ann, at).await;
    assert_eq!(welcome["rooms"][room.to_string()]["st"], "ok", "{welcome}");
    // What it has heard, the others there hear too by that.
    assert_eq!(heard(&mut b, room, 4).await.len(), 2);
    b.post(room, "five").await;
    assert_eq!(moved.event_of(room).await["seq"], 5);
    pair.stop().await;
}

/// Asserts that a session ends by this code within so long.
async fn ends_within(client: &mut Native, code: u16, most: Duration) {
    let began = Instant::now();
    assert_eq!(client.closed().await, code);
    assert!(began.elapsed() < most, "took {:?}", began.elapsed());
}

#[tokio::test]
async fn what_ends_a_log_in_ends_its_sessions_on_every_node() {
    // As often as the node looks into the store, twice over, is within five seconds; and where it is
    // told, it never looks.
    let most = Duration::from_secs(5);
    assert!(ServerLimits::default().poll_ms <= 2_000);
    for down in [false, true] {
        let pair = if down {
            Pair::restless().await
        } else {
            deaf().await
        };
        let (ann, cat) = (pair.one.account("ann").await, pair.one.account("cat").await);
        let eve = pair.one.account("eve").await;
        let other = pair.two.log_in("ann").await;
        let (mut there, mut stays) = (pair.two.enter(&ann).await, pair.two.enter(&other).await);
        let (mut c, mut e) = (pair.two.enter(&cat).await, pair.two.enter(&eve).await);
        if down {
            pair.cut();
        }
        let out = by(&pair.one, &ann, "POST", "/v1/auth/logout", "").await;
        assert_eq!(out.status, 204);
        ends_within(&mut there, 4501, most).await;
        stays.ok("rooms", json!({})).await;

        let user = cat.id.try_into().unwrap();
        pair.one.server.suspend(user).await.unwrap();
        ends_within(&mut c, 4503, most).await;
        stays.ok("rooms", json!({})).await;

        let user = eve.id.try_into().unwrap();
        pair.one.server.erase_user(user).await.unwrap();
        ends_within(&mut e, 4501, most).await;
        stays.ok("rooms", json!({})).await;
        pair.stop().await;
    }
}
