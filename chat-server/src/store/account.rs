//! Accounts, as a store keeps them.

use chat_core::{Name, Timestamp, UserId};

/// An account to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name, unique by skeleton among names and handles.
    pub name: Name,
    /// Its e-mail address, unique without regard to case.
    pub email: Option<String>,
    /// Its handle, unique by skeleton among names and handles.
    pub handle: Option<Name>,
    /// The hash of its password; none for an account that signs in elsewhere.
    pub password_hash: Option<String>,
    /// Who its owner is elsewhere, to be linked as [`Store::link`] does.
    pub link: Option<Link>,
    /// When it is made.
    pub at: Timestamp,
}

/// What somebody is where he has an account elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who vouches for him.
    pub issuer: String,
    /// What he is there.
    pub foreign: String,
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
