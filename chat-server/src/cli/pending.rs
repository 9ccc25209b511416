//! Stand-ins for the parts of the library that the program runs: each says that it is missing.

use std::future::Future;
use std::sync::Arc;

use chat_server::config::{Config, Listen, StoreUrl};
use chat_server::metrics::Metrics;
use chat_server::store::{Store, StoreError};

use super::failure::Failure;

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

/// Accounts of a store.
pub(crate) struct Accounts;

#[expect(clippy::unused_async, reason = "the accounts themselves wait")]
impl Accounts {
    pub(crate) async fn new(_store: Arc<dyn Store>, _config: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(crate) async fn sign_up(
        &self,
        _name: &str,
        _email: Option<&str>,
        _password: &str,
    ) -> Result<(), Failure> {
        Err(missing())
    }

    pub(crate) async fn set_password(&self, _name: &str, _password: &str) -> Result<(), Failure> {
        Err(missing())
    }

    pub(crate) async fn suspend(&self, _name: &str, _on: bool) -> Result<(), Failure> {
        Err(missing())
    }

    pub(crate) async fn issue_token(&self, _name: &str) -> Result<String, Failure> {
        Err(missing())
    }
}

fn missing() -> Failure {
    Failure::Failed(MISSING.into())
}

const MISSING: &str = "not built in";
