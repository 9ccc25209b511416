//! What everybody in the world shares.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use chat_core::{Timestamp, UserId};

use super::clock::VirtualClock;
use super::host::Host;
use super::ledger::Ledger;
use super::trace::Trace;
use crate::clock::Clock;

/// The world: a machine, a time, and what is known of both.
pub(super) struct World {
    pub(super) clock: Arc<VirtualClock>,
    pub(super) trace: Trace,
    pub(super) ledger: Ledger,
    pub(super) host: Host,
    /// Those with an account.
    pub(super) users: RefCell<Vec<UserId>>,
    /// Whether it is time to come to rest: nobody starts anything, and nothing goes wrong.
    pub(super) calm: Cell<bool>,
    /// What each client still lacks to be at rest.
    lacking: RefCell<BTreeMap<String, String>>,
    /// How often anybody did anything.
    pub(super) deeds: Cell<u64>,
}

impl World {
    pub(super) fn new(
        clock: Arc<VirtualClock>,
        trace: Trace,
        ledger: Ledger,
        host: Host,
    ) -> Rc<Self> {
        Rc::new(Self {
            clock,
            trace,
            ledger,
            host,
            users: RefCell::default(),
            calm: Cell::new(false),
            lacking: RefCell::default(),
            deeds: Cell::new(0),
        })
    }

    /// Notes what a client lacks; nothing, once it is at rest.
    pub(super) fn lacks(&self, who: &str, what: Option<String>) {
        let mut lacking = self.lacking.borrow_mut();
        match what {
            Some(what) => lacking.insert(who.to_owned(), what),
            None => lacking.remove(who),
        };
    }

    /// What the first client that isn't at rest lacks.
    pub(super) fn lacking(&self) -> Option<String> {
        let lacking = self.lacking.borrow();
        let (who, what) = lacking.first_key_value()?;
        Some(format!("{who} {what}"))
    }

    /// The time of day.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Counts something that somebody did.
    pub(super) fn deed(&self) {
        self.deeds.set(self.deeds.get() + 1);
    }
}
