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
        let silent = Duration::from_millis(limits.ping_ms + limits.pong_ms_max);
        let (mut waiting, mut loaded) = (0, 0);
        for second in 0_u64.. {
            tick.tick().await;
            self.gauge(&mut waiting, &mut loaded);
            let (now, wall) = (self.node.clock().elapsed(), self.node.clock().now());
            for link in self.hub.borrow().links() {
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

    /// Tells how much waits and how many rooms are loaded, as what changed since the last time: all
    /// workers count in the same place.
    fn gauge(&self, waiting: &mut i64, loaded: &mut i64) {
        let (hub, turn) = (self.hub.borrow(), self.turn.borrow());
        let bytes: usize = hub.links().map(|link| link.outbox.waiting()).sum();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let rooms = i64::try_from(turn.engine().rooms().count()).unwrap_or(i64::MAX);
        self.node.metrics().outbox_bytes.inc_by(bytes - *waiting);
        self.node.metrics().rooms_loaded.inc_by(rooms - *loaded);
        (*waiting, *loaded) = (bytes, rooms);
    }
}
