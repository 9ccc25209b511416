//! The way of a turn's records into the store, which may not answer.

use std::rc::Rc;
use std::time::Duration;

use chat_core::{Event, Idx, RoomId, UserId};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::Worker;
use crate::store::{Append, Appended, StoreError};

impl Worker {
    /// Appends a turn's records. A store that doesn't answer in time counts as one that failed:
    /// nobody knows whether they are there, so their rooms are loaded again once it has answered,
    /// and until then nothing else is appended.
    pub(super) async fn append(
        self: &Rc<Self>,
        appends: Vec<Append>,
    ) -> Result<Vec<Appended>, StoreError> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        if !self.in_doubt.borrow().is_empty() {
            return Err(silent());
        }
        let records = appends.iter().map(|append| append.records.len()).sum();
        let rooms: Vec<RoomId> = appends.iter().map(|append| append.room).collect();
        let erased: Vec<RoomId> = appends
            .iter()
            .filter(|it| erases(it))
            .map(|it| it.room)
            .collect();
        let began = self.node.clock().elapsed();
        let store = self.node.store().clone();
        let node = self.node.clone();
        let mut appending = Box::pin(async move {
            let appended = store.append(appends).await;
            for room in erased {
                node.reads().erase(room);
            }
            appended
        });
        let appended = match timeout(self.patience(), appending.as_mut()).await {
            Ok(appended) => appended,
            Err(_) => {
                self.in_doubt.borrow_mut().extend(rooms);
                let worker = self.clone();
                spawn_local(async move {
                    // What it says is read from it: the rooms are loaded again.
                    drop(appending.await);
                    worker.in_doubt.take();
                    worker.doubt_over.notify_one();
                });
                Err(silent())
            }
        };
        let took = self.node.clock().elapsed().saturating_sub(began);
        self.node.metrics().appended(records, took);
        appended
    }

    /// Stores how far members have read. What isn't stored in time is lost, or stored later.
    pub(super) async fn mark(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        if markers.is_empty() {
            return Ok(());
        }
        if !self.in_doubt.borrow().is_empty() {
            return Err(silent());
        }
        let marked = timeout(self.patience(), self.node.store().mark_read(markers)).await;
        marked.unwrap_or_else(|_| Err(silent()))
    }

    /// Whether what the store says of this room may be out of date the next moment.
    pub(super) fn is_in_doubt(&self, room: RoomId) -> bool {
        self.in_doubt.borrow().contains(&room)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.node.limits().append_ms_max)
    }
}

/// Whether words go with what is appended.
fn erases(append: &Append) -> bool {
    let mut records = append.records.iter();
    records.any(|record| matches!(record.event, Event::Deleted(_) | Event::RoomTrimmed(_)))
}

fn silent() -> StoreError {
    StoreError::Unavailable("the store doesn't answer".into())
}
