//! What an operator does to accounts.

use chat_core::{Password, UserId};

use crate::auth::accounts::{Accounts, SignedIn, check_length};
use crate::auth::{AuthError, Revocation};

impl Accounts {
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

    /// Suspends an account. All its log-ins end.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn suspend(&self, user: UserId) -> Result<Revocation, AuthError> {
        self.set_suspended(user, true).await?;
        self.revoke_all(user).await
    }

    /// Lets a suspended account act again, once it has logged in.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn reinstate(&self, user: UserId) -> Result<(), AuthError> {
        self.set_suspended(user, false).await
    }

    async fn set_suspended(&self, user: UserId, on: bool) -> Result<(), AuthError> {
        let account = self.account_of(user).await?;
        account.ok_or(AuthError::UserNotFound)?;
        let at = self.clock.now();
        Ok(self.store.set_suspended(user, on, at).await?)
    }

    /// Erases a person, account or guest: his account and his names are gone at once, his words by
    /// and by, and all his log-ins have ended. Erasing him again is no mistake.
    ///
    /// # Errors
    ///
    /// If the store can't be written to.
    pub async fn erase(&self, user: UserId) -> Result<Revocation, AuthError> {
        self.store.erase_user(user, self.clock.now()).await?;
        Ok(Revocation { user, grant: None })
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
    /// `dialect/actions`, and an [import](crate::import) links whom it brings under the same, or under
    /// `dialect/rooms` and `dialect/groups`; those of [`External`](crate::auth::External) tokens are
    /// their `iss`.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn link(&self, issuer: &str, id: &str, login: &str) -> Result<(), AuthError> {
        let account = self.find(login).await?.ok_or(AuthError::UserNotFound)?;
        Ok(self.store.link(issuer, id, account.user).await?)
    }
}
