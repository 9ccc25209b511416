//! The server as a value: built, mounted or bound, and stopped.

mod acting;
mod opening;
mod serving;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use chat_core::{Limits, Name, UserId};
use chat_protocol::close::Close;
use chat_protocol::code::Refusal;

use crate::auth::hashing::{Hasher, HashingCost};
use crate::auth::limiter::{AttemptRules, Limiter};
use crate::auth::{Accounts, AccountsConfig, AnyOf, AuthError, Authenticator, Revocation};
use crate::budgets::Budgets;
use crate::bus::{Bus, BusError};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Listen};
use crate::desk::Crowds;
use crate::engineio::{Door, Line, Service, Settings};
use crate::entropy::{Entropy, SystemEntropy};
use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use crate::node::{Node, Parts, Readiness};
use crate::places::Places;
use crate::reads::Reads;
use crate::socketio::{self, Peer};
use crate::status::Statuses;
use crate::store::{self, Store, StoreError};
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsError};
use crate::websocket;
use crate::worker::Inboxes;

#[cfg(feature = "cli")]
pub(crate) use self::serving::serve_while;
pub use self::serving::{Addresses, serve};

/// A running chat server, as a handle to it: clones are the same server, and dropping them all stops
/// nothing. It runs until [`Server::stop`].
///
/// # Examples
///
/// Mounted in an axum application:
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use chat_server::Server;
/// use chat_server::config::{Config, StoreUrl};
///
/// let mut config = Config::default();
/// config.store = StoreUrl::Memory;
/// let chat = Server::builder(config).start().await?;
/// let app: axum::Router = axum::Router::new().nest("/chat", chat.router());
/// # drop(app);
/// chat.stop().await;
/// # Ok::<(), chat_server::RunError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    node: Node,
}

/// What a server is built from; what isn't given is as the configuration says.
pub struct Builder {
    config: Config,
    store: Option<Arc<dyn Store>>,
    bus: Option<Arc<dyn Bus>>,
    authenticators: Vec<Arc<dyn Authenticator>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    metrics: Option<Metrics>,
    hashing: HashingCost,
    #[cfg(feature = "simulation")]
    in_step: bool,
}

/// Why a server can't start, or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus can't be opened.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// An address can't be listened on.
    #[error("can't listen on {listen}: {why}")]
    Listen {
        /// The address.
        listen: Listen,
        /// What the system says.
        why: io::Error,
    },
    /// There is nothing to prove with who the server is.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread can't be started.
    #[error("can't start a thread: {0}")]
    Thread(io::Error),
    /// A group that is to exist from the beginning can't be made.
    #[error("can't make the group {name}: {}", why.msg)]
    Group {
        /// The group.
        name: Name,
        /// What is in the way.
        why: Refusal,
    },
}

impl Server {
    /// Begins a server with this configuration.
    #[must_use]
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            store: None,
            bus: None,
            authenticators: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            metrics: None,
            hashing: HashingCost::default(),
            #[cfg(feature = "simulation")]
            in_step: false,
        }
    }

    /// Everything that is served, to be mounted in an application.
    ///
    /// The application decides where it listens and what else it serves; sockets move to the
    /// server's own threads once they are upgraded. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`: budgets go by address, and without that
    /// all clients have one in common.
    pub fn router(&self) -> Router {
        crate::http::router(&self.node, None)
    }

    /// Serves Engine.IO sessions of an application of its own. Each talks with the service on one
    /// of the server's threads, and ends when that returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use chat_server::Server;
    /// use chat_server::engineio::{Line, Settings};
    ///
    /// fn echo(server: &Server) -> axum::Router {
    ///     server.engine_io(Settings::default(), async |line: &mut Line| {
    ///         while let Some(message) = line.next().await {
    ///             line.send(&message);
    ///         }
    ///     })
    /// }
    /// ```
    pub fn engine_io<F>(&self, settings: Settings, service: F) -> Router
    where
        F: AsyncFn(&mut Line) + Send + Sync + 'static,
    {
        let door = Arc::new(Door {
            node: self.node.clone(),
            number: self.node.lines().door(),
            // Who somebody is, is the application's business.
            stranger_bytes_max: settings.payload_bytes_max,
            settings: Arc::new(settings),
            host: Arc::new(Service(service)),
            welcome: None,
        });
        Router::new().fallback(crate::engineio::serve(door))
    }

    /// Serves Socket.IO sessions of an application of its own, as [`Server::engine_io`] does.
    pub fn socket_io<F>(&self, settings: socketio::Settings, service: F) -> Router
    where
        F: AsyncFn(&mut Peer<'_>) + Send + Sync + 'static,
    {
        self.engine_io(settings.line.clone(), async move |line: &mut Line| {
            service(&mut Peer::new(line, &settings)).await;
        })
    }

    /// Serves WebSockets of an application of its own, whose messages are nobody else's business.
    /// Each talks with the service on one of the server's threads, and ends when that returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use chat_server::Server;
    /// use chat_server::websocket::{Peer, Settings};
    ///
    /// fn echo(server: &Server) -> axum::Router {
    ///     server.websocket(Settings::default(), async |peer: &mut Peer| {
    ///         while let Some(message) = peer.next().await {
    ///             peer.send(&message);
    ///         }
    ///     })
    /// }
    /// ```
    pub fn websocket<F>(&self, settings: websocket::Settings, service: F) -> Router
    where
        F: AsyncFn(&mut websocket::Peer) + Send + Sync + 'static,
    {
        let door = websocket::serve(websocket::Door {
            node: self.node.clone(),
            settings: Arc::new(settings),
            host: Arc::new(websocket::Service(service)),
        });
        Router::new().fallback(door)
    }

    /// Makes the groups that exist from the beginning, or stops.
    pub(crate) async fn found(&self) -> Result<(), RunError> {
        let founded = crate::founding::found_groups(&self.node).await;
        if founded.is_err() {
            self.stop().await;
        }
        founded
    }

    /// The parts of the running server.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Suspends an account. Its live sessions end at once.
    ///
    /// # Errors
    ///
    /// If there is no such account, or the store can't be written to.
    pub async fn suspend(&self, user: UserId) -> Result<(), AuthError> {
        self.node.suspend(user).await
    }

    /// Lets a suspended account act again, once it has logged in.
    ///
    /// # Errors
    ///
    /// If there is no such account, or the store can't be written to.
    pub async fn reinstate(&self, user: UserId) -> Result<(), AuthError> {
        self.node.accounts().reinstate(user).await
    }

    /// Erases a person, account or guest. His account, his names and his sessions end at once; the
    /// rooms that he owns go to the house, he leaves all others, nobody reads his words any more, and
    /// they are taken out of the store by and by. His number is never given again.
    ///
    /// # Errors
    ///
    /// If the store can't be written to; nothing is erased then.
    pub async fn erase_user(&self, user: UserId) -> Result<(), AuthError> {
        crate::erasing::erase(&self.node, user).await
    }

    /// Ends the live sessions of somebody whose log-in ended where his identity comes from, such as
    /// in the application around the server.
    pub async fn revoke(&self, revocation: &Revocation) {
        self.node.revoke(revocation, Close::Unauthenticated).await;
    }

    /// Stops: no more connections, what was received is answered, every session hears goodbye.
    pub async fn stop(&self) {
        self.node.stop().await;
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("store", &self.store)
            .field("bus", &self.bus)
            .field("authenticators", &self.authenticators)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Keeps everything in this store, instead of the one that the configuration names.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Tells and hears other nodes on the same store by this bus, instead of the one that the
    /// configuration names.
    #[must_use]
    pub fn bus(mut self, bus: Arc<dyn Bus>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// Accepts tokens that this authenticator knows, beside those of the accounts built in.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticators.push(authenticator);
        self
    }

    /// Holds these bounds.
    #[must_use]
    pub fn limits(mut self, engine: Limits, server: ServerLimits) -> Self {
        self.config.limits = engine;
        self.config.server_limits = server;
        self
    }

    /// Asks this clock for the time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Draws guests' numbers, and how long clients wait before they come back, from here. Secrets
    /// come from the system whatever is said here.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Counts here.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Spends this on each hash of a password.
    #[must_use]
    pub const fn hashing(mut self, cost: HashingCost) -> Self {
        self.hashing = cost;
        self
    }

    /// Lets nothing else happen while a password is hashed.
    #[cfg(feature = "simulation")]
    pub(crate) const fn in_step(mut self) -> Self {
        self.in_step = true;
        self
    }

    /// Opens the store, starts the workers, and makes the groups that exist from the beginning.
    ///
    /// # Errors
    ///
    /// [`RunError`] says what can't be had.
    pub async fn start(self) -> Result<Server, RunError> {
        let (server, inboxes) = self.prepare().await?;
        if let Err(error) = server.node.start(inboxes) {
            // Those that have started end again, and give the store free.
            server.stop().await;
            return Err(RunError::Thread(error));
        }
        server.found().await?;
        Ok(server)
    }

    /// Starts it within the caller's [`LocalSet`](tokio::task::LocalSet): its workers live as tasks
    /// there, so what they do happens in an order that the caller can repeat.
    ///
    /// # Errors
    ///
    /// [`RunError`] says what can't be had.
    #[cfg(feature = "simulation")]
    pub async fn start_here(self) -> Result<Server, RunError> {
        let (server, inboxes) = self.prepare().await?;
        for (index, inboxes) in inboxes.into_iter().enumerate() {
            let node = server.node.clone();
            tokio::task::spawn_local(crate::worker::live(node, index, inboxes));
        }
        server.found().await?;
        Ok(server)
    }

    /// Puts a server together that does nothing until its workers live.
    pub(crate) async fn prepare(self) -> Result<(Server, Vec<Inboxes>), RunError> {
        let Self {
            config,
            store,
            bus,
            authenticators,
            clock,
            entropy,
            metrics,
            hashing,
            #[cfg(feature = "simulation")]
            in_step,
        } = self;
        #[cfg(feature = "tls")]
        let tls = Tls::open(&config)?;
        let store = store.map_or_else(|| store::open(&config.store), Ok)?;
        let metrics = metrics.unwrap_or_else(|| Metrics::new(clock.now()));
        let bus = opening::bus(bus, &config.bus, &*store, &clock, &metrics).await?;
        let limits = &config.server_limits;
        let workers = config.worker_count().get();
        let hasher = Hasher::start(workers, limits.hashing_queue_max, hashing);
        let hasher = hasher.map_err(RunError::Thread)?;
        #[cfg(feature = "simulation")]
        let hasher = if in_step { hasher.in_step() } else { hasher };
        let hasher = Arc::new(hasher);
        let limiter = Limiter::new(clock.clone(), AttemptRules::from(limits));
        let accounts = Accounts::open(
            store.clone(),
            clock.clone(),
            hasher.clone(),
            limiter.clone(),
            AccountsConfig::from(&config),
        );
        let accounts = Arc::new(accounts.await?);
        let mut known: Vec<Arc<dyn Authenticator>> = vec![accounts.clone()];
        known.extend(authenticators);
        let mail_max = limits.mailbox_requests_max;
        let make = |workers| Parts {
            config,
            store,
            accounts,
            authenticator: Arc::new(AnyOf::new(known)),
            hasher,
            limiter,
            bus,
            mark: opening::mark(&*entropy, &*clock),
            clock,
            entropy,
            metrics,
            #[cfg(feature = "tls")]
            tls,
            workers,
            published: OnceLock::new(),
            sessions: Mutex::new(HashMap::new()),
            statuses: Statuses::default(),
            budgets: Budgets::default(),
            crowds: Crowds::default(),
            places: Places::default(),
            readiness: Readiness::default(),
            exhausted: Mutex::default(),
            reads: Reads::default(),
            lines: Arc::default(),
            next_worker: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            parted: AtomicUsize::new(0),
            threads: Mutex::default(),
        };
        let (node, inboxes) = Node::new(make, workers, mail_max);
        Ok((Server { node }, inboxes))
    }
}
