//! How a server is set up: one plain struct. The program merges it from four places: a flag beats the
//! environment, the environment beats the file, the file beats the default.

#[cfg(feature = "cli")]
mod file;
mod listen;
#[cfg(feature = "cli")]
mod merge;
#[cfg(feature = "nats")]
mod nats;
mod network;
mod secret;
#[cfg(feature = "cli")]
mod setting;
mod url;

use std::num::NonZeroUsize;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::thread;

use chat_core::{Limits, Name};
use chat_protocol::Dialect;

#[cfg(feature = "cli")]
pub(crate) use self::file::File;
pub use self::listen::Listen;
#[cfg(feature = "cli")]
pub(crate) use self::merge::{ConfigError, Given, load};
#[cfg(feature = "nats")]
pub use self::nats::NatsUrl;
pub use self::network::Network;
pub(crate) use self::network::client;
pub use self::secret::Secret;
#[cfg(feature = "cli")]
pub(crate) use self::setting::Setting;
pub use self::url::{BusUrl, PostgresUrl, StoreUrl};
use crate::auth::{self, AccountsConfig, ForeignRules};
use crate::limits::ServerLimits;

/// The default configuration as a file in TOML, with a word on every key.
pub const DEFAULT_TOML: &str = include_str!("config/default.toml");

/// Everything that an operator decides about a server. The default runs as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Where connections are accepted.
    pub listen: Vec<Listen>,
    /// Where metrics and the operator's face are served apart from the public port, if they are.
    pub admin_listen: Option<Listen>,
    /// What an operator proves there that he is one. Without it nothing can be done there, only read.
    pub admin_token: Option<Secret>,
    /// The certificates that the public listeners show, the server's own first, in PEM. With them
    /// and a key they speak TLS alone; without either they speak none.
    #[cfg(feature = "tls")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the first of those certificates, in PEM.
    #[cfg(feature = "tls")]
    pub tls_key: Option<PathBuf>,
    /// Where rooms and accounts are kept.
    pub store: StoreUrl,
    /// How nodes hear of each other.
    pub bus: BusUrl,
    /// How many threads serve rooms and sessions; one per core if absent.
    pub workers: Option<NonZeroUsize>,
    /// Whether somebody without an account may come in under a name.
    pub guests: bool,
    /// Whether anybody may make an account; off where users come from elsewhere.
    pub sign_ups: bool,
    /// Whether a guest may use the name of an account.
    pub registered_names: RegisteredNames,
    /// What tokens are signed with. If absent, a secret is drawn once and kept in the store.
    pub jwt_secret: Option<Secret>,
    /// How long a token counts that doesn't say so itself, in hours after it was issued.
    pub jwt_ttl_hours: u64,
    /// Origins of browser pages that may connect, beside the server's own.
    pub origins: Vec<String>,
    /// Proxies that are believed when they tell who speaks through them.
    pub trusted_proxies: Vec<Network>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether a message in the `socketio` dialect comes back to its sender.
    pub socketio_echo: bool,
    /// Who may use a registered name in the `actions` dialect without a token.
    pub actions_names: ActionsNames,
    /// Whether a token that was made elsewhere counts if it says neither when it ends nor when it
    /// was made.
    pub endless_tokens: bool,
    /// Whether lists of the older dialects name the people in rooms with a password.
    pub locked_people: bool,
    /// Groups that exist from the beginning.
    pub groups: Vec<Name>,
    /// Whether anybody gets a token of a test user at `/test-token`. For development alone.
    pub test_tokens: bool,
    /// The bounds of the engine.
    pub limits: Limits,
    /// The bounds of the server.
    pub server_limits: ServerLimits,
}

impl Config {
    /// The number of workers: what is configured, or one per core.
    #[must_use]
    pub fn worker_count(&self) -> NonZeroUsize {
        self.workers
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether somebody hears his own messages in a dialect.
    pub(crate) const fn echoes(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::Socketio => self.socketio_echo,
            Dialect::Native
            | Dialect::Rooms
            | Dialect::Rest
            | Dialect::Actions
            | Dialect::Groups => dialect.hears_own(),
        }
    }

    /// Switches off every bound on how fast somebody may act, for trusted use and benchmarks.
    pub fn lift_rate_limits(&mut self) {
        self.set_rate_limits(false);
    }

    fn set_rate_limits(&mut self, on: bool) {
        self.limits.posts_limited = on;
        self.server_limits.rate_limits = on;
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Listen::default()],
            admin_listen: None,
            admin_token: None,
            #[cfg(feature = "tls")]
            tls_cert: None,
            #[cfg(feature = "tls")]
            tls_key: None,
            store: StoreUrl::default(),
            bus: BusUrl::Local,
            workers: None,
            guests: true,
            sign_ups: true,
            registered_names: RegisteredNames::Refused,
            jwt_secret: None,
            jwt_ttl_hours: 24,
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            log_format: LogFormat::Text,
            socketio_echo: false,
            actions_names: ActionsNames::Session,
            endless_tokens: false,
            locked_people: true,
            groups: Vec::new(),
            test_tokens: false,
            limits: Limits::default(),
            server_limits: ServerLimits::default(),
        }
    }
}

impl From<&Config> for AccountsConfig {
    fn from(config: &Config) -> Self {
        let secret = config.jwt_secret.as_ref().map(Secret::expose);
        let ttl_ms = config.jwt_ttl_hours.saturating_mul(HOUR_MS);
        Self {
            secret: secret.and_then(|secret| auth::Secret::new(secret.as_bytes())),
            guests: config.guests,
            sign_ups: config.sign_ups,
            foreign: ForeignRules {
                ttl_ms,
                endless: config.endless_tokens,
            },
            ..Self::from(&config.server_limits)
        }
    }
}

/// Whether a guest may use the name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredNames {
    /// He may not: whoever bears the name has logged in.
    Refused,
    /// He may: names tell nothing about who somebody is.
    Free,
}

/// Who may use a registered name in the `actions` dialect without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionsNames {
    /// Anybody, as a guest of that name.
    Open,
    /// Whoever logged in from the same address, within the life of a token.
    Session,
    /// Nobody.
    Strict,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object on each line.
    Json,
}

const HOUR_MS: u64 = 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_follow_the_configuration() {
        let mut config = Config {
            guests: false,
            jwt_ttl_hours: 2,
            jwt_secret: Secret::new("a secret"),
            ..Config::default()
        };
        config.server_limits.token_ms = 5;
        let accounts = AccountsConfig::from(&config);
        assert!(accounts.secret.is_some());
        assert!(!accounts.guests);
        assert_eq!((accounts.token_ms, accounts.foreign.ttl_ms), (5, 7_200_000));
        assert!(AccountsConfig::from(&Config::default()).secret.is_none());
    }
}
