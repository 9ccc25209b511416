//! The time, as something that is passed in. Nobody else asks the system for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chat_core::Timestamp;

/// Two clocks: the wall clock, which may jump, and one that only goes on.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day, in Unix milliseconds.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment. It never goes back, so intervals are measured with it.
    fn elapsed(&self) -> Duration;
}

/// The system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The clocks of this machine.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::saturating(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("intervals_by_the_time_of_day") {
            return Duration::from_millis(self.now().number());
        }
        self.start.elapsed()
    }
}

/// Clocks that stand still until they are told to go on, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
    elapsed_ms: AtomicU64,
}

impl ManualClock {
    /// Clocks that show this time of day.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now_ms: AtomicU64::new(now.number()),
            elapsed_ms: AtomicU64::new(0),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Lets the wall clock jump, forwards or back.
    pub fn jump(&self, to: Timestamp) {
        self.now_ms.store(to.number(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::saturating(self.now_ms.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }
}
