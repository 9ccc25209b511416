//! What erased people were called in rooms: memory forgets it when the store does.
//!
//! Whoever leaves a room takes his nickname along, but nobody leaves a direct room.

use std::collections::VecDeque;

use chat_core::{Record, RoomId, UserId};

use super::Turn;

/// Erased people who are remembered: what was read or sent before is on its way for a moment.
const ERASED_MAX: usize = 64;

/// Those who were erased lately.
pub(super) type Erased = VecDeque<UserId>;

impl<R> Turn<R> {
    /// Forgets what somebody was called in rooms, since he was erased.
    pub fn forget_names(&mut self, user: UserId) {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("erased_names_stay") {
            return;
        }
        if self.erased.len() >= ERASED_MAX {
            self.erased.pop_front();
        }
        self.erased.push_back(user);
        let rooms = self.engine.rooms();
        let named = rooms.filter(|room| room.nickname(user).is_some());
        let named: Vec<RoomId> = named.map(|room| room.id).collect();
        for room in named {
            self.engine.forget_nickname(room, user);
        }
    }

    /// Forgets it in a room whose state may be from before.
    pub(super) fn keep_nameless(&mut self, room: RoomId) {
        for user in &self.erased {
            self.engine.forget_nickname(room, *user);
        }
    }

    /// Forgets it in a room that has followed a record, which may be of one of them.
    pub(super) fn stay_nameless(&mut self, record: &Record) {
        if self.erased.contains(&record.by.id) {
            self.engine.forget_nickname(record.room, record.by.id);
        }
    }
}
