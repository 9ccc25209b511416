//! Batches of records, as a server hands them to its store.

use std::sync::Arc;

use chat_core::{Engine, Record, RoomId, Seq};
use chat_server::store::{Append, Appended, Store};

use crate::crowd::{Posts, act, engine, fill};

/// Members of each room.
const MEMBERS: u64 = 10;

/// Rooms in which people post in turn, and the engine that decides for them.
#[derive(Debug)]
pub struct Batches {
    engine: Engine,
    rooms: Vec<Posts>,
    founding: Vec<Vec<Arc<Record>>>,
    turn: usize,
}

impl Batches {
    /// As many rooms as asked, with ten members each.
    #[must_use]
    pub fn of_rooms(rooms: u64) -> Self {
        let mut engine = engine();
        let numbers = (1..=rooms).map(RoomId::new);
        let founding = numbers
            .clone()
            .map(|room| {
                fill(&mut engine, room, MEMBERS)
                    .into_iter()
                    .map(Arc::new)
                    .collect()
            })
            .collect();
        let rooms = numbers.map(|room| Posts::new(room, MEMBERS)).collect();
        Self {
            engine,
            rooms,
            founding,
            turn: 0,
        }
    }

    /// The records that made the rooms and let their members in.
    #[must_use]
    pub fn founding(&self) -> Vec<Append> {
        self.founding.iter().cloned().map(append).collect()
    }

    /// The next posts, each in the room whose turn it is.
    pub fn posts(&mut self, count: usize) -> Vec<Arc<Record>> {
        (0..count)
            .filter_map(|_| {
                self.turn = (self.turn + 1) % self.rooms.len();
                let post = self.rooms.get_mut(self.turn)?.post();
                Some(Arc::new(act(&mut self.engine, &post)))
            })
            .collect()
    }

    /// The same posts as a batch for a store.
    pub fn batch(&mut self, count: usize) -> Vec<Append> {
        let mut records = self.posts(count);
        records.sort_by_key(|record| (record.room, record.seq));
        records
            .chunk_by(|one, other| one.room == other.room)
            .map(|records| append(records.to_vec()))
            .collect()
    }
}

/// Consecutive records of one room, to be appended.
///
/// # Panics
///
/// If there are none.
#[must_use]
pub fn append(records: Vec<Arc<Record>>) -> Append {
    let first = records.first().expect("a room of a batch has a record");
    Append {
        room: first.room,
        after: Seq::new(first.seq.number() - 1),
        epoch: None,
        records,
        snapshot: None,
    }
}

/// Has a store append a batch.
///
/// # Panics
///
/// If anything of it was refused.
pub async fn keep(store: &dyn Store, batch: Vec<Append>) {
    let answers = store.append(batch).await.expect("the disk is well");
    assert!(
        answers.iter().all(|answer| *answer == Appended::Done),
        "{answers:?}"
    );
}
