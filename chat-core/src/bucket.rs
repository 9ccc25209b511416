//! A token bucket in one number, with time as an argument.

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;

/// A budget of `burst` actions that refills by one every `refill_ms`, kept as the moment at which
/// it will be full again (the generic cell rate algorithm, ITU-T I.371, annex A).
///
/// # Examples
///
/// ```
/// use chat_core::{Bucket, Timestamp};
///
/// let (burst, refill_ms, now) = (2, 500, Timestamp::new(1_000));
/// let once = Bucket::default().spent(now, refill_ms);
/// let twice = once.spent(now, refill_ms);
/// assert_eq!(once.wait_ms(now, burst, refill_ms), 0);
/// assert_eq!(twice.wait_ms(now, burst, refill_ms), 500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket {
    full_at: Timestamp,
}

impl Bucket {
    /// Milliseconds until an action will do; 0 if it does now.
    #[must_use]
    pub const fn wait_ms(self, now: Timestamp, burst: u64, refill_ms: u64) -> u64 {
        let debt = self.full_at.ms_since(now).saturating_add(refill_ms);
        debt.saturating_sub(burst.saturating_mul(refill_ms))
    }

    /// The bucket after one action.
    #[must_use]
    pub const fn spent(self, now: Timestamp, refill_ms: u64) -> Self {
        let from = if self.full_at.number() > now.number() {
            self.full_at
        } else {
            now
        };
        Self {
            full_at: from.plus_ms(refill_ms),
        }
    }

    /// Whether the bucket is full, so that nothing is lost by forgetting it.
    #[must_use]
    pub const fn is_full(self, now: Timestamp) -> bool {
        self.full_at.number() <= now.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_full_from_the_moment_on_at_which_nothing_is_owed() {
        let (refill_ms, now) = (500, Timestamp::new(1_000));
        assert!(Bucket::default().is_full(now));
        let spent = Bucket::default().spent(now, refill_ms);
        assert!(!spent.is_full(now.plus_ms(refill_ms - 1)));
        assert!(spent.is_full(now.plus_ms(refill_ms)));
        assert!(spent.is_full(now.plus_ms(refill_ms + 1)));
    }
}
