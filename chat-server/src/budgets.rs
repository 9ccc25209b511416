//! How many commands users may still give over HTTP, where no session keeps count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chat_core::{Bucket, Timestamp, UserId};

use crate::limits::ServerLimits;

/// The budgets of those who gave commands lately.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    buckets: HashMap<UserId, Bucket>,
    /// The size at which those are forgotten whose budget is full again.
    sweep_at: usize,
}

const SWEEP_MIN: usize = 1_024;

impl Budgets {
    /// Takes one command off a user's budget.
    ///
    /// # Errors
    ///
    /// The milliseconds until there is one left.
    pub(crate) fn spend(
        &self,
        user: UserId,
        now: Timestamp,
        limits: &ServerLimits,
    ) -> Result<(), u64> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.buckets.len() >= spent.sweep_at.max(SWEEP_MIN) {
            spent.buckets.retain(|_, bucket| !bucket.is_full(now));
            spent.sweep_at = spent.buckets.len() * 2;
        }
        let bucket = spent.buckets.entry(user).or_default();
        *bucket = spend(*bucket, now, limits)?;
        Ok(())
    }
}

/// Takes one command off a budget.
///
/// # Errors
///
/// The milliseconds until there is one left.
pub(crate) fn spend(bucket: Bucket, now: Timestamp, limits: &ServerLimits) -> Result<Bucket, u64> {
    let (burst, refill_ms) = (limits.commands_burst, limits.command_refill_ms);
    match bucket.wait_ms(now, burst, refill_ms) {
        wait_ms if limits.rate_limits && wait_ms > 0 => Err(wait_ms),
        _ => Ok(bucket.spent(now, refill_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_budget_that_fills_again_and_is_forgotten() {
        let (budgets, limits) = (Budgets::default(), ServerLimits::default());
        let (now, later) = (Timestamp::new(0), Timestamp::new(100_000));
        let user = UserId::new;
        for _ in 0..limits.commands_burst {
            assert_eq!(budgets.spend(user(1), now, &limits), Ok(()));
        }
        assert_eq!(
            budgets.spend(user(1), now, &limits),
            Err(limits.command_refill_ms)
        );
        assert_eq!(budgets.spend(user(2), now, &limits), Ok(()));
        for number in 0..SWEEP_MIN as u64 {
            assert_eq!(budgets.spend(user(number), later, &limits), Ok(()));
        }
        assert!(budgets.0.lock().unwrap().buckets.len() <= SWEEP_MIN);
    }
}
