//! The end of a session: goodbyes, and letting go of rooms.

use std::time::Duration;

use chat_core::{RoomId, UserId};
use chat_protocol::close::Close;
use chat_protocol::system::System;

use super::Session;
use super::carrier::Carrier;
use crate::auth::Identity;
use crate::node::RECONNECT_MS;
use crate::outbox::State;
use crate::websocket::GOODBYE;

/// How long a server that stops waits for a client which has been told everything to close too.
const LINGER_STOPPING: Duration = Duration::from_millis(200);

impl Session {
    /// Says goodbye and lets go of everything.
    pub(super) async fn end(&mut self, carrier: &mut Carrier, close: Option<Close>) {
        if let Some(close) = close {
            if close == Close::ShuttingDown {
                // What was received is answered first.
                let answered = tokio::time::timeout(GOODBYE, self.answered());
                #[cfg(sabotage)]
                let answered = async {
                    if !chat_core::sabotage::planted("stopped_without_answers") {
                        return answered.await;
                    }
                    Ok(())
                };
                drop(answered.await);
            }
            // Those answers leave before the goodbye; what else waits doesn't. A listener is owed none,
            // and takes the rest when he comes back.
            let is_open = self.link.outbox.state() == State::Open;
            if close != Close::ShuttingDown || !is_open || self.listens {
                self.link.outbox.cut();
            }
            if close == Close::Lagging {
                self.node().metrics().sessions_lagging.inc();
                self.system(&System::Lagged {});
            }
            let dialect = self.link.dialect.get();
            if let (Close::FrameTooLarge, Some(dialect), Some(bytes_max)) =
                (close, dialect, carrier.frame_bytes_max())
            {
                let outbox = &self.link.outbox;
                dialect.too_large(bytes_max as u64, &mut |text| outbox.send_text(text));
            }
            let jitter = self.node().draw() % RECONNECT_MS;
            let retry_ms = close.reconnect().then_some(RECONNECT_MS + jitter);
            self.system(&System::Bye {
                code: close.code(),
                why: close.why().into(),
                retry_ms,
            });
            let code = dialect.map_or(close.plain_code(), |dialect| dialect.close_code(close));
            carrier.close(code, close.why());
        }
        self.worker.parting.set(self.worker.parting.get() + 1);
        let seats = self.worker.hub.borrow_mut().forget(self.link.key);
        self.let_go(seats).await;
        if let Some(connected) = &self.connected {
            connected.dec();
        }
        let linger = if self.node().is_stopping() {
            LINGER_STOPPING
        } else {
            GOODBYE
        };
        carrier.part(linger).await;
        self.worker.parting.set(self.worker.parting.get() - 1);
    }

    /// Tells the rooms that this session is gone.
    async fn let_go(&mut self, seats: Vec<(RoomId, UserId)>) {
        for (room, user) in seats.into_iter().chain(self.seats.visits()) {
            let known = self.identity.as_ref().map(Identity::actor);
            let actors = [
                self.seats.actor(room),
                self.nobody.as_deref(),
                known.as_ref(),
            ];
            let actor = actors.into_iter().flatten().find(|it| it.id == user);
            let Some(actor) = actor.cloned() else {
                continue;
            };
            self.detach(room, actor).await;
        }
        let Some(user) = self.identity.as_ref().map(|identity| identity.user) else {
            return;
        };
        self.node().release(user);
        if user.is_guest() {
            let now = self.node().clock().now();
            // If it can't be noted, the guest's time begins when the store is tidied.
            drop(self.node().store().see_guest(user, now).await);
        }
    }
}
