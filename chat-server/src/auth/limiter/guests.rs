//! What the guests of one address may do together: each has budgets of his own, and becomes another
//! guest for nothing.

use std::hash::BuildHasher;

use super::{Key, Limiter, RateLimited, Whence, network};
use crate::limits::ServerLimits;
use crate::mail::Near;

/// How much that is: at once, and the milliseconds until there is one more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestRules {
    arrivals: (u64, u64),
    entries: (u64, u64),
    commands: (u64, u64),
}

impl From<&ServerLimits> for GuestRules {
    fn from(limits: &ServerLimits) -> Self {
        Self {
            arrivals: (limits.guests_burst, limits.guest_refill_ms),
            entries: (limits.guest_joins_burst, limits.guest_join_refill_ms),
            commands: (limits.guest_commands_burst, limits.guest_command_refill_ms),
        }
    }
}

impl Limiter {
    /// Takes one guest off what an address may become.
    pub(crate) fn arrive(&self, whence: Whence<'_>, rules: GuestRules) -> Result<(), RateLimited> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("guests_unbudgeted") {
            return Ok(());
        }
        self.spend_one(
            Key::Arriving(network(whence.address)),
            rules.arrivals.0,
            rules.arrivals.1,
        )
    }

    /// Takes one entry into a room off what the guests of an address may do.
    pub(crate) fn enter_as_guest(
        &self,
        whence: Whence<'_>,
        rules: GuestRules,
    ) -> Result<(), RateLimited> {
        self.spend_one(
            Key::Entered(network(whence.address)),
            rules.entries.0,
            rules.entries.1,
        )
    }

    /// What the guests of an address have in common, if anything is bounded by it.
    pub(crate) fn near(&self, whence: Whence<'_>) -> Option<Near> {
        let number = || self.keys.hash_one(network(whence.address));
        self.rules.counted.then(|| Near::new(number()))
    }

    /// Takes up to so many commands off what the guests of an address may give; tells how many.
    pub(crate) fn act_as_guest(
        &self,
        whence: Whence<'_>,
        rules: GuestRules,
        most: u64,
    ) -> Result<u64, RateLimited> {
        let key = Key::Acting(network(whence.address));
        self.spend(key, rules.commands, most)
    }
}
