//! The queues before the threads that hash: each kind of asker waits behind its own kind alone.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Whoever was right before from the same place, or has just been.
    Known,
    /// Whoever else logs in.
    LogIns,
    /// Sign-ups, passwords of rooms, and whatever else there is.
    Others,
}

/// The queue of the asker's kind has no place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A queue for each [`Line`], which are served in turn.
#[derive(Debug)]
pub(super) struct Lines<J> {
    waiting: Mutex<Waiting<J>>,
    changed: Condvar,
    /// The length of each.
    max: usize,
}

#[derive(Debug)]
struct Waiting<J> {
    /// The one that is served next is the first.
    lines: [(Line, VecDeque<J>); 3],
    closed: bool,
}

impl<J> Lines<J> {
    pub(super) fn new(max: usize) -> Self {
        let lines = [Line::Known, Line::LogIns, Line::Others];
        Self {
            waiting: Mutex::new(Waiting {
                lines: lines.map(|line| (line, VecDeque::new())),
                closed: false,
            }),
            changed: Condvar::new(),
            max,
        }
    }

    /// Puts a job at the end of its queue.
    pub(super) fn offer(&self, line: Line, job: J) -> Result<(), Full> {
        #[cfg(sabotage)]
        let line = match chat_core::sabotage::planted("one_hashing_queue") {
            true => Line::Others,
            false => line,
        };
        let mut waiting = self.lock();
        let mut lines = waiting.lines.iter_mut();
        let (_, queue) = lines.find(|(it, _)| *it == line).ok_or(Full)?;
        if queue.len() >= self.max {
            return Err(Full);
        }
        queue.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job; none if the queues are closed and empty.
    pub(super) fn next(&self) -> Option<J> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.pop() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets those end who wait for jobs.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Waiting<J> {
    fn pop(&mut self) -> Option<J> {
        let next = self.lines.iter().position(|(_, queue)| !queue.is_empty())?;
        self.lines.rotate_left(next);
        let (_, queue) = self.lines.first_mut()?;
        let job = queue.pop_front();
        self.lines.rotate_left(1);
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_takes_a_turn_of_each_round_and_no_place_of_others() {
        let lines = Lines::new(4);
        for number in 0..4 {
            lines.offer(Line::Others, number).unwrap();
        }
        assert_eq!(lines.offer(Line::Others, 4), Err(Full));
        for (line, job) in [(Line::LogIns, 10), (Line::Known, 20), (Line::Known, 21)] {
            lines.offer(line, job).unwrap();
        }
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.extend(lines.next());
        }
        heard.sort_unstable();
        assert_eq!(heard, [0, 10, 20]);
        for _ in 0..2 {
            heard.extend(lines.next());
        }
        assert!(heard.contains(&21), "{heard:?}");
        lines.close();
        let rest: Vec<_> = std::iter::from_fn(|| lines.next()).collect();
        assert_eq!(rest, [2, 3], "what waits is done before the end");
    }
}
