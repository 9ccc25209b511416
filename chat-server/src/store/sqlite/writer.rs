//! The one thread that writes: what waits goes to disk in one transaction.

mod queue;

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::Duration;

use chat_core::{RoomId, Timestamp, UserId};
use chat_protocol::log::WordsKey;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use self::queue::{QUEUE_JOBS_MAX, Queue};
use super::checkpoint::Checkpoint;
use super::fault::{Fault, Result};
use super::scrub::Scrub;
use crate::clock::{Clock, SystemClock};
use crate::store::StoreError;

/// Transactions after which what was erased leaves the write-ahead log, however busy it is.
const ERASED_BATCHES_MAX: u32 = 256;

/// How long a reader is waited for before what was erased leaves the write-ahead log.
const FORGET_WAIT: Duration = Duration::from_millis(100);

/// How long after that failed it is tried again: whoever reads for long would cost everybody that wait
/// time after time.
const FORGET_AGAIN: Duration = Duration::from_secs(3);

/// The way to the writing thread.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// A piece of work within somebody's transaction.
trait Job: Send {
    /// Does it. An error ends the whole transaction.
    fn run(&mut self, desk: &mut Desk) -> Result<()>;

    /// Whether nobody waits for it.
    fn is_patient(&self) -> bool;

    /// Tells the caller, once the transaction is durable, or isn't.
    fn answer(self: Box<Self>, outcome: Result<(), &Fault>);
}

/// What a piece of work finds in front of it.
pub(super) struct Desk {
    /// The connection, within a transaction.
    pub(super) db: Connection,
    /// The number of this opening of the store.
    pub(super) run: i64,
    /// Who was erased: nothing of them is kept with words.
    pub(super) gone: BTreeSet<UserId>,
    /// Those of them who aren't if this transaction fails.
    going: Vec<UserId>,
    /// The last room whose words were taken in.
    pub(super) place: RoomId,
    /// Whether somebody waits for this transaction.
    pub(super) is_waited_for: bool,
    /// Whether words were erased that the write-ahead log still has.
    erased: bool,
    /// From when on it is tried to have it forget them.
    forget_from: Duration,
    clock: SystemClock,
    /// Keys that were drawn and not given to anybody's words yet.
    pub(super) keys: Vec<WordsKey>,
    /// Opens another connection in the place of this one.
    reopen: Reopen,
    scrub: Scrub,
    checkpoint: Checkpoint,
}

/// How the writing thread gets another connection.
type Reopen = Box<dyn Fn() -> Result<Connection, StoreError> + Send>;

/// What an error of one piece of work means to the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// Nothing: it is undone alone.
    Yes,
    /// They fail with it: it does its own refusing, and doesn't pay for being undone.
    No,
}

struct Work<F, T> {
    work: Option<F>,
    alone: Alone,
    is_patient: bool,
    done: Option<Result<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl Writer {
    /// Starts the thread. It ends when the last sender is gone and the queue is empty.
    #[expect(clippy::disallowed_methods, reason = "SQLite blocks")]
    pub(super) fn start(desk: Desk) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_JOBS_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write(desk, jobs))
            .map_err(|error| Fault::Unavailable(error.to_string()))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Has a piece of work done, and waits until it is durable.
    pub(super) async fn write<T, F>(&self, alone: Alone, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    {
        self.push(alone, false, work).await
    }

    /// Has a piece of work done, alone, for which nobody waits: when it is quiet, or beside others.
    pub(super) async fn write_aside<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    {
        self.push(Alone::Yes, true, work).await
    }

    async fn push<T, F>(&self, alone: Alone, is_patient: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("the store is closed".into());
        let (reply, answer) = oneshot::channel();
        let job = Work {
            work: Some(work),
            alone,
            is_patient,
            done: None,
            reply,
        };
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Box::new(job)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so already.
            drop(thread.join());
        }
    }
}

impl<F, T> Job for Work<F, T>
where
    T: Send,
    F: FnOnce(&mut Desk) -> Result<T> + Send,
{
    fn run(&mut self, desk: &mut Desk) -> Result<()> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        if self.alone == Alone::No {
            self.done = Some(Ok(work(desk)?));
            return Ok(());
        }
        desk.execute("SAVEPOINT job")?;
        match work(desk) {
            Err(fault) if fault.is_fatal() => return Err(fault),
            Err(fault) => {
                desk.execute("ROLLBACK TO job")?;
                self.done = Some(Err(fault));
            }
            Ok(done) => self.done = Some(Ok(done)),
        }
        desk.execute("RELEASE job")
    }

    fn is_patient(&self) -> bool {
        self.is_patient
    }

    fn answer(self: Box<Self>, outcome: Result<(), &Fault>) {
        let answer = match (outcome, self.done) {
            (Ok(()), Some(Ok(done))) => Ok(done),
            (_, Some(Err(fault))) => Err(StoreError::from(&fault)),
            (Err(fault), _) => Err(StoreError::from(fault)),
            (Ok(()), None) => Err(StoreError::Unavailable("the work was not begun".into())),
        };
        // A caller who has gone away wanted no answer.
        drop(self.reply.send(answer));
    }
}

impl Desk {
    /// What a piece of work finds at the beginning.
    pub(super) fn new(
        db: Connection,
        run: i64,
        reopen: impl Fn() -> Result<Connection, StoreError> + Send + 'static,
        gone: BTreeSet<UserId>,
        scrub: Scrub,
        checkpoint: Checkpoint,
    ) -> Self {
        Self {
            db,
            run,
            reopen: Box::new(reopen),
            gone,
            going: Vec::new(),
            place: RoomId::default(),
            is_waited_for: false,
            // A process that was killed may have left words behind.
            erased: scrub.is_owed(),
            forget_from: Duration::ZERO,
            clock: SystemClock::new(),
            keys: Vec::new(),
            scrub,
            checkpoint,
        }
    }

    /// Notes that words were erased, so that every trace of them goes.
    pub(super) fn note_erased(&mut self) -> Result<()> {
        self.erased = true;
        self.scrub.owe(&self.db)
    }

    /// Notes who was erased, from this piece of work on.
    pub(super) fn note_gone(&mut self, user: UserId) {
        self.gone.insert(user);
        self.going.push(user);
    }

    /// Has a part of the file cleaned after this transaction, if it is time for that; whether there
    /// is something to clean.
    pub(super) fn scrub(&mut self, now: Timestamp) -> Result<bool> {
        self.scrub.want(&self.db, now)
    }

    /// Whether nothing of what was erased is left in the files.
    pub(super) const fn has_forgotten(&self) -> bool {
        !self.erased && !self.scrub.is_noted()
    }

    /// Cleans a part of the file. Nothing may be in the write-ahead log meanwhile.
    fn clean(&mut self) -> Result<()> {
        if self.forget()? {
            self.scrub.step(&self.db)
        } else {
            self.scrub.wait();
            Ok(())
        }
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Does what waits in one transaction, and then answers everybody.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Result<()> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("answered_before_the_fsync") {
            self.execute("BEGIN IMMEDIATE")?;
            for mut job in jobs {
                job.run(self)?;
                job.answer(Ok(()));
            }
            return self.execute("COMMIT");
        }
        let outcome = self.transact(&mut jobs);
        let going = std::mem::take(&mut self.going);
        if outcome.is_err() {
            self.gone.retain(|user| !going.contains(user));
        }
        if outcome.is_err() && !self.db.is_autocommit() {
            // If even this fails, the next BEGIN does too, and its callers hear of it.
            drop(self.execute("ROLLBACK"));
        }
        #[cfg(sabotage)]
        let outcome = match outcome {
            Err(fault)
                if fault.breaks_trust() && chat_core::sabotage::planted("failed_fsync_ignored") =>
            {
                Ok(())
            }
            outcome => outcome,
        };
        for job in jobs {
            job.answer(outcome.as_ref().copied());
        }
        outcome
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        self.is_waited_for = jobs.iter().any(|job| !job.is_patient());
        self.execute("BEGIN IMMEDIATE")?;
        for job in jobs {
            job.run(self)?;
        }
        self.execute("COMMIT")
    }

    /// Makes sure, after a failure, that all which can be read is on disk; else nothing may be
    /// written upon it.
    ///
    /// After a failed fsync the system may take pages for written that aren't, and the next fsync
    /// says nothing of them. So everything that the write-ahead log holds is written once more, to
    /// its place in the database, where an fsync means these very writes, what was moved there already
    /// too; then the log is cut off, and with it whatever of a failed transaction lies in it.
    fn regain(&mut self) -> Result<()> {
        let reopened = (self.reopen)().map_err(|error| Fault::Unavailable(error.to_string()))?;
        self.db = reopened;
        self.checkpoint.write_again(&self.db)?;
        if super::open::settle(&self.db)? {
            Ok(())
        } else {
            let words = "somebody reads what has to be written again";
            Err(Fault::Unavailable(words.into()))
        }
    }

    /// Moves the write-ahead log into the database and cuts it off, so that what was erased is in
    /// neither; whether that was done. A reader in the way is not waited for long, and neither is the
    /// move of a log that became long meanwhile: there will be another time.
    fn forget(&mut self) -> Result<bool> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("erased_words_stay_in_the_log") {
            self.erased = false;
            return Ok(true);
        }
        if self.clock.elapsed() < self.forget_from {
            return Ok(false);
        }
        let mut is_done = false;
        if !self.checkpoint.is_behind(&self.db)? {
            self.db.busy_timeout(FORGET_WAIT)?;
            let settled = super::open::settle(&self.db);
            self.db.busy_timeout(super::open::BUSY)?;
            is_done = settled?;
        }
        if is_done {
            self.erased = false;
        } else {
            self.forget_from = self.clock.elapsed() + FORGET_AGAIN;
        }
        Ok(is_done)
    }
}

fn write(mut desk: Desk, jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Queue::new(jobs);
    let mut batches_since_erased = 0;
    let mut doubt = None;
    while let Some(batch) = jobs.next() {
        if let Some(fault) = &doubt {
            match desk.regain() {
                Ok(()) => tracing::warn!("the store is written to again"),
                Err(error) => {
                    tracing::debug!(?error, "nothing is written");
                    refuse(batch, fault);
                    continue;
                }
            }
            doubt = None;
        }
        let mut outcome = desk.commit(batch);
        if outcome.is_ok() && desk.erased {
            batches_since_erased += 1;
            if jobs.is_empty() || batches_since_erased >= ERASED_BATCHES_MAX {
                outcome = desk.forget().map(drop);
                batches_since_erased = 0;
            }
        }
        if outcome.is_ok() && desk.scrub.is_wanted() {
            outcome = desk.clean();
        }
        if outcome.is_ok() {
            outcome = desk.checkpoint.go_on(&desk.db);
        }
        if let Err(fault) = outcome {
            tracing::error!(?fault, "a transaction failed");
            if fault.is_damage() {
                while let Some(batch) = jobs.next() {
                    refuse(batch, &fault);
                }
                return;
            }
            doubt = fault.breaks_trust().then_some(fault);
            if doubt.is_some() {
                tracing::error!("nothing is written until it is certain what is on disk");
            }
        }
    }
}

/// Answers that nothing is written.
fn refuse(jobs: Vec<Box<dyn Job>>, fault: &Fault) {
    let fault = Fault::Unavailable(format!(
        "nothing is written since a failure that put earlier writes in doubt: {fault:?}"
    ));
    for job in jobs {
        job.answer(Err(&fault));
    }
}

#[cfg(test)]
mod tests;
