//! Commands that go to their rooms by themselves: what most frames are.

use chat_core::{Actor, Cid, Command, RoomId};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Op;
use chat_protocol::dialect::{Call, Ticket};
use chat_protocol::room_ref::RoomRef;
use tokio::sync::mpsc::error::TrySendError;

use super::Session;
use crate::desk;
use crate::mail::{Mail, Refused, Wish};
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
        let mail = self.mail(target, actor, command, cid, ticket);
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("waits_when_overloaded") {
            drop(Box::pin(self.node().send(mail)).await);
            return Sent::Away;
        }
        match self.post(mail) {
            None => Sent::Away,
            Some(ticket) => Sent::Refused(Refused::Overloaded.into(), ticket),
        }
    }

    /// Sends a command straight to its room if nobody has to be asked or waited for. Anything else
    /// is given back, and so is what can't be taken at the moment, refused.
    pub(super) fn send_at_once(&self, call: Call) -> Option<Call> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("waits_when_overloaded") {
            return Some(call);
        }
        let Some((room, actor)) = self.known_target(&call) else {
            return Some(call);
        };
        let Call { ticket, op } = call;
        let Ok(Op::InRoom { command, cid, .. }) = op else {
            return Some(Call { ticket, op });
        };
        let ticket = self.post(self.mail(room, actor, command, cid, ticket))?;
        let op = Err(Refused::Overloaded.into());
        Some(Call { ticket, op })
    }

    /// The room of a command that may go there at once, and who acts in it.
    fn known_target(&self, call: &Call) -> Option<(RoomId, Actor)> {
        let Ok(Op::InRoom {
            room: Some(room),
            command,
            ..
        }) = &call.op
        else {
            return None;
        };
        let may_go = is_plain(command)
            && !desk::is_checked(command)
            && self.link.in_flight.get() < IN_FLIGHT_MAX;
        let room = self.known_room(room).filter(|_| may_go)?;
        Some((room, self.actor_in(room).ok()?))
    }

    fn mail(
        &self,
        room: RoomId,
        actor: Actor,
        command: Command,
        cid: Option<Cid>,
        ticket: Ticket,
    ) -> Box<Mail<Address>> {
        let wish = Wish::Command {
            command,
            cid,
            used: None,
            near: None,
        };
        Box::new(Mail {
            room,
            actor,
            from: Some(self.link.key),
            wish,
            reply: Address::Ticket(self.link.key, ticket),
        })
    }

    /// Puts a command into its room's mailbox. Gives the ticket back if that is full: it would wait,
    /// and everything behind it, while who is told may come again.
    fn post(&self, mail: Box<Mail<Address>>) -> Option<Ticket> {
        self.link.in_flight.set(self.link.in_flight.get() + 1);
        let Err(TrySendError::Full(mail)) = self.node().worker_of(mail.room).mail.try_send(mail)
        else {
            return None;
        };
        self.link.in_flight.set(self.link.in_flight.get() - 1);
        match mail.reply {
            Address::Ticket(_, ticket) => Some(ticket),
            Address::Once(_) | Address::Seat(_) => None,
        }
    }

    /// Waits while too many commands of this session wait for their rooms.
    pub(super) async fn room_for_one_more(&self) {
        self.owes_fewer_than(IN_FLIGHT_MAX).await;
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
