//! Who somebody is: accounts, guests, tokens, and the limits on guessing.
//!
//! An [`Authenticator`] makes an [`Identity`] of a token. [`Accounts`] is the one that is built in;
//! [`External`] is for people whose tokens somebody else signs, and [`Linker`] gives numbers to those
//! of an authenticator of your own; [`AnyOf`] asks several. The engine hears of a user's number, name
//! and standing only.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Actor, Name, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::store::Account;

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
pub use self::link::Linker;
pub use self::token::Secret;

#[cfg(feature = "nats")]
pub(crate) use self::token::drawn_hex;

#[cfg(feature = "import")]
pub(crate) use self::link::{presentable, suffixed};
#[cfg(feature = "import")]
pub(crate) use self::rules::email as checked_email;

/// Makes an identity of a token.
///
/// Several are asked one after the other, the [accounts built in](Accounts) first. Each gives one of
/// three answers: who the holder is, that the token is none of its own, or why it doesn't count. Only
/// after the second the next one is asked.
///
/// # Examples
///
/// ```
/// use async_trait::async_trait;
/// use chat_core::{Name, UserId};
/// use chat_server::auth::{AuthError, Authenticator, Identity, TokenFault, Verdict};
///
/// /// Knows one badge, and one that was handed back.
/// #[derive(Debug)]
/// struct Badges;
///
/// #[async_trait]
/// impl Authenticator for Badges {
///     async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
///         match token {
///             "badge-7" => {
///                 let name = Name::new("ann").map_err(|_| TokenFault::Claims)?;
///                 Ok(Verdict::Holder(Identity::new(UserId::new(7), name)))
///             }
///             "badge-8" => Err(TokenFault::Revoked.into()),
///             _ => Ok(Verdict::NotMine(TokenFault::Unknown)),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Who the holder of this token is, or that it is none of this authenticator's.
    ///
    /// # Errors
    ///
    /// Why a token of this authenticator's own doesn't count, or can't be looked up at the moment.
    /// Its holder hears just that, whatever it is: nobody else is asked.
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError>;
}

/// What an authenticator says of a token that it has nothing against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts, and this is its holder.
    Holder(Identity),
    /// It is none of this authenticator's, so the next one is asked. If nobody knows it, its holder
    /// hears this: what speaks against it, or [`TokenFault::Unknown`].
    NotMine(TokenFault),
}

impl Verdict {
    /// The holder, where nobody else is asked.
    ///
    /// # Errors
    ///
    /// [`AuthError::TokenInvalid`] if the token is none of the authenticator's.
    pub fn holder(self) -> Result<Identity, AuthError> {
        match self {
            Self::Holder(identity) => Ok(identity),
            Self::NotMine(fault) => Err(fault.into()),
        }
    }

    /// What becomes of somebody whose token was opened: a signed one that another key, or another
    /// issuer, may account for is left to the next.
    fn of_signed(opened: Result<Identity, AuthError>) -> Result<Self, AuthError> {
        match opened {
            Ok(identity) => Ok(Self::Holder(identity)),
            Err(AuthError::TokenInvalid(fault)) if fault.is_of_a_stranger() => {
                Ok(Self::NotMine(fault))
            }
            Err(error) => Err(error),
        }
    }
}

/// Somebody whose token counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Somebody in good standing, by a log-in that has no name and no end.
    #[must_use]
    pub const fn new(user: UserId, name: Name) -> Self {
        Self {
            user,
            name,
            grant: None,
            token_epoch: 0,
            expires_at: None,
            suspended: false,
        }
    }

    /// The owner of an account, in the standing that it has.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            token_epoch: account.token_epoch,
            suspended: account.suspended,
            ..Self::new(account.user, account.name.clone())
        }
    }

    /// The same, by a log-in of this name: by it the log-in can be [revoked](Revocation) alone.
    #[must_use]
    pub fn with_grant(mut self, grant: impl Into<Arc<str>>) -> Self {
        self.grant = Some(grant.into());
        self
    }

    /// The same, until a moment.
    #[must_use]
    pub const fn until(mut self, expires_at: Timestamp) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

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

/// Asks several authenticators in turn, until one of them doesn't say [`Verdict::NotMine`].
#[derive(Debug)]
pub struct AnyOf(Vec<Arc<dyn Authenticator>>);

impl AnyOf {
    /// Asks these, in this order.
    #[must_use]
    pub fn new(authenticators: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(authenticators)
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        let mut known = TokenFault::Unknown;
        for authenticator in &self.0 {
            match authenticator.authenticate(token).await? {
                Verdict::NotMine(TokenFault::Unknown) => {}
                Verdict::NotMine(fault) => known = fault,
                holder @ Verdict::Holder(_) => return Ok(holder),
            }
        }
        Ok(Verdict::NotMine(known))
    }
}
