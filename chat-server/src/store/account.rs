//! Accounts, as a store keeps them.

use std::fmt;

use chat_core::{Name, Timestamp, UserId};

/// An account to be made.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewAccount {
    /// Its name, unique by skeleton among names and handles.
    pub name: Name,
    /// Its e-mail address, unique without regard to case.
    pub email: Option<String>,
    /// Its handle, unique by skeleton among names and handles.
    pub handle: Option<Name>,
    /// The hash of its password; none for an account that signs in elsewhere.
    pub password_hash: Option<String>,
    /// Who its owner is elsewhere, to be linked as [`Store::link`](super::Store::link) does.
    pub link: Option<Link>,
    /// When it is made.
    pub at: Timestamp,
}

impl NewAccount {
    /// An account that nobody can log in to yet.
    #[must_use]
    pub const fn new(name: Name, at: Timestamp) -> Self {
        Self {
            name,
            email: None,
            handle: None,
            password_hash: None,
            link: None,
            at,
        }
    }

    /// The same, with an e-mail address.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// The same, with a handle.
    #[must_use]
    pub fn with_handle(mut self, handle: Name) -> Self {
        self.handle = Some(handle);
        self
    }

    /// The same, with the hash of a password.
    #[must_use]
    pub fn with_password_hash(mut self, hash: impl Into<String>) -> Self {
        self.password_hash = Some(hash.into());
        self
    }

    /// The same, for somebody who has an account elsewhere.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }
}

/// What somebody is where he has an account elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who vouches for him.
    pub issuer: String,
    /// What he is there.
    pub foreign: String,
}

impl Link {
    /// What somebody is for whoever vouches for him.
    #[must_use]
    pub fn new(issuer: impl Into<String>, foreign: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            foreign: foreign.into(),
        }
    }
}

/// What became of a wish for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is made.
    Account(Account),
    /// The name is another's name or handle.
    NameTaken,
    /// The handle is another's name or handle.
    HandleTaken,
    /// The address is another's.
    EmailTaken,
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Its number.
    pub user: UserId,
    /// Its name.
    pub name: Name,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its handle.
    pub handle: Option<Name>,
    /// The hash of its password.
    pub password_hash: Option<String>,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Tokens that name a lower epoch are void.
    pub token_epoch: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password, name or standing changed last.
    pub updated_at: Timestamp,
}

impl Account {
    /// An account as it is right after it was made; the number is the store's to choose.
    #[must_use]
    pub fn new(user: UserId, wish: NewAccount) -> Self {
        Self {
            user,
            name: wish.name,
            email: wish.email,
            handle: wish.handle,
            password_hash: wish.password_hash,
            suspended: false,
            token_epoch: 0,
            created_at: wish.at,
            updated_at: wish.at,
        }
    }
}

// The hash of a password is nobody's business, not even a log's.
impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("name", &self.name)
            .field("suspended", &self.suspended)
            .finish_non_exhaustive()
    }
}
