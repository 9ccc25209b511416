//! What is remembered of attempts: budgets, and from where somebody was right.

use std::collections::HashMap;
use std::sync::Arc;

use chat_core::Timestamp;

use super::{AttemptRules, Budget, Device, Key, Subject};

/// From where somebody was right about a password.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) device: Device,
    pub(super) at: Timestamp,
    /// The log-in that began by that, if one did.
    pub(super) grant: Option<Arc<str>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) budgets: HashMap<Key, Budget>,
    /// The budgets at which those that are full are looked for next.
    sweep_at: usize,
    known: HashMap<Subject, Vec<Known>>,
}

impl State {
    pub(super) fn wait_ms(&self, key: &Key, now: Timestamp, rules: AttemptRules) -> u64 {
        let Some(budget) = self.budgets.get(key) else {
            return 0;
        };
        let wait_ms = budget.bucket.wait_ms(now, rules.burst, rules.refill_ms);
        if wait_ms > 0 {
            return wait_ms;
        }
        let is_crowded = if let Key::Address(_) = key {
            // Many people may live behind one address and come back at the same moment. Whatever
            // turns out to be wrong beyond the burst is a debt that the address waits for.
            budget.under_way >= UNDER_WAY_PER_ADDRESS_MAX
        } else {
            let burst_left = rules.burst.saturating_sub(budget.under_way);
            budget.bucket.wait_ms(now, burst_left, rules.refill_ms) > 0
        };
        // Attempts under way are over in a moment.
        if is_crowded { UNDER_WAY_RETRY_MS } else { 0 }
    }

    /// Whether there is a place for more budgets, once those are forgotten that are full.
    pub(super) fn make_place(&mut self, more: usize, now: Timestamp) -> bool {
        if self.budgets.len() + more > self.sweep_at {
            self.budgets
                .retain(|_, budget| budget.under_way > 0 || !budget.bucket.is_full(now));
            self.sweep_at = (2 * self.budgets.len()).clamp(SWEEP_FROM, BUDGETS_MAX);
        }
        self.budgets.len() + more <= BUDGETS_MAX
    }

    /// How somebody is known who was right from a device.
    pub(super) fn success(&self, subject: Subject, device: Device) -> Option<&Known> {
        let devices = self.known.get(&subject)?;
        devices.iter().find(|known| known.device == device)
    }

    /// Notes that somebody was right, and the log-in that began by that.
    pub(super) fn remember(&mut self, subject: Subject, known: Known) {
        let devices = self.known.entry(subject).or_default();
        devices.retain(|it| it.device != known.device);
        if devices.len() >= subject.devices_max() {
            // The one that wasn't used for longest.
            devices.remove(0);
        }
        devices.push(known);
        if self.known.len() > SUBJECTS_MAX {
            self.forget_older_half();
        }
    }

    fn forget_older_half(&mut self) {
        let last = |devices: &[Known]| devices.last().map(|known| known.at);
        let mut times: Vec<_> = self.known.values().map(|devices| last(devices)).collect();
        let half = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(half);
        let median = *median;
        self.known.retain(|_, devices| last(devices) > median);
    }
}

const BUDGETS_MAX: usize = 65_536;
pub(super) const SWEEP_FROM: usize = 1_024;
const SUBJECTS_MAX: usize = 65_536;
pub(super) const UNDER_WAY_RETRY_MS: u64 = 250;
const UNDER_WAY_PER_ADDRESS_MAX: u64 = 32;
