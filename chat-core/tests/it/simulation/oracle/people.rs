//! What holds of people and wishes in any room.

use std::collections::BTreeSet;

use chat_core::commands::Entry;
use chat_core::{Actor, Command, Name, Permission, Role, UserId};

/// The table: the lowest rank that has a permission.
pub(crate) fn by_table(role: Role, permission: Permission) -> bool {
    let lowest = match permission {
        Permission::Read
        | Permission::ListMembers
        | Permission::Post
        | Permission::React
        | Permission::Type
        | Permission::EditOwn
        | Permission::DeleteOwn
        | Permission::SetNickname => 20,
        Permission::Invite => 40,
        Permission::MentionAll
        | Permission::Pin
        | Permission::DeleteAny
        | Permission::BypassSlowMode
        | Permission::Kick
        | Permission::Mute => 60,
        Permission::Ban
        | Permission::UpdateRoom
        | Permission::SetAccess
        | Permission::SetRoles
        | Permission::SetGrants
        | Permission::Archive => 80,
        Permission::DeleteRoom | Permission::TransferOwnership => 100,
    };
    role.rank() >= lowest
}

/// Whether a room may say otherwise than the table.
pub(crate) fn may_be_overridden(permission: Permission) -> bool {
    let member_or_moderator = by_table(Role::Moderator, permission);
    member_or_moderator && permission != Permission::Read
}

/// The user as he is called everywhere, in good standing.
pub(crate) fn somebody(user: UserId) -> Actor {
    let name = format!("user {}", user.number() % 1000);
    Actor::new(user, Name::new(&name).unwrap())
}

/// Whether two wishes are the same, apart from what nobody keeps: passwords, reasons, the order of
/// mentions. What leaves no record is the same as nothing.
pub(crate) fn same_wish(one: &Command, other: &Command) -> bool {
    let signal = matches!(
        other,
        Command::Visit(_) | Command::Typing(_) | Command::MarkRead(_)
    );
    !signal && essence(one) == essence(other)
}

fn essence(command: &Command) -> Command {
    let mut command = command.clone();
    let without_password = |entry: &mut Option<Entry>| {
        if let Some(Entry::Password { password }) = entry {
            *password = chat_core::Password::new("");
        }
    };
    if let Command::Join(it) = &mut command {
        it.password = None;
    } else if let Command::Kick(it) = &mut command {
        it.reason = None;
    } else if let Command::Ban(it) = &mut command {
        it.reason = None;
    } else if let Command::Post(it) = &mut command {
        it.mentions = it
            .mentions
            .drain(..)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
    } else if let Command::CreateRoom(it) = &mut command {
        without_password(&mut it.access);
    } else if let Command::SetAccess(it) = &mut command {
        without_password(&mut it.access);
    }
    command
}
