//! What the hub has noticed, and a session has to do something about.

use std::collections::BTreeMap;

use chat_protocol::close::Close;
use chat_protocol::code::Class;
use chat_protocol::system::System;

use super::Session;
use super::carrier::Carrier;
use crate::auth::Identity;
use crate::hub::News;

impl Session {
    /// Follows what the hub has noticed; gives the reason if the session has to end.
    pub(super) async fn hear_news(&mut self, news: News) -> Option<Close> {
        match news {
            News::Joined(room, before) => {
                let actor = self.identity.as_ref().map(Identity::actor)?;
                let voice = self.own_voice().ok()?;
                if self.seats.contains(room) {
                    return None;
                }
                match self.take_seat(room, actor, voice).await {
                    Ok(_) => {
                        self.catch_up(room, before).await;
                        None
                    }
                    #[cfg(sabotage)]
                    Err(_) if chat_core::sabotage::planted("failed_seat_passed_over") => None,
                    // Nobody would say once more that it is a member: the client comes back instead.
                    Err(refusal) => (refusal.class == Class::Server).then_some(Close::Internal),
                }
            }
            News::Detached(room) => {
                // It may have come back before it heard of this.
                if self.link.part(room) {
                    self.seats.remove(room);
                }
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

    /// Asks for a sign of life, and tells which heads have moved.
    pub(super) fn ping(&mut self, carrier: &mut Carrier) {
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
