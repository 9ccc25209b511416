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
    waker: Waker,
    turns: Rc<Turns>,
}

/// Those who are woken at once.
const AT_ONCE: usize = 16;

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

    /// Wakes one after the other, for as long as the worker lives.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            self.comes.notified().await;
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
            waker: cx.waker().clone(),
            turns: turns.clone(),
        }
    }

    /// Tells him that there is something to take.
    pub(super) fn call(self) {
        self.turns.push(self.waker);
    }
}
