//! A server from its start to its end.

use std::net::SocketAddr;

use super::{RunError, Server};
use crate::config::{Config, Listen};
use crate::metrics::Metrics;

/// Where a server accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// For everybody, in the order of the configuration.
    pub public: Vec<SocketAddr>,
    /// For operators, if that is apart.
    pub admin: Option<SocketAddr>,
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
    let (listens, admin) = (config.listen.clone(), config.admin_listen);
    let server = Server::builder(config).metrics(metrics).start().await?;
    let bound = listen_everywhere(&server, listens, admin).await;
    if let Ok(addresses) = &bound {
        listening(addresses);
        shutdown.await;
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
    Ok(Addresses { public, admin })
}
