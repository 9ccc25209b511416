//! What a worker does once a second: pings, ends what is overdue, and tells how much there is.

use std::rc::Rc;
use std::time::Duration;

use chat_protocol::close::Close;

use super::Worker;
use crate::hub::News;

impl Worker {
    /// Pings every session once in a while, each in its own second, and ends those that are silent
    /// or out of time.
    pub(super) async fn heartbeat(self: Rc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let limits = self.node.limits();
        let every = (limits.ping_ms / 1000).max(1);
        let silent = limits.silence();
        let mut told = Told::default();
        for second in 0_u64.. {
            tick.tick().await;
            self.gauge(&mut told);
            self.hub.borrow_mut().forget_tails();
            let (now, wall) = (self.node.clock().elapsed(), self.node.clock().now());
            self.node.reads().sweep(now);
            for link in self.hub.borrow().links() {
                // What a client says while it waits for the server isn't read yet.
                #[cfg(sabotage)]
                if chat_core::sabotage::planted("waiting_taken_for_silence") {
                    link.works.set(false);
                }
                if link.works.get() {
                    link.heard_at.set(now);
                }
                if let Some(close) = link.overdue(now, wall) {
                    link.tell(News::End(close));
                } else if link.key.number % every == second % every && !link.beats.get() {
                    let is_silent = now.saturating_sub(link.heard_at.get()) > silent;
                    link.tell(if is_silent {
                        News::End(Close::NoPong)
                    } else {
                        News::Ping
                    });
                }
            }
        }
    }

    /// Tells how much there is, as what changed since the last time: all workers count in the same
    /// place.
    fn gauge(&self, told: &mut Told) {
        let (hub, turn) = (self.hub.borrow(), self.turn.borrow());
        let bytes: usize = hub.links().map(|link| link.outbox.waiting()).sum();
        let (mut rooms, mut cids) = (0, 0);
        for room in turn.engine().rooms() {
            rooms += 1;
            cids += room.cids_held();
        }
        let mail = self.node.worker(self.index).map(|boxes| &boxes.mail);
        let requests = mail.map_or(0, |mail| mail.max_capacity() - mail.capacity());
        let metrics = self.node.metrics();
        for (gauge, count, told) in [
            (&metrics.outbox_bytes, bytes, &mut told.bytes),
            (&metrics.rooms_loaded, rooms, &mut told.rooms),
            (&metrics.cids_held, cids, &mut told.cids),
            (&metrics.requests_waiting, requests, &mut told.requests),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            gauge.inc_by(count - *told);
            *told = count;
        }
    }
}

/// What one worker has told of itself.
#[derive(Default)]
struct Told {
    bytes: i64,
    rooms: i64,
    cids: i64,
    requests: i64,
}
