//! One process: its workers, its store, its accounts, and what is needed to reach them.
//!
//! The threads of the workers are started here, and by nobody else. What else lives as long as the
//! server has a thread of its own where it belongs: the hashing of passwords, what a store on disk
//! reads and writes, and the log.

mod doors;
mod errand;
mod ready;
mod sessions;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD, POST_REFILL_MS};
use chat_core::{Limits, RoomId, Seq, Timestamp, UserId};
use chat_protocol::answer::PublishedLimits;
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};

use crate::auth::hashing::Hasher;
use crate::auth::limiter::{GuestRules, Limiter, Whence};
use crate::auth::{Accounts, AuthError, Authenticator, Identity, Revocation};
use crate::budgets::Budgets;
use crate::bus::{Bus, Hint, NodeMark};
use crate::clock::Clock;
use crate::config::{Config, RegisteredNames};
use crate::desk::Crowds;
use crate::engineio::Lines;
use crate::entropy::Entropy;
use crate::limits::ServerLimits;
use crate::mail::{Mail, Refused};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::reads::{Read, Reads, Source};
use crate::status::Statuses;
use crate::store::{Store, StoreError};
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::worker::{self, Address, Inboxes, Mailboxes, Order};

pub(crate) use self::errand::carry_out;
pub(crate) use self::ready::Readiness;

/// A handle to the process's parts. Cheap to clone, of use on any thread.
#[derive(Clone)]
pub struct Node(Arc<Parts>);

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) bus: Arc<dyn Bus>,
    /// What it is called by the others on the bus.
    pub(crate) mark: NodeMark,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) metrics: Metrics,
    /// What the public listeners prove who they are with, if they speak TLS.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    pub(crate) workers: Vec<Mailboxes>,
    /// Every bound, once somebody has asked.
    pub(crate) published: OnceLock<PublishedLimits>,
    /// Live sessions of each user.
    pub(crate) sessions: Mutex<HashMap<UserId, usize>>,
    pub(crate) statuses: Statuses,
    pub(crate) budgets: Budgets,
    pub(crate) crowds: Crowds,
    pub(crate) places: Places,
    /// Whether the store was there when it was asked last.
    pub(crate) readiness: Readiness,
    /// What is read for clients that catch up.
    pub(crate) reads: Reads,
    /// When it was said last that the system gives no connections.
    pub(crate) exhausted: Mutex<Option<Duration>>,
    /// Engine.IO sessions, whichever worker they are on.
    pub(crate) lines: Arc<Lines>,
    pub(crate) next_worker: AtomicUsize,
    pub(crate) stopping: AtomicBool,
    /// Workers whose sessions have said goodbye.
    pub(crate) parted: AtomicUsize,
    pub(crate) threads: Mutex<Vec<JoinHandle<io::Result<()>>>>,
}

/// How long a client that is sent away waits at most before it comes back, in milliseconds.
pub(crate) const RECONNECT_MS: u64 = 1_000;

/// How long the workers may take to end.
const STOP: Duration = Duration::from_secs(5);

impl Node {
    /// Puts the parts together. Nothing happens until somebody gives each worker its inboxes.
    pub(crate) fn new(
        make: impl FnOnce(Vec<Mailboxes>) -> Parts,
        workers: usize,
        mail_max: usize,
    ) -> (Self, Vec<Inboxes>) {
        let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..workers)
            .map(|index| worker::boxes(index, mail_max))
            .unzip();
        (Self(Arc::new(make(boxes))), inboxes)
    }

    /// Starts a thread for each worker.
    #[expect(clippy::disallowed_methods, reason = "a worker is a thread")]
    pub(crate) fn start(&self, inboxes: Vec<Inboxes>) -> io::Result<()> {
        for (index, inboxes) in inboxes.into_iter().enumerate() {
            let its = self.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || worker::run(its, index, inboxes))?;
            self.threads().push(thread);
        }
        Ok(())
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.0.config.server_limits
    }

    pub(crate) fn engine_limits(&self) -> &Limits {
        &self.0.config.limits
    }

    /// The store that everything is kept in.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// What connects it with other nodes.
    pub(crate) fn bus(&self) -> &dyn Bus {
        &*self.0.bus
    }

    pub(crate) fn mark(&self) -> NodeMark {
        self.0.mark
    }

    /// The accounts that are built in.
    #[must_use]
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.0.accounts
    }

    pub(crate) fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.0.authenticator
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub(crate) fn limiter(&self) -> &Arc<Limiter> {
        &self.0.limiter
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn lines(&self) -> &Arc<Lines> {
        &self.0.lines
    }

    /// Who is present, as many ask for it at once.
    pub(crate) fn crowds(&self) -> &Crowds {
        &self.0.crowds
    }

    pub(crate) fn statuses(&self) -> &Statuses {
        &self.0.statuses
    }

    pub(crate) fn guests_welcome(&self) -> bool {
        self.0.config.guests
    }

    pub(crate) fn registered_names_free(&self) -> bool {
        self.0.config.registered_names == RegisteredNames::Free
    }

    /// Whether the server takes on more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Notes that a worker's sessions have said goodbye.
    pub(crate) fn part(&self) {
        self.0.parted.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether those of all workers have: no room is asked any more.
    pub(crate) fn all_parted(&self) -> bool {
        self.0.parted.load(Ordering::SeqCst) >= self.workers()
    }

    /// Records of a room that follow a position, for somebody who catches up.
    pub(crate) async fn read_on(&self, room: RoomId, after: Seq) -> Result<Arc<Read>, StoreError> {
        let page = usize::try_from(self.limits().catch_up_records_max).unwrap_or(usize::MAX);
        let source = Source {
            store: &**self.store(),
            clock: self.clock(),
            metrics: self.metrics(),
            page: page.max(1),
        };
        self.0.reads.read(&source, room, after).await
    }

    /// What was read for others.
    pub(crate) fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// Random bits.
    pub(crate) fn draw(&self) -> u64 {
        self.0.entropy.draw().unwrap_or_else(|| {
            // A system without randomness has nothing better than its clock.
            u64::try_from(self.clock().elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
    }

    pub(crate) fn workers(&self) -> usize {
        self.0.workers.len()
    }

    pub(crate) fn worker(&self, index: usize) -> Option<&Mailboxes> {
        self.0.workers.get(index)
    }

    /// The worker that owns a room.
    pub(crate) fn worker_of(&self, room: RoomId) -> &Mailboxes {
        let index = usize::try_from(room.number() % self.workers().max(1) as u64).unwrap_or(0);
        self.worker(index)
            .expect("a node has a worker for each remainder")
    }

    /// The worker for a connection: the one whose thread this is, else the next one.
    pub(crate) fn worker_for_connection(&self) -> &Mailboxes {
        let index = worker::here().unwrap_or_else(|| {
            self.0.next_worker.fetch_add(1, Ordering::Relaxed) % self.workers().max(1)
        });
        self.worker(index)
            .expect("a worker's number is one of the node's")
    }

    /// Sends something to a room; waits while its worker has more than it can do.
    pub(crate) async fn send(&self, mail: Box<Mail<Address>>) -> Result<(), Refusal> {
        let sent = self.worker_of(mail.room).mail.send(mail).await;
        sent.map_err(|_| Refusal::new(Code::ShuttingDown).with_retry(RECONNECT_MS))
    }

    /// Sends something to a room, unless its worker has more than it can do.
    pub(crate) fn offer(&self, mail: Box<Mail<Address>>) -> Result<(), Refusal> {
        let offered = self.worker_of(mail.room).mail.try_send(mail);
        offered.map_err(|error| match error {
            TrySendError::Full(_) => Refused::Overloaded.into(),
            TrySendError::Closed(_) => Refusal::new(Code::ShuttingDown).with_retry(RECONNECT_MS),
        })
    }

    /// Who the holder of a token is.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        self.0.authenticator.authenticate(token).await?.holder()
    }

    /// Suspends an account. Its live sessions end at once.
    pub(crate) async fn suspend(&self, user: UserId) -> Result<(), AuthError> {
        let node = self.clone();
        carry_out(async move {
            let ended = node.accounts().suspend(user).await?;
            node.revoke(&ended, Close::Suspended).await;
            Ok(())
        })
        .await
    }

    /// Ends the live sessions that a revocation concerns, on every node.
    pub(crate) async fn revoke(&self, revocation: &Revocation, close: Close) {
        self.publish_end(revocation, close);
        self.revoke_here(revocation, close).await;
    }

    fn publish_end(&self, revocation: &Revocation, close: Close) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("local_only_revocation") {
            return;
        }
        self.bus().publish(vec![Hint::Ended {
            user: revocation.user,
            grant: revocation.grant.clone(),
            close,
        }]);
    }

    /// Ends those on this node.
    pub(crate) async fn revoke_here(&self, revocation: &Revocation, close: Close) {
        let workers = self.0.workers.iter();
        #[cfg(sabotage)]
        let alone = chat_core::sabotage::planted("revoked_on_own_worker_only");
        #[cfg(sabotage)]
        let workers = workers.take(if alone { 1 } else { usize::MAX });
        for boxes in workers {
            let order = Order::Revoke(revocation.user, revocation.grant.clone(), close);
            // Refused only if the worker ends, and its sessions with it.
            drop(boxes.orders.send(order).await);
        }
    }

    /// Forgets the records that were read or heard a moment ago, on every node: they have words of
    /// somebody who was erased. On this one that has happened when this returns.
    pub(crate) async fn forget_words(&self, erased: UserId) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("erased_words_remembered") {
            return;
        }
        self.bus().publish(vec![Hint::Erased(erased)]);
        self.forget_words_here(erased).await;
    }

    /// Forgets those on this node.
    pub(crate) async fn forget_words_here(&self, erased: UserId) {
        let (order, mut done) = mpsc::channel(1);
        for boxes in &self.0.workers {
            // Refused only if the worker ends, and what it remembers with it.
            let order = Order::ForgetWords(erased, order.clone());
            drop(boxes.orders.send(order).await);
        }
        drop(order);
        while done.recv().await.is_some() {}
        self.reads().erase_all();
    }

    /// The clock that only goes on, in milliseconds: what budgets are measured with.
    pub(crate) fn steady_now(&self) -> Timestamp {
        let elapsed = self.clock().elapsed().as_millis();
        Timestamp::saturating(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Takes one command off the budget of a user who has no session.
    pub(crate) fn spend(&self, user: UserId, from: Whence<'_>) -> Result<(), Refusal> {
        let spent = self.0.budgets.spend(user, self.steady_now(), self.limits());
        spent.map_err(Refusal::rate_limited)?;
        if user.is_guest() {
            self.spend_as_guest(from, 1)?;
        }
        Ok(())
    }

    /// Takes up to so many commands off what all guests of an address may give; tells how many.
    pub(crate) fn spend_as_guest(&self, from: Whence<'_>, most: u64) -> Result<u64, Refusal> {
        let spent = self.limiter().act_as_guest(from, self.guest_rules(), most);
        spent.map_err(|limited| Refusal::rate_limited(limited.retry_ms))
    }

    /// What the guests of one address may do together.
    pub(crate) fn guest_rules(&self) -> GuestRules {
        GuestRules::from(self.limits())
    }

    /// Every bound, for clients.
    pub(crate) fn published_limits(&self) -> PublishedLimits {
        self.0
            .published
            .get_or_init(|| self.publish_limits())
            .clone()
    }

    fn publish_limits(&self) -> PublishedLimits {
        let mut server = match serde_json::to_value(self.limits()) {
            Ok(serde_json::Value::Object(server)) => server,
            Ok(_) | Err(_) => serde_json::Map::new(),
        };
        server.insert("cid_window_ms".into(), CID_WINDOW_MS.into());
        server.insert("cids_held".into(), CIDS_HELD.into());
        server.insert("post_refill_ms".into(), POST_REFILL_MS.into());
        server.insert("page_bytes_max".into(), self.page_bytes_max().into());
        server.insert(
            "rooms_per_listener_max".into(),
            self.rooms_heard_max().into(),
        );
        PublishedLimits {
            engine: self.engine_limits().clone(),
            server,
        }
    }

    /// How many items a page has, given what was asked for.
    pub(crate) fn page(&self, asked: Option<u64>) -> usize {
        let limits = self.limits();
        let asked = asked.map(|asked| usize::try_from(asked).unwrap_or(usize::MAX));
        asked
            .unwrap_or(limits.page_items)
            .clamp(1, limits.page_items_max)
    }

    /// Bytes that a page takes up at most, unless its first item does: a quarter of what may wait
    /// for a socket.
    pub(crate) fn page_bytes_max(&self) -> usize {
        self.limits().outbox_bytes_max / 4
    }

    /// Ends every session with a goodbye, then the workers.
    pub(crate) async fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        self.0.lines.stop();
        for boxes in &self.0.workers {
            // Refused only if the worker has ended.
            drop(boxes.orders.send(Order::Stop).await);
        }
        let began = self.clock().elapsed();
        while self.clock().elapsed().saturating_sub(began) < STOP {
            if self.threads().iter().all(JoinHandle::is_finished) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<io::Result<()>>>> {
        self.0
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}
