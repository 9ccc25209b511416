//! Whole servers on one store, with NATS between them.

use std::sync::Arc;
use std::time::Duration;

use chat_core::UserId;
use chat_server::Server;
use chat_server::auth::Revocation;
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::broker::Broker;
use crate::world::{Account, Native, PATIENCE, World, by, config, http};

/// Two servers on one store.
struct Pair {
    one: World,
    two: World,
}

impl Pair {
    /// Looks into the store this often; what is heard sooner came by the bus.
    async fn over(broker: &Broker, poll_ms: u64) -> Self {
        let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
        let mut config = config();
        config.bus = broker.url();
        config.server_limits.poll_ms = poll_ms;
        let node = || World::started(Server::builder(config.clone()).store(store.clone()));
        Self {
            one: node().await,
            two: node().await,
        }
    }

    async fn stop(self) {
        self.one.stop().await;
        self.two.stop().await;
    }
}

const NEVER_MS: u64 = 3_600_000;

/// Ann on the first node and Bob on the second, in a room.
async fn den(pair: &Pair) -> (Account, Native, Native, u64) {
    let (ann, bob) = (pair.one.account("ann").await, pair.two.account("bob").await);
    let (mut a, mut b) = (pair.one.enter(&ann).await, pair.two.enter(&bob).await);
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    (ann, a, b, room)
}

/// Waits until each hears what passes at the other, by nothing but the bus.
async fn connected(a: &mut Native, b: &mut Native, room: u64) {
    crossing(a, b, room).await;
    crossing(b, a, room).await;
}

async fn crossing(from: &mut Native, to: &mut Native, room: u64) {
    let cross = async {
        for round in 0_u64.. {
            let on = round.is_multiple_of(2);
            from.ok("typing", json!({"room": room, "on": on})).await;
            let heard = timeout(Duration::from_millis(50), to.signal("typing"));
            if heard.await.is_ok() {
                break;
            }
        }
    };
    timeout(PATIENCE, cross).await.unwrap();
}

/// The texts of a room, up to this one, as one client hears them.
async fn lines(client: &mut Native, room: u64, last: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        let event = client.event_of(room).await;
        lines.extend(event["d"]["content"]["body"].as_str().map(str::to_owned));
    }
    lines
}

/// The value of a metric of a node.
async fn metric(of: &World, name: &str) -> u64 {
    let said = http(of.address, "GET", "/metrics", &[], b"").await;
    let values = said.body.lines();
    let mut values = values.filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next().unwrap().parse().unwrap()
}

/// Waits until a metric has this value at least.
async fn until(of: &World, name: &str, at_least: u64) {
    let reached = async {
        while metric(of, name).await < at_least {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap();
}

async fn is_ready(node: &World) -> bool {
    let said = http(node.address, "GET", "/readyz", &[], b"").await;
    said.status == 200
}

#[tokio::test]
async fn what_happens_on_one_node_is_heard_on_the_other_at_once() {
    let Some(broker) = Broker::start("two nodes with NATS between them") else {
        return;
    };
    let pair = Pair::over(&broker, NEVER_MS).await;
    let (ann, mut a, mut b, room) = den(&pair).await;
    connected(&mut a, &mut b, room).await;
    for line in ["one", "two", "three \u{1f642}"] {
        a.post(room, line).await;
        assert_eq!(lines(&mut b, room, line).await, [line]);
        let answer = format!("{line}, too");
        b.post(room, &answer).await;
        assert_eq!(lines(&mut a, room, &answer).await, [line, &answer]);
        assert_eq!(lines(&mut b, room, &answer).await, [answer]);
    }
    let mut elsewhere = pair.two.enter(&ann).await;
    let out = by(&pair.one, &ann, "POST", "/v1/auth/logout", "").await;
    assert_eq!(out.status, 204);
    assert_eq!(elsewhere.closed().await, 4501);
    pair.stop().await;
}

#[tokio::test]
async fn a_line_that_no_message_holds_is_heard_all_the_same() {
    let options = ["--config", "max_payload.conf"];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(options[1]);
    std::fs::write(&file, "max_payload: 1000\n").unwrap();
    let options = [options[0], file.to_str().unwrap()];
    let Some(broker) = Broker::with("a NATS server for short messages", &options) else {
        return;
    };
    let pair = Pair::over(&broker, NEVER_MS).await;
    let (_, mut a, mut b, room) = den(&pair).await;
    connected(&mut a, &mut b, room).await;
    let long = "x".repeat(3_000);
    a.post(room, &long).await;
    assert_eq!(lines(&mut b, room, &long).await, [long]);
    pair.stop().await;
}

#[tokio::test]
async fn what_was_said_while_the_bus_was_cut_comes_once_it_is_back() {
    let Some(mut broker) = Broker::start("a NATS server that is killed and comes back") else {
        return;
    };
    let pair = Pair::over(&broker, NEVER_MS).await;
    let (_, mut a, mut b, room) = den(&pair).await;
    connected(&mut a, &mut b, room).await;
    broker.stop();
    until(&pair.one, "chat_bus_cut", 1).await;
    until(&pair.two, "chat_bus_cut", 1).await;
    assert!(is_ready(&pair.one).await && is_ready(&pair.two).await);
    a.post(room, "is anybody there?").await;
    broker.start_again();
    connected(&mut a, &mut b, room).await;
    assert_eq!(metric(&pair.one, "chat_bus_cut").await, 0);
    a.post(room, "back").await;
    assert_eq!(
        lines(&mut b, room, "back").await,
        ["is anybody there?", "back"]
    );
    pair.stop().await;
}

#[tokio::test]
async fn a_node_that_reaches_no_bus_starts_and_hears_the_others_by_looking() {
    let Some(mut broker) = Broker::start("a NATS server that isn't there") else {
        return;
    };
    broker.stop();
    let pair = Pair::over(&broker, 20).await;
    assert!(is_ready(&pair.one).await);
    let (_, mut a, mut b, room) = den(&pair).await;
    a.post(room, "hello").await;
    assert_eq!(lines(&mut b, room, "hello").await, ["hello"]);
    broker.start_again();
    connected(&mut a, &mut b, room).await;
    b.post(room, "here you are").await;
    assert_eq!(
        lines(&mut a, room, "here you are").await.last().unwrap(),
        "here you are"
    );
    pair.stop().await;
}

/// Somebody who can talk to the NATS server, and has no business there.
struct Stranger {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Stranger {
    /// Listens to everything.
    async fn at(broker: &Broker) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", broker.port()))
            .await
            .unwrap();
        let (reader, writer) = stream.into_split();
        let reader = BufReader::new(reader);
        let mut stranger = Self { reader, writer };
        stranger
            .write(b"CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB > 1\r\nPING\r\n")
            .await;
        while stranger.line().await != "PONG" {}
        stranger
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.reader.read_line(&mut line)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "the NATS server hung up");
        line.trim_end().to_owned()
    }

    /// The next message: its subject, and what it says.
    async fn message(&mut self) -> (String, Vec<u8>) {
        loop {
            let line = self.line().await;
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == "MSG" {
                let mut message = vec![0; words.last().unwrap().parse::<usize>().unwrap() + 2];
                self.reader.read_exact(&mut message).await.unwrap();
                message.truncate(message.len() - 2);
                return (words[1].to_owned(), message);
            }
        }
    }

    async fn publish(&mut self, subject: &str, message: &[u8]) {
        let head = format!("PUB {subject} {}\r\n", message.len());
        self.write(&[head.as_bytes(), message, b"\r\n"].concat())
            .await;
    }
}

/// Bytes of a message before what it says.
const HEAD: usize = 41;

/// Where the highest byte is of how many messages its sender had sent before.
const COUNT: usize = 25;

#[tokio::test]
async fn nobody_is_believed_who_has_no_part_in_the_store() {
    let Some(broker) = Broker::start("strangers on the bus") else {
        return;
    };
    let pair = Pair::over(&broker, NEVER_MS).await;
    let (_, mut a, mut b, room) = den(&pair).await;
    connected(&mut a, &mut b, room).await;
    let mut stranger = Stranger::at(&broker).await;
    a.post(room, "hello").await;
    let (subject, message) = loop {
        let (subject, message) = stranger.message().await;
        if String::from_utf8_lossy(&message).contains("hello") {
            break (subject, message);
        }
    };
    // What comes next, in words of his own; and whatever else bytes may be.
    assert_eq!(b.event("joined").await["seq"], 2);
    let seq = b.event("posted").await["seq"].as_u64().unwrap();
    let text = String::from_utf8_lossy(&message[HEAD..]).into_owned();
    let forged = text
        .replace("hello", "forged")
        .replace(&format!("\"seq\":{seq}"), &format!("\"seq\":{}", seq + 1));
    assert_ne!(forged, text);
    let mut forged = [&message[..HEAD], forged.as_bytes()].concat();
    // It seems to come after all that was sent: nothing but the seal speaks against it.
    forged[COUNT] = 1;
    let mut later = message.clone();
    later[0] = 2;
    let whole = vec![b'x'; 1024 * 1024];
    let strange = [
        &forged,
        &later,
        &whole,
        &message[..HEAD].to_vec(),
        &b"a".to_vec(),
        &vec![],
    ];
    for message in strange {
        stranger.publish(&subject, message).await;
    }
    // What was said once is heard once, however often he repeats it.
    stranger.publish(&subject, &message).await;
    let strange = strange.len() as u64 + 1;
    until(&pair.two, "chat_bus_unreadable_total", strange).await;
    a.post(room, "still here").await;
    assert_eq!(lines(&mut b, room, "still here").await, ["still here"]);
    assert!(is_ready(&pair.two).await);
    let rest = b.rest().await;
    assert!(
        rest.iter().all(|frame: &Value| frame.get("ev").is_none()),
        "{rest:?}"
    );
    pair.stop().await;
}

#[tokio::test]
async fn whoever_repeats_that_log_ins_have_ended_ends_none() {
    let Some(broker) = Broker::start("a stranger who repeats what was said") else {
        return;
    };
    let pair = Pair::over(&broker, NEVER_MS).await;
    let (ann, mut a, mut b, room) = den(&pair).await;
    connected(&mut a, &mut b, room).await;
    let mut elsewhere = pair.two.enter(&ann).await;
    let mut stranger = Stranger::at(&broker).await;
    let all = Revocation {
        user: UserId::new(ann.id),
        grant: None,
    };
    pair.one.server.revoke(&all).await;
    assert_eq!(elsewhere.closed().await, 4501);
    assert_eq!(a.closed().await, 4501);
    let ended = format!("e {} ", ann.id);
    let (subject, message) = loop {
        let (subject, message) = stranger.message().await;
        if String::from_utf8_lossy(&message).contains(&ended) {
            break (subject, message);
        }
    };
    // She is back, on both nodes. The one that said it hears it as well.
    let mut back = [pair.one.enter(&ann).await, pair.two.enter(&ann).await];
    for _ in 0..3 {
        stranger.publish(&subject, &message).await;
    }
    for node in [&pair.one, &pair.two] {
        until(node, "chat_bus_unreadable_total", 3).await;
    }
    for client in &mut back {
        client.post(room, "still here").await;
    }
    pair.stop().await;
}
