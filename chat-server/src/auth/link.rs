//! Accounts of people who have their accounts elsewhere.

use std::fmt;
use std::sync::Arc;

use chat_core::{Name, Timestamp, UserId};
use tokio::sync::Mutex;

use crate::auth::error::{AuthError, TokenFault};
use crate::auth::token::{drawn_hex, grant_of, seconds};
use crate::auth::{Identity, rules};
use crate::clock::Clock;
use crate::store::{Account, Created, Link, NewAccount, Store};

/// Finds or makes the account that somebody from elsewhere is here.
///
/// An application that knows its users itself keeps one, for all of them, and gives their accounts to
/// the chat by an [`Authenticator`](crate::auth::Authenticator) of its own.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// use std::sync::Arc;
///
/// use chat_server::auth::Linker;
/// use chat_server::clock::SystemClock;
/// use chat_server::store::memory::Memory;
///
/// let linker = Linker::new(Arc::new(Memory::new()?), Arc::new(SystemClock::new()));
/// let ann = linker.account_of("my application", "user 17", "Ann").await?;
/// let again = linker.account_of("my application", "user 17", "Ann Smith").await?;
/// assert_eq!(again.user, ann.user);
///
/// let other = linker.account_of("my application", "user 18", "Ann").await?;
/// assert_eq!(other.name.as_str(), "Ann-2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Linker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// First sights take turns, lest two of one person at once make two accounts.
    turn: Mutex<()>,
}

/// Somebody from elsewhere.
pub(super) struct Newcomer<'a> {
    /// Who vouches for him.
    pub(super) issuer: &'a str,
    /// What he is there.
    pub(super) id: &'a str,
    /// What he is called there.
    pub(super) name: &'a str,
    /// His address, if he has one there.
    pub(super) email: Option<&'a str>,
    /// What becomes of a name that has a password here.
    pub(super) held: Held,
}

/// What becomes of somebody from elsewhere whose name has a password here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// He is refused, until an operator links the two.
    Refused,
    /// He gets a name like it.
    Suffixed,
}

/// The token that somebody from elsewhere came with.
pub(super) struct Pass<'a> {
    pub(super) token: &'a str,
    /// When it was made, if it says so.
    pub(super) made_s: Option<u64>,
    /// When it ends, if it does.
    pub(super) ends_at: Option<Timestamp>,
}

impl Linker {
    /// Keeps accounts in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            turn: Mutex::new(()),
        }
    }

    /// The account of somebody from elsewhere: who vouches for him, what he is there for ever, and
    /// what he is called there. It is made and linked when he is first seen, both or neither; a name
    /// that is taken gets a suffix.
    ///
    /// # Errors
    ///
    /// If nothing of the name can be shown, or the store can't be reached.
    pub async fn account_of(
        &self,
        issuer: &str,
        id: &str,
        name: &str,
    ) -> Result<Account, AuthError> {
        let newcomer = Newcomer {
            issuer,
            id,
            name,
            email: None,
            held: Held::Suffixed,
        };
        self.account_for(&newcomer).await
    }

    /// Admits somebody from elsewhere whose token is signed and in its time.
    pub(super) async fn admit(
        &self,
        newcomer: &Newcomer<'_>,
        pass: &Pass<'_>,
    ) -> Result<Identity, AuthError> {
        let account = self.account_for(newcomer).await?;
        let grant = grant_of(pass.token).ok_or(TokenFault::Segments)?;
        let holds = self
            .store
            .token_holds(account.user, &grant, account.token_epoch)
            .await?;
        let made_at = pass.made_s.map(seconds);
        if !holds || self.is_revoked(&account, made_at).await? {
            return Err(TokenFault::Revoked.into());
        }
        if account.suspended {
            return Err(AuthError::Suspended);
        }
        Ok(Identity {
            expires_at: pass.ends_at,
            ..Identity::of(&account).with_grant(grant)
        })
    }

    /// Notes that a user's epoch was raised at this moment. What is live of his log-ins has to end
    /// whether or not that can be noted.
    pub(super) async fn note_ended(&self, user: UserId, epoch: u64) {
        if let Err(error) = self.note_revocation(user, epoch).await {
            tracing::warn!(%error, %user, "when log-ins ended is noted later");
        }
    }

    /// Notes when a user's epoch was raised. Tokens from elsewhere name no epoch, only the moment
    /// at which they were made.
    async fn note_revocation(&self, user: UserId, epoch: u64) -> Result<u64, AuthError> {
        // A setting is written once, and so is this moment: each epoch has its own. If it wasn't
        // noted when it came, it counts as come when it is first asked for.
        let now = self.clock.now().number().to_string();
        let at = self
            .store
            .setting(&format!("revoked/{user}/{epoch}"), &now)
            .await?;
        at.parse().map_err(|_| AuthError::Unavailable)
    }

    /// Whether what somebody proved at a moment has ended since with all his log-ins. Who doesn't
    /// say when that was can't show that it was later.
    pub(super) async fn is_revoked(
        &self,
        account: &Account,
        proved_at: Option<Timestamp>,
    ) -> Result<bool, AuthError> {
        if account.token_epoch == 0 {
            return Ok(false);
        }
        let revoked_at = self
            .note_revocation(account.user, account.token_epoch)
            .await?;
        Ok(proved_at.is_none_or(|at| at.number() < revoked_at))
    }

    async fn account_for(&self, newcomer: &Newcomer<'_>) -> Result<Account, AuthError> {
        if let Some(account) = self.linked(newcomer).await? {
            return Ok(account);
        }
        let _turn = self.turn.lock().await;
        if let Some(account) = self.linked(newcomer).await? {
            return Ok(account);
        }
        let name = presentable(newcomer.name)?;
        if newcomer.held == Held::Refused {
            let holder = self.store.find_account(name.as_str()).await?;
            if holder.is_some_and(|account| account.password_hash.is_some()) {
                return Err(TokenFault::NameHeld.into());
            }
        }
        let made = self.make_account(&name, newcomer).await?;
        // Another node may have been quicker; the first link stays.
        Ok(self.linked(newcomer).await?.unwrap_or(made))
    }

    async fn linked(&self, newcomer: &Newcomer<'_>) -> Result<Option<Account>, AuthError> {
        Ok(self.store.linked(newcomer.issuer, newcomer.id).await?)
    }

    async fn make_account(
        &self,
        name: &Name,
        newcomer: &Newcomer<'_>,
    ) -> Result<Account, AuthError> {
        let mut email = newcomer.email.and_then(|email| rules::email(email).ok());
        let mut tries = 0_u32;
        let mut candidate = name.clone();
        loop {
            let created = self
                .store
                .create_account(NewAccount {
                    name: candidate.clone(),
                    email: email.clone(),
                    handle: None,
                    password_hash: None,
                    link: Some(Link {
                        issuer: newcomer.issuer.to_owned(),
                        foreign: newcomer.id.to_owned(),
                    }),
                    at: self.clock.now(),
                })
                .await?;
            match created {
                Created::Account(account) => return Ok(account),
                // The address is no identity here; its first holder keeps it.
                Created::EmailTaken => email = None,
                Created::NameTaken | Created::HandleTaken => {
                    tries += 1;
                    candidate = suffixed(name, tries)?;
                }
            }
        }
    }
}

impl fmt::Debug for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linker").finish_non_exhaustive()
    }
}

/// The name as an account may have it: what stands before an `@`, shortened if it must be.
pub(crate) fn presentable(name: &str) -> Result<Name, AuthError> {
    let before = name.split('@').find(|part| !part.trim().is_empty());
    let short: String = before.unwrap_or_default().chars().take(64).collect();
    rules::name("name", &short).map_err(|_| TokenFault::Claims.into())
}

/// A name like one that is taken; another at each try, the later ones drawn by lot.
pub(crate) fn suffixed(name: &Name, tries: u32) -> Result<Name, AuthError> {
    let suffix = match tries {
        0..10 => (tries + 1).to_string(),
        10..20 => drawn_hex::<4>()?,
        _ => return Err(AuthError::NameTaken),
    };
    rules::name("name", &format!("{name}-{suffix}"))
}
