//! Opening what a configuration names.

use std::sync::Arc;

use super::RunError;
use crate::bus::local::Local;
use crate::bus::{Bus, NodeMark};
use crate::clock::Clock;
use crate::config::BusUrl;
use crate::entropy::Entropy;
use crate::metrics::Metrics;
use crate::store::Store;

/// The bus that was given, or else the one that the configuration names, of all nodes on this store: they
/// know each other by a secret that it keeps.
#[cfg_attr(
    not(feature = "nats"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "the local bus needs nothing"
    )
)]
pub(super) async fn bus(
    given: Option<Arc<dyn Bus>>,
    url: &BusUrl,
    store: &dyn Store,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> Result<Arc<dyn Bus>, RunError> {
    if let Some(given) = given {
        return Ok(given);
    }
    Ok(match url {
        BusUrl::Local => Arc::new(Local::new()),
        #[cfg(feature = "nats")]
        BusUrl::Nats(url) => {
            use crate::bus::nats::{ClusterKey, Nats};

            let drawn = crate::auth::drawn_hex::<32>()?;
            let secret = store.setting("bus_secret", &drawn).await?;
            let key = ClusterKey::new(&secret);
            Arc::new(Nats::open(url, key, clock.clone(), metrics).await?)
        }
    })
}

/// What the nodes tell a server apart by until it ends.
pub(super) fn mark(entropy: &dyn Entropy, clock: &dyn Clock) -> NodeMark {
    // A system without randomness has nothing better than the time.
    NodeMark::new(entropy.draw().unwrap_or_else(|| clock.now().number()))
}
