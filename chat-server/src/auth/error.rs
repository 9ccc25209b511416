//! Why somebody isn't let in, in words for him.

use chat_protocol::{Code, Refusal};

use crate::auth::hashing::HashError;
use crate::auth::limiter::RateLimited;
use crate::store::StoreError;

/// Why an account, a token or a password isn't accepted.
///
/// It speaks to the person. What went wrong in a store or a thread is for the operator: it is
/// logged where it happens, and the person hears [`AuthError::Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// There is no token.
    #[error("log in first")]
    Unauthenticated,
    /// The token's time is over.
    #[error("the token has expired")]
    TokenExpired,
    /// The token doesn't count.
    #[error("the token is not valid: {0}")]
    TokenInvalid(TokenFault),
    /// There is no such account, or its password is another; which of both is not said.
    #[error("wrong name or password")]
    BadCredentials,
    /// The account is suspended.
    #[error("this account is suspended")]
    Suspended,
    /// Too many attempts.
    #[error("too many attempts, wait {} s", retry_ms.div_ceil(1_000))]
    RateLimited {
        /// Milliseconds after which another attempt is heard.
        retry_ms: u64,
    },
    /// The name belongs to somebody else, or looks as if it did.
    #[error("this name is taken")]
    NameTaken,
    /// The e-mail address belongs to somebody else.
    #[error("this e-mail address is taken")]
    EmailTaken,
    /// The handle belongs to somebody else, or looks as if it did.
    #[error("this handle is taken")]
    HandleTaken,
    /// A value can't be used.
    #[error("{field}: {why}")]
    BadArgument {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The password is longer than any may be.
    #[error("a password has at most {bytes_max} bytes")]
    PasswordTooLong {
        /// The longest.
        bytes_max: usize,
    },
    /// Only somebody with an account may do this.
    #[error("this needs an account")]
    AccountNeeded,
    /// Nobody makes an account by himself.
    #[error("accounts are made by the operator")]
    SignUpsClosed,
    /// Guests are not admitted.
    #[error("guests are not admitted, log in first")]
    GuestsRefused,
    /// There is no such account.
    #[error("no such user")]
    UserNotFound,
    /// More passwords wait to be hashed than fit.
    #[error("the server is busy, try again")]
    Busy {
        /// Milliseconds after which it is worth another try.
        retry_ms: u64,
    },
    /// The server can't look it up at the moment.
    #[error("accounts can't be reached at the moment")]
    Unavailable,
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// It isn't three parts with dots between.
    #[error("it contains an invalid number of segments")]
    Segments,
    /// Its parts can't be read.
    #[error("it can't be read")]
    Malformed,
    /// It is signed with another algorithm than the key is for, or with none.
    #[error("unexpected signing method {0}")]
    Algorithm(Box<str>),
    /// No key of that name is known.
    #[error("it is signed with an unknown key")]
    Key,
    /// The signature doesn't fit.
    #[error("the signature does not fit")]
    Signature,
    /// It says too little, or in the wrong types.
    #[error("it lacks a claim, or a claim has the wrong type")]
    Claims,
    /// It is for another use, such as refreshing.
    #[error("it is for another use")]
    Use,
    /// It was made in the future.
    #[error("it was made in the future")]
    Future,
    /// Its log-in has ended.
    #[error("its log-in has ended")]
    Revoked,
    /// It was made elsewhere, for a name that has a password here.
    #[error("its name belongs to an account of this server")]
    NameHeld,
    /// Nobody knows it, and nobody can say more.
    #[error("nobody here knows it")]
    Unknown,
}

impl AuthError {
    /// The stable code on the wire.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Unauthenticated | Self::GuestsRefused => Code::Unauthenticated,
            Self::TokenExpired => Code::TokenExpired,
            Self::TokenInvalid(_) => Code::TokenInvalid,
            Self::BadCredentials => Code::BadCredentials,
            Self::Suspended => Code::Suspended,
            Self::RateLimited { retry_ms: _ } => Code::RateLimited,
            Self::NameTaken | Self::EmailTaken | Self::HandleTaken => Code::NameTaken,
            Self::BadArgument { field: _, why: _ } => Code::BadArgument,
            Self::PasswordTooLong { bytes_max: _ } => Code::TooLarge,
            Self::AccountNeeded | Self::SignUpsClosed => Code::PermissionDenied,
            Self::UserNotFound => Code::UserNotFound,
            Self::Busy { retry_ms: _ } => Code::Unavailable,
            Self::Unavailable => Code::StorageUnavailable,
        }
    }

    /// Milliseconds after which another try makes sense, where that is known.
    #[must_use]
    pub const fn retry_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_ms } | Self::Busy { retry_ms } => Some(*retry_ms),
            Self::Unavailable => Some(RETRY_MS),
            Self::Unauthenticated
            | Self::GuestsRefused
            | Self::TokenExpired
            | Self::TokenInvalid(_)
            | Self::BadCredentials
            | Self::Suspended
            | Self::NameTaken
            | Self::EmailTaken
            | Self::HandleTaken
            | Self::BadArgument { field: _, why: _ }
            | Self::PasswordTooLong { bytes_max: _ }
            | Self::AccountNeeded
            | Self::SignUpsClosed
            | Self::UserNotFound => None,
        }
    }

    /// What the code is about: the argument that is wrong, or that somebody else holds.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::NameTaken => Some("name"),
            Self::EmailTaken => Some("email"),
            Self::HandleTaken => Some("handle"),
            Self::BadArgument { field, why: _ } => Some(field),
            Self::PasswordTooLong { bytes_max: _ } => Some("password"),
            Self::Unauthenticated
            | Self::GuestsRefused
            | Self::TokenExpired
            | Self::TokenInvalid(_)
            | Self::BadCredentials
            | Self::Suspended
            | Self::RateLimited { retry_ms: _ }
            | Self::AccountNeeded
            | Self::SignUpsClosed
            | Self::UserNotFound
            | Self::Busy { retry_ms: _ }
            | Self::Unavailable => None,
        }
    }
}

/// Tells the operator what the store said, and the person that it isn't his fault.
impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "accounts can't be reached");
        Self::Unavailable
    }
}

impl TokenFault {
    /// The fault's name, for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Segments => "segments",
            Self::Malformed => "malformed",
            Self::Algorithm(_) => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Use => "use",
            Self::Future => "future",
            Self::Revoked => "revoked",
            Self::NameHeld => "name_held",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody else may know a signed token: one with another key, or with tokens of another
    /// form.
    pub(super) const fn is_of_a_stranger(&self) -> bool {
        match self {
            Self::Segments
            | Self::Malformed
            | Self::Algorithm(_)
            | Self::Key
            | Self::Signature
            | Self::Claims
            | Self::Unknown => true,
            Self::Use | Self::Future | Self::Revoked | Self::NameHeld => false,
        }
    }
}

impl From<&AuthError> for Refusal {
    fn from(error: &AuthError) -> Self {
        let mut refusal = Self::new(error.code()).with_words(error.to_string());
        if let Some(retry_ms) = error.retry_ms() {
            refusal = refusal.with_retry(retry_ms);
        }
        if let Some(field) = error.field() {
            refusal = refusal.with_detail("field", field);
        }
        if let AuthError::PasswordTooLong { bytes_max } = error {
            refusal = refusal.with_detail("max", *bytes_max);
        }
        if let AuthError::TokenInvalid(fault) = error {
            refusal = refusal.with_detail("fault", fault.name());
            if let TokenFault::Algorithm(algorithm) = fault {
                refusal = refusal.with_detail("alg", &**algorithm);
            }
        }
        refusal
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self::from(&error)
    }
}

impl From<TokenFault> for AuthError {
    fn from(fault: TokenFault) -> Self {
        Self::TokenInvalid(fault)
    }
}

impl From<RateLimited> for AuthError {
    fn from(limited: RateLimited) -> Self {
        Self::RateLimited {
            retry_ms: limited.retry_ms,
        }
    }
}

impl From<HashError> for AuthError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy { retry_ms: RETRY_MS },
            HashError::Empty => Self::BadArgument {
                field: "password",
                why: "may not be empty",
            },
            HashError::TooLong { bytes_max } => Self::PasswordTooLong { bytes_max },
            HashError::Unreadable | HashError::Stopped | HashError::Failed => {
                tracing::error!(%error, "a password can't be hashed or compared");
                Self::Unavailable
            }
        }
    }
}

const RETRY_MS: u64 = 1_000;
