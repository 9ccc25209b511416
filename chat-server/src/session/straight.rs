//! Commands that go to their rooms by themselves: what most frames are.

use std::future::poll_fn;
use std::task::Poll;

use chat_core::{Actor, Command, RoomId};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Op;
use chat_protocol::dialect::Ticket;
use chat_protocol::room_ref::RoomRef;
use tokio::sync::mpsc::error::TrySendError;

use super::Session;
use crate::desk;
use crate::mail::{Mail, Refused, Wish};
use crate::outbox::State;
use crate::worker::Address;

/// What became of an op on the straight way.
pub(super) enum Sent {
    Away,
    Refused(Refusal, Ticket),
    Back(Box<Op>, Ticket),
}

/// Commands of one session that wait for their rooms.
const IN_FLIGHT_MAX: usize = 256;

impl Session {
    /// Sends a command straight to its room if it needs nothing but the room's word: its answer
    /// comes with the room's news, and so before the event that it makes.
    pub(super) async fn straight(&mut self, op: Op, ticket: Ticket) -> Sent {
        let Op::InRoom { room, cid, command } = op else {
            return Sent::Back(Box::new(op), ticket);
        };
        // Where a socket is in one room, its dialect may leave unsaid which.
        let only = || self.seats.only().filter(|_| self.is_older());
        let room = room.or_else(|| only().map(RoomRef::id));
        let room = match room {
            Some(room) if is_plain(&command) => room,
            room => return Sent::Back(Box::new(Op::InRoom { room, cid, command }), ticket),
        };
        let known = match self.known_room(&room) {
            Some(known) => Ok(known),
            None => Box::pin(desk::resolve(self.node(), &room)).await,
        };
        let target = match known {
            Ok(target) => target,
            Err(refusal) => return Sent::Refused(refusal, ticket),
        };
        let actor = match self.actor_in(target) {
            Ok(actor) => actor,
            Err(refusal) if refusal.code == Code::NotAMember => {
                let refusal = Box::pin(desk::older::outside(self.node(), target)).await;
                return Sent::Refused(refusal, ticket);
            }
            Err(refusal) => return Sent::Refused(refusal, ticket),
        };
        if desk::is_checked(&command) {
            let checked = Box::pin(self.desk(&actor).check(&command)).await;
            if let Err(refusal) = checked {
                return Sent::Refused(refusal, ticket);
            }
        }
        self.room_for_one_more().await;
        let mail = Mail {
            room: target,
            actor,
            from: Some(self.link.key),
            wish: Wish::Command {
                command,
                cid,
                used: None,
                near: None,
            },
            reply: Address::Ticket(self.link.key, ticket),
        };
        self.link.in_flight.set(self.link.in_flight.get() + 1);
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("waits_when_overloaded") {
            drop(Box::pin(self.node().send(mail)).await);
            return Sent::Away;
        }
        if let Err(TrySendError::Full(mail)) = self.node().worker_of(target).mail.try_send(mail) {
            // It would wait, and everything behind it: who is told may come again.
            self.link.in_flight.set(self.link.in_flight.get() - 1);
            if let Address::Ticket(_, ticket) = mail.reply {
                return Sent::Refused(Refused::Overloaded.into(), ticket);
            }
        }
        Sent::Away
    }

    /// Waits while too many commands of this session wait for their rooms.
    pub(super) async fn room_for_one_more(&self) {
        poll_fn(|cx| {
            self.link.outbox.register(cx);
            if self.link.in_flight.get() < IN_FLIGHT_MAX || self.link.outbox.state() != State::Open
            {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// The room that a word means, if that can be told without asking anybody.
    pub(super) fn known_room(&self, room: &RoomRef) -> Option<RoomId> {
        if let Some(called) = self.seats.called(room) {
            return Some(called);
        }
        let own = room.own?;
        let plain = room.alias.is_none() && room.others.is_empty();
        (plain || self.seats.contains(own)).then_some(own)
    }

    /// Who acts in a room: whoever took the seat there, else whoever said hello.
    pub(super) fn actor_in(&self, room: RoomId) -> Result<Actor, Refusal> {
        match self.seats.actor(room) {
            Some(actor) => Ok(actor.clone()),
            // A socket of an older dialect acts only where it is.
            None if self.identity.is_none() && self.is_older() => {
                Err(Refusal::new(Code::NotAMember))
            }
            None => self.actor(),
        }
    }
}

/// Whether a command needs nothing but its room, and to be checked.
fn is_plain(command: &Command) -> bool {
    match command {
        Command::CreateRoom(_) | Command::OpenDirect(_) | Command::Join(_) | Command::Visit(_) => {
            false
        }
        Command::UpdateRoom(_)
        | Command::SetAccess(_)
        | Command::SetGrant(_)
        | Command::Archive(_)
        | Command::Unarchive(_)
        | Command::Trim(_)
        | Command::DeleteRoom(_)
        | Command::TransferOwnership(_)
        | Command::Leave(_)
        | Command::Invite(_)
        | Command::RevokeInvite(_)
        | Command::DeclineInvite(_)
        | Command::Kick(_)
        | Command::Ban(_)
        | Command::Unban(_)
        | Command::Mute(_)
        | Command::Unmute(_)
        | Command::SetRole(_)
        | Command::SetNickname(_)
        | Command::Post(_)
        | Command::Edit(_)
        | Command::Delete(_)
        | Command::React(_)
        | Command::Unreact(_)
        | Command::Pin(_)
        | Command::Unpin(_)
        | Command::MarkRead(_)
        | Command::Typing(_) => true,
    }
}
