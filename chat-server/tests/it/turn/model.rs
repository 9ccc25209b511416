//! What a worker's hub does with parcels, in its simplest form: seats, and who heard what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::{Effect, Record, RoomId, Seq, UserId};
use chat_server::mail::SessionKey;

/// The seats of one worker.
#[derive(Debug, Default)]
pub(super) struct Hub {
    rooms: BTreeMap<RoomId, Audience>,
}

#[derive(Debug)]
struct Audience {
    head: Seq,
    seats: BTreeMap<SessionKey, UserId>,
}

impl Hub {
    pub(super) fn sit(&mut self, session: SessionKey, user: UserId, room: RoomId, head: Seq) {
        let audience = self.rooms.entry(room).or_insert_with(|| Audience {
            head,
            seats: BTreeMap::new(),
        });
        assert_eq!(
            audience.head, head,
            "a seat in {room} is taken at its head: what came before was delivered, what comes \
             after was not"
        );
        audience.seats.insert(session, user);
    }

    pub(super) fn rise(&mut self, session: SessionKey, room: RoomId) -> bool {
        let Some(audience) = self.rooms.get_mut(&room) else {
            return false;
        };
        let rose = audience.seats.remove(&session).is_some();
        self.tidy(room);
        rose
    }

    pub(super) fn has_seat(&self, session: SessionKey, room: RoomId) -> bool {
        self.rooms
            .get(&room)
            .is_some_and(|it| it.seats.contains_key(&session))
    }

    /// Delivers a record; gives those who hear it.
    pub(super) fn deliver(&mut self, record: &Arc<Record>) -> BTreeSet<UserId> {
        let room = record.room;
        let Some(audience) = self.rooms.get_mut(&room) else {
            return BTreeSet::new();
        };
        assert_eq!(
            audience.head.next(),
            record.seq,
            "deliveries of {room} are dense and in order"
        );
        audience.head = record.seq;
        let heard = audience.seats.values().copied().collect();
        for effect in record.effects().iter() {
            match effect {
                Effect::Detach(user) => self.expel(room, user),
                Effect::Close => drop(self.rooms.remove(&room)),
                Effect::Broadcast
                | Effect::Attach(_)
                | Effect::Notify(_)
                | Effect::Regrant(_)
                | Effect::Rejudge => {}
            }
        }
        heard
    }

    pub(super) fn expel(&mut self, room: RoomId, user: UserId) {
        if let Some(audience) = self.rooms.get_mut(&room) {
            audience.seats.retain(|_, seated| *seated != user);
        }
        self.tidy(room);
    }

    /// Who has a seat where.
    pub(super) fn seated(&self) -> impl Iterator<Item = (RoomId, SessionKey, UserId)> {
        self.rooms.iter().flat_map(|(room, audience)| {
            let seats = audience.seats.iter();
            seats.map(|(session, user)| (*room, *session, *user))
        })
    }

    /// How far each room is heard.
    pub(super) fn heads(&self) -> impl Iterator<Item = (RoomId, Seq)> {
        self.rooms.iter().map(|(room, it)| (*room, it.head))
    }

    fn tidy(&mut self, room: RoomId) {
        if self.rooms.get(&room).is_some_and(|it| it.seats.is_empty()) {
            self.rooms.remove(&room);
        }
    }
}
