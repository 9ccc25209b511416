//! What happened in a run: a hash over everything, the last lines, and which events were reached.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::VirtualClock;

/// How many times something happened, by name.
pub type Counts = BTreeMap<&'static str, u64>;

/// Everything that is noted of a run. Whoever takes part in it has a handle.
#[derive(Clone, Debug)]
pub(super) struct Trace(Arc<Mutex<Noted>>, Arc<VirtualClock>);

#[derive(Debug)]
struct Noted {
    hash: Hash,
    lines: VecDeque<String>,
    lines_max: usize,
    reached: Counts,
    faults: Counts,
    wrong: Option<String>,
}

/// Characters of a line that are kept; the hash is over all.
const LINE_CHARS: usize = 300;

impl Trace {
    /// Keeps so many lines for whoever looks at a failed run.
    pub(super) fn new(clock: Arc<VirtualClock>, lines_max: usize) -> Self {
        let noted = Noted {
            hash: Hash::default(),
            lines: VecDeque::new(),
            lines_max,
            reached: Counts::new(),
            faults: Counts::new(),
            wrong: None,
        };
        Self(Arc::new(Mutex::new(noted)), clock)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what somebody did or heard at this moment.
    pub(super) fn note(&self, who: &str, what: &str) {
        let at = self.1.elapsed_ms();
        let mut noted = self.noted();
        for part in [&at.to_be_bytes(), who.as_bytes(), what.as_bytes()] {
            noted.hash.add(part);
        }
        if noted.lines.len() == noted.lines_max {
            noted.lines.pop_front();
        }
        let (s, ms) = (at / 1_000, at % 1_000);
        let line = format!("{s:>4}.{ms:03} {who}: {what:.LINE_CHARS$}");
        noted.lines.push_back(line);
    }

    /// Notes that something happened which a batch of runs has to have seen.
    pub(super) fn reach(&self, what: &'static str) {
        *self.noted().reached.entry(what).or_default() += 1;
    }

    /// Notes that something was done to the world.
    pub(super) fn harm(&self, what: &'static str) {
        *self.noted().faults.entry(what).or_default() += 1;
    }

    /// Notes that something is not as it has to be; the first such thing counts.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        let what = what.into();
        self.note("WRONG", &what);
        self.noted().wrong.get_or_insert(what);
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.noted().wrong.is_some()
    }

    /// What was wrong, and the last lines before it.
    pub(super) fn verdict(&self) -> Option<(String, Vec<String>)> {
        let noted = self.noted();
        let wrong = noted.wrong.clone()?;
        Some((wrong, noted.lines.iter().cloned().collect()))
    }

    pub(super) fn hash(&self) -> u64 {
        self.noted().hash.0
    }

    pub(super) fn reached(&self) -> Counts {
        self.noted().reached.clone()
    }

    pub(super) fn faults(&self) -> Counts {
        self.noted().faults.clone()
    }
}

/// FNV-1a, which is the same everywhere.
#[derive(Debug)]
pub(super) struct Hash(pub(super) u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
