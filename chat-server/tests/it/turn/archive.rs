//! What the store holds, as it grew: each record beside the room's state after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::{Record, Room, RoomId, Seq};

/// The logs of all rooms, and each state that they went through.
#[derive(Debug, Default)]
pub(super) struct Archive {
    rooms: BTreeMap<RoomId, Vec<(Arc<Record>, Room)>>,
}

impl Archive {
    /// The last record of a room.
    pub(super) fn head(&self, room: RoomId) -> Seq {
        Seq::new(self.rooms.get(&room).map_or(0, Vec::len) as u64)
    }

    /// Takes in what was appended since.
    pub(super) fn grow(&mut self, room: RoomId, records: Vec<Arc<Record>>) {
        let log = self.rooms.entry(room).or_default();
        for record in records {
            assert_eq!(record.seq.number(), log.len() as u64 + 1, "logs are dense");
            let state = match log.last() {
                None => Room::founded(&record).unwrap(),
                Some((_, before)) => {
                    let mut state = before.clone();
                    state.follow(&record).unwrap();
                    state
                }
            };
            log.push((record, state));
        }
    }

    /// A record, if it is there.
    pub(super) fn record(&self, room: RoomId, seq: Seq) -> Option<&Record> {
        self.entry(room, seq).map(|(record, _)| &**record)
    }

    /// A room's state after a record; none before its first.
    pub(super) fn state(&self, room: RoomId, seq: Seq) -> Option<&Room> {
        self.entry(room, seq).map(|(_, state)| state)
    }

    /// A room's state.
    pub(super) fn last(&self, room: RoomId) -> Option<&Room> {
        self.state(room, self.head(room))
    }

    /// The rooms that were made, in the order of their numbers.
    pub(super) fn rooms(&self) -> Vec<RoomId> {
        let made = self.rooms.iter().filter(|(_, log)| !log.is_empty());
        made.map(|(room, _)| *room).collect()
    }

    /// The records of a room.
    pub(super) fn log(&self, room: RoomId) -> impl Iterator<Item = &Record> {
        let log = self.rooms.get(&room).into_iter().flatten();
        log.map(|(record, _)| &**record)
    }

    fn entry(&self, room: RoomId, seq: Seq) -> Option<&(Arc<Record>, Room)> {
        let at = usize::try_from(seq.number()).unwrap().checked_sub(1)?;
        self.rooms.get(&room)?.get(at)
    }
}
