//! Stand-ins for the parts of the library that the program runs: each says that it is missing.

use std::future::Future;
use std::sync::Arc;

use chat_server::config::{Config, Listen, StoreUrl};
use chat_server::metrics::Metrics;
use chat_server::store::{Store, StoreError};

/// Runs a server.
#[expect(clippy::unused_async, reason = "the server itself waits")]
pub(crate) async fn serve(
    config: Config,
    _metrics: Metrics,
    _shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    drop(open(&config.store)?);
    match config.listen.first() {
        Some(listen) => Err(RunError::Listen {
            listen: *listen,
            why: MISSING.into(),
        }),
        None => Err(RunError::Failed(MISSING.into())),
    }
}

/// Why a server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("can't listen on {listen}: {why}")]
    Listen { listen: Listen, why: String },
    #[error("{0}")]
    Failed(String),
}

/// Opens a store.
pub(crate) fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Unavailable(format!("{url}: {MISSING}")))
}

const MISSING: &str = "not built in";
