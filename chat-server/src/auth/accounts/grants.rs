//! Log-ins: how they begin, go on and end.

use std::sync::Arc;

use chat_core::{Name, Timestamp, UserId};

use crate::auth::accounts::{Accounts, SignedIn};
use crate::auth::limiter::{GuestRules, Whence};
use crate::auth::token::{Claims, Opened, Use, drawn_hex};
use crate::auth::{AuthError, Identity, Revocation, Token, TokenFault, rules};
use crate::store::Account;

impl Accounts {
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

    /// The same log-in with an access token for a client that never refreshes: it counts as long
    /// as those of the older servers did, and says what theirs said.
    ///
    /// # Errors
    ///
    /// If the account can't be read.
    pub async fn lasting(&self, signed_in: SignedIn) -> Result<SignedIn, AuthError> {
        let SignedIn {
            identity, refresh, ..
        } = signed_in;
        let account = self.account(&identity).await?;
        let now = self.clock.now();
        let ends_at = now.plus_ms(self.config.lasting_ms());
        let access = Claims::new(&identity, Use::Access, now, ends_at);
        let access = access.with_email(account.email.as_deref());
        Ok(SignedIn {
            identity: identity.until(access.expires_at()),
            access: self.signer.sign(&access)?,
            refresh,
        })
    }

    /// Whoever has this name, if his account was logged in to with its password from this origin
    /// within the life of a token that isn't refreshed, that log-in hasn't ended, and the account
    /// isn't suspended. He is here by that log-in, and as long as its token would count.
    ///
    /// # Errors
    ///
    /// If the store can't say.
    pub async fn here_from(
        &self,
        login: &str,
        whence: Whence<'_>,
    ) -> Result<Option<Identity>, AuthError> {
        let Some(account) = self.find(login).await? else {
            return Ok(None);
        };
        let (user, epoch) = (account.user, account.token_epoch);
        let Some((last, Some(grant))) = self.limiter.last_log_in(user, whence) else {
            return Ok(None);
        };
        let ends_at = last.plus_ms(self.config.lasting_ms());
        if self.clock.now() >= ends_at || account.suspended {
            return Ok(None);
        }
        let holds = self.store.token_holds(user, &grant, epoch).await?;
        if !holds || self.linker.is_revoked(&account, Some(last)).await? {
            return Ok(None);
        }
        let identity = Identity::of(&account).with_grant(grant);
        Ok(Some(identity.until(ends_at)))
    }

    /// Remembers from where a log-in began.
    pub(super) fn remembered(&self, signed_in: SignedIn, whence: Whence<'_>) -> SignedIn {
        let identity = &signed_in.identity;
        self.limiter
            .remember(identity.user, whence, identity.grant.as_ref());
        signed_in
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
                self.store.revoke_grant(identity.user, grant, until).await?;
                Ok(Revocation {
                    user: identity.user,
                    grant: Some(Arc::clone(grant)),
                })
            }
            Some(_) | None => self.revoke_all(identity.user).await,
        }
    }

    /// Admits a guest from somewhere: one address becomes only so many.
    pub(crate) async fn guest_from(
        &self,
        name: &str,
        whence: Whence<'_>,
        rules: GuestRules,
    ) -> Result<(Identity, Token), AuthError> {
        self.limiter.arrive(whence, rules)?;
        self.guest(name).await
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
        let identity = Identity::new(UserId::guest(draw), name).with_grant(drawn_grant()?);
        let claims = Claims::new(&identity, Use::Guest, now, ends_at);
        let identity = identity.until(claims.expires_at());
        let token = self.signer.sign(&claims)?;
        Ok((identity, token))
    }

    pub(super) async fn revoke_all(&self, user: UserId) -> Result<Revocation, AuthError> {
        let epoch = self.store.raise_token_epoch(user).await?;
        if !user.is_guest() {
            self.linker.note_ended(user, epoch).await;
        }
        Ok(Revocation { user, grant: None })
    }

    pub(super) fn begin(&self, account: &Account) -> Result<SignedIn, AuthError> {
        let identity = Identity::of(account).with_grant(drawn_grant()?);
        let grant_ends = self.clock.now().plus_ms(self.config.grant_ms);
        self.tokens(identity, grant_ends)
    }

    fn tokens(&self, identity: Identity, grant_ends: Timestamp) -> Result<SignedIn, AuthError> {
        let now = self.clock.now();
        let access_ends = now.plus_ms(self.config.token_ms).min(grant_ends);
        let refresh = Claims::new(&identity, Use::Refresh, now, grant_ends);
        let access = Claims::new(&identity, Use::Access, now, access_ends);
        Ok(SignedIn {
            identity: identity.until(access.expires_at()),
            access: self.signer.sign(&access)?,
            refresh: self.signer.sign(&refresh)?,
        })
    }

    /// Who a token of this server stands for, if its log-in hasn't ended.
    pub(super) async fn standing(&self, claims: &Claims) -> Result<Identity, AuthError> {
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
        if !self
            .store
            .token_holds(user, &claims.gid, claims.epo)
            .await?
        {
            return Err(TokenFault::Revoked.into());
        }
        let identity = Identity {
            token_epoch: claims.epo,
            ..Identity::new(user, name)
        };
        let identity = identity.with_grant(claims.gid.as_str());
        Ok(identity.until(claims.expires_at()))
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
}

fn drawn_grant() -> Result<Arc<str>, AuthError> {
    let drawn = drawn_hex::<12>()?;
    Ok(drawn.into())
}
