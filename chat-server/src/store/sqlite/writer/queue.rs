//! What waits for the writing thread, and what of it goes to disk together.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Job;

/// Pieces of work that wait; callers beyond that wait themselves.
pub(super) const QUEUE_JOBS_MAX: usize = 1_024;

/// Pieces of work that share one transaction.
const BATCH_JOBS_MAX: usize = 256;

/// How long nobody may have come for it to be quiet.
const QUIET: Duration = Duration::from_millis(5);

/// Transactions that go before work for which nobody waits, at most: then it goes along.
const PASSED_BY_MAX: u32 = 32;

/// The queue's end at the thread.
pub(super) struct Queue {
    jobs: mpsc::Receiver<Box<dyn Job>>,
    /// Work for which nobody waits, until it is quiet.
    patient: Vec<Box<dyn Job>>,
    /// Transactions that went before it.
    passed_by: u32,
    /// Tells how long it has been quiet; without it, nothing is patient.
    rest: Option<Runtime>,
}

impl Queue {
    /// The end of a queue.
    pub(super) fn new(jobs: mpsc::Receiver<Box<dyn Job>>) -> Self {
        Self {
            jobs,
            patient: Vec::new(),
            passed_by: 0,
            rest: Builder::new_current_thread().enable_time().build().ok(),
        }
    }

    /// Waits for work, and takes what waits behind it along; none once nobody can come any more.
    ///
    /// Work for which nobody waits would make others wait for a transaction of its own. So it is done
    /// when it is quiet, or beside others after a while.
    pub(super) fn next(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut batch = Vec::new();
        while batch.is_empty() {
            let Some(job) = self.wait() else {
                self.passed_by = 0;
                let patient = std::mem::take(&mut self.patient);
                return Some(patient).filter(|patient| !patient.is_empty());
            };
            self.sort(job, &mut batch);
            while batch.len() < BATCH_JOBS_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                self.sort(job, &mut batch);
            }
        }
        if !self.patient.is_empty() {
            self.passed_by += 1;
            if self.passed_by >= PASSED_BY_MAX {
                self.passed_by = 0;
                batch.append(&mut self.patient);
            }
        }
        Some(batch)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Waits for a piece of work; none if it is quiet and some waits for that, or at the end.
    fn wait(&mut self) -> Option<Box<dyn Job>> {
        match &self.rest {
            Some(rest) if !self.patient.is_empty() => {
                // The timer belongs to the runtime, so it is made within.
                let jobs = &mut self.jobs;
                rest.block_on(async { timeout(QUIET, jobs.recv()).await })
                    .unwrap_or_default()
            }
            Some(_) | None => self.jobs.blocking_recv(),
        }
    }

    fn sort(&mut self, job: Box<dyn Job>, batch: &mut Vec<Box<dyn Job>>) {
        if job.is_patient() && self.rest.is_some() && self.patient.len() < BATCH_JOBS_MAX {
            self.patient.push(job);
        } else {
            batch.push(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Desk, Fault, Result};
    use super::*;

    struct Note {
        is_patient: bool,
    }

    impl Job for Note {
        fn run(&mut self, _: &mut Desk) -> Result<()> {
            Ok(())
        }

        fn is_patient(&self) -> bool {
            self.is_patient
        }

        fn answer(self: Box<Self>, _: Result<(), &Fault>) {}
    }

    fn push(jobs: &mpsc::Sender<Box<dyn Job>>, is_patient: bool) {
        let pushed = jobs.try_send(Box::new(Note { is_patient }));
        assert!(pushed.is_ok());
    }

    /// The next batch: for each piece of work whether nobody waits for it.
    fn next(queue: &mut Queue) -> Vec<bool> {
        let batch = queue.next().unwrap();
        batch.iter().map(|job| job.is_patient()).collect()
    }

    #[test]
    fn work_for_which_nobody_waits_makes_nobody_wait_for_a_transaction_of_its_own() {
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS_MAX);
        let mut queue = Queue::new(waiting);
        push(&jobs, true);
        for _ in 1..PASSED_BY_MAX {
            push(&jobs, false);
            push(&jobs, false);
            assert_eq!(next(&mut queue), [false, false]);
        }
        push(&jobs, false);
        assert_eq!(next(&mut queue), [false, true], "it isn't put off for ever");
    }

    #[test]
    fn when_it_is_quiet_it_is_done() {
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS_MAX);
        let mut queue = Queue::new(waiting);
        push(&jobs, true);
        push(&jobs, true);
        assert_eq!(next(&mut queue), [true, true]);
        push(&jobs, true);
        drop(jobs);
        assert_eq!(next(&mut queue), [true], "at the end, too");
        assert!(queue.next().is_none());
    }
}
