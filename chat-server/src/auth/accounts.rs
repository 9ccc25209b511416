//! The accounts of this server: signing up, logging in, tokens, and their end.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Name, Password, Timestamp, UserId};

use crate::auth::error::{AuthError, TokenFault};
use crate::auth::foreign::{self, ForeignRules};
use crate::auth::hashing::Hasher;
use crate::auth::limiter::{Attempt, Limiter, Origin};
use crate::auth::link::Linker;
use crate::auth::token::{Claims, Opened, Secret, Signer, Use, drawn_hex};
use crate::auth::{Authenticator, Identity, Revocation, Token, rules};
use crate::clock::Clock;
use crate::limits::ServerLimits;
use crate::store::{Account, Created, NewAccount, Store, StoreError};

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
    /// How long an access token counts, in milliseconds.
    pub token_ms: u64,
    /// How long a log-in can be refreshed, in milliseconds.
    pub grant_ms: u64,
    /// How long a guest may come back as himself, in milliseconds.
    pub guest_token_ms: u64,
    /// What counts of tokens that were made elsewhere with the same secret.
    pub foreign: ForeignRules,
}

impl From<&ServerLimits> for AccountsConfig {
    fn from(limits: &ServerLimits) -> Self {
        Self {
            secret: None,
            guests: true,
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
        origin: Origin<'_>,
    ) -> Result<SignedIn, AuthError> {
        let signed_in = self.sign_up(wish, password_bytes_min).await?;
        self.limiter.remember(signed_in.identity.user, origin);
        Ok(signed_in)
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
        // What is taken is said before a password is hashed for nothing.
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
                at: self.clock.now(),
            })
            .await
            .map_err(|error| AuthError::storage(&error))?;
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
        origin: Origin<'_>,
    ) -> Result<SignedIn, AuthError> {
        let account = self.find(login).await?;
        let account = self.prove(account, login, password, origin).await?;
        if account.suspended {
            return Err(AuthError::Suspended);
        }
        self.begin(&account)
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
        origin: Origin<'_>,
    ) -> Result<SignedIn, AuthError> {
        if self.is_registered(name).await? {
            return self.log_in(name, password, origin).await;
        }
        let wish = SignUp {
            name: name.to_owned(),
            email: None,
            handle: None,
            password: password.clone(),
        };
        match self.sign_up_from(&wish, 1, origin).await {
            // Somebody was quicker; perhaps himself.
            Err(AuthError::NameTaken) => self.log_in(name, password, origin).await,
            outcome => outcome,
        }
    }

    /// A fresh access token for a log-in.
    ///
    /// # Errors
    ///
    /// If the refresh token doesn't count.
    pub async fn refresh(&self, token: &str) -> Result<SignedIn, AuthError> {
        let now = self.clock.now();
        let Opened::Own(claims) = self.signer.open(token, now)? else {
            return Err(TokenFault::Use.into());
        };
        if claims.usage != Use::Refresh {
            return Err(TokenFault::Use.into());
        }
        let identity = self.standing(&claims).await?;
        self.tokens(identity, claims.expires_at())
    }

    /// Ends this log-in, or all log-ins of the user.
    ///
    /// # Errors
    ///
    /// If the store can't be written to.
    pub async fn log_out(&self, identity: &Identity, all: bool) -> Result<Revocation, AuthError> {
        match &identity.grant {
            Some(grant) if !all => {
                let longest_ms = self.config.grant_ms.max(self.config.guest_token_ms);
                let until = self.clock.now().plus_ms(longest_ms);
                let until = identity.expires_at.map_or(until, |ends| ends.max(until));
                self.store
                    .revoke_grant(identity.user, grant, until)
                    .await
                    .map_err(|error| AuthError::storage(&error))?;
                Ok(Revocation {
                    user: identity.user,
                    grant: Some(Arc::clone(grant)),
                })
            }
            Some(_) | None => self.revoke_all(identity.user).await,
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
        origin: Origin<'_>,
    ) -> Result<PasswordChanged, AuthError> {
        check_length(new, password_bytes_min)?;
        let account = self.account(identity).await?;
        let name = account.name.clone();
        let account = self
            .prove(Some(account), name.as_str(), old, origin)
            .await?;
        let revocation = self.write_password(account.user, new).await?;
        let account = self.account(identity).await?;
        Ok(PasswordChanged {
            revocation,
            signed_in: self.begin(&account)?,
        })
    }

    /// Sets a password, as an operator. All log-ins of the account end.
    ///
    /// # Errors
    ///
    /// If there is no such account or the password can't be used.
    pub async fn set_password(&self, login: &str, new: &Password) -> Result<Revocation, AuthError> {
        check_length(new, 1)?;
        let account = self.find(login).await?.ok_or(AuthError::UserNotFound)?;
        self.write_password(account.user, new).await
    }

    /// Suspends an account, or lets it act again. What has ended is told if it was suspended.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn suspend(&self, user: UserId, on: bool) -> Result<Option<Revocation>, AuthError> {
        self.account_of(user)
            .await?
            .ok_or(AuthError::UserNotFound)?;
        self.store
            .set_suspended(user, on)
            .await
            .map_err(|error| AuthError::storage(&error))?;
        if on {
            self.revoke_all(user).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Admits a guest under a name that nobody registered.
    ///
    /// # Errors
    ///
    /// If the name is registered or can't be used, or guests aren't admitted.
    pub async fn guest(&self, name: &str) -> Result<(Identity, Token), AuthError> {
        if !self.config.guests {
            return Err(AuthError::GuestsRefused);
        }
        let name = rules::name("name", name)?;
        if self.is_registered(name.as_str()).await? {
            return Err(AuthError::NameTaken);
        }
        let now = self.clock.now();
        let ends_at = now.plus_ms(self.config.guest_token_ms);
        let draw = getrandom::u64().map_err(|_| AuthError::Unavailable)?;
        let identity = Identity {
            user: UserId::guest(draw),
            name,
            grant: Some(drawn_grant()?),
            token_epoch: 0,
            expires_at: Some(ends_at),
            suspended: false,
        };
        let claims = Claims::new(&identity, Use::Guest, now, ends_at);
        let identity = Identity {
            expires_at: Some(claims.expires_at()),
            ..identity
        };
        let token = self.signer.sign(&claims)?;
        Ok((identity, token))
    }

    /// Logs in to an account without a password, as an operator.
    ///
    /// # Errors
    ///
    /// If there is no such account, or it is suspended.
    pub async fn token_for(&self, login: &str) -> Result<SignedIn, AuthError> {
        let account = self.find(login).await?.ok_or(AuthError::UserNotFound)?;
        if account.suspended {
            return Err(AuthError::Suspended);
        }
        self.begin(&account)
    }

    /// Links somebody who has his account elsewhere to an account here, as an operator. The issuers
    /// of tokens that were made with the same secret are `dialect/socketio`, `dialect/rest` and
    /// `dialect/actions`; those of [`External`](crate::auth::External) tokens are their `iss`.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn link(&self, issuer: &str, id: &str, login: &str) -> Result<(), AuthError> {
        let account = self.find(login).await?.ok_or(AuthError::UserNotFound)?;
        self.store
            .link(issuer, id, account.user)
            .await
            .map_err(|error| AuthError::storage(&error))
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

    /// Whether an account was logged in to with its password from this address, within the life of
    /// an access token.
    ///
    /// # Errors
    ///
    /// If the store can't say.
    pub async fn logged_in_from(&self, login: &str, address: IpAddr) -> Result<bool, AuthError> {
        let Some(account) = self.find(login).await? else {
            return Ok(false);
        };
        let last = self.limiter.last_log_in(account.user, address);
        Ok(last.is_some_and(|at| self.clock.now().ms_since(at) < self.config.token_ms))
    }

    async fn prove(
        &self,
        account: Option<Account>,
        login: &str,
        password: &Password,
        origin: Origin<'_>,
    ) -> Result<Account, AuthError> {
        check_length(password, 1)?;
        let user = account.as_ref().map(|account| account.user);
        let attempt = self.limiter.log_in(user, login, origin)?;
        let hash = account.as_ref().and_then(|it| it.password_hash.as_deref());
        let outcome = match hash {
            Some(hash) => self.hasher.verify(password, hash).await,
            None => self.hasher.verify_nobody(password).await,
        };
        let settle = match &outcome {
            Ok(true) => Attempt::succeed,
            Ok(false) => Attempt::fail,
            Err(_) => Attempt::withdraw,
        };
        settle(attempt);
        match (outcome?, account) {
            (true, Some(account)) => Ok(account),
            (_, _) => Err(AuthError::BadCredentials),
        }
    }

    /// The epoch is raised after the hash is written: who was quick enough to prove the old
    /// password holds a token of the old epoch.
    async fn write_password(&self, user: UserId, new: &Password) -> Result<Revocation, AuthError> {
        let hash = self.hasher.hash(new).await?;
        self.store
            .set_password(user, &hash)
            .await
            .map_err(|error| AuthError::storage(&error))?;
        self.revoke_all(user).await
    }

    async fn revoke_all(&self, user: UserId) -> Result<Revocation, AuthError> {
        let epoch = self.store.raise_token_epoch(user).await;
        let epoch = epoch.map_err(|error| AuthError::storage(&error))?;
        if !user.is_guest() {
            self.linker.note_revocation(user, epoch).await?;
        }
        Ok(Revocation { user, grant: None })
    }

    fn begin(&self, account: &Account) -> Result<SignedIn, AuthError> {
        let identity = Identity {
            user: account.user,
            name: account.name.clone(),
            grant: Some(drawn_grant()?),
            token_epoch: account.token_epoch,
            expires_at: None,
            suspended: account.suspended,
        };
        self.tokens(identity, self.clock.now().plus_ms(self.config.grant_ms))
    }

    fn tokens(&self, identity: Identity, grant_ends: Timestamp) -> Result<SignedIn, AuthError> {
        let now = self.clock.now();
        let access_ends = now.plus_ms(self.config.token_ms).min(grant_ends);
        let refresh = Claims::new(&identity, Use::Refresh, now, grant_ends);
        let access = Claims::new(&identity, Use::Access, now, access_ends);
        Ok(SignedIn {
            identity: Identity {
                expires_at: Some(access.expires_at()),
                ..identity
            },
            access: self.signer.sign(&access)?,
            refresh: self.signer.sign(&refresh)?,
        })
    }

    /// Who a token of this server stands for, if its log-in hasn't ended.
    async fn standing(&self, claims: &Claims) -> Result<Identity, AuthError> {
        let user = claims.user()?;
        let name = if user.is_guest() {
            self.guest_name(claims).await?
        } else {
            let account = self.account_of(user).await?.ok_or(TokenFault::Revoked)?;
            // A suspension raises the epoch too; its reason is the one to tell.
            if account.suspended {
                return Err(AuthError::Suspended);
            }
            if claims.epo != account.token_epoch {
                return Err(TokenFault::Revoked.into());
            }
            account.name
        };
        let holds = self.store.token_holds(user, &claims.gid, claims.epo).await;
        if !holds.map_err(|error| AuthError::storage(&error))? {
            return Err(TokenFault::Revoked.into());
        }
        Ok(Identity {
            user,
            name,
            grant: Some(claims.gid.as_str().into()),
            token_epoch: claims.epo,
            expires_at: Some(claims.expires_at()),
            suspended: false,
        })
    }

    async fn guest_name(&self, claims: &Claims) -> Result<Name, AuthError> {
        if !self.config.guests {
            return Err(AuthError::GuestsRefused);
        }
        // Somebody may have registered the name while the guest was away.
        if self.is_registered(claims.name.as_str()).await? {
            return Err(AuthError::NameTaken);
        }
        Ok(claims.name.clone())
    }

    async fn find(&self, login: &str) -> Result<Option<Account>, AuthError> {
        // Nothing that long is anybody's name or address.
        if login.len() > Name::BYTES_MAX {
            return Ok(None);
        }
        let account = self.store.find_account(login).await;
        account.map_err(|error| AuthError::storage(&error))
    }

    async fn account_of(&self, user: UserId) -> Result<Option<Account>, AuthError> {
        let account = self.store.account(user).await;
        account.map_err(|error| AuthError::storage(&error))
    }
}

#[async_trait]
impl Authenticator for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        let now = self.clock.now();
        match self.signer.open(token, now)? {
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

fn drawn_grant() -> Result<Arc<str>, AuthError> {
    let drawn = drawn_hex::<12>().map_err(|error| AuthError::storage(&error))?;
    Ok(drawn.into())
}
