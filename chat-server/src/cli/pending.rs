//! Stand-ins for the parts of the library that the program runs: each says that it is missing.

use std::future::Future;
use std::sync::Arc;

use chat_core::{Password, UserId};
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

/// The accounts that a store keeps.
#[expect(clippy::unused_async, reason = "the store itself waits")]
pub(crate) async fn accounts(
    _store: Arc<dyn Store>,
    _config: &Config,
) -> Result<Accounts, StoreError> {
    Ok(Accounts)
}

/// Accounts.
pub(crate) struct Accounts;

/// A wish for an account.
#[expect(dead_code, reason = "the accounts themselves read it")]
pub(crate) struct SignUp {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) handle: Option<String>,
    pub(crate) password: Password,
}

/// Somebody who has just logged in.
pub(crate) struct SignedIn {
    pub(crate) access: String,
}

/// Why accounts refuse.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct AuthError(&'static str);

#[expect(clippy::unused_async, reason = "the accounts themselves wait")]
impl Accounts {
    pub(crate) async fn sign_up(
        &self,
        _wish: &SignUp,
        _password_bytes_min: usize,
    ) -> Result<SignedIn, AuthError> {
        Err(AuthError(MISSING))
    }

    pub(crate) async fn set_password(&self, _: &str, _: &Password) -> Result<(), AuthError> {
        Err(AuthError(MISSING))
    }

    pub(crate) async fn suspend(&self, _: UserId, _on: bool) -> Result<(), AuthError> {
        Err(AuthError(MISSING))
    }

    pub(crate) async fn token_for(&self, _login: &str) -> Result<SignedIn, AuthError> {
        Err(AuthError(MISSING))
    }
}

const MISSING: &str = "not built in";
