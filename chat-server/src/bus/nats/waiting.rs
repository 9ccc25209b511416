//! Hints that wait for somebody: bounded, and nobody who adds any has to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::event::{Edited, Posted};
use chat_core::{Event, Text};
use tokio::sync::Notify;

use crate::bus::{Hint, Tidings};

/// What waits, until it is taken all at once.
#[derive(Default)]
pub(super) struct Waiting {
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Default)]
struct Inner {
    hints: Vec<Hint>,
    bytes: usize,
    ended: bool,
}

impl Waiting {
    /// Adds hints as far as there is room for them; tells how many are lost.
    pub(super) fn add(&self, hints: Vec<Hint>) -> usize {
        let mut inner = self.lock();
        let mut lost = 0;
        for hint in hints {
            let bytes = inner.bytes.saturating_add(bytes(&hint));
            if inner.hints.len() < HINTS_MAX && bytes <= BYTES_MAX {
                inner.hints.push(hint);
                inner.bytes = bytes;
            } else {
                lost += 1;
            }
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
                    inner.bytes = 0;
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

/// About how much memory a hint takes up: what people write, lists of people, and the rest.
fn bytes(hint: &Hint) -> usize {
    if let Hint::Appended(record) = hint
        && let Event::Posted(Posted { content, .. }) | Event::Edited(Edited { content, .. }) =
            &record.event
        && let Some(content) = content
    {
        let labels = content.ext.len() * size_of::<(Text, Text)>() + content.ext_bytes();
        return HINT_BYTES + content.body.as_str().len() + labels + content.attachment_bytes();
    }
    if let Hint::Present(attendance) = hint
        && let Tidings::Part { people, .. } = &attendance.news
    {
        return HINT_BYTES * (1 + people.len());
    }
    HINT_BYTES
}

const HINT_BYTES: usize = 512;

/// Hints that wait at most.
const HINTS_MAX: usize = 8_192;

/// Memory that those take up at most which wait.
const BYTES_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use chat_core::{Content, RoomId, Seq};
    use futures_util::FutureExt;

    use super::*;
    use crate::bus::conformance::samples;

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
    fn of_long_texts_fewer_wait() {
        let text = |bytes: usize| Text::new("x".repeat(bytes)).unwrap();
        let mut content = Content::plain(text(10_000));
        content.ext.insert(text(2), text(2_998));
        let samples = samples();
        let Some(Hint::Appended(record)) = samples.first() else {
            panic!("the first is a record");
        };
        let mut record = (**record).clone();
        let edited = Edited {
            message: Seq::new(1),
            mentions: BTreeSet::new(),
            content: Some(content),
        };
        record.event = Event::from(edited);
        let long = vec![Hint::Appended(Arc::new(record)); 1_000];
        let waiting = Waiting::default();
        let held = 1_000 - waiting.add(long.clone());
        let most = BYTES_MAX / 13_000;
        assert!((most - 40..=most).contains(&held), "{held}");
        // What is shorter may find room yet, and the rest once it was taken.
        assert_eq!(waiting.add(heads(1)), 0);
        assert!(waiting.all().now_or_never().unwrap().is_some());
        assert_eq!(1_000 - waiting.add(long), held);
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
