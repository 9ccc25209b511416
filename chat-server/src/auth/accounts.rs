//! The accounts of this server: signing up, logging in, tokens, and their end.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Name, Password, UserId};

use crate::auth::error::{AuthError, TokenFault};
use crate::auth::foreign::{self, ForeignRules};
use crate::auth::hashing::{Hasher, Line};
use crate::auth::limiter::{Attempt, Limiter, Whence};
use crate::auth::link::Linker;
use crate::auth::token::{Opened, Secret, Signer, Use};
use crate::auth::{Authenticator, Identity, Revocation, Token, Verdict, rules};
use crate::clock::Clock;
use crate::limits::ServerLimits;
use crate::store::{Account, Created, NewAccount, Store, StoreError};

mod grants;
mod operator;

/// The accounts of this server, its guests, and their tokens.
///
/// Tokens are signed and short-lived; each log-in is a grant with an id in its tokens. A log-out
/// ends the grant; a change of password, a suspension and a log-out everywhere raise the user's
/// epoch, which ends all tokens that name a lower one. Whoever holds live sessions closes those that
/// [fall under](Identity::falls_under) the [`Revocation`].
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    hasher: Arc<Hasher>,
    limiter: Arc<Limiter>,
    linker: Linker,
    signer: Signer,
    config: AccountsConfig,
}

/// What an operator decides about accounts.
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// What tokens are signed with. Without one a secret is drawn once and kept in the store.
    pub secret: Option<Secret>,
    /// Whether guests are admitted.
    pub guests: bool,
    /// Whether anybody may make an account.
    pub sign_ups: bool,
    /// How long an access token counts, in milliseconds.
    pub token_ms: u64,
    /// How long a log-in can be refreshed, in milliseconds.
    pub grant_ms: u64,
    /// How long a guest may come back as himself, in milliseconds.
    pub guest_token_ms: u64,
    /// What counts of tokens that were made elsewhere with the same secret.
    pub foreign: ForeignRules,
}

impl AccountsConfig {
    /// How long an access token counts that isn't refreshed, in milliseconds.
    fn lasting_ms(&self) -> u64 {
        self.foreign.ttl_ms.max(self.token_ms).min(self.grant_ms)
    }
}

impl From<&ServerLimits> for AccountsConfig {
    fn from(limits: &ServerLimits) -> Self {
        Self {
            secret: None,
            guests: true,
            sign_ups: true,
            token_ms: limits.token_ms,
            grant_ms: limits.grant_ms,
            guest_token_ms: limits.guest_token_ms,
            foreign: ForeignRules::default(),
        }
    }
}

/// A wish for an account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Its name.
    pub name: String,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its handle.
    pub handle: Option<String>,
    /// Its password.
    pub password: Password,
}

/// Somebody who has just logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub identity: Identity,
    /// The token to act with.
    pub access: Token,
    /// The token to get another access token with.
    pub refresh: Token,
}

/// A changed password: all earlier log-ins have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordChanged {
    /// What has ended.
    pub revocation: Revocation,
    /// The log-in that begins with the change.
    pub signed_in: SignedIn,
}

impl Accounts {
    /// The accounts that a store keeps.
    ///
    /// # Errors
    ///
    /// If the store can't say or keep the secret.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        hasher: Arc<Hasher>,
        limiter: Arc<Limiter>,
        config: AccountsConfig,
    ) -> Result<Self, StoreError> {
        let secret = match &config.secret {
            Some(secret) => secret.clone(),
            None => Secret::kept(store.as_ref()).await?,
        };
        Ok(Self {
            linker: Linker::new(Arc::clone(&store), Arc::clone(&clock)),
            signer: Signer::new(&secret),
            store,
            clock,
            hasher,
            limiter,
            config,
        })
    }

    /// Makes an account and logs in to it, and remembers from where: strangers' guesses won't lock
    /// its owner out there. Its password has at least `password_bytes_min` bytes.
    ///
    /// # Errors
    ///
    /// If something is taken or can't be used.
    pub async fn sign_up_from(
        &self,
        wish: &SignUp,
        password_bytes_min: usize,
        whence: Whence<'_>,
    ) -> Result<SignedIn, AuthError> {
        if !self.config.sign_ups {
            return Err(AuthError::SignUpsClosed);
        }
        self.limiter.sign_up(whence)?;
        let signed_in = self.sign_up(wish, password_bytes_min).await?;
        Ok(self.remembered(signed_in, whence))
    }

    /// Makes an account and logs in to it, from nowhere in particular, as an operator does.
    ///
    /// # Errors
    ///
    /// If something is taken or can't be used.
    pub async fn sign_up(
        &self,
        wish: &SignUp,
        password_bytes_min: usize,
    ) -> Result<SignedIn, AuthError> {
        let name = rules::name("name", &wish.name)?;
        let email = wish.email.as_deref().map(rules::email).transpose()?;
        let handle = wish.handle.as_deref();
        let handle = handle.map(|text| rules::name("handle", text)).transpose()?;
        check_length(&wish.password, password_bytes_min)?;
        // What is taken is said before a password is hashed for nothing; the address first, for
        // whoever has it most likely has the account.
        if let Some(email) = &email
            && self.find(email).await?.is_some()
        {
            return Err(AuthError::EmailTaken);
        }
        if self.is_registered(name.as_str()).await? {
            return Err(AuthError::NameTaken);
        }
        let hash = self.hasher.hash(&wish.password).await?;
        let created = self
            .store
            .create_account(NewAccount {
                name,
                email,
                handle,
                password_hash: Some(hash),
                link: None,
                at: self.clock.now(),
            })
            .await?;
        match created {
            Created::Account(account) => self.begin(&account),
            Created::NameTaken => Err(AuthError::NameTaken),
            Created::HandleTaken => Err(AuthError::HandleTaken),
            Created::EmailTaken => Err(AuthError::EmailTaken),
        }
    }

    /// Logs in with a name, an e-mail address or a handle.
    ///
    /// # Errors
    ///
    /// [`AuthError::BadCredentials`] alike for an unknown user and a wrong password, after the same
    /// work; or what else stands in the way.
    pub async fn log_in(
        &self,
        login: &str,
        password: &Password,
        whence: Whence<'_>,
    ) -> Result<SignedIn, AuthError> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("secret_logged") {
            tracing::trace!(login, password = password.expose(), "a log-in");
        }
        let account = self.find(login).await?;
        let account = self.prove(account, login, password, whence).await?;
        if account.suspended {
            return Err(AuthError::Suspended);
        }
        Ok(self.remembered(self.begin(&account)?, whence))
    }

    /// Logs in, or makes the account if nobody has that name.
    ///
    /// # Errors
    ///
    /// As [`Accounts::log_in`] and [`Accounts::sign_up`].
    pub async fn log_in_or_sign_up(
        &self,
        name: &str,
        password: &Password,
        whence: Whence<'_>,
    ) -> Result<SignedIn, AuthError> {
        if self.is_registered(name).await? {
            return self.log_in(name, password, whence).await;
        }
        let wish = SignUp {
            name: name.to_owned(),
            email: None,
            handle: None,
            password: password.clone(),
        };
        match self.sign_up_from(&wish, 1, whence).await {
            // Somebody was quicker; perhaps himself.
            Err(AuthError::NameTaken) => self.log_in(name, password, whence).await,
            outcome => outcome,
        }
    }

    /// Changes a password by somebody who knows the old one. All log-ins end, another begins.
    ///
    /// # Errors
    ///
    /// If the old password is wrong or the other one can't be used.
    pub async fn change_password(
        &self,
        identity: &Identity,
        old: &Password,
        new: &Password,
        password_bytes_min: usize,
        whence: Whence<'_>,
    ) -> Result<PasswordChanged, AuthError> {
        check_length(new, password_bytes_min)?;
        let account = self.account(identity).await?;
        let name = account.name.clone();
        let account = self
            .prove(Some(account), name.as_str(), old, whence)
            .await?;
        let revocation = self.write_password(account.user, new).await?;
        let account = self.account(identity).await?;
        Ok(PasswordChanged {
            revocation,
            signed_in: self.remembered(self.begin(&account)?, whence),
        })
    }

    /// Erases the account of somebody who knows its password, if it has one: who only found his
    /// token can't.
    ///
    /// # Errors
    ///
    /// If the password is wrong, or there is no account.
    pub async fn erase_own(
        &self,
        identity: &Identity,
        password: Option<&Password>,
        whence: Whence<'_>,
    ) -> Result<Revocation, AuthError> {
        let account = self.account(identity).await?;
        let user = account.user;
        if account.password_hash.is_some() {
            let password = password.ok_or(AuthError::BadCredentials)?;
            let name = account.name.clone();
            self.prove(Some(account), name.as_str(), password, whence)
                .await?;
        }
        self.erase(user).await
    }

    /// Whether a name, or one that looks like it, a handle or an e-mail address has an account.
    ///
    /// # Errors
    ///
    /// If the store can't say.
    pub async fn is_registered(&self, login: &str) -> Result<bool, AuthError> {
        Ok(self.find(login).await?.is_some())
    }

    /// The account of an identity.
    ///
    /// # Errors
    ///
    /// [`AuthError::AccountNeeded`] for a guest.
    pub async fn account(&self, identity: &Identity) -> Result<Account, AuthError> {
        let account = self.account_of(identity.user).await?;
        account.ok_or(AuthError::AccountNeeded)
    }

    /// A token of a test user, as the older server of the `socketio` dialect made them.
    ///
    /// # Errors
    ///
    /// If it can't be signed.
    pub fn test_token(&self) -> Result<Token, AuthError> {
        let claims = foreign::TestClaims::new(&self.config.foreign, self.clock.now());
        self.signer.sign(&claims)
    }

    async fn open_token(&self, token: &str) -> Result<Identity, AuthError> {
        let now = self.clock.now();
        match self.signer.open(token, now)? {
            #[cfg(sabotage)]
            Opened::Own(claims) if chat_core::sabotage::planted("refresh_token_acts") => {
                self.standing(&claims).await
            }
            Opened::Own(claims) => match claims.usage {
                Use::Access => self.standing(&claims).await,
                Use::Guest if claims.user()?.is_guest() => self.standing(&claims).await,
                Use::Guest | Use::Refresh => Err(TokenFault::Use.into()),
            },
            Opened::Foreign(claims) => {
                foreign::admit(&self.linker, &self.config.foreign, token, &claims, now).await
            }
        }
    }

    async fn prove(
        &self,
        account: Option<Account>,
        login: &str,
        password: &Password,
        whence: Whence<'_>,
    ) -> Result<Account, AuthError> {
        check_length(password, 1)?;
        let user = account.as_ref().map(|account| account.user);
        let attempt = self.limiter.log_in(user, login, whence)?;
        let line = if attempt.is_known() {
            Line::Known
        } else {
            Line::LogIns
        };
        let hash = account.as_ref().and_then(|it| it.password_hash.as_deref());
        let outcome = match hash {
            Some(hash) => self.hasher.verify_in(line, password, hash).await,
            #[cfg(sabotage)]
            None if chat_core::sabotage::planted("unknown_user_unhashed") => Ok(false),
            None => self.hasher.verify_nobody_in(line, password).await,
        };
        let settle = match &outcome {
            Ok(true) => Attempt::succeed,
            Ok(false) => Attempt::fail,
            Err(_) => Attempt::withdraw,
        };
        settle(attempt);
        match (outcome?, account) {
            (true, Some(account)) => {
                self.renew_hash(&account, password).await;
                Ok(account)
            }
            (_, _) => Err(AuthError::BadCredentials),
        }
    }

    /// Puts a hash of ours in the place of one from elsewhere, once the password is known. The
    /// password stays the same, and so do all log-ins; if it can't be done the next log-in does it.
    async fn renew_hash(&self, account: &Account, password: &Password) {
        let Some(old) = account.password_hash.as_deref() else {
            return;
        };
        if !Hasher::is_to_be_made_again(old, password) {
            return;
        }
        let new = match self.hasher.hash_in(Line::Known, password).await {
            Ok(new) => new,
            Err(error) => return tracing::debug!(%error, "a hash from elsewhere stays"),
        };
        // It is compared in the store: a password that was changed meanwhile stays changed.
        if let Err(error) = self.store.replace_hash(account.user, old, &new).await {
            tracing::warn!(%error, "a hash from elsewhere stays");
        }
    }

    /// The epoch is raised with the hash: who was quick enough to prove the old password holds a
    /// token of the old epoch.
    async fn write_password(&self, user: UserId, new: &Password) -> Result<Revocation, AuthError> {
        let hash = self.hasher.hash_in(Line::Known, new).await?;
        let at = self.clock.now();
        let epoch = self.store.change_password(user, &hash, at).await?;
        self.linker.note_ended(user, epoch).await;
        Ok(Revocation { user, grant: None })
    }

    async fn find(&self, login: &str) -> Result<Option<Account>, AuthError> {
        // Nothing that long is anybody's name or address.
        if login.len() > Name::BYTES_MAX {
            return Ok(None);
        }
        Ok(self.store.find_account(login).await?)
    }

    async fn account_of(&self, user: UserId) -> Result<Option<Account>, AuthError> {
        Ok(self.store.account(user).await?)
    }
}

#[async_trait]
impl Authenticator for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        Verdict::of_signed(self.open_token(token).await)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn check_length(password: &Password, bytes_min: usize) -> Result<(), AuthError> {
    let bytes = password.expose().len();
    if bytes > Password::BYTES_MAX {
        return Err(AuthError::PasswordTooLong {
            bytes_max: Password::BYTES_MAX,
        });
    }
    if bytes < bytes_min.max(1) {
        return Err(AuthError::BadArgument {
            field: "password",
            why: "is too short",
        });
    }
    Ok(())
}
