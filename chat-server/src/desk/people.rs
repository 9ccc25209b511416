//! Who is present in rooms that anybody may see.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{Author, Name, RoomId};
use chat_protocol::code::{Code, Refusal};
use tokio::sync::Mutex;

use super::{Desk, heard, mixed_up};
use crate::mail::{Look, NameMark, Reply, Sight, Wish};

/// Rooms that are asked at once.
const ASKED_AT_ONCE: usize = 64;

/// People who are named of one room: those who came first.
const PEOPLE_MAX: usize = 4_096;

/// How long nobody asks again after each room that was asked.
const REST: Duration = Duration::from_micros(100);

/// A shorter rest is none.
const REST_MIN: Duration = Duration::from_millis(1);

/// What rooms say of who is there, for all who want to know at the same time: rooms are asked for one
/// list at a time, and what was asked after somebody came is an answer to him, too. So he never hears
/// what was before, and many lists cost hardly more than one.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    /// How many have come to ask.
    came: AtomicU64,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// Who is there, and how many had come when that was asked.
    rooms: HashMap<RoomId, (u64, Arc<[Author]>)>,
    /// When rooms are asked next, at the earliest.
    rest_until: Duration,
}

impl Desk<'_> {
    /// Who is present in each of these listed rooms, in their order.
    pub(crate) async fn people(&self, rooms: &[RoomId]) -> Result<Vec<Arc<[Author]>>, Refusal> {
        let crowds = self.node.crowds();
        let came = crowds.came.fetch_add(1, Ordering::SeqCst);
        let mut asked = crowds.asked.lock().await;
        let unknown: Vec<RoomId> = rooms
            .iter()
            .copied()
            .filter(|room| !asked.is_known(*room, came))
            .collect();
        let rest = asked.rest_until.saturating_sub(self.node.clock().elapsed());
        if !unknown.is_empty() && rest >= REST_MIN {
            tokio::time::sleep(rest).await;
        }
        for some in unknown.chunks(ASKED_AT_ONCE) {
            let now = crowds.came.load(Ordering::SeqCst);
            for (room, people) in some.iter().zip(self.ask_all(some).await?) {
                asked.rooms.insert(*room, (now, people.into()));
            }
            asked.rest_until = self.node.clock().elapsed() + REST * count(unknown.len());
        }
        let known = |room: &RoomId| asked.rooms.get(room).map(|(_, people)| people.clone());
        let people = rooms.iter().map(|room| known(room).unwrap_or_default());
        let people = people.collect();
        if crowds.came.load(Ordering::SeqCst) == came + 1 {
            // Nobody waits whom it is of use to.
            asked.rooms = HashMap::new();
        }
        Ok(people)
    }

    /// Who of those present in a listed room may be taken for somebody of this name.
    pub(crate) async fn namesakes(
        &self,
        room: RoomId,
        name: &Name,
    ) -> Result<Vec<Author>, Refusal> {
        let look = Look::Namesakes(NameMark::of(name));
        match self.look(room, look).await? {
            Sight::People(here) => Ok(here),
            Sight::View(_)
            | Sight::May { .. }
            | Sight::Explained(_)
            | Sight::Bans(_)
            | Sight::Presence(_)
            | Sight::Invites(_) => Err(mixed_up()),
        }
    }

    async fn ask_all(&self, rooms: &[RoomId]) -> Result<Vec<Vec<Author>>, Refusal> {
        let mut asked = Vec::with_capacity(rooms.len());
        for room in rooms {
            asked.push(self.post(*room, Wish::Look(Look::People { most: PEOPLE_MAX }))?);
        }
        let mut people = Vec::with_capacity(asked.len());
        for answer in asked {
            let reply = match heard(answer).await {
                // It has gone since it was listed.
                Err(refusal) if refusal.code == Code::RoomNotFound => {
                    people.push(Vec::new());
                    continue;
                }
                reply => reply?,
            };
            let Reply::Seen(sight) = reply else {
                return Err(mixed_up());
            };
            let Sight::People(here) = *sight else {
                return Err(mixed_up());
            };
            people.push(here);
        }
        Ok(people)
    }
}

impl Asked {
    /// Whether a room was asked after somebody came.
    fn is_known(&self, room: RoomId, came: u64) -> bool {
        let known = self.rooms.get(&room);
        known.is_some_and(|(asked, _)| *asked > came)
    }
}

fn count(rooms: usize) -> u32 {
    u32::try_from(rooms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use chat_core::{Actor, UserId};
    use futures_util::future::join_all;

    use super::*;
    use crate::config::{Config, StoreUrl};
    use crate::node::Node;
    use crate::server::Server;

    fn decided(node: &Node) -> usize {
        let counted = node.metrics().encode();
        let line = counted
            .lines()
            .find_map(|line| line.strip_prefix("chat_requests_decided_total "));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn rooms_are_asked_once_for_all_who_wait_and_again_for_who_comes_later() {
        let config = Config {
            store: StoreUrl::Memory,
            ..Config::default()
        };
        let server = Server::builder(config).start().await.unwrap();
        let (node, actor) = (
            server.node(),
            Actor::new(UserId::new(1), Name::new("ann").unwrap()),
        );
        let desk = Desk {
            node,
            actor: &actor,
            from: None,
            whence: None,
        };
        let rooms: Vec<RoomId> = (1..=150).map(RoomId::new).collect();
        let before = decided(node);
        let held = node.crowds().asked.lock().await;
        let lists = join_all((0..20).map(|_| desk.people(&rooms)));
        let (lists, ()) = tokio::join!(lists, async { drop(held) });
        assert!(lists.into_iter().all(|list| list.unwrap().len() == 150));
        assert_eq!(decided(node), before + 150);
        desk.people(&rooms).await.unwrap();
        assert_eq!(decided(node), before + 300);
        assert!(node.crowds().asked.lock().await.rooms.is_empty());
        server.stop().await;
    }
}
