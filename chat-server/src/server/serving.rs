//! A server from its start to its end.

use std::net::SocketAddr;

use axum::Router;

use super::{RunError, Server};
use crate::config::{Config, Listen};
use crate::http::Site;
use crate::listener::Reception;
use crate::metrics::Metrics;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsError};

/// Where a server accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// For everybody, in the order of the configuration.
    pub public: Vec<SocketAddr>,
    /// For operators, if that is apart.
    pub admin: Option<SocketAddr>,
    /// Whether those for everybody speak TLS.
    pub secure: bool,
}

impl Server {
    /// Accepts connections at an address on the server's own threads; port 0 picks a free one.
    /// They speak TLS if the configuration names a certificate. Gives the address.
    ///
    /// # Errors
    ///
    /// What the system says, if it refuses the address.
    pub async fn listen(&self, listen: Listen) -> Result<SocketAddr, RunError> {
        let reception = self.public(crate::http::site(&self.node, listen.dialect));
        self.bind(listen, reception).await
    }

    /// Serves what is for operators at an address of its own: metrics and health. No TLS is spoken
    /// there: it is for this machine, or a network of its own.
    ///
    /// # Errors
    ///
    /// What the system says, if it refuses the address.
    pub async fn listen_admin(&self, listen: Listen) -> Result<SocketAddr, RunError> {
        let reception = Reception {
            site: crate::http::admin_router(&self.node).into(),
            #[cfg(feature = "tls")]
            tls: None,
        };
        self.bind(listen, reception).await
    }

    fn public(&self, site: Site) -> Reception {
        Reception {
            site,
            #[cfg(feature = "tls")]
            tls: self.node.tls().cloned(),
        }
    }

    async fn bind(&self, listen: Listen, reception: Reception) -> Result<SocketAddr, RunError> {
        let failed = |why| RunError::Listen { listen, why };
        // Whoever is there and silent is sent away before that, with a word.
        let unconfirmed = self.node.limits().silence() * 2;
        let listener = crate::listener::bind(listen.address, unconfirmed).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        self.node.accept_on(listener, &reception).await;
        Ok(local)
    }

    /// Accepts connections for an application at an address, on the server's own threads. They speak
    /// TLS if the configuration names a certificate. Gives the address.
    ///
    /// # Errors
    ///
    /// What the system says, if it refuses the address.
    pub async fn listen_for(
        &self,
        address: SocketAddr,
        application: &Router,
    ) -> Result<SocketAddr, RunError> {
        let dialect = None;
        let reception = self.public(application.clone().into());
        self.bind(Listen { address, dialect }, reception).await
    }

    /// Reads the certificates and the key again: handshakes from here on are made with them, and
    /// connections stay as they are. Does nothing if the server speaks no TLS.
    ///
    /// # Errors
    ///
    /// What is wrong with the files. What was read before goes on to count.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        self.node.tls().map_or(Ok(()), Tls::reload)
    }
}

/// Runs a server until `shutdown` resolves, and tells at which addresses as soon as it accepts
/// connections on all of them.
///
/// # Errors
///
/// [`RunError`] says why it can't run. Nothing of it runs on then.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use chat_server::clock::{Clock, SystemClock};
/// use chat_server::config::{Config, StoreUrl};
/// use chat_server::metrics::Metrics;
///
/// let mut config = Config::default();
/// config.store = StoreUrl::Memory;
/// config.listen = vec!["127.0.0.1:0".parse()?];
/// let metrics = Metrics::new(SystemClock::new().now());
/// let listening = |at: &chat_server::Addresses| println!("http://{}", at.public[0]);
/// let shutdown = async {}; // such as: until ctrl-c
/// chat_server::serve(config, metrics, listening, shutdown).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn serve(
    config: Config,
    metrics: Metrics,
    listening: impl FnOnce(&Addresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    serve_while(config, metrics, listening, async |_: &Server| {
        shutdown.await;
    })
    .await
}

/// The same for as long as something is done with the running server.
pub(crate) async fn serve_while(
    config: Config,
    metrics: Metrics,
    listening: impl FnOnce(&Addresses),
    doing: impl AsyncFnOnce(&Server),
) -> Result<(), RunError> {
    let (listens, admin) = (config.listen.clone(), config.admin_listen);
    let server = Server::builder(config).metrics(metrics).start().await?;
    let bound = listen_everywhere(&server, listens, admin).await;
    if let Ok(addresses) = &bound {
        listening(addresses);
        doing(&server).await;
    }
    server.stop().await;
    bound.map(drop)
}

async fn listen_everywhere(
    server: &Server,
    listens: Vec<Listen>,
    admin: Option<Listen>,
) -> Result<Addresses, RunError> {
    let mut public = Vec::new();
    for listen in listens {
        public.push(server.listen(listen).await?);
    }
    let admin = match admin {
        Some(listen) => Some(server.listen_admin(listen).await?),
        None => None,
    };
    #[cfg(feature = "tls")]
    let secure = server.node.tls().is_some();
    #[cfg(not(feature = "tls"))]
    let secure = false;
    Ok(Addresses {
        public,
        admin,
        secure,
    })
}
