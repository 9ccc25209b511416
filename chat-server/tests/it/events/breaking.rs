//! Streams that break, and what their readers hear when they come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_server::Server;
use chat_server::bus::local::Local;
use chat_server::config::StoreUrl;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use super::reader::Reader;
use crate::world::{Account, World, config};

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

/// A reader who knows nothing but the last id, and what he should have heard.
struct Follower {
    account: Account,
    last_id: String,
    /// The last record of each room.
    heard: BTreeMap<u64, u64>,
}

impl Follower {
    /// Listens on until so many events were heard, and insists that each is the next of its room.
    async fn listen(&mut self, world: &World, events: u64) {
        let mut reader = Reader::to(world, &self.account, "/v1/events", &self.last_id).await;
        let rooms = reader.welcome().await["rooms"].clone();
        for (room, last) in &self.heard {
            let state = &rooms[room.to_string()];
            let ok = (&state["st"], &state["from"]) == (&json!("ok"), &json!(last));
            assert!(self.last_id.is_empty() || ok, "room {room}: {state}");
        }
        let mut left = events;
        while left > 0 {
            let (_, frame) = reader.next().await.expect("a stream that goes on");
            if frame.get("ev").is_none() {
                continue;
            }
            let room = frame["room"].as_u64().unwrap();
            let last = self.heard.get_mut(&room).unwrap();
            assert_eq!(frame["seq"], *last + 1, "a gap, or twice: {frame}");
            *last += 1;
            left -= 1;
        }
        self.last_id = reader.last_id;
    }
}

#[tokio::test]
async fn a_stream_may_break_at_any_event_and_go_on_at_any_node() {
    const LINES: u64 = 400;
    let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
    let bus = Local::new();
    let other = bus.join();
    let node = |bus| {
        let server = Server::builder(config()).store(store.clone());
        World::started(server.bus(Arc::new(bus)))
    };
    let nodes = [node(bus).await, node(other).await];
    let (ann, bob) = (nodes[0].account("ann").await, nodes[0].account("bob").await);
    let mut a = nodes[0].enter(&ann).await;
    let (mut rooms, mut heard) = (Vec::new(), BTreeMap::new());
    let mut b = nodes[1].enter(&bob).await;
    for name in ["Den", "Hall", "Loft"] {
        let room = a.create(json!({"name": name})).await;
        b.join(room).await;
        heard.insert(room, 2);
        rooms.push(room);
    }
    let mut follower = Follower {
        account: bob,
        last_id: String::new(),
        heard,
    };
    follower.listen(&nodes[1], 0).await;
    let [den, hall, loft] = rooms[..] else {
        panic!("three rooms")
    };
    // One room is busy, one is quiet, and of one nothing is heard before the end.
    let talk = tokio::spawn(async move {
        for line in 0..LINES {
            let room = if line % 50 == 49 { hall } else { den };
            a.post(room, &line.to_string()).await;
        }
        a.post(loft, "at last").await;
        a
    });
    let mut dice = Dice(0x5eed);
    let mut left = LINES + 1;
    let mut streams = 0;
    while left > 0 {
        let stay = (1 + dice.roll(40)).min(left);
        let node = usize::try_from(dice.roll(2)).unwrap();
        follower.listen(&nodes[node], stay).await;
        left -= stay;
        streams += 1;
    }
    assert!(streams > 8, "only {streams} streams");
    assert_eq!(follower.heard[&loft], 3);
    drop(talk.await.unwrap());
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_when_the_server_has_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.store = StoreUrl::Sqlite(folder.path().join("chat.db"));
    let world = World::with(config.clone()).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let hall = a.create(json!({"name": "Hall"})).await;
    let mut follower = Follower {
        account: ann.clone(),
        last_id: String::new(),
        heard: BTreeMap::from([(den, 1), (hall, 1)]),
    };
    follower.listen(&world, 0).await;
    for line in 0..10 {
        a.post(den, &line.to_string()).await;
    }
    follower.listen(&world, 4).await;
    world.stop().await;

    let world = World::with(config).await;
    let mut a = world.enter(&ann).await;
    a.post(hall, "again").await;
    follower.listen(&world, 7).await;
    a.post(den, "and on").await;
    follower.listen(&world, 1).await;
    assert_eq!(follower.heard, BTreeMap::from([(den, 12), (hall, 2)]));
    world.stop().await;
}

#[tokio::test]
async fn what_is_too_far_back_is_reset_with_its_reason() {
    let mut config = config();
    config.server_limits.catch_up_records_max = 10;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let den = a.create(json!({"name": "Den"})).await;
    let mut reader = Reader::of(&world, &ann).await;
    let epoch = reader.welcome().await["epoch"].clone();
    for line in 0..20 {
        a.post(den, &line.to_string()).await;
    }
    let mut back = Reader::to(&world, &ann, "/v1/events", &reader.last_id).await;
    let expected = json!({"st": "reset", "why": "too_far", "epoch": epoch, "head": 21});
    assert_eq!(back.welcome().await["rooms"][den.to_string()], expected);
    a.post(den, "from here").await;
    assert_eq!(back.event().await["seq"], 22);
    // What nobody was told is of no more use than that, and does no harm.
    let epoch = epoch.as_str().unwrap();
    for (made_up, state) in [
        (format!("1-zz~{epoch}"), "reset"),
        ("1-1~another".to_owned(), "reset"),
        (format!("9-1~{epoch}"), "new"),
    ] {
        let mut reader = Reader::to(&world, &ann, "/v1/events", &made_up).await;
        let rooms = reader.welcome().await["rooms"].clone();
        assert_eq!(rooms["1"]["st"], state, "{made_up}: {rooms}");
    }
    world.stop().await;
}

/// A reader whose system takes little for him.
async fn narrow(world: &World, who: &Account) -> Reader {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream: TcpStream = socket.connect(world.address).await.unwrap();
    let bearer = format!("Bearer {}", who.token);
    let headers = [("authorization", bearer.as_str())];
    let reader = Reader::over(stream, world.address, "/v1/events", &headers).await;
    reader.ok().unwrap()
}

#[tokio::test]
async fn who_is_too_slow_is_told_so_and_comes_back_to_everything() {
    let mut config = config();
    config.server_limits.outbox_bytes_max = 256 * 1024;
    let world = World::with(config).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    world.enter(&bob).await.join(room).await;
    let mut stalled = narrow(&world, &bob).await;
    stalled.welcome().await;
    let mut head = 2;
    while world.server.node().metrics().sessions_lagging() == 0 {
        head = a.post(room, &"x".repeat(16 * 1024)).await;
        assert!(head < 1_000, "he is never sent away");
    }
    let mut last = 2;
    let mut heard: Vec<Value> = stalled.rest().await;
    let bye = heard.pop().unwrap();
    assert_eq!((&bye["sys"], &bye["code"]), (&json!("bye"), &json!(4002)));
    assert_eq!(heard.pop().unwrap(), json!({"sys": "lagged"}));
    for event in heard.iter().filter(|frame| frame.get("ev").is_some()) {
        assert_eq!(event["seq"], last + 1);
        last += 1;
    }
    assert!(last < head, "he was sent away in the middle");
    let mut back = Reader::to(&world, &bob, "/v1/events", &stalled.last_id).await;
    back.welcome().await;
    for seq in last + 1..=head {
        assert_eq!(back.event().await["seq"], seq);
    }
    world.stop().await;
}
