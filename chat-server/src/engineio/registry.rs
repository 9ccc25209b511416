//! Which sessions there are, and the way to each.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::upgrade::OnUpgrade;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{Host, Line, Refused, Settings, hatch};
use crate::places::{Connected, Silent};
use crate::worker::Worker;

/// The sessions of a process, by their names.
#[derive(Default)]
pub(crate) struct Lines {
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    doors: AtomicUsize,
    /// Requests that wait for an answer.
    asking: AtomicUsize,
}

/// A request that waits for an answer, until this is dropped.
pub(super) struct Asking(Arc<Lines>);

struct Entry {
    errands: mpsc::Sender<Box<Errand>>,
    intake: Arc<Intake>,
    /// Behind which door it was opened: it isn't known at others.
    door: usize,
    says_goodbye: bool,
}

/// The way to a session.
pub(super) struct Way {
    pub(super) errands: mpsc::Sender<Box<Errand>>,
    pub(super) intake: Arc<Intake>,
}

/// How much of what a session's client posts is read.
pub(super) struct Intake {
    /// What is left of the payloads that may be on their way at once.
    pub(super) posts: Semaphore,
    /// Bytes of one, or of one message over a WebSocket.
    bytes_max: AtomicUsize,
}

impl Intake {
    const fn of(bytes_max: usize) -> Self {
        Self {
            posts: Semaphore::const_new(POSTS_MAX),
            bytes_max: AtomicUsize::new(bytes_max),
        }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max.load(Ordering::Relaxed)
    }

    /// Sets the bytes of one.
    pub(super) fn allow(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }
}

/// What a request wants of a session. Boxed on its way: each session keeps room for some, and most
/// go over a WebSocket and never get one.
pub(super) enum Errand {
    /// What there is to hear.
    Poll(oneshot::Sender<Said>),
    /// To say this payload.
    Post(String, oneshot::Sender<Said>),
    /// To go on over this connection.
    Upgrade(OnUpgrade, Option<Arc<Connected>>),
}

/// What a request is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A payload.
    Payload(Vec<u8>),
    /// That it was taken.
    Taken,
    /// Why not.
    Refused(Refused),
}

/// A session that is about to begin.
pub(crate) struct Opening {
    pub(super) settings: Arc<Settings>,
    pub(super) host: Arc<dyn Host>,
    pub(super) membership: Membership,
    pub(super) errands: mpsc::Receiver<Box<Errand>>,
    /// The connection, if it begins over a WebSocket.
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) caller: Caller,
    pub(super) opened_at: std::time::Duration,
}

/// Who has opened a session, and what it counts against.
pub(crate) struct Caller {
    /// Where it comes from.
    pub(crate) address: std::net::IpAddr,
    /// The token of its request's `Authorization`.
    pub(crate) token: Option<String>,
    /// Its places among the process's connections.
    pub(crate) places: Vec<Arc<Connected>>,
    /// Its place among the silent ones of its address.
    pub(crate) silent: Option<Silent>,
}

/// A session's place among those that are known; it is forgotten when this is dropped.
pub(super) struct Membership {
    pub(super) lines: Arc<Lines>,
    pub(super) sid: Arc<str>,
    pub(super) intake: Arc<Intake>,
    /// Behind which door it was opened.
    pub(super) door: usize,
}

/// Requests that wait for one session.
const ERRANDS_MAX: usize = 16;

/// Payloads for one session that are read at once, each up to the longest: a client posts them one
/// after the other.
const POSTS_MAX: usize = 4;

/// Random bytes of a session's name.
const SID_BYTES: usize = 15;

impl Lines {
    /// The number of a further door.
    pub(crate) fn door(&self) -> usize {
        self.doors.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a request.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        self.asking.fetch_add(1, Ordering::Relaxed);
        Asking(self.clone())
    }

    /// Whether no request waits for an answer.
    pub(crate) fn is_quiet(&self) -> bool {
        self.asking.load(Ordering::Relaxed) == 0
    }

    /// Takes up a session under a name that nobody can guess, of which so many bytes are read at once;
    /// none if the system has no randomness.
    pub(super) fn enter(
        self: &Arc<Self>,
        door: usize,
        says_goodbye: bool,
        bytes_max: usize,
    ) -> Option<(Membership, mpsc::Receiver<Box<Errand>>)> {
        let sid: Arc<str> = sid()?.into();
        let (errands, received) = mpsc::channel(ERRANDS_MAX);
        let intake = Arc::new(Intake::of(bytes_max));
        let entry = Entry {
            errands,
            intake: intake.clone(),
            door,
            says_goodbye,
        };
        self.entries().insert(sid.clone(), entry);
        let membership = Membership {
            lines: self.clone(),
            sid,
            intake,
            door,
        };
        Some((membership, received))
    }

    /// The way to a session that was opened behind this door.
    pub(super) fn find(&self, sid: &str, door: usize) -> Option<Way> {
        let entries = self.entries();
        let entry = entries.get(sid).filter(|entry| entry.door == door)?;
        Some(Way {
            errands: entry.errands.clone(),
            intake: entry.intake.clone(),
        })
    }

    /// Ends the sessions that don't end by themselves.
    pub(crate) fn stop(&self) {
        self.entries().retain(|_, entry| entry.says_goodbye);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    /// Holds the session on this worker, from its beginning to its end.
    pub(crate) async fn run(self, worker: Rc<Worker>) {
        let host = self.host.clone();
        // What it takes to begin isn't kept for as long as the session lasts.
        if let Some(line) = Box::pin(Line::begin(worker.clone(), self)).await {
            worker.parting.set(worker.parting.get() + 1);
            host.talk(worker.clone(), line).await;
            worker.parting.set(worker.parting.get() - 1);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.lines.entries().remove(&self.sid);
        hatch::close(&self.sid);
    }
}

/// A name of 20 characters.
pub(crate) fn sid() -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; SID_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    let letters = bytes.chunks(3).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| usize::try_from((bits >> shift) & 0x3f).unwrap_or(0))
    });
    letters
        .map(|index| ALPHABET.get(index).map(|letter| char::from(*letter)))
        .collect()
}
