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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_spread_over_a_bound_that_doubles() {
        let longest = |attempt| (0..30_000).map(|draw| backoff(attempt, draw)).max();
        let bounds: Vec<_> = (1..8).filter_map(longest).collect();
        assert_eq!(bounds, [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
    }

    #[test]
    fn no_wait_leaves_the_bounds() {
        for attempt in [0, 1, 5, 100, u32::MAX] {
            for draw in [0, 1, 499, 12_345_678_901, u64::MAX] {
                assert!((WAIT_MS_MIN..=WAIT_MS_MAX).contains(&backoff(attempt, draw)));
            }
        }
    }
}
