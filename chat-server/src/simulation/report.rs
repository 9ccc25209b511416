//! What became of a world.

use std::fmt;

use chat_core::{Room, RoomId, Seq};

use super::trace::Counts;
use super::world::World;

/// What became of a simulated world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed, by which it can be run again.
    pub seed: u64,
    /// How often somebody did something.
    pub deeds: u64,
    /// Records that became durable.
    pub records: u64,
    /// A hash over every frame that anybody sent or heard, with its time.
    pub trace: u64,
    /// A hash over the logs of all rooms.
    pub logs: u64,
    /// What was done to the world, and how often.
    pub faults: Counts,
    /// Which noteworthy things happened in it, and how often.
    pub reached: Counts,
    /// What was wrong; none if everything was as it has to be.
    pub failure: Option<Failure>,
}

/// What was wrong with a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In a line.
    pub what: String,
    /// The last lines of what happened before: the time in seconds, who, and what he sent (`>`),
    /// heard (`<`) or did.
    pub last: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} deeds, {} records",
            self.seed, self.deeds, self.records
        )?;
        for (what, count) in &self.faults {
            write!(f, ", {what} {count}")?;
        }
        let Some(failure) = &self.failure else {
            return Ok(());
        };
        for line in &failure.last {
            write!(f, "\n{line}")?;
        }
        write!(f, "\nseed {}: {}", self.seed, failure.what)
    }
}

/// The report on a world that has ended.
pub(super) fn of(seed: u64, world: &World) -> Report {
    let heads = world
        .ledger
        .rooms()
        .into_iter()
        .map(|room| world.ledger.head(room));
    let failure = world.trace.verdict();
    Report {
        seed,
        deeds: world.deeds.get(),
        records: heads.map(Seq::number).sum(),
        trace: world.trace.hash(),
        logs: world.ledger.hash(),
        faults: world.trace.faults(),
        reached: world.trace.reached(),
        failure: failure.map(|(what, last)| Failure { what, last }),
    }
}

/// Compares what the store has with what it said to have.
pub(super) async fn compare_store(world: &World) {
    let Some(store) = world.host.sound() else {
        return;
    };
    for room in world.ledger.rooms() {
        let due = world
            .ledger
            .of(room, |book| book.records.clone())
            .unwrap_or_default();
        let kept = store.records(room, Seq::default(), usize::MAX).await;
        let kept = kept.unwrap_or_default();
        let heads = |records: &[std::sync::Arc<chat_core::Record>]| -> Vec<_> {
            records
                .iter()
                .map(|it| (it.seq, it.at, it.by.id, it.cid.clone()))
                .collect()
        };
        if heads(&due) != heads(&kept) {
            let what = format!(
                "room {room} has {} records, was told {}",
                kept.len(),
                due.len()
            );
            world.trace.wrong(what);
        }
        let loaded = store.load(room).await.unwrap_or_default();
        compare_room(world, room, loaded.as_ref(), &due);
    }
}

/// A room as it is loaded is the room that follows from its records.
fn compare_room(
    world: &World,
    room: RoomId,
    loaded: Option<&Room>,
    due: &[std::sync::Arc<chat_core::Record>],
) {
    let mut replayed = due.first().and_then(|first| Room::founded(first));
    for record in due.iter().skip(1) {
        if let Some(state) = &mut replayed {
            state.follow(record);
        }
    }
    if loaded != replayed.as_ref() {
        world.trace.wrong(format!(
            "room {room} is loaded as {loaded:?}, is {replayed:?}"
        ));
    }
}
