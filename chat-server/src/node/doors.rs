//! Who finds a place among the connections, and how much he hears there.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chat_protocol::code::{Code, Refusal};

use super::{Node, RECONNECT_MS};
use crate::events;
use crate::listener::Reception;
use crate::places::{Connected, Silent};
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::worker::Order;

/// How long it is not said again that there are no connections.
const SAID_AGAIN: Duration = Duration::from_secs(60);

impl Node {
    /// Accepts connections on every worker.
    pub(crate) async fn accept_on(&self, listener: TcpListener, reception: &Reception) {
        let listener = Arc::new(listener);
        for boxes in &self.0.workers {
            let order = Order::Listen(listener.clone(), reception.clone());
            // Refused only if the worker ends.
            drop(boxes.orders.send(order).await);
        }
    }

    /// What the public listeners prove who they are with, if they speak TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.0.tls.as_ref()
    }

    /// Takes on a connection, of this address unless it is a proxy's; it counts until the place is
    /// dropped.
    pub(crate) fn connect(&self, address: Option<IpAddr>) -> Result<Connected, Refusal> {
        if self.is_stopping() {
            return Err(Refusal::new(Code::ShuttingDown).with_retry(RECONNECT_MS));
        }
        let place = self.0.places.connect(address, self.limits());
        place.map_err(|refusal| self.crowded(refusal))
    }

    /// Takes on a client's socket that a proxy's connection carries.
    pub(crate) fn carry(
        &self,
        address: IpAddr,
        below: Arc<Connected>,
    ) -> Result<Connected, Refusal> {
        let place = self.0.places.carry(address, below, self.limits());
        place.map_err(|refusal| self.crowded(refusal))
    }

    /// Takes on a socket that has not said who it is, unless its address has too many of them; it
    /// counts until the place is dropped.
    pub(crate) fn hush(&self, address: IpAddr) -> Result<Silent, Refusal> {
        let place = self.0.places.hush(address, self.limits());
        place.map_err(|refusal| self.crowded(refusal))
    }

    /// Rooms of a session that only listens.
    pub(crate) fn rooms_heard_max(&self) -> usize {
        self.limits().rooms_per_session_max.min(events::ROOMS_MAX)
    }

    fn crowded(&self, refusal: Refusal) -> Refusal {
        self.0.metrics.connections_refused.inc();
        refusal.with_retry(RECONNECT_MS)
    }

    /// Notes that the system gives no connections, and says so: once, and again if it lasts.
    pub(crate) fn accepts_nothing(&self, error: &io::Error) {
        self.0.metrics.accepts_failed.inc();
        let now = self.clock().elapsed();
        let mut said = self
            .0
            .exhausted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| now.saturating_sub(at) >= SAID_AGAIN) {
            *said = Some(now);
            tracing::warn!(%error, "no connections can be accepted at the moment");
        }
    }
}
