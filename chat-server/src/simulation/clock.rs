//! The time of the simulated world.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chat_core::Timestamp;
use tokio::time::Instant;

use crate::clock::Clock;

/// Clocks that show the runtime's paused time; the wall clock may be put on or back.
#[derive(Debug)]
pub(super) struct VirtualClock {
    start: Instant,
    off_ms: AtomicI64,
}

/// The time of day at the beginning.
const BEGINNING_MS: u64 = 1_700_000_000_000;

impl VirtualClock {
    /// Clocks that begin at this moment.
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            off_ms: AtomicI64::new(0),
        }
    }

    /// Puts the wall clock so far on, or back, from where it would be.
    pub(super) fn put(&self, off_ms: i64) {
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }

    /// Milliseconds since the beginning, wherever the wall clock is.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let now = BEGINNING_MS + self.elapsed_ms();
        Timestamp::saturating(now.saturating_add_signed(self.off_ms.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
