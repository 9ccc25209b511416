//! Why there is no hash.

/// Why a password was neither hashed nor compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The queue is full.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A password may not be empty.
    #[error("a password may not be empty")]
    Empty,
    /// The password is longer than any may be.
    #[error("a password has at most {bytes_max} bytes")]
    TooLong {
        /// The longest.
        bytes_max: usize,
    },
    /// What the password is to be compared with is no hash of this kind.
    #[error("a stored hash can't be read")]
    Unreadable,
    /// The threads have ended.
    #[error("the hashing threads have ended")]
    Stopped,
    /// There is no memory or no randomness.
    #[error("a password can't be hashed")]
    Failed,
}
