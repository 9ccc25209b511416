//! Who posted lately, for slow mode and for the bound on posts.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::id::{Timestamp, UserId};
use crate::limits::{POST_REFILL_MS, SLOW_MODE_S_MAX};

/// The longest time that a post matters to the next one.
const MEMORY_MS: u64 = SLOW_MODE_S_MAX * 1000;

/// The last post and the budget of everybody who posted lately.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_posted_is_remembered_through_the_longest_slow_mode() {
        let mut posters = Posters::default();
        let (alice, at) = (UserId::new(1_000), Timestamp::new(1));
        let crowd = |posters: &mut Posters, at: Timestamp| {
            (1..=SWEEP_MIN as u64 * 2).for_each(|user| posters.note(UserId::new(user), at));
        };
        posters.note(alice, at);
        crowd(&mut posters, at.plus_ms(SLOW_MODE_S_MAX * 1000));
        assert_eq!(posters.get(alice).map(|it| it.last_at), Some(at));
        crowd(&mut posters, at.plus_ms(SLOW_MODE_S_MAX * 3000));
        posters.sweep_at = 0;
        posters.note(UserId::new(1), at.plus_ms(SLOW_MODE_S_MAX * 3000));
        assert_eq!(posters.get(alice), None);
    }

    #[test]
    fn a_crowd_is_swept_each_time_it_has_doubled() {
        let (mut posters, mut sweeps) = (Posters::default(), 0);
        for user in 0..10_000 {
            let before = posters.sweep_at;
            posters.note(UserId::new(user), Timestamp::new(1));
            sweeps += u32::from(posters.sweep_at != before);
        }
        assert_eq!(sweeps, (10_000 / SWEEP_MIN).ilog2() + 1);
    }
}
