//! Erasing a person: his account, his words, and his part in rooms.
//!
//! The store takes the account and the names away at once and the words by and by. What he is in
//! rooms ends as it does for anybody else, by records that their members hear: what he owns goes to
//! the house, and he leaves. If the process dies in between, the janitor of the next one goes on.

use chat_core::commands::{Archive, Leave, TransferOwnership, Unarchive};
use chat_core::{Actor, Command, Name, UserId};
use chat_protocol::close::Close;
use chat_protocol::code::Code;
use chat_protocol::room_ref::RoomRef;

use crate::auth::{AuthError, Revocation};
use crate::desk::Desk;
use crate::node::{Node, carry_out};
use crate::store::{Erasure, StoreError};

/// Parts in rooms that end at once.
const PARTS_MAX: usize = 1_000;

/// What somebody is called who has no name any more.
const NOBODY: &str = "deleted user";

/// Erases a person; his live sessions end at once.
pub(crate) async fn erase(node: &Node, user: UserId) -> Result<(), AuthError> {
    let node = node.clone();
    carry_out(async move {
        let ended = node.accounts().erase(user).await?;
        part(&node, &ended).await;
        Ok(())
    })
    .await
}

/// Ends what somebody is in rooms whose account was erased, and his live sessions before that; what
/// he said is read from the store alone from then on.
pub(crate) async fn part(node: &Node, ended: &Revocation) {
    node.revoke(ended, Close::Unauthenticated).await;
    // What is still on its way of him is heard as it is kept from here on, without words.
    node.forget_words(ended.user).await;
    if let Err(error) = finish(node).await {
        tracing::warn!(%error, "an erased user leaves his rooms later");
    }
}

/// Ends what erased people still are in rooms.
pub(crate) async fn finish(node: &Node) -> Result<(), StoreError> {
    for part in node.store().erasures(PARTS_MAX).await? {
        end(node, part).await;
    }
    Ok(())
}

async fn end(node: &Node, part: Erasure) {
    let Ok(name) = Name::new(NOBODY) else { return };
    let actor = Actor::new(part.user, name);
    let desk = Desk {
        node,
        actor: &actor,
        from: None,
        whence: None,
    };
    let room = RoomRef::id(part.room);
    let wish = async |command: Command| {
        let done = desk.command(Some(&room), None, command).await;
        if let Err(refusal) = &done {
            tracing::debug!(room = %part.room, code = %refusal.code, "an erased user stays for now");
        }
        done
    };
    if part.owns {
        let to_the_house = || TransferOwnership { to: UserId::HOUSE }.into();
        // Nobody else could open a room again that its owner archived.
        if let Err(refusal) = wish(to_the_house()).await
            && refusal.code == Code::Archived
            && wish(Unarchive {}.into()).await.is_ok()
            && wish(to_the_house()).await.is_ok()
            && part.is_member
        {
            drop(wish(Archive {}.into()).await);
        }
    }
    if part.is_member {
        drop(wish(Leave {}.into()).await);
    }
}
