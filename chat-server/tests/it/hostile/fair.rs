//! Somebody who sends without end: he is read like everybody else, a bit at a time.

use std::io::Write;
use std::net;
use std::num::NonZeroUsize;
use std::thread;

use serde_json::json;

use super::Canary;
use crate::websocket::raw::{CONTINUATION, FIN, PONG, Raw, TEXT, frame};
use crate::world::{World, config};

/// Somebody who sends the same again and again, for as long as it is taken.
struct Flood {
    socket: net::TcpStream,
    sends: thread::JoinHandle<()>,
}

impl Flood {
    fn of(raw: Raw, bytes: Vec<u8>) -> Self {
        let socket = raw.0.into_std().unwrap();
        socket.set_nonblocking(false).unwrap();
        let mut writes = socket.try_clone().unwrap();
        let sends = thread::spawn(move || while writes.write_all(&bytes).is_ok() {});
        Self { socket, sends }
    }

    /// Ends it; tells whether it went on until then.
    fn end(self) -> bool {
        let went_on = !self.sends.is_finished();
        drop(self.socket.shutdown(net::Shutdown::Both));
        self.sends.join().unwrap();
        went_on
    }
}

#[tokio::test]
async fn whoever_never_stops_sending_holds_up_nobody_on_his_worker() {
    let mut config = config();
    config.workers = NonZeroUsize::new(1);
    // It ends nobody for his silence, however long this takes.
    config.server_limits.hello_ms_max = 3_600_000;
    config.server_limits.ping_ms = 3_600_000;
    let world = World::with(config).await;
    let mut canary = Canary::at(world.address).await;
    let query = frame(FIN | TEXT, br#"{"type":"query","payload":{"query":"x"}}"#);
    let nothing = frame(FIN | TEXT, br#"{"type":"nothing","payload":{"query":"x"}}"#);
    for (story, first, again) in [
        ("pongs", Vec::new(), frame(FIN | PONG, b"").repeat(60_000)),
        ("words that mean nothing", query, nothing.repeat(8_000)),
        (
            "a message that never ends",
            frame(TEXT, b"{"),
            frame(CONTINUATION, b"").repeat(60_000),
        ),
    ] {
        let mut raw = Raw::connect(world.address).await;
        raw.send(&first).await;
        let flood = Flood::of(raw, again);
        for _ in 0..30 {
            canary.sings().await;
        }
        assert!(flood.end(), "{story}");
    }
    world.stop().await;
}

#[tokio::test]
async fn words_that_mean_nothing_cost_as_much_as_others() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 20;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let mut canary = Canary::at(world.address).await;
    let nothing = json!({"type": "nothing", "payload": {"query": "x"}}).to_string();
    let mut raw = Raw::connect(world.address).await;
    raw.send(&frame(
        FIN | TEXT,
        br#"{"type":"query","payload":{"query":"x"}}"#,
    ))
    .await;
    raw.send(&frame(FIN | TEXT, nothing.as_bytes()).repeat(230))
        .await;
    assert_eq!(raw.ends().await, Some(1008));
    canary.sings().await;
    world.stop().await;
}
