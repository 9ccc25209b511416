//! Who somebody is: accounts, guests, tokens, and the limits on guessing.
//!
//! An [`Authenticator`] makes an [`Identity`] of a token. [`Accounts`] is the one that is built in;
//! [`External`] is for people who have their users elsewhere; [`AnyOf`] asks several. The engine
//! hears of a user's number, name and standing only.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Actor, Name, Timestamp, UserId};
use serde::{Deserialize, Serialize};

pub mod hashing;
pub mod limiter;

mod accounts;
mod error;
mod external;
mod foreign;
mod link;
mod rules;
mod token;

pub use self::accounts::{Accounts, AccountsConfig, PasswordChanged, SignUp, SignedIn};
pub use self::error::{AuthError, TokenFault};
pub use self::external::{BadKeySet, External, ExternalKeys, ExternalRules, KeyFile, KeySet};
pub use self::foreign::ForeignRules;
pub use self::token::Secret;

pub(crate) use self::link::{presentable, suffixed};
pub(crate) use self::rules::email as checked_email;

/// Makes an identity of a token.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Who the holder of this token is.
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError>;
}

/// Somebody whose token counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// What he is called.
    pub name: Name,
    /// The log-in that the token belongs to.
    pub grant: Option<Arc<str>>,
    /// The epoch that the token names; a raised one ends it.
    pub token_epoch: u64,
    /// When the token ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether the account is suspended.
    pub suspended: bool,
}

impl Identity {
    /// The one who acts, as the engine knows him.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            id: self.user,
            name: self.name.clone(),
            suspended: self.suspended,
        }
    }

    /// Whether live sessions of this identity end by a revocation.
    #[must_use]
    pub fn falls_under(&self, revocation: &Revocation) -> bool {
        self.user == revocation.user
            && (revocation.grant.is_none() || self.grant == revocation.grant)
    }
}

/// What has ended: one log-in of a user, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The user.
    pub user: UserId,
    /// The log-in; all of them if absent.
    pub grant: Option<Arc<str>>,
}

/// A signed token. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Box<str>);

impl Token {
    /// Takes a token as it is.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The token, for its holder.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Asks several authenticators in turn. The first that knows the token decides.
pub struct AnyOf(Vec<Arc<dyn Authenticator>>);

impl AnyOf {
    /// Asks these, in this order.
    #[must_use]
    pub fn new(authenticators: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(authenticators)
    }
}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyOf({})", self.0.len())
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        let mut refusal = AuthError::Unauthenticated;
        for authenticator in &self.0 {
            match authenticator.authenticate(token).await {
                Err(AuthError::TokenInvalid(fault)) if fault.is_of_a_stranger() => {
                    refusal = AuthError::TokenInvalid(fault);
                }
                outcome => return outcome,
            }
        }
        Err(refusal)
    }
}
