//! A bus over a NATS server, for nodes on several machines.
//!
//! All nodes on one store talk and listen on one subject, `chat.<name of the store>`. Whatever waits at
//! one moment goes out as one message; whoever hears it picks the lines about his own rooms before
//! anything of them is read. [`ClusterKey`] says who is believed.

mod key;
mod message;
mod once;
mod waiting;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::rustls::crypto::{CryptoProvider, aws_lc_rs};
use async_nats::{Client, ConnectOptions, Event, Subscriber};
use async_trait::async_trait;
use chat_core::RoomId;
use futures_util::StreamExt;
use tokio::task::AbortHandle;

pub use self::key::ClusterKey;
use self::once::{Heard, Mark};
use self::waiting::Waiting;
use super::{Bus, BusError, Hint};
use crate::clock::Clock;
use crate::config::NatsUrl;
use crate::entropy::{Entropy, SystemEntropy};
use crate::metrics::Metrics;

/// One node's end of a bus over NATS. What it needs runs as tasks on the runtime that it was opened in,
/// and ends when it is dropped.
///
/// The library below logs what passes, texts of people too, at the level `TRACE` of `async_nats`. The
/// program never writes that; an application's own log shouldn't.
pub struct Nats {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

struct Shared {
    key: ClusterKey,
    clock: Arc<dyn Clock>,
    /// What its messages are known by.
    number: u64,
    subject: String,
    rooms: Mutex<HashSet<RoomId, foldhash::fast::FixedState>>,
    /// To be told.
    told: Waiting,
    heard: Waiting,
    dropped: AtomicBool,
    metrics: Metrics,
    /// Why nobody can be reached, as far as that was said: a few words of the library's.
    complaints: Mutex<BTreeSet<String>>,
}

impl Nats {
    /// Opens an end of the bus of all who have this key, and clocks that show about the same time of day.
    /// It needn't be reached for that: as long as it isn't, whatever is told is lost.
    ///
    /// # Errors
    ///
    /// [`BusError`] if there is no such address, or the system gives no randomness.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn open(
        url: &NatsUrl,
        key: ClusterKey,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, BusError> {
        let number = SystemEntropy.draw();
        let shared = Arc::new(Shared {
            subject: format!("{}.{}", url.prefix(), key.name()),
            key,
            clock,
            number: number.ok_or_else(|| BusError::new("there is no randomness"))?,
            rooms: Mutex::default(),
            told: Waiting::default(),
            heard: Waiting::default(),
            dropped: AtomicBool::new(false),
            metrics: metrics.clone(),
            complaints: Mutex::default(),
        });
        shared.metrics.bus_cut.set(1);
        if CryptoProvider::get_default().is_none() {
            // The process would have to choose if several were compiled in. Somebody else may be first.
            drop(aws_lc_rs::default_provider().install_default());
        }
        let options = shared.clone().options(url);
        let client = options.connect(url.servers()).await;
        let client = client.map_err(BusError::new)?;
        let subscribed = client.subscribe(shared.subject.clone()).await;
        let subscriber = subscribed.map_err(BusError::new)?;
        let tasks = [
            start(shared.clone().talk(client)),
            start(shared.clone().listen(subscriber)),
        ];
        Ok(Self { shared, tasks })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the connection belongs to no worker, and ends with the bus"
)]
fn start(task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(task).abort_handle()
}

#[async_trait]
impl Bus for Nats {
    fn publish(&self, hints: Vec<Hint>) {
        self.shared.lose(self.shared.told.add(hints));
    }

    fn subscribe(&self, room: RoomId) {
        self.shared.rooms().insert(room);
    }

    fn unsubscribe(&self, room: RoomId) {
        self.shared.rooms().remove(&room);
    }

    async fn hear(&self) -> Option<Vec<Hint>> {
        self.shared.heard.all().await
    }
}

impl Shared {
    fn options(self: Arc<Self>, url: &NatsUrl) -> ConnectOptions {
        let delays = self.clone();
        let options = ConnectOptions::new()
            .name("chat-server")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(move |attempts| delays.delay(attempts))
            .connection_timeout(CONNECTING_MAX)
            .ping_interval(PING_EVERY)
            .client_capacity(TOLD_MAX)
            .subscription_capacity(HEARD_MAX)
            .event_callback(move |event| {
                self.note(event);
                std::future::ready(())
            });
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("node_hears_itself") {
            return url.log_in(options);
        }
        url.log_in(options).no_echo()
    }

    /// How long to wait before the next attempt to connect.
    fn delay(&self, attempts: usize) -> Duration {
        if self.dropped.load(Ordering::SeqCst) {
            // The client's task tries for ever, and nobody waits for it any more.
            return Duration::MAX;
        }
        let factor = u32::try_from(attempts).unwrap_or(u32::MAX);
        RECONNECT_STEP.saturating_mul(factor).min(RECONNECT_MAX)
    }

    fn note(&self, event: Event) {
        match event {
            Event::Connected => {
                self.metrics.bus_cut.set(0);
                self.complaints().clear();
                tracing::info!("the bus is connected");
            }
            Event::Disconnected => {
                self.metrics.bus_cut.set(1);
                tracing::warn!("the bus is cut: what other nodes do is heard late");
            }
            Event::ClientError(error) => {
                if self.complaints().insert(error.to_string()) {
                    tracing::warn!(%error, "the bus can't be reached: what other nodes do is heard late");
                }
            }
            Event::ServerError(error) => tracing::warn!(%error, "the bus complains"),
            Event::SlowConsumer(_) => self.lose(1),
            Event::LameDuckMode | Event::Draining | Event::Closed => {
                tracing::debug!(%event, "the bus changes");
            }
        }
    }

    async fn talk(self: Arc<Self>, client: Client) {
        let mut count = 0;
        while let Some(hints) = self.told.all().await {
            let mut hints = hints.into_iter();
            while hints.len() > 0 {
                if client.connection_state() != State::Connected {
                    // Once it is connected again it would be late, and the store has been asked.
                    self.lose(hints.len());
                    break;
                }
                let bytes_max = client.max_payload().min(message::BYTES_MAX);
                let mark = Mark {
                    sender: self.number,
                    count,
                    at: self.clock.now(),
                };
                let (message, lost) = message::write(&self.key, mark, &mut hints, bytes_max);
                self.lose(lost);
                let Some(message) = message else { continue };
                count += 1;
                if let Err(error) = client.publish(self.subject.clone(), message.into()).await {
                    tracing::debug!(%error, "the bus takes nothing");
                }
            }
        }
    }

    async fn listen(self: Arc<Self>, mut subscriber: Subscriber) {
        let _ending = Ending(&self.heard);
        let own = self.number;
        #[cfg(sabotage)]
        let own = own.wrapping_add(chat_core::sabotage::planted("node_hears_itself").into());
        let mut heard = Heard::new(own);
        while let Some(message) = subscriber.next().await {
            let Some((mark, text)) = message::open(&self.key, &message.payload) else {
                self.count_unreadable(1, "it can't be read");
                continue;
            };
            if !heard.is_new(mark, self.clock.now()) {
                let why = "it is repeated, or the clocks of two nodes differ by a minute";
                self.count_unreadable(1, why);
                continue;
            }
            let lines: Vec<&str> = {
                let rooms = self.rooms();
                #[cfg(sabotage)]
                let all = chat_core::sabotage::planted("every_room_heard");
                #[cfg(not(sabotage))]
                let all = false;
                let wanted = |room| all || rooms.contains(&room);
                let concerns = |line: &&str| message::room(line).is_none_or(wanted);
                text.lines().filter(concerns).collect()
            };
            let hints: Vec<Hint> = lines.iter().filter_map(|it| message::hint(it)).collect();
            self.count_unreadable(lines.len() - hints.len(), "it can't be read");
            self.lose(self.heard.add(hints));
        }
        tracing::error!("the bus has ended: what other nodes do is heard late");
    }

    fn lose(&self, hints: usize) {
        if hints > 0 {
            let lost = u64::try_from(hints).unwrap_or(u64::MAX);
            self.metrics.bus_hints_lost.inc_by(lost);
        }
    }

    /// Counts what nobody who has the key wrote, or only a later version, or not just now; tells so ever
    /// more rarely.
    fn count_unreadable(&self, messages: usize, why: &str) {
        for _ in 0..messages {
            let before = self.metrics.bus_unreadable.inc();
            if before.is_power_of_two() || before == 0 {
                tracing::warn!(count = before + 1, why, "something on the bus isn't heard");
            }
        }
    }

    fn complaints(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms(&self) -> MutexGuard<'_, HashSet<RoomId, foldhash::fast::FixedState>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what is heard when the task that hears ends, however it does.
struct Ending<'a>(&'a Waiting);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::SeqCst);
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("subject", &self.shared.subject)
            .finish_non_exhaustive()
    }
}

/// Messages that wait for the socket: the hints wait for that.
const TOLD_MAX: usize = 64;

/// Messages from the socket that wait to be opened; what comes beyond that is lost.
const HEARD_MAX: usize = 256;

/// How long a server may take to say hello.
const CONNECTING_MAX: Duration = Duration::from_secs(5);

/// A connection is dead when this long nothing comes, three times over.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Every attempt to connect waits so much longer than the one before it.
const RECONNECT_STEP: Duration = Duration::from_millis(50);

const RECONNECT_MAX: Duration = Duration::from_secs(2);
