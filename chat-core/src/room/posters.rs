//! Who posted lately, for slow mode and for the bound on posts.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::id::{Timestamp, UserId};
use crate::limits::POST_REFILL_MS;

/// The longest time that a post matters to the next one: the longest slow mode there may be.
const MEMORY_MS: u64 = 6 * 60 * 60 * 1000;

/// The last post and the budget of everybody who posted in the last six hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posters {
    latest: BTreeMap<UserId, Poster>,
    /// The size at which those who haven't posted for long are forgotten.
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Poster {
    pub(crate) last_at: Timestamp,
    pub(crate) bucket: Bucket,
}

const SWEEP_MIN: usize = 64;

impl Default for Posters {
    fn default() -> Self {
        Self {
            latest: BTreeMap::new(),
            sweep_at: SWEEP_MIN,
        }
    }
}

impl Posters {
    pub(crate) fn get(&self, user: UserId) -> Option<Poster> {
        self.latest.get(&user).copied()
    }

    pub(crate) fn note(&mut self, user: UserId, at: Timestamp) {
        let poster = self.latest.entry(user).or_default();
        poster.last_at = at;
        poster.bucket = poster.bucket.spent(at, POST_REFILL_MS);
        if self.latest.len() >= self.sweep_at {
            self.latest
                .retain(|_, poster| at.ms_since(poster.last_at) <= MEMORY_MS);
            self.sweep_at = SWEEP_MIN.max(self.latest.len() * 2);
        }
    }
}
