//! The threads that read: they see what is durable, and never wait for the writer.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::{self, Pass};
use super::fault::{Fault, Result};
use crate::store::StoreError;

/// Questions that wait; callers beyond that wait themselves.
const QUEUE_JOBS_MAX: usize = 1_024;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading threads.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread for each connection.
    #[expect(clippy::disallowed_methods, reason = "SQLite blocks")]
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>(QUEUE_JOBS_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut readers = Self {
            queue: Some(queue),
            threads: Vec::new(),
        };
        for db in connections {
            let jobs = Arc::clone(&jobs);
            let thread = std::thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || read(&db, &jobs))
                .map_err(|error| Fault::Unavailable(error.to_string()))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Lets the writer have its log moved here. It ends when the readers do.
    pub(super) fn movers(&self) -> impl Fn(Arc<File>) -> Option<Pass> + Send + use<> {
        let queue = self.queue.as_ref().map(mpsc::Sender::downgrade);
        move |database| {
            let (reply, pass) = oneshot::channel();
            let job: Job = Box::new(move |db| {
                drop(reply.send(checkpoint::pass(db, &database)));
            });
            queue.as_ref()?.upgrade()?.try_send(job).ok()?;
            Some(pass)
        }
    }

    /// Asks something, all of it at one moment of the store.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("the store is closed".into());
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            let answer = at_one_moment(db, question).map_err(|fault| StoreError::from(&fault));
            // A caller who has gone away wanted no answer.
            drop(reply.send(answer));
        });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A reader that panicked has said so already.
            drop(thread.join());
        }
    }
}

fn at_one_moment<T>(db: &Connection, question: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let moment = db.unchecked_transaction()?;
    let answer = question(db);
    moment.finish()?;
    answer
}

fn read(db: &Connection, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else { return };
        job(db);
    }
}
