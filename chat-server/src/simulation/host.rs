//! The machines that servers run on: they start, stop and crash them, over the same store.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Name, UserId};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::bus::Exchange;
use super::clock::VirtualClock;
use super::dice::{Dice, Drawn};
use super::faulty::{Faulty, Ward};
use super::ledger::Ledger;
use super::network::{Cable, End, Weather, connection};
use super::trace::Trace;
use crate::auth::hashing::HashingCost;
use crate::auth::{AuthError, Authenticator, Identity, TokenFault, Verdict};
use crate::config::Config;
use crate::http::Site;
use crate::listener::Caller;
use crate::node::Node;
use crate::server::Server;
use crate::store::Store;
use crate::worker::Inboxes;

/// Opens the store, once for each start of a server.
pub(super) type Open = Box<dyn FnMut(&mut Dice) -> Arc<dyn Store>>;

/// Some machines, each with at most one server on it.
pub(super) struct Host {
    pub(super) config: Config,
    pub(super) ward: Ward,
    clock: Arc<VirtualClock>,
    ledger: Ledger,
    trace: Trace,
    dice: RefCell<Dice>,
    open: RefCell<Open>,
    /// What runs on each machine.
    lives: RefCell<Vec<Option<Life>>>,
    /// What connects the machines, if there are several.
    pub(super) bus: Option<Exchange>,
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

/// As little work as a hash can be.
const HASHING: HashingCost = HashingCost {
    memory_kib: 8,
    passes: 1,
};

/// Connections that wait for the server to take them on.
const WAITING_MAX: usize = 64;

impl Host {
    pub(super) fn new(
        open: Open,
        (machines, workers): (usize, usize),
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
        let bus = (machines > 1).then(|| Exchange::new(dice.fork(), trace.clone()));
        Self {
            config,
            ward: Ward::new(dice.fork()),
            clock,
            ledger,
            trace,
            dice: RefCell::new(dice),
            open: RefCell::new(open),
            lives: RefCell::new((0..machines).map(|_| None).collect()),
            bus,
            sound: RefCell::default(),
            weather: Cell::new(weather),
        }
    }

    pub(super) fn machines(&self) -> usize {
        self.lives.borrow().len()
    }

    /// The store: opened again if nobody has it open.
    fn store(&self) -> Arc<dyn Store> {
        let is_open = self.lives.borrow().iter().any(Option::is_some);
        if is_open && let Some(store) = self.sound() {
            return store;
        }
        let store = (self.open.borrow_mut())(&mut self.dice.borrow_mut());
        self.sound.replace(Some(store.clone()));
        store
    }

    /// Starts a server on a machine, however often that takes.
    pub(super) async fn start(&self, machine: usize) {
        loop {
            let store = self.store();
            let (ward, ledger) = (self.ward.clone(), self.ledger.clone());
            let store = Faulty::over(store, ward, ledger, self.trace.clone());
            let drawn = Drawn::from(self.dice.borrow_mut().fork());
            let mut builder = Server::builder(self.config.clone());
            if let Some(bus) = &self.bus {
                builder = builder.bus(Arc::new(bus.join()));
            }
            let server = builder
                .store(Arc::new(store))
                .clock(self.clock.clone())
                .entropy(Arc::new(drawn))
                .authenticator(Arc::new(Badges))
                .hashing(HASHING)
                .in_step()
                .prepare()
                .await;
            match server {
                Ok((server, inboxes)) => {
                    let (door, arrivals) = mpsc::channel(WAITING_MAX);
                    let (node, site) = (
                        server.node().clone(),
                        crate::http::site(server.node(), None),
                    );
                    let task = spawn_local(live(node, inboxes, arrivals, site, self.trace.clone()));
                    let cables = Vec::new();
                    self.trace.note("host", &format!("starts server {machine}"));
                    let life = Life {
                        server,
                        task,
                        door,
                        cables,
                    };
                    return self.put(machine, life);
                }
                Err(error) => {
                    self.trace.note("host", &format!("can't start: {error}"));
                    self.trace.reach("start failed");
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
        }
    }

    fn put(&self, machine: usize, life: Life) {
        if let Some(place) = self.lives.borrow_mut().get_mut(machine) {
            *place = Some(life);
        }
    }

    fn take(&self, machine: usize) -> Option<Life> {
        let mut lives = self.lives.borrow_mut();
        lives.get_mut(machine)?.take()
    }

    /// Ends a server in the middle of everything.
    pub(super) async fn crash(&self, machine: usize) {
        let Some(life) = self.take(machine) else {
            return;
        };
        self.trace
            .note("host", &format!("server {machine} crashes"));
        for cable in &life.cables {
            cable.cut();
        }
        life.task.abort();
        // It was told to, so this is no news.
        drop(life.task.await);
    }

    /// Asks a server to stop, and waits until it has.
    pub(super) async fn stop(&self, machine: usize) {
        let Some(life) = self.take(machine) else {
            return;
        };
        self.trace.note("host", &format!("server {machine} stops"));
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

    /// A machine on which a server runs.
    pub(super) fn machine(&self, dice: &mut Dice) -> Option<usize> {
        let lives = self.lives.borrow();
        let running = lives.iter().enumerate().filter(|(_, life)| life.is_some());
        let running: Vec<usize> = running.map(|(machine, _)| machine).collect();
        match running.as_slice() {
            [one] => Some(*one),
            several => dice.pick(several).copied(),
        }
    }

    /// A connection to a server; none if none runs.
    pub(super) fn connect(&self, number: u8, dice: &mut Dice) -> Option<(End, Cable)> {
        let machine = self.machine(dice)?;
        self.connect_to(machine, number, dice)
    }

    /// A connection to the server on this machine; none if it doesn't run.
    pub(super) fn connect_to(
        &self,
        machine: usize,
        number: u8,
        dice: &mut Dice,
    ) -> Option<(End, Cable)> {
        let mut lives = self.lives.borrow_mut();
        let life = lives.get_mut(machine)?.as_mut()?;
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
        if let Some(bus) = &self.bus {
            bus.heal();
        }
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
    site: Site,
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
                spawn_local(crate::listener::serve(end, caller, site.clone()));
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
    limits.poll_ms = dice.between(200, 2_500);
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
