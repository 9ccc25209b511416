//! The connections: so many at most, made when they are needed, and made again when they are lost.
//!
//! They are looked after by a thread of the store's own, since whoever asks may end before it does.
//! Whoever asks speaks to them from his own thread. If he goes before his work is over, that is waited for
//! here, for a moment, and then cancelled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, IsolationLevel, NoTls};

use super::fault::{Fault, Result};
use super::presence::Presence;
use super::tx::{ANSWER, Statements, Tx, answered};

/// Connections that write at once.
const WRITERS: usize = 4;

/// Connections that read at once.
const READERS: usize = 4;

/// How long it may take to connect to one address.
const CONNECT: Duration = Duration::from_secs(5);

/// How long work goes on for which nobody waits any more.
const GRACE: Duration = Duration::from_millis(200);

/// What each connection is told first. Nothing may hang for ever, or keep others waiting for ever; and
/// what was committed is on disk, whatever the database's own setting.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET statement_timeout = '10s';
    SET lock_timeout = '8s';
    SET idle_in_transaction_session_timeout = '20s';
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3;
    SET client_min_messages = warning;
    SET jit = off";

/// The connections of one store.
pub(super) struct Pool {
    config: Config,
    runtime: Runtime,
    writers: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    idle: Arc<Idle>,
    presence: Mutex<Option<Arc<Presence>>>,
    /// Held by whoever makes the presence again.
    turn: tokio::sync::Mutex<()>,
}

/// Connections that nobody uses. The one that was used last is used next.
type Idle = Mutex<Vec<Connection>>;

/// A connection, and what it has prepared.
struct Connection {
    client: Client,
    statements: Statements,
    is_broken: AtomicBool,
    presence: Arc<Presence>,
}

/// A connection for as long as somebody needs it.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    /// Whether its work has come to an end, well or not. Else whoever did it is gone, and PostgreSQL
    /// may still be at it.
    pub(super) is_over: bool,
}

impl Pool {
    /// Connections to a database, none of which is made yet.
    pub(super) fn new(mut config: Config) -> Result<Self> {
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(ANSWER)
            .keepalives_idle(ANSWER)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("chat-server");
        }
        Ok(Self {
            config,
            runtime: Runtime::start()?,
            writers: Arc::new(Semaphore::new(WRITERS)),
            readers: Arc::new(Semaphore::new(READERS)),
            idle: Arc::default(),
            presence: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// A connection to write with.
    pub(super) async fn writer(&self) -> Result<Lease<'_>> {
        self.lease(&self.writers).await
    }

    /// A connection to read with.
    pub(super) async fn reader(&self) -> Result<Lease<'_>> {
        self.lease(&self.readers).await
    }

    async fn lease(&self, permits: &Arc<Semaphore>) -> Result<Lease<'_>> {
        let permit = timeout(ANSWER, Arc::clone(permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Fault::unavailable(
                "all connections to the database are busy",
            ));
        };
        Ok(Lease {
            pool: self,
            connection: Some(self.connection().await?),
            permit: Some(permit),
            is_over: false,
        })
    }

    async fn connection(&self) -> Result<Connection> {
        for _ in 0..2 {
            let presence = self.presence().await?;
            while let Some(connection) = self.pop() {
                if connection.is_usable(&presence) {
                    return Ok(connection);
                }
            }
            let client = self.connect().await?;
            if presence.is_of(&client).await? {
                return Ok(Connection {
                    client,
                    statements: Statements::default(),
                    is_broken: AtomicBool::new(false),
                    presence,
                });
            }
            // The server was started again, or another one has taken its place, and that the old
            // connection is gone isn't known yet.
            presence.give_up();
        }
        Err(Fault::unavailable("the database was started again"))
    }

    fn pop(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    /// The name of the run that this store is part of.
    pub(super) fn epoch(&self) -> String {
        let known = self.known();
        known.map(|it| it.epoch.clone()).unwrap_or_default()
    }

    fn known(&self) -> Option<Arc<Presence>> {
        let known = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// That this store is here, made known again if it was lost.
    pub(super) async fn presence(&self) -> Result<Arc<Presence>> {
        let lives = |it: &Arc<Presence>| it.lives();
        if let Some(presence) = self.known().filter(lives) {
            return Ok(presence);
        }
        let _turn = self.turn.lock().await;
        if let Some(presence) = self.known().filter(lives) {
            return Ok(presence);
        }
        let client = self.connect().await?;
        let presence = Arc::new(Presence::begin(client).await?);
        let mut known = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Arc::clone(&presence));
        Ok(presence)
    }

    /// Makes a connection that this store's thread looks after.
    async fn connect(&self) -> Result<Client> {
        let config = self.config.clone();
        let (reply, answer) = oneshot::channel();
        self.runtime.handle.spawn(async move {
            let made = timeout(ANSWER, config.connect(NoTls)).await;
            match made {
                Ok(Ok((client, connection))) => {
                    // Whoever asks may have gone; then the client is dropped, and this ends.
                    drop(reply.send(Ok(client)));
                    if let Err(error) = connection.await {
                        tracing::warn!(error = %super::fault::words(&error), "a connection to the database is lost");
                    }
                }
                Ok(Err(error)) => drop(reply.send(Err(Fault::Sql(error)))),
                Err(_) => {
                    let why = "the database doesn't answer";
                    drop(reply.send(Err(Fault::unavailable(why))));
                }
            }
        });
        let closed = |_| Fault::unavailable("the store is closed");
        let client = answer.await.map_err(closed)??;
        answered(&AtomicBool::new(false), client.batch_execute(SETTINGS)).await?;
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("database_commits_not_synchronised") {
            client.batch_execute("SET synchronous_commit = off").await?;
        }
        Ok(client)
    }

    /// Does something on the store's own thread and waits for it, for whoever can't wait otherwise.
    pub(super) fn block_on<T, F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::channel();
        let work = work(Arc::clone(self));
        self.runtime.handle.spawn(async move {
            // Whoever asked waits for nothing else.
            drop(reply.send(work.await));
        });
        let gone = |_| Fault::unavailable("the store's thread has ended");
        answer.recv().map_err(gone)?
    }
}

impl Connection {
    fn is_usable(&self, presence: &Arc<Presence>) -> bool {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("lost_connections_used_again") {
            return true;
        }
        !self.client.is_closed()
            && !self.is_broken.load(Ordering::Relaxed)
            && Arc::ptr_eq(&self.presence, presence)
    }
}

impl Lease<'_> {
    /// Begins a transaction that writes: each statement sees what was committed before it.
    pub(super) async fn begin(&mut self) -> Result<Tx<'_>> {
        self.start(IsolationLevel::ReadCommitted, false).await
    }

    /// Begins a transaction that reads all at one moment.
    pub(super) async fn moment(&mut self) -> Result<Tx<'_>> {
        self.start(IsolationLevel::RepeatableRead, true).await
    }

    async fn start(&mut self, level: IsolationLevel, read_only: bool) -> Result<Tx<'_>> {
        let gone = || Fault::unavailable("the connection is gone");
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        let Connection {
            client,
            statements,
            is_broken,
            presence,
        } = connection;
        let wish = client.build_transaction();
        let wish = wish.isolation_level(level).read_only(read_only);
        Ok(Tx {
            transaction: answered(is_broken, wish.start()).await?,
            statements,
            is_broken,
            run: presence.run,
            epoch: &presence.epoch,
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let is_gone = connection.client.is_closed() || connection.is_broken.load(Ordering::Relaxed);
        #[cfg(sabotage)]
        let is_gone = is_gone && !chat_core::sabotage::planted("lost_connections_used_again");
        if is_gone {
            return;
        }
        let idle = Arc::clone(&self.pool.idle);
        #[cfg(sabotage)]
        let is_over = self.is_over || chat_core::sabotage::planted("busy_connections_used_again");
        #[cfg(not(sabotage))]
        let is_over = self.is_over;
        if is_over {
            put_back(connection, &idle);
        } else {
            let settling = settle(connection, idle, self.permit.take());
            drop(self.pool.runtime.handle.spawn(settling));
        }
    }
}

fn put_back(connection: Connection, idle: &Idle) {
    let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
    idle.push(connection);
}

/// Waits for the end of work for which nobody waits any more, and cancels it if that takes long: whoever
/// comes next isn't to wait behind it, nor anybody for what it holds. The connection counts meanwhile.
async fn settle(connection: Connection, idle: Arc<Idle>, permit: Option<OwnedSemaphorePermit>) {
    let client = &connection.client;
    // What is asked last is answered last.
    match timeout(GRACE, client.batch_execute("")).await {
        Ok(Ok(())) => return put_back(connection, &idle),
        Ok(Err(_)) => return,
        Err(_) => {}
    }
    // It isn't used again: a cancelling that comes late would be of what somebody else does.
    let cancelled = timeout(ANSWER, async {
        client.cancel_token().cancel_query(NoTls).await.ok();
        client.batch_execute("").await.ok();
    });
    if cancelled.await.is_err() {
        tracing::debug!("a connection to the database is left while it is busy");
    }
    drop(permit);
}

/// The thread that looks after the connections.
struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    #[expect(
        clippy::disallowed_methods,
        reason = "connections outlive the workers that use them"
    )]
    fn start() -> Result<Self> {
        let unavailable = |error: std::io::Error| Fault::Unavailable(error.to_string());
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build().map_err(unavailable)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("store-postgres".into())
            .spawn(move || drop(runtime.block_on(stopped)))
            .map_err(unavailable)?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop = None;
        let is_itself =
            |thread: &JoinHandle<()>| thread.thread().id() == std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| !is_itself(thread)) {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}
