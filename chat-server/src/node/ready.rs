//! Whether the store can be written to, found out once for all who ask.

use std::time::Duration;

use tokio::sync::watch;

use super::{Node, carry_out};
use crate::store::StoreError;

/// How long an answer counts: to find out is a write, and anybody may ask.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the store.
#[derive(Debug)]
pub(crate) struct Readiness(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Whether somebody is finding out.
    under_way: bool,
    /// When it was found out last, and what.
    last: Option<(Duration, bool)>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Node {
    /// Whether the store can be written to, as it was within the last second. However many ask, the
    /// store is asked by one at a time; while it doesn't answer it isn't asked again.
    pub(crate) async fn is_store_ready(&self) -> bool {
        let mut known = self.0.readiness.0.subscribe();
        let now = self.clock().elapsed();
        let begins = self.0.readiness.0.send_if_modified(|state| {
            let fresh = |at: Duration| now.saturating_sub(at) < FRESH;
            let is_known = state.last.is_some_and(|(at, _)| fresh(at));
            #[cfg(sabotage)]
            let is_known = is_known && !chat_core::sabotage::planted("each_readiness_a_write");
            let begins = !state.under_way && !is_known;
            state.under_way |= begins;
            begins
        });
        let found = async {
            if begins {
                let node = self.clone();
                carry_out(async move { node.check_store().await }).await;
            }
            known.wait_for(|state| !state.under_way).await.map(|it| *it)
        };
        let patience = Duration::from_millis(self.limits().append_ms_max);
        match tokio::time::timeout(patience, found).await {
            Ok(Ok(State { last, .. })) => last.is_some_and(|(_, ready)| ready),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn check_store(&self) {
        let checked = self.store().check().await;
        let before = self.0.readiness.0.borrow().last;
        self.tell_readiness(before.is_none_or(|(_, ready)| ready), &checked);
        self.0.readiness.0.send_replace(State {
            under_way: false,
            last: Some((self.clock().elapsed(), checked.is_ok())),
        });
    }

    /// Tells the operator what has changed.
    fn tell_readiness(&self, before: bool, checked: &Result<(), StoreError>) {
        match checked {
            Err(error) if before => tracing::warn!(%error, "not ready"),
            Ok(()) if !before => tracing::info!("ready again"),
            Ok(()) | Err(_) => {}
        }
    }
}
