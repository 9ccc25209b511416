//! Hashes that other servers made with bcrypt. They are compared with, and never made. A build that
//! can't import knows them, and can't compare with any.

#[cfg(feature = "import")]
use std::str::FromStr;

#[cfg(feature = "import")]
use bcrypt::HashParts;
use chat_core::Password;

use super::HashError;

/// The bytes of a password that bcrypt reads; what comes after them doesn't count.
pub(super) const BYTES_READ: usize = 72;

/// The highest cost that is worked off: it doubles the time at each step, and one from elsewhere
/// may not stop the pool.
#[cfg(feature = "import")]
const COST_MAX: u32 = 14;
#[cfg(feature = "import")]
const COST_MIN: u32 = 4;

/// Whether this is such a hash, by its first letters.
pub(super) fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"]
        .into_iter()
        .any(|prefix| hash.starts_with(prefix))
}

/// The cost of a hash that can be compared with.
#[cfg(feature = "import")]
pub(super) fn cost(hash: &str) -> Result<u32, HashError> {
    let parts = HashParts::from_str(hash).map_err(|_| HashError::Unreadable)?;
    let cost = parts.get_cost();
    if (COST_MIN..=COST_MAX).contains(&cost) {
        Ok(cost)
    } else {
        Err(HashError::Unreadable)
    }
}

/// Whether a password fits a hash whose cost was looked at.
#[cfg(feature = "import")]
pub(super) fn verify(password: &Password, hash: &str) -> Result<bool, HashError> {
    bcrypt::verify(password.expose(), hash).map_err(|_| HashError::Unreadable)
}

/// Does the work of comparing, and compares nothing.
#[cfg(feature = "import")]
pub(super) fn spend(password: &Password, cost: u32) {
    let bytes = password.expose().as_bytes();
    let read = bytes.get(..BYTES_READ).unwrap_or(bytes);
    if !read.is_empty() {
        std::hint::black_box(bcrypt::bcrypt(cost.min(COST_MAX), [0; 16], read));
    }
}

#[cfg(not(feature = "import"))]
pub(super) const fn cost(_: &str) -> Result<u32, HashError> {
    Err(HashError::Unreadable)
}

#[cfg(not(feature = "import"))]
pub(super) const fn verify(_: &Password, _: &str) -> Result<bool, HashError> {
    Err(HashError::Unreadable)
}

#[cfg(not(feature = "import"))]
pub(super) const fn spend(_: &Password, _: u32) {}
