//! The ways from one worker to the others: what is sent arrives in the order in which it was sent,
//! and nobody waits who sends it.
//!
//! Two workers that are busy with each other would else wait for each other for ever. Only whoever
//! makes work waits until it has been handed over: so what waits is bounded by what one turn makes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;

/// One worker's ways to all of them.
#[derive(Debug)]
pub(super) struct Ways<T> {
    ways: Vec<Way<T>>,
    /// Says that one of them is clear.
    cleared: Notify,
}

#[derive(Debug)]
struct Way<T> {
    to: mpsc::Sender<Vec<T>>,
    /// What has not been handed over.
    waiting: RefCell<Vec<T>>,
    /// Whether a task waits for the other worker, which had no room for more.
    is_full: Cell<bool>,
}

impl<T: 'static> Ways<T> {
    pub(super) fn to(boxes: impl IntoIterator<Item = mpsc::Sender<Vec<T>>>) -> Rc<Self> {
        let way = |to| Way {
            to,
            waiting: RefCell::default(),
            is_full: Cell::new(false),
        };
        Rc::new(Self {
            ways: boxes.into_iter().map(way).collect(),
            cleared: Notify::new(),
        })
    }

    /// Puts something on the way to a worker. It leaves with the others of its round.
    pub(super) fn put(&self, worker: usize, it: T) {
        if let Some(way) = self.ways.get(worker) {
            way.waiting.borrow_mut().push(it);
        }
    }

    /// Sends what was put there: one push for each worker.
    pub(super) fn send(self: &Rc<Self>) {
        for (worker, way) in self.ways.iter().enumerate() {
            if way.is_full.get() || way.waiting.borrow().is_empty() {
                continue;
            }
            let round = way.waiting.take();
            // Nobody listens only if the worker ends.
            if let Err(TrySendError::Full(round)) = way.to.try_send(round) {
                #[cfg(sabotage)]
                if chat_core::sabotage::planted("full_way_loses_a_round") {
                    drop(round);
                    continue;
                }
                way.waiting.replace(round);
                way.is_full.set(true);
                spawn_local(self.clone().carry(worker));
            }
        }
    }

    /// Waits until everything has been handed over.
    pub(super) async fn clear(&self) {
        while self.ways.iter().any(|way| way.is_full.get()) {
            self.cleared.notified().await;
        }
    }

    /// Hands over what waits, and what comes meanwhile behind it.
    async fn carry(self: Rc<Self>, worker: usize) {
        let Some(way) = self.ways.get(worker) else {
            return;
        };
        loop {
            let round = way.waiting.take();
            if round.is_empty() || way.to.send(round).await.is_err() {
                break;
            }
        }
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("full_way_never_clear") {
            return;
        }
        way.is_full.set(false);
        self.cleared.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::LocalSet;
    use tokio::time::timeout;

    use super::*;

    /// Tells a story in a time that stands still while anybody has something to do, and is over
    /// when all wait for each other.
    async fn in_time(story: impl Future<Output = ()>) {
        let tasks = LocalSet::new();
        let told = timeout(Duration::from_secs(1), tasks.run_until(story)).await;
        told.expect("somebody goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_arrives_in_its_order_and_whoever_sends_it_waits_for_nobody() {
        let story = async {
            let (to, mut inbox) = mpsc::channel(1);
            let ways = Ways::to([to]);
            for number in 0..100 {
                ways.put(0, number);
                ways.send();
            }
            let mut heard = Vec::new();
            while heard.len() < 100 {
                heard.extend(inbox.recv().await.unwrap());
                let later = 100 + heard.len();
                ways.put(0, later);
                ways.send();
            }
            heard.extend(inbox.recv().await.unwrap());
            assert!(heard.is_sorted(), "{heard:?}");
            assert!(heard.into_iter().take(100).eq(0..100), "all of it has come");
        };
        in_time(story).await;
    }

    #[tokio::test(start_paused = true)]
    async fn two_who_have_no_room_for_what_they_send_each_other_go_on_all_the_same() {
        let story = async {
            let ((to_one, mut one), (to_other, mut other)) = (mpsc::channel(1), mpsc::channel(1));
            let (ones, others) = (Ways::to([to_other]), Ways::to([to_one]));
            for ways in [&ones, &others] {
                for number in 0..50 {
                    ways.put(0, number);
                    ways.send();
                }
            }
            // Each answers what it hears.
            let answers = async |inbox: &mut mpsc::Receiver<Vec<i32>>, ways: &Rc<Ways<i32>>| {
                let mut heard = 0;
                while heard < 100 {
                    let round = inbox.recv().await.unwrap();
                    heard += round.len();
                    for number in round.into_iter().filter(|number| *number < 50) {
                        ways.put(0, number + 50);
                    }
                    ways.send();
                }
                ways.clear().await;
            };
            tokio::join!(answers(&mut one, &ones), answers(&mut other, &others));
        };
        in_time(story).await;
    }
}
