//! Which guests in a room came from one address: each becomes another guest for nothing, and they
//! may not take all of its places.
//!
//! It is remembered in memory alone, also of rooms that are let go meanwhile, so that nobody only
//! has to wait until a room is forgotten. Who is a guest of which address stands in no log.

use std::collections::{BTreeSet, HashMap};

use chat_core::{RoomId, UserId};

use super::Turn;
use crate::mail::{Mail, Near, Wish};

/// Guests who are remembered; for one more those of some other room are forgotten.
const NOTED_MAX: usize = 65_536;

/// From where the guests of rooms came.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    rooms: HashMap<RoomId, HashMap<Near, BTreeSet<UserId>>>,
    noted: usize,
}

impl Neighbours {
    /// Notes that a user was let in, if it is known from where.
    pub(super) fn note(&mut self, room: RoomId, user: UserId, near: Option<Near>) {
        let Some(near) = near else { return };
        if self.noted >= NOTED_MAX {
            let other = self.rooms.keys().copied().find(|it| *it != room);
            let forgotten = other.and_then(|it| self.rooms.remove(&it));
            let nets = forgotten.iter().flat_map(HashMap::values);
            self.noted -= nets.map(BTreeSet::len).sum::<usize>();
        }
        let nets = self.rooms.entry(room).or_default();
        if nets.entry(near).or_default().insert(user) {
            self.noted += 1;
        }
    }

    /// How many others came into a room from there, and are in it still. Below `exact_from` some
    /// may be counted who have left.
    fn count(
        &mut self,
        room: RoomId,
        near: Near,
        user: UserId,
        exact_from: u64,
        is_in: impl Fn(UserId) -> bool,
    ) -> u64 {
        let nets = self.rooms.get_mut(&room);
        let Some(users) = nets.and_then(|nets| nets.get_mut(&near)) else {
            return 0;
        };
        let before = users.len();
        if before as u64 >= exact_from {
            users.retain(|user| is_in(*user));
        }
        let (after, himself) = (users.len(), users.contains(&user));
        self.noted -= before - after;
        (after - usize::from(himself)) as u64
    }
}

impl<R> Turn<R> {
    /// How many guests are in the room who came from where the guest comes from who enters.
    pub(super) fn neighbours_of(&mut self, mail: &Mail<R>) -> u64 {
        let Wish::Command {
            near: Some(near), ..
        } = &mail.wish
        else {
            return 0;
        };
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("neighbours_uncounted") {
            return 0;
        }
        let (room, user) = (mail.room, mail.actor.id);
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return 0;
        };
        let exact_from = self.engine.limits().room_guests_per_address_max;
        let is_in = |user| state.members.contains_key(&user) || slot.presence.is_visiting(user);
        self.neighbours.count(room, *near, user, exact_from, is_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId::new(1);

    #[test]
    fn those_who_left_leave_their_places_to_their_neighbours() {
        let (mut neighbours, home, school) = (Neighbours::default(), Near::new(1), Near::new(2));
        for number in 0..4 {
            neighbours.note(ROOM, UserId::guest(number), Some(home));
        }
        neighbours.note(ROOM, UserId::guest(9), Some(school));
        neighbours.note(ROOM, UserId::guest(10), None);
        let odd = |user| user == UserId::guest(1) || user == UserId::guest(3);
        let mut count = |near, user| neighbours.count(ROOM, near, UserId::guest(user), 4, odd);
        assert_eq!(count(school, 7), 1, "not looked at, being so few");
        assert_eq!(count(home, 7), 2);
        assert_eq!(count(home, 3), 1, "beside himself");
        assert_eq!(neighbours.noted, 3);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (mut neighbours, near) = (Neighbours::default(), Near::new(1));
        for number in 0..NOTED_MAX as u64 + 100 {
            let room = RoomId::new(number / 1_000 + 1);
            neighbours.note(room, UserId::guest(number), Some(near));
        }
        assert!(neighbours.noted <= NOTED_MAX);
        let rooms = neighbours.rooms.values().flat_map(HashMap::values);
        assert_eq!(rooms.map(BTreeSet::len).sum::<usize>(), neighbours.noted);
        let last = RoomId::new((NOTED_MAX as u64 + 99) / 1_000 + 1);
        assert!(neighbours.rooms.contains_key(&last));
    }
}
