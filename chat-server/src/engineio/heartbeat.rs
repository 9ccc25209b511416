//! The server's pings, and how long it waits for their answers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::Settings;

/// When to ping next, or by when to have heard the answer.
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    due: Duration,
    pinged: bool,
    timer: Pin<Box<Sleep>>,
}

/// By this much a ping may leave late, and its answer isn't waited for any longer.
const LATE: Duration = Duration::from_millis(20);

impl Heartbeat {
    /// A session that has opened at this moment.
    pub(super) fn new(settings: &Settings, opened_at: Duration) -> Self {
        let interval = Duration::from_millis(settings.ping_interval_ms);
        Self {
            interval,
            timeout: Duration::from_millis(settings.ping_timeout_ms),
            due: opened_at + interval,
            pinged: false,
            timer: Box::pin(sleep(interval)),
        }
    }

    /// Whether it is time to ping; wakes the task when something is due.
    pub(super) fn poll_ping(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let ping = !self.pinged && now >= self.due;
        if ping {
            self.pinged = true;
            self.due = self.due.max(now.saturating_sub(LATE)) + self.timeout;
            self.rearm(now);
        }
        while self.timer.as_mut().poll(cx) == Poll::Ready(()) && now < self.due {
            // It rang too early: for a clock that isn't the timer's.
            self.rearm(now);
        }
        ping
    }

    /// Whether an answer is waited for.
    pub(super) const fn is_pinged(&self) -> bool {
        self.pinged
    }

    /// Whether an answer is overdue.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.pinged && now >= self.due
    }

    /// The client has answered.
    pub(super) fn pong(&mut self, now: Duration) {
        if self.pinged {
            self.pinged = false;
            self.due = now + self.interval;
            self.rearm(now);
        }
    }

    fn rearm(&mut self, now: Duration) {
        self.timer.set(sleep(self.due.saturating_sub(now)));
    }
}
