//! What the hub has noticed, and a session has to do something about.

use std::collections::BTreeMap;

use chat_core::RoomId;
use chat_protocol::close::Close;
use chat_protocol::code::{Class, Code};
use chat_protocol::system::System;

use super::Session;
use super::carrier::Carrier;
use crate::auth::Identity;
use crate::events;
use crate::hub::News;

impl Session {
    /// Follows what the hub has noticed; gives the reason if the session has to end.
    pub(super) async fn hear_news(&mut self, news: News) -> Option<Close> {
        match news {
            News::Joined(room, before) => {
                let actor = self.identity.as_ref().map(Identity::actor)?;
                let voice = self.own_voice().ok()?;
                // Whoever has said which rooms he listens to hears of no other.
                if self.seats.contains(room) || !self.link.follows.get() {
                    return None;
                }
                match self.take_seat(room, actor, voice).await {
                    Ok(_) => {
                        self.catch_up(room, before).await;
                        None
                    }
                    #[cfg(sabotage)]
                    Err(_) if chat_core::sabotage::planted("failed_seat_passed_over") => None,
                    // Whoever comes back is told how many rooms he may listen to.
                    Err(refusal) if self.listens && refusal.code == Code::TooMany => {
                        Some(Close::TooManyRooms)
                    }
                    // Nobody would say once more that it is a member: the client comes back instead.
                    Err(refusal) => (refusal.class == Class::Server).then_some(Close::Internal),
                }
            }
            News::Detached(room) => {
                // It may have come back before it heard of this.
                self.part_with(room);
                None
            }
            News::Gap(room, from) => {
                self.catch_up(room, from).await;
                None
            }
            News::Expiring(at) => {
                self.system(&System::TokenExpiring { at });
                None
            }
            News::Ping => None,
            News::End(close) => Some(close),
        }
    }

    /// Lets go of a room in which the session has lost its seat, unless it has one again.
    pub(super) fn part_with(&mut self, room: RoomId) {
        if self.link.part(room) {
            self.seats.remove(room);
            if self.listens {
                events::forget(&self.link.outbox, room);
            }
        }
    }

    /// Asks for a sign of life, and tells which heads have moved.
    pub(super) fn ping(&mut self, carrier: &mut Carrier) {
        if self.listens {
            // Of what is laid down for a reader nothing is lost but its end, and that he notices.
            return carrier.ping();
        }
        let mut heads = BTreeMap::new();
        for room in self.seats.rooms() {
            // Whoever has lost a seat, and is about to hear of that, is told no more of the room.
            if self.link.has_seat(room)
                && let Some(head) = self.worker.position(room)
                && self.seats.tell(room, head)
            {
                heads.insert(room, head);
            }
        }
        self.system(&System::Ping { heads });
        carrier.ping();
    }
}
