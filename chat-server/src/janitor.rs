//! What has to be done once in a while: forgetting what is past its time.

use std::time::Duration;

use chat_core::commands::Leave;
use chat_core::{Actor, Name, Timestamp};

use crate::desk::Desk;
use crate::node::Node;
use crate::store::StoreError;
use chat_protocol::room_ref::RoomRef;

/// How often the store is tidied.
const EVERY: Duration = Duration::from_secs(60);

/// Memberships that end at once.
const GUESTS_MAX: usize = 1_000;

/// Tidies up for as long as the node runs.
pub(crate) async fn run(node: Node) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Whoever comes right after the start isn't to wait for this.
    tick.tick().await;
    loop {
        tick.tick().await;
        if let Err(error) = tidy(&node).await {
            tracing::warn!(%error, "could not tidy up");
        }
    }
}

async fn tidy(node: &Node) -> Result<(), StoreError> {
    let now = node.clock().now();
    node.store().prune(now).await?;
    let grace = node.limits().guest_grace_ms;
    let before = Timestamp::new(now.number().saturating_sub(grace));
    for member in node.store().guests_unseen(before, now, GUESTS_MAX).await? {
        if node.is_here(member.guest) {
            node.store().see_guest(member.guest, now).await?;
            continue;
        }
        let name = member.name.or_else(|| Name::new("guest").ok());
        let Some(name) = name else { continue };
        let actor = Actor::new(member.guest, name);
        let desk = Desk {
            node,
            actor: &actor,
            from: None,
            origin: None,
        };
        let left = desk
            .command(Some(&RoomRef::id(member.room)), None, Leave {}.into())
            .await;
        if let Err(refusal) = left {
            tracing::debug!(room = %member.room, code = %refusal.code, "a guest stays a member");
        }
    }
    Ok(())
}
