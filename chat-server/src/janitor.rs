//! What has to be done once in a while: forgetting what is past its time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use chat_core::commands::{Leave, Trim};
use chat_core::{Actor, Name, Timestamp, UserId};

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

/// How long his membership lasts beyond its time for whoever may have come to another node, which has not
/// noted it yet.
const ELSEWHERE_MS: u64 = 5 * 60_000;

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
    let mut seen = Seen::new();
    loop {
        let done = tokio::select! {
            biased;
            _ = tick.tick() => tidy(&node, &mut seen).await,
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

/// When it was noted last that guests are here.
type Seen = BTreeMap<UserId, Timestamp>;

async fn tidy(node: &Node, seen: &mut Seen) -> Result<(), StoreError> {
    see(node, seen).await?;
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

/// Notes that guests are here, soon after they came and as long as they stay: other nodes know it by that
/// alone.
async fn see(node: &Node, seen: &mut Seen) -> Result<(), StoreError> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("guests_here_not_noted") {
        return Ok(());
    }
    if node.is_alone() {
        return Ok(());
    }
    let now = node.clock().now();
    let before = now.minus_ms(node.limits().guest_grace_ms / 4);
    let here = node.guests_here();
    seen.retain(|guest, at| here.contains(guest) && *at > before);
    for guest in here {
        if let Entry::Vacant(unseen) = seen.entry(guest) {
            node.store().see_guest(guest, now).await?;
            unseen.insert(now);
        }
    }
    Ok(())
}

/// Ends the memberships of guests who have stayed away.
async fn part(node: &Node) -> Result<(), StoreError> {
    let now = node.clock().now();
    let elsewhere = if node.is_alone() { 0 } else { ELSEWHERE_MS };
    let grace = node.limits().guest_grace_ms.saturating_add(elsewhere);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_core::commands::CreateRoom;

    use super::*;
    use crate::Server;
    use crate::bus::local::Local;
    use crate::clock::{Clock, ManualClock};
    use crate::config::{Config, StoreUrl};
    use crate::store::Store;
    use crate::store::memory::Memory;

    const GUEST: UserId = UserId::guest(7);

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Two nodes on one store, and a guest who is a member of a room.
    struct Pair {
        clock: Arc<ManualClock>,
        store: Arc<dyn Store>,
        one: Server,
        two: Server,
        /// What the janitors of both know.
        seen: [Seen; 2],
    }

    impl Pair {
        async fn start() -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::new(1_000_000_000_000)));
            let store: Arc<dyn Store> = Arc::new(Memory::new().unwrap());
            let bus = Local::new();
            let other = bus.join();
            let node = async |bus| {
                let config = Config {
                    store: StoreUrl::Memory,
                    ..Config::default()
                };
                let server = Server::builder(config).store(store.clone());
                let server = server.clock(clock.clone()).bus(Arc::new(bus));
                server.start().await.unwrap()
            };
            let (one, two) = (node(bus).await, node(other).await);
            let actor = Actor::new(GUEST, Name::new("guest").unwrap());
            let desk = Desk {
                node: one.node(),
                actor: &actor,
                from: None,
                whence: None,
            };
            let den = CreateRoom::named(Name::new("Den").unwrap());
            desk.command(None, None, den.into()).await.unwrap();
            let seen = [Seen::new(), Seen::new()];
            Self {
                clock,
                store,
                one,
                two,
                seen,
            }
        }

        /// The second node tidies up, and only then the first; tells whether the guest is a member yet.
        async fn tidy(&mut self) -> bool {
            let [one, two] = &mut self.seen;
            tidy(self.two.node(), two).await.unwrap();
            tidy(self.one.node(), one).await.unwrap();
            !self.store.rooms_of(GUEST).await.unwrap().is_empty()
        }

        /// The guest's session on the first node ends.
        async fn part(&self) {
            self.one.node().release(GUEST);
            let now = self.clock.now();
            self.store.see_guest(GUEST, now).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_guest_stays_a_member_for_as_long_as_any_node_has_a_session_of_his() {
        let mut pair = Pair::start().await;
        assert!(pair.tidy().await);
        assert!(pair.one.node().admit(GUEST));
        for hour in 0..100 {
            assert!(pair.tidy().await, "after {hour} hours");
            pair.clock.advance(HOUR);
        }
        // He goes, and is back at the last moment.
        pair.part().await;
        pair.clock.advance(24 * HOUR + EVERY);
        assert!(pair.one.node().admit(GUEST));
        assert!(
            pair.tidy().await,
            "the first node has had no time to note it"
        );
        pair.clock.advance(HOUR);
        assert!(pair.tidy().await);
        pair.part().await;
        pair.clock.advance(24 * HOUR);
        assert!(pair.tidy().await);
        pair.clock.advance(HOUR);
        assert!(!pair.tidy().await, "he has stayed away");
        pair.one.stop().await;
        pair.two.stop().await;
    }
}
