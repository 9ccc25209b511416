//! The rooms that a session hears, and as whom.

use std::collections::{HashMap, HashSet};

use chat_core::{Actor, RoomId, UserId};

/// A session's seats.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: HashMap<RoomId, Actor>,
    /// Rooms that a guest was let into, with or without a seat.
    visited: HashSet<(RoomId, UserId)>,
}

impl Seats {
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(super) fn contains(&self, room: RoomId) -> bool {
        self.taken.contains_key(&room)
    }

    pub(super) fn actor(&self, room: RoomId) -> Option<&Actor> {
        self.taken.get(&room)
    }

    pub(super) fn take(&mut self, room: RoomId, actor: Actor) {
        self.taken.insert(room, actor);
    }

    pub(super) fn visit(&mut self, room: RoomId, user: UserId) {
        self.visited.insert((room, user));
    }

    pub(super) fn remove(&mut self, room: RoomId) -> Option<Actor> {
        self.visited.retain(|(visited, _)| *visited != room);
        self.taken.remove(&room)
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.taken.keys().copied().collect()
    }

    pub(super) fn visits(&self) -> Vec<(RoomId, UserId)> {
        self.visited
            .iter()
            .copied()
            .filter(|(room, _)| !self.taken.contains_key(room))
            .collect()
    }
}
