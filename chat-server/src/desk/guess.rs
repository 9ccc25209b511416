//! Passwords of rooms, at which nobody may guess without end.

use chat_core::{Cid, Command};
use chat_protocol::answer::Answer;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::room_ref::RoomRef;

use super::Desk;
use crate::auth::limiter::Whence;

impl Desk<'_> {
    /// Carries out a command that came from there: one that brings a room's password is an attempt
    /// at it, and costs something if it is wrong.
    pub(crate) async fn command_from(
        &self,
        whence: Whence<'_>,
        room: Option<&RoomRef>,
        cid: Option<Cid>,
        command: Command,
    ) -> Result<Answer, Refusal> {
        let (Some(room), true) = (room, tries_a_password(&command)) else {
            return self.command(room, cid, command).await;
        };
        let room = self.resolve(room).await?;
        let attempt = self.node.limiter().enter(room, self.actor.id, whence);
        let attempt = attempt.map_err(|limited| Refusal::rate_limited(limited.retry_ms))?;
        let entered = self.command(Some(&RoomRef::id(room)), cid, command).await;
        match &entered {
            Ok(_) => attempt.succeed(),
            Err(refusal) if refusal.code == Code::WrongPassword => attempt.fail(),
            Err(_) => attempt.withdraw(),
        }
        entered
    }
}

fn tries_a_password(command: &Command) -> bool {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("room_passwords_unbudgeted") {
        return false;
    }
    if let Command::Join(it) = command {
        it.password.is_some()
    } else if let Command::Visit(it) = command {
        it.password.is_some()
    } else {
        false
    }
}
