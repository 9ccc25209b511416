//! The rooms that a session hears, and as whom.

use chat_core::{Actor, RoomId, Seq, UserId};
use chat_protocol::room_ref::RoomRef;
use chat_protocol::voice::Voice;

use crate::few::Few;

/// A session's seats.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Few<RoomId, Taken>,
    /// Rooms that a guest was let into, with or without a seat.
    visited: Few<(RoomId, UserId), ()>,
}

/// A seat, from the session's side.
#[derive(Debug)]
struct Taken {
    actor: Actor,
    voice: Voice,
    /// What he may read of the room begins here.
    readable_from: Seq,
    /// The word by which the client asked for it.
    called: Option<Box<RoomRef>>,
    /// The head that the client was told last; 0 if none was.
    told: Seq,
}

impl Seats {
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(super) fn contains(&self, room: RoomId) -> bool {
        self.taken.contains_key(room)
    }

    pub(super) fn actor(&self, room: RoomId) -> Option<&Actor> {
        self.taken.get(room).map(|seat| &seat.actor)
    }

    /// The guest who sits in any room, as he is called in the first of them.
    pub(super) fn guest(&self) -> Option<&Actor> {
        let guests = self.taken.iter().filter(|(_, it)| it.actor.id.is_guest());
        let first = guests.min_by_key(|(room, _)| *room);
        first.map(|(_, seat)| &seat.actor)
    }

    pub(super) fn voice(&self, room: RoomId) -> Option<&Voice> {
        self.taken.get(room).map(|seat| &seat.voice)
    }

    /// The earliest position from which a room may be followed.
    pub(super) fn earliest(&self, room: RoomId) -> Seq {
        let seat = self.taken.get(room);
        let from = seat.map_or(0, |seat| seat.readable_from.number());
        Seq::new(from.saturating_sub(1))
    }

    pub(super) fn take(&mut self, room: RoomId, actor: Actor, voice: Voice, readable_from: Seq) {
        let seat = Taken {
            actor,
            voice,
            readable_from,
            called: None,
            told: Seq::default(),
        };
        self.taken.insert(room, seat);
    }

    /// Remembers by which word the client asked for a seat.
    pub(super) fn call(&mut self, room: RoomId, called: RoomRef) {
        if let Some(seat) = self.taken.get_mut(room) {
            seat.called = Some(Box::new(called));
        }
    }

    /// The room that the client asked for by this word.
    pub(super) fn called(&self, word: &RoomRef) -> Option<RoomId> {
        let mut seats = self.taken.iter();
        let found = seats.find(|(_, seat)| seat.called.as_deref() == Some(word));
        found.map(|(room, _)| room)
    }

    /// Notes that the client is told a room's head; tells whether it was told another before, or
    /// none.
    pub(super) fn tell(&mut self, room: RoomId, head: Seq) -> bool {
        let seat = self.taken.get_mut(room);
        seat.is_some_and(|seat| std::mem::replace(&mut seat.told, head) != head)
    }

    /// The room of a session that is in no other.
    pub(super) fn only(&self) -> Option<RoomId> {
        let mut rooms = self.taken.keys();
        rooms.next().filter(|_| rooms.next().is_none())
    }

    pub(super) fn visit(&mut self, room: RoomId, user: UserId) {
        self.visited.insert((room, user), ());
    }

    /// Gives up a seat, and the visit by which it was taken.
    pub(super) fn remove(&mut self, room: RoomId) -> Option<Actor> {
        let actor = self.taken.remove(room)?.actor;
        self.visited.remove((room, actor.id));
        Some(actor)
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.taken.keys().collect()
    }

    /// Gives up the visits of a user that have no seat.
    pub(super) fn end_visits(&mut self, user: UserId) -> Vec<RoomId> {
        let visits = self.visits().into_iter();
        let his: Vec<_> = visits.filter(|(_, visitor)| *visitor == user).collect();
        for visit in &his {
            self.visited.remove(*visit);
        }
        his.into_iter().map(|(room, _)| room).collect()
    }

    /// The visits that have no seat. Whoever has a seat there may be somebody else.
    pub(super) fn visits(&self) -> Vec<(RoomId, UserId)> {
        let visits = self.visited.keys();
        let seated = |room, user| self.actor(room).is_some_and(|actor| actor.id == user);
        visits
            .filter(|(room, user)| !seated(*room, *user))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use chat_core::Name;
    use chat_protocol::dialect::Dialect;

    use super::*;

    #[test]
    fn a_visit_is_remembered_beside_the_seat_of_somebody_else() {
        let (room, mut seats) = (RoomId::new(7), Seats::default());
        let guest = Actor::new(UserId::guest(3), Name::new("guest").unwrap());
        let ann = Actor::new(UserId::new(1), Name::new("ann").unwrap());
        let voice = || Voice::of(Dialect::Rooms);
        seats.visit(room, guest.id);
        seats.take(room, guest.clone(), voice(), Seq::new(1));
        assert_eq!(seats.visits(), []);
        seats.take(room, ann.clone(), voice(), Seq::new(1));
        assert_eq!(seats.visits(), [(room, guest.id)]);
        assert_eq!(seats.remove(room), Some(ann));
        assert_eq!(seats.end_visits(guest.id), [room]);
        assert_eq!(seats.visits(), []);
    }
}
