//! The machine that the server runs on: it starts, stops and crashes it, over the same store.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use chat_core::{Name, UserId};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::clock::VirtualClock;
use super::dice::{Dice, Drawn};
use super::faulty::{Faulty, Ward};
use super::ledger::Ledger;
use super::network::{Cable, End, Weather, connection};
use super::trace::Trace;
use crate::auth::{AuthError, Authenticator, Identity, TokenFault, Verdict};
use crate::config::Config;
use crate::listener::Caller;
use crate::node::Node;
use crate::server::Server;
use crate::store::Store;
use crate::worker::Inboxes;

/// Opens the store, once for each start of a server.
pub(super) type Open = Box<dyn FnMut(&mut Dice) -> Arc<dyn Store>>;

/// A machine with at most one server on it.
pub(super) struct Host {
    pub(super) config: Config,
    pub(super) ward: Ward,
    clock: Arc<VirtualClock>,
    ledger: Ledger,
    trace: Trace,
    dice: RefCell<Dice>,
    open: RefCell<Open>,
    life: RefCell<Option<Life>>,
    /// The store, without anything that goes wrong.
    sound: RefCell<Option<Arc<dyn Store>>>,
    weather: Cell<Weather>,
}

/// A server that runs.
struct Life {
    server: Server,
    task: JoinHandle<()>,
    door: mpsc::Sender<(End, SocketAddr)>,
    cables: Vec<Cable>,
}

/// Connections that wait for the server to take them on.
const WAITING_MAX: usize = 64;

impl Host {
    pub(super) fn new(
        open: Open,
        workers: usize,
        clock: Arc<VirtualClock>,
        (ledger, trace): (Ledger, Trace),
        mut dice: Dice,
    ) -> Self {
        let config = config(workers, &mut dice);
        let weather = Weather {
            late_ms_max: dice.between(1, 120),
            bytes_max: 4_096,
            piece_bytes_max: dice.between(20, 3_000),
        };
        Self {
            config,
            ward: Ward::new(dice.fork()),
            clock,
            ledger,
            trace,
            dice: RefCell::new(dice),
            open: RefCell::new(open),
            life: RefCell::default(),
            sound: RefCell::default(),
            weather: Cell::new(weather),
        }
    }

    /// Starts a server, however often that takes.
    pub(super) async fn start(&self) {
        loop {
            let store = (self.open.borrow_mut())(&mut self.dice.borrow_mut());
            self.sound.replace(Some(store.clone()));
            let (ward, ledger) = (self.ward.clone(), self.ledger.clone());
            let store = Faulty::over(store, ward, ledger, self.trace.clone());
            let drawn = Drawn::from(self.dice.borrow_mut().fork());
            let server = Server::builder(self.config.clone())
                .store(Arc::new(store))
                .clock(self.clock.clone())
                .entropy(Arc::new(drawn))
                .authenticator(Arc::new(Badges))
                .prepare()
                .await;
            match server {
                Ok((server, inboxes)) => {
                    let (door, arrivals) = mpsc::channel(WAITING_MAX);
                    let (node, router) = (server.node().clone(), server.router());
                    let task =
                        spawn_local(live(node, inboxes, arrivals, router, self.trace.clone()));
                    let cables = Vec::new();
                    self.trace.note("host", "starts a server");
                    self.life.replace(Some(Life {
                        server,
                        task,
                        door,
                        cables,
                    }));
                    return;
                }
                Err(error) => {
                    self.trace.note("host", &format!("can't start: {error}"));
                    self.trace.reach("start failed");
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
        }
    }

    /// Ends the server in the middle of everything.
    pub(super) async fn crash(&self) {
        let Some(life) = self.life.take() else { return };
        self.trace.note("host", "the server crashes");
        for cable in &life.cables {
            cable.cut();
        }
        life.task.abort();
        // It was told to, so this is no news.
        drop(life.task.await);
    }

    /// Asks the server to stop, and waits until it has.
    pub(super) async fn stop(&self) {
        let Some(life) = self.life.take() else { return };
        self.trace.note("host", "the server stops");
        life.server.stop().await;
        if tokio::time::timeout(Duration::from_secs(5), life.task)
            .await
            .is_err()
        {
            self.trace.wrong("the server didn't stop within 5 s");
        }
        for cable in &life.cables {
            cable.cut();
        }
    }

    /// A connection to the server; none if it doesn't run.
    pub(super) fn connect(&self, number: u8, dice: &mut Dice) -> Option<(End, Cable)> {
        let mut life = self.life.borrow_mut();
        let life = life.as_mut()?;
        let (ours, theirs, cable) = connection(self.weather.get(), dice);
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)), 40_000);
        life.door.try_send((theirs, peer)).ok()?;
        life.cables.push(cable.clone());
        Some((ours, cable))
    }

    /// Lets nothing be late any more.
    pub(super) fn calm(&self) {
        let calm = Weather {
            late_ms_max: 1,
            ..self.weather.get()
        };
        self.weather.set(calm);
    }

    /// The store as it is, whatever the server sees of it.
    pub(super) fn sound(&self) -> Option<Arc<dyn Store>> {
        self.sound.borrow().clone()
    }
}

/// The life of a server's process, as one task: all of it ends with that.
async fn live(
    node: Node,
    inboxes: Vec<Inboxes>,
    mut arrivals: mpsc::Receiver<(End, SocketAddr)>,
    router: Router,
    trace: Trace,
) {
    let process = LocalSet::new();
    let workers = async move {
        let lives = inboxes.into_iter().enumerate();
        let lives: Vec<_> = lives
            .map(|(index, inboxes)| spawn_local(crate::worker::live(node.clone(), index, inboxes)))
            .collect();
        spawn_local(async move {
            while let Some((end, peer)) = arrivals.recv().await {
                let Ok(place) = node.connect(Some(peer.ip())) else {
                    continue;
                };
                let (place, node) = (Arc::new(place), node.clone());
                let caller = Caller { peer, place, node };
                spawn_local(crate::listener::serve(end, caller, router.clone()));
            }
        });
        for life in lives {
            if life.await.is_err() {
                trace.wrong("a worker has panicked");
            }
        }
    };
    process.run_until(workers).await;
}

/// A server for few people, with bounds that they meet.
fn config(workers: usize, dice: &mut Dice) -> Config {
    let mut config = Config {
        workers: NonZeroUsize::new(workers),
        ..Config::default()
    };
    config.lift_rate_limits();
    let limits = &mut config.server_limits;
    limits.ping_ms = dice.between(1_500, 5_000);
    limits.pong_ms_max = limits.ping_ms;
    limits.outbox_bytes_max = 12 * 1024;
    limits.page_items = 10;
    limits.catch_up_records_max = dice.between(30, 400);
    limits.room_idle_ms = dice.between(500, 20_000);
    config
}

/// Knows people by badges: `badge-7` is user 7.
#[derive(Debug)]
struct Badges;

#[async_trait]
impl Authenticator for Badges {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        let number = token.strip_prefix("badge-").and_then(|it| it.parse().ok());
        let Some(number) = number else {
            return Ok(Verdict::NotMine(TokenFault::Unknown));
        };
        let name = Name::new(&format!("u{number}")).map_err(|_| TokenFault::Claims)?;
        let identity = Identity::new(UserId::new(number), name).with_grant(token);
        Ok(Verdict::Holder(identity))
    }
}
