//! How long a client stays away before it comes back.

/// The shortest wait, in milliseconds.
pub const WAIT_MS_MIN: u64 = 500;

/// The longest wait, in milliseconds.
pub const WAIT_MS_MAX: u64 = 20_000;

/// The wait before the n-th attempt in a row, from 1: anywhere between the shortest wait and a
/// bound that doubles, so that clients which left together don't come back together. `draw` is
/// any random number.
///
/// # Examples
///
/// ```
/// use chat_protocol::client::backoff;
///
/// assert_eq!(backoff(1, 0), 500);
/// assert!(backoff(30, u64::MAX) <= 20_000);
/// ```
#[must_use]
pub fn backoff(attempt: u32, draw: u64) -> u64 {
    let doubled = WAIT_MS_MIN.saturating_mul(1 << attempt.min(16));
    let spread = doubled.min(WAIT_MS_MAX) - WAIT_MS_MIN;
    WAIT_MS_MIN + draw % (spread + 1)
}
