//! A bus within one process: for one server, which is alone on it, or for several.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::RoomId;
use tokio::sync::mpsc;

use super::{Bus, Hint};

/// One node's end of a bus within this process.
///
/// # Examples
///
/// Two servers on one store make one chat:
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use std::sync::Arc;
///
/// use chat_server::Server;
/// use chat_server::bus::local::Local;
/// use chat_server::config::Config;
/// use chat_server::store::memory::Memory;
///
/// let store = Arc::new(Memory::new()?);
/// let bus = Local::new();
/// let other = bus.join();
/// let config = Config::default;
/// let one = Server::builder(config()).store(store.clone()).bus(Arc::new(bus)).start().await?;
/// let two = Server::builder(config()).store(store).bus(Arc::new(other)).start().await?;
/// # one.stop().await;
/// # two.stop().await;
/// # Ok::<(), chat_server::RunError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Local {
    exchange: Arc<Exchange>,
    number: usize,
    heard: tokio::sync::Mutex<mpsc::Receiver<Vec<Hint>>>,
}

/// What the ends share.
#[derive(Default)]
struct Exchange {
    ends: Mutex<Vec<End>>,
    /// How many ends there are: what a node that is alone looks at, without a lock.
    count: AtomicUsize,
    next: AtomicUsize,
}

/// How one end is reached.
struct End {
    number: usize,
    rooms: HashSet<RoomId>,
    hints: mpsc::Sender<Vec<Hint>>,
}

impl Local {
    /// A bus with one end.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Arc::default())
    }

    /// A further node's end of the same bus.
    #[must_use]
    pub fn join(&self) -> Self {
        Self::at(self.exchange.clone())
    }

    fn at(exchange: Arc<Exchange>) -> Self {
        let number = exchange.next.fetch_add(1, Ordering::Relaxed);
        let (hints, heard) = mpsc::channel(ROUNDS_MAX);
        let rooms = HashSet::new();
        exchange.lock().push(End {
            number,
            rooms,
            hints,
        });
        exchange.count.fetch_add(1, Ordering::SeqCst);
        Self {
            exchange,
            number,
            heard: tokio::sync::Mutex::new(heard),
        }
    }
}

/// What was published at once and waits to be heard; what comes beyond that many is lost.
const ROUNDS_MAX: usize = 1_024;

#[async_trait]
impl Bus for Local {
    fn is_alone(&self) -> bool {
        self.exchange.count.load(Ordering::SeqCst) <= 1
    }

    fn publish(&self, hints: Vec<Hint>) {
        if self.is_alone() {
            return;
        }
        for end in self.exchange.lock().iter() {
            if end.number == self.number {
                continue;
            }
            let concerns = |hint: &&Hint| hint.room().is_none_or(|it| end.rooms.contains(&it));
            let hints: Vec<Hint> = hints.iter().filter(concerns).cloned().collect();
            if !hints.is_empty() && end.hints.try_send(hints).is_err() {
                tracing::debug!("a node hears late: it is slower than the others");
            }
        }
    }

    fn subscribe(&self, room: RoomId) {
        self.with_rooms(|rooms| {
            rooms.insert(room);
        });
    }

    fn unsubscribe(&self, room: RoomId) {
        self.with_rooms(|rooms| {
            rooms.remove(&room);
        });
    }

    async fn hear(&self) -> Option<Vec<Hint>> {
        self.heard.lock().await.recv().await
    }
}

impl Local {
    fn with_rooms(&self, change: impl FnOnce(&mut HashSet<RoomId>)) {
        let mut ends = self.exchange.lock();
        if let Some(end) = ends.iter_mut().find(|end| end.number == self.number) {
            change(&mut end.rooms);
        }
    }
}

impl Exchange {
    fn lock(&self) -> MutexGuard<'_, Vec<End>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.exchange.lock().retain(|end| end.number != self.number);
        self.exchange.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
