//! Hints that wait for somebody: bounded, and nobody who adds any has to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::bus::Hint;

/// What waits, until it is taken all at once.
#[derive(Default)]
pub(super) struct Waiting {
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Default)]
struct Inner {
    hints: Vec<Hint>,
    ended: bool,
}

impl Waiting {
    /// Adds hints as far as there is room for them; tells how many are lost.
    pub(super) fn add(&self, mut hints: Vec<Hint>) -> usize {
        let mut inner = self.lock();
        let space = HINTS_MAX.saturating_sub(inner.hints.len());
        let lost = hints.len().saturating_sub(space);
        hints.truncate(space);
        if inner.hints.is_empty() {
            inner.hints = hints;
        } else {
            inner.hints.append(&mut hints);
        }
        drop(inner);
        self.filled.notify_one();
        lost
    }

    /// Waits until there is something, and takes all of it; none after the end. Whoever gives up
    /// waiting misses nothing.
    pub(super) async fn all(&self) -> Option<Vec<Hint>> {
        loop {
            {
                let mut inner = self.lock();
                if !inner.hints.is_empty() {
                    return Some(std::mem::take(&mut inner.hints));
                }
                if inner.ended {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Nothing will be added any more.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hints that wait at most. A record is seldom more than some kilobytes.
const HINTS_MAX: usize = 8_192;

#[cfg(test)]
mod tests {
    use chat_core::{RoomId, Seq};
    use futures_util::FutureExt;

    use super::*;

    fn heads(count: usize) -> Vec<Hint> {
        vec![Hint::Head(RoomId::new(1), Seq::new(1)); count]
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted() {
        let waiting = Waiting::default();
        assert_eq!(waiting.add(heads(HINTS_MAX - 1)), 0);
        assert_eq!(waiting.add(heads(3)), 2);
        assert_eq!(waiting.add(heads(3)), 3);
        let all = waiting.all().now_or_never().unwrap().unwrap();
        assert_eq!(all.len(), HINTS_MAX);
        assert!(waiting.all().now_or_never().is_none());
    }

    #[test]
    fn what_was_there_before_the_end_is_taken_before_it() {
        let waiting = Waiting::default();
        waiting.add(heads(2));
        waiting.end();
        assert_eq!(waiting.all().now_or_never().unwrap().unwrap().len(), 2);
        assert!(waiting.all().now_or_never().unwrap().is_none());
    }
}
