//! What has to be done once in a while: forgetting what is past its time.

use std::time::Duration;

use chat_core::commands::{Leave, Trim};
use chat_core::{Actor, Name, UserId};

use crate::desk::Desk;
use crate::erasing;
use crate::node::Node;
use crate::store::{Overdue, StoreError};
use chat_protocol::room_ref::RoomRef;

/// How often the store is tidied.
const EVERY: Duration = Duration::from_secs(60);

/// How long after the start it is tidied first.
const FIRST: Duration = Duration::from_secs(2);

/// How often it is looked whether the store has standing work.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// How long others have the store for themselves between two pieces of that work.
const TEND_PAUSE: Duration = Duration::from_millis(10);

/// Memberships that end at once.
const GUESTS_MAX: usize = 1_000;

/// Rooms that are trimmed one after the other before it is asked which are next.
const TRIMS_MAX: usize = 100;

/// How often that is asked at once: the others wait for the next time.
const TRIM_PARTS_MAX: usize = 10;

/// Tidies up for as long as the node runs.
pub(crate) async fn run(node: Node) {
    // Whoever comes right after the start isn't to wait for this.
    tokio::time::sleep(FIRST).await;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut often = tokio::time::interval(TEND_EVERY);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            biased;
            _ = tick.tick() => tidy(&node).await,
            _ = often.tick() => tend(&node).await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "could not tidy up");
        }
    }
}

/// Does what the store has to do beside answering, a little at a time.
async fn tend(node: &Node) -> Result<(), StoreError> {
    while node.store().tend(node.clock().now()).await? {
        tokio::time::sleep(TEND_PAUSE).await;
        if node.is_stopping() {
            break;
        }
    }
    Ok(())
}

async fn tidy(node: &Node) -> Result<(), StoreError> {
    node.store().prune(node.clock().now()).await?;
    erasing::finish(node).await?;
    trim(node).await?;
    part(node).await
}

/// Trims rooms that keep messages past their time: the house wishes it, and members hear of it.
async fn trim(node: &Node) -> Result<(), StoreError> {
    let Ok(name) = Name::new("house") else {
        return Ok(());
    };
    let actor = Actor::new(UserId::HOUSE, name);
    let desk = Desk {
        node,
        actor: &actor,
        from: None,
        whence: None,
    };
    for _ in 0..TRIM_PARTS_MAX {
        let overdue = node.store().overdue(node.clock().now(), TRIMS_MAX).await?;
        let mut trimmed = 0;
        for Overdue { room, from } in &overdue {
            let wish = Trim { from: *from }.into();
            let done = desk.command(Some(&RoomRef::id(*room)), None, wish).await;
            trimmed += usize::from(done.is_ok());
            if let Err(refusal) = done {
                tracing::debug!(%room, code = %refusal.code, "a room is trimmed later");
            }
        }
        if trimmed < TRIMS_MAX || node.is_stopping() {
            break;
        }
    }
    Ok(())
}

/// Ends the memberships of guests who have stayed away.
async fn part(node: &Node) -> Result<(), StoreError> {
    let now = node.clock().now();
    let grace = node.limits().guest_grace_ms;
    let before = now.minus_ms(grace);
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
            whence: None,
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
