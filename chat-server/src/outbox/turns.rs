//! Whose turn it is to take what waits for them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::sync::Notify;
use tokio::task::yield_now;

/// Those on one worker who have something to take, in the order in which it came.
///
/// They are woken a few at a time, and in between others do what they can: what is said meanwhile
/// comes to whoever still waits for his turn along with the rest. So fewer answers carry more, the
/// more there is to do, and nobody waits when there is little.
#[derive(Default)]
pub(crate) struct Turns {
    due: RefCell<VecDeque<Waker>>,
    comes: Notify,
}

/// Whoever takes what waits without a stream, and where he is told that something does.
pub(super) struct Taker {
    /// None once he has been told, until he waits again.
    waker: Option<Waker>,
    turns: Rc<Turns>,
}

/// Those who are woken at once.
const AT_ONCE: usize = 64;

impl Turns {
    /// Whether it is nobody's turn.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.borrow().is_empty()
    }

    /// Puts somebody behind all others.
    pub(crate) fn push(&self, waker: Waker) {
        let mut due = self.due.borrow_mut();
        due.push_back(waker);
        if due.len() == 1 {
            self.comes.notify_one();
        }
    }

    /// Forgets everybody.
    #[cfg(test)]
    pub(crate) fn clear(&self) {
        self.due.take();
    }

    /// Wakes one after the other, for as long as the worker lives.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            self.comes.notified().await;
            // Whatever is ready comes first: more may be said at this moment.
            yield_now().await;
            while self.wake_some() {
                yield_now().await;
            }
        }
    }

    /// Wakes some; tells whether others are left.
    fn wake_some(&self) -> bool {
        for _ in 0..AT_ONCE {
            let Some(waker) = self.due.borrow_mut().pop_front() else {
                break;
            };
            waker.wake();
        }
        !self.is_idle()
    }
}

impl Taker {
    pub(super) fn new(cx: &Context<'_>, turns: &Rc<Turns>) -> Self {
        Self {
            waker: Some(cx.waker().clone()),
            turns: turns.clone(),
        }
    }

    /// Tells him that there is something to take.
    pub(super) fn call(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.turns.push(waker);
        }
    }

    /// Tells him nothing until he waits again.
    pub(super) fn leave(&mut self) {
        self.waker = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    /// Counts how often somebody was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn whoever_has_something_to_do_comes_in_between() {
        let (turns, woken) = (Rc::new(Turns::default()), Arc::new(Woken::default()));
        let local = LocalSet::new();
        let seen = local.run_until(async {
            let running = spawn_local(turns.clone().run());
            let mut seen = Vec::new();
            for _ in 0..2 * AT_ONCE + 1 {
                turns.push(Waker::from(woken.clone()));
            }
            while !turns.is_idle() {
                seen.push(woken.0.load(Ordering::Relaxed));
                yield_now().await;
            }
            running.abort();
            seen
        });
        let mut seen = seen.await;
        seen.dedup();
        assert_eq!(seen, [0, AT_ONCE, 2 * AT_ONCE]);
        assert_eq!(woken.0.load(Ordering::Relaxed), 2 * AT_ONCE + 1);
    }
}
