//! Reads of rooms for clients that catch up, shared by all who catch up at the same time.
//!
//! When many come back at once, each from a position of his own, a room is read once for all of
//! them: from the earliest position that somebody waits at. What was read serves whoever comes
//! within a second, and where more than one waits a room is read no more often than that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::{Record, RoomId, Seq};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// How long what was read serves others, and how long a room isn't read again.
const EVERY: Duration = Duration::from_secs(1);

/// How far ahead of that pace a room is read for those who wait alone: somebody who enters a quiet
/// room isn't made to wait for the next second.
const AHEAD_MAX: Duration = Duration::from_secs(4);

/// The rooms that are read, or were a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<HashMap<RoomId, Arc<Shelf>>>);

/// One room's.
#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Where somebody waits, and how many do.
    wanted: BTreeMap<Seq, usize>,
    page: Option<Arc<Read>>,
    read_at: Option<Duration>,
    reading: bool,
    /// By how much it has been read ahead of its pace.
    ahead: Duration,
    /// How often it was read.
    turn: u64,
    /// How often the words of a record have gone: what was read before has them still.
    erased: u64,
}

/// Consecutive records.
#[derive(Debug)]
pub(crate) struct Read {
    after: Seq,
    records: Vec<Arc<Record>>,
}

impl Read {
    /// Those after a position.
    pub(crate) fn after(&self, position: Seq) -> &[Arc<Record>] {
        let passed = position.number().saturating_sub(self.after.number());
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        self.records.get(passed..).unwrap_or_default()
    }

    fn serves(&self, position: Seq) -> bool {
        self.after <= position && !self.after(position).is_empty()
    }
}

impl State {
    /// Whether nobody else waits.
    fn is_alone(&self) -> bool {
        self.wanted.values().sum::<usize>() <= 1
    }
}

/// What somebody who wants to read does next.
enum Step {
    Take(Arc<Read>),
    Read {
        from: Seq,
        erased: u64,
    },
    /// For so long, or until something has been read; then this turn is over.
    Wait(Duration, u64),
}

impl Reads {
    /// The records of a room that follow a position, some of them at least if there are any.
    ///
    /// # Errors
    ///
    /// That the store can't be read.
    pub(crate) async fn read(
        &self,
        from: &Source<'_>,
        room: RoomId,
        position: Seq,
    ) -> Result<Arc<Read>, StoreError> {
        let shelf = self.shelves().entry(room).or_default().clone();
        let _waiting = Waiting::at(&shelf, position);
        // The turn that was waited out, whatever the clock says.
        let mut waited = None;
        loop {
            // Registered before it is looked: what changes in between isn't missed.
            let changed = shelf.changed.notified();
            match shelf.next(position, from.clock.elapsed(), waited) {
                Step::Take(page) => return Ok(page),
                Step::Read {
                    from: after,
                    erased,
                } => {
                    let reading = Reading(&shelf);
                    let records = from.store.records(room, after, from.page).await;
                    from.metrics.catch_up_reads.inc();
                    let page = Arc::new(Read {
                        after,
                        records: records?,
                    });
                    shelf.put(page.clone(), from.clock.elapsed(), erased);
                    drop(reading);
                    return Ok(page);
                }
                Step::Wait(rest, turn) => {
                    waited = tokio::select! {
                        biased;
                        () = changed => None,
                        () = sleep(rest) => Some(turn),
                    };
                }
            }
        }
    }

    /// Forgets what was read of a room: words of it have gone.
    pub(crate) fn erase(&self, room: RoomId) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("deleted_words_remembered") {
            return;
        }
        let shelf = self.shelves().get(&room).cloned();
        if let Some(shelf) = shelf {
            shelf.erase();
        }
    }

    /// Forgets what was read of all rooms: somebody's words have gone, wherever he said them.
    pub(crate) fn erase_all(&self) {
        for shelf in self.shelves().values() {
            shelf.erase();
        }
    }

    /// Forgets what nobody has come for within a second.
    pub(crate) fn sweep(&self, now: Duration) {
        self.shelves().retain(|_, shelf| {
            let state = shelf.state();
            let is_fresh = state
                .read_at
                .is_some_and(|at| now.saturating_sub(at) < EVERY);
            is_fresh || state.reading || !state.wanted.is_empty()
        });
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<RoomId, Arc<Shelf>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where is read from.
pub(crate) struct Source<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) metrics: &'a Metrics,
    /// Records that are read at once.
    pub(crate) page: usize,
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, position: Seq, now: Duration, waited: Option<u64>) -> Step {
        let mut state = self.state();
        let since = state.read_at.map(|at| now.saturating_sub(at));
        let rest = since.and_then(|since| EVERY.checked_sub(since));
        let ahead = state.ahead.saturating_sub(since.unwrap_or(state.ahead));
        let rest = rest.filter(|rest| !rest.is_zero() && waited != Some(state.turn));
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("read_for_each_resume") {
            let erased = state.erased;
            return Step::Read {
                from: position,
                erased,
            };
        }
        if let Some(page) = &state.page
            && rest.is_some()
            && page.serves(position)
        {
            return Step::Take(page.clone());
        }
        match rest {
            _ if state.reading => Step::Wait(EVERY, state.turn),
            Some(rest) if !state.is_alone() || ahead >= AHEAD_MAX => Step::Wait(rest, state.turn),
            _ => {
                state.ahead = ahead + EVERY;
                state.reading = true;
                let earliest = state.wanted.keys().next().copied();
                let erased = state.erased;
                Step::Read {
                    from: earliest.unwrap_or(position),
                    erased,
                }
            }
        }
    }

    fn erase(&self) {
        let mut state = self.state();
        state.erased += 1;
        state.page = None;
    }

    fn put(&self, page: Arc<Read>, now: Duration, erased: u64) {
        let mut state = self.state();
        state.read_at = Some(now);
        state.turn += 1;
        state.page = Some(page).filter(|_| state.erased == erased);
    }
}

/// Somebody who waits at a position, until this is dropped.
struct Waiting<'a>(&'a Shelf, Seq);

impl<'a> Waiting<'a> {
    fn at(shelf: &'a Shelf, position: Seq) -> Self {
        *shelf.state().wanted.entry(position).or_default() += 1;
        Self(shelf, position)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let Some(count) = state.wanted.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                state.wanted.remove(&self.1);
            }
        }
    }
}

/// A read under way, until this is dropped: whoever waits for it looks again.
struct Reading<'a>(&'a Shelf);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.state().reading = false;
        self.0.changed.notify_waiters();
    }
}
