//! Wishes: one file each, with its rule beside it.

#[cfg(feature = "schema")]
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Event;
use crate::id::Seq;
use crate::judge::Case;
use crate::request::Stop;
use crate::signal::Signal;

/// The derives of every wish.
macro_rules! wish {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }
    };
}

macro_rules! commands {
    ($($(#[$doc:meta])* $module:ident::$name:ident = $word:literal,)*) => {
        $(pub(crate) mod $module;)*
        $(pub use self::$module::$name;)*

        /// A wish that concerns one room. Exhaustive: a new one is a breaking release.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "op", content = "d")]
        pub enum Command {
            $($(#[$doc])* #[serde(rename = $word)] $name($name),)*
        }

        impl Command {
            /// All commands' names, as the wire spells them.
            pub const NAMES: &'static [&'static str] = &[$($word,)*];

            /// The command's name, as the wire spells it.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $word,)* }
            }

            /// Deserializes the wish of this name from what the wire says beside the name; none
            /// if there is no such wish.
            ///
            /// # Errors
            ///
            /// What the deserializer says.
            pub fn deserialize_payload<'de, D: Deserializer<'de>>(
                name: &str,
                deserializer: D,
            ) -> Result<Option<Self>, D::Error> {
                match name {
                    $($word => $name::deserialize(deserializer).map(|it| Some(Self::$name(it))),)*
                    _ => Ok(None),
                }
            }

            /// Serializes the wish without its name.
            ///
            /// # Errors
            ///
            /// What the serializer says.
            pub fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(it) => it.serialize(serializer),)* }
            }

            /// The schema of each wish without its name, in the order of [`Command::NAMES`].
            #[cfg(feature = "schema")]
            pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
                alloc::vec![$(($word, generator.subschema_for::<$name>()),)*]
            }

            /// Judges the wish in its room.
            pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
                match self { $(Self::$name(it) => it.decide(case),)* }
            }

            /// Whether this wish, once granted, is that fact: what tells the repeat of a command
            /// from another one under the same cid.
            #[must_use]
            pub fn became(&self, event: &Event) -> bool {
                match self { $(Self::$name(it) => it.became(event),)* }
            }
        }

        $(impl From<$name> for Command {
            fn from(it: $name) -> Self {
                Self::$name(it)
            }
        })*
    };
}

commands! {
    /// Make a room.
    create_room::CreateRoom = "create_room",
    /// Talk to one other user.
    open_direct::OpenDirect = "open_direct",
    /// Change name, topic, features, limits or overrides.
    update_room::UpdateRoom = "update_room",
    /// Change who enters how, and who sees what.
    set_access::SetAccess = "set_access",
    /// Give a group a role, or take it.
    set_grant::SetGrant = "set_grant",
    /// Make the room read only.
    archive::Archive = "archive",
    /// Undo that.
    unarchive::Unarchive = "unarchive",
    /// Keep what was said from a record on only.
    trim::Trim = "trim",
    /// Delete the room.
    delete_room::DeleteRoom = "delete_room",
    /// Give the room to another member.
    transfer_ownership::TransferOwnership = "transfer_ownership",
    /// Become a member.
    join::Join = "join",
    /// Cease to be a member.
    leave::Leave = "leave",
    /// Be present without being a member; for guests.
    visit::Visit = "visit",
    /// Let somebody join.
    invite::Invite = "invite",
    /// Take an invitation back.
    revoke_invite::RevokeInvite = "revoke_invite",
    /// Decline an invitation.
    decline_invite::DeclineInvite = "decline_invite",
    /// Remove somebody.
    kick::Kick = "kick",
    /// Remove somebody and keep him out.
    ban::Ban = "ban",
    /// Let somebody come again.
    unban::Unban = "unban",
    /// Let somebody only read.
    mute::Mute = "mute",
    /// Let somebody speak again.
    unmute::Unmute = "unmute",
    /// Change a member's role.
    set_role::SetRole = "set_role",
    /// Choose one's own name in this room.
    set_nickname::SetNickname = "set_nickname",
    /// Say something.
    post::Post = "post",
    /// Change what one said.
    edit::Edit = "edit",
    /// Take a message away.
    delete::Delete = "delete",
    /// React to a message.
    react::React = "react",
    /// Take a reaction back.
    unreact::Unreact = "unreact",
    /// Pin a message.
    pin::Pin = "pin",
    /// Take a pin back.
    unpin::Unpin = "unpin",
    /// Note how far one has read.
    mark_read::MarkRead = "mark_read",
    /// Show that one is typing.
    typing::Typing = "typing",
}

pub use self::create_room::Preset;
pub use self::set_access::Entry;

impl Command {
    /// Whether this wish makes its room: it is asked with a number that the store reserved.
    #[must_use]
    pub const fn creates(&self) -> bool {
        matches!(self, Self::CreateRoom(_) | Self::OpenDirect(_))
    }
}

/// What a rule comes to.
pub(crate) type Ruling = Result<Outcome, Stop>;

/// A wish that isn't refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It becomes this fact.
    Fact(Event),
    /// It has been fact since this record, or longer.
    Already(Seq),
    /// It leaves no record.
    Signal(Signal),
}

impl<E: Into<Event>> From<E> for Outcome {
    fn from(event: E) -> Self {
        Self::Fact(event.into())
    }
}

/// The members of a list that may come in any order and with repeats.
fn distinct<T: Ord + Clone>(list: &[T]) -> alloc::collections::BTreeSet<T> {
    list.iter().cloned().collect()
}
