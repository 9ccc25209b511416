//! Those who are too slow, too many, or mean harm; and somebody who chats on meanwhile.

mod behind;
mod descriptors;
mod fair;
mod floods;
mod gone;
mod limits;
mod log;
mod malformed;
mod pages;
pub(crate) mod process;
mod readers;
mod readiness;
mod slowness;
mod storm;
mod swarm;
pub(crate) mod watched;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{Native, sign_up};

/// Two people who chat in a room of their own, whatever else goes on.
struct Canary {
    says: Native,
    hears: Native,
    room: u64,
    said: u64,
}

impl Canary {
    /// The two, who come in before the trouble does.
    async fn at(address: SocketAddr) -> Self {
        let (tweety, tom) = (
            sign_up(address, "tweety").await,
            sign_up(address, "tom").await,
        );
        let mut says = Native::connect(address).await;
        says.hello(&tweety).await;
        let room = says.create(json!({"name": "cage"})).await;
        let mut hears = Native::connect(address).await;
        hears.hello(&tom).await;
        hears.join(room).await;
        Self {
            says,
            hears,
            room,
            said: 0,
        }
    }

    /// One says something, the other hears it.
    async fn sings(&mut self) {
        self.said += 1;
        let line = format!("line {}", self.said);
        let seq = self.says.post(self.room, &line).await;
        loop {
            let event = self.hears.event_of(self.room).await;
            if event["ev"] == "posted" && event["seq"] == seq {
                return assert_eq!(event["d"]["content"]["body"], line);
            }
        }
    }
}

impl Canary {
    /// They chat on for as long as something lasts.
    async fn sings_during<T>(&mut self, trouble: impl Future<Output = T>) -> T {
        let over = Cell::new(false);
        let trouble = async {
            let what = trouble.await;
            over.set(true);
            what
        };
        let songs = async {
            while !over.get() {
                self.sings().await;
                // They chat, and don't race.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (what, ()) = tokio::join!(trouble, songs);
        self.sings().await;
        what
    }
}

/// Connects from this address of the loopback network.
async fn from(last: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let ours = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(ours).unwrap();
    socket.connect(address).await.unwrap()
}

/// How many of something a test takes: more where the environment says so.
fn many(variable: &str, few: usize) -> usize {
    let given = std::env::var(variable).ok();
    given.map_or(few, |given| given.parse().unwrap())
}

/// The value of a number that operators are shown.
fn shown(metrics: &str, name: &str) -> i64 {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{name} isn't shown"));
    value.parse().unwrap()
}

#[tokio::test]
async fn operators_see_all_that_could_pile_up() {
    let world = crate::world::World::new().await;
    let said = crate::world::http(world.address, "GET", "/metrics", &[], b"").await;
    let names: BTreeSet<_> = said
        .body
        .lines()
        .filter_map(|it| it.split(['{', ' ']).next())
        .collect();
    for name in [
        "chat_outbox_bytes",
        "chat_resident_bytes",
        "chat_cids_held",
        "chat_gaps_total",
        "chat_catch_up_reads_total",
        "chat_sessions_lagging_total",
        "chat_signals_dropped_total",
        "chat_requests_waiting",
        "chat_connections_refused_total",
        "chat_accepts_failed_total",
        "chat_log_lines_dropped_total",
    ] {
        assert!(names.contains(name), "{name} isn't among {names:?}");
    }
    world.stop().await;
}
