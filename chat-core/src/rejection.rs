//! Why a wish is refused: words for a person, details for a program.

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::policy::{Permission, Rule};

/// A refusal. It changes nothing and uses up nothing, not even the command's cid.
///
/// Exhaustive: a new reason is a breaking release, so that nobody meets it unprepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "details", rename_all = "snake_case")]
pub enum Rejection {
    /// A field's value makes no sense here.
    #[error("{field} is not acceptable")]
    BadArgument {
        /// The field of the command.
        field: Field,
    },
    /// A field is longer than its limit.
    #[error("{field} is over its limit of {max}")]
    TooLarge {
        /// The field of the command.
        field: Field,
        /// The limit, in the unit that [`Limits`](crate::Limits) gives it.
        max: u64,
    },
    /// A message without text or attachment.
    #[error("there is nothing to post")]
    EmptyBody,
    /// The actor's role doesn't allow it.
    #[error("not permitted: {permission} ({rule})")]
    PermissionDenied {
        /// What would be needed.
        permission: Permission,
        /// The rule that denied it.
        rule: Rule,
    },
    /// The room is known to the actor, but he is not in it.
    #[error("not a member of this room")]
    NotAMember,
    /// The actor is banned from the room.
    #[error("banned from this room")]
    Banned {
        /// When the ban ends; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The actor is muted and may only read.
    #[error("muted in this room")]
    Muted {
        /// When the mute ends.
        until: Timestamp,
    },
    /// The other one's rank is as high as the actor's, or higher.
    #[error("not above the other's rank")]
    Outranked,
    /// The room has another password.
    #[error("wrong password")]
    WrongPassword,
    /// The room is entered by invitation only.
    #[error("an invitation is needed")]
    InviteRequired,
    /// The room is read only.
    #[error("this room is archived")]
    Archived,
    /// The other one doesn't want to hear from the actor.
    #[error("blocked by the other user")]
    Blocked,
    /// The actor's account is suspended.
    #[error("this account is suspended")]
    Suspended,
    /// There is no such room, or none that the actor may know of.
    #[error("no such room")]
    RoomNotFound,
    /// There is no such user here.
    #[error("no such user")]
    UserNotFound,
    /// There is no such message.
    #[error("no such message")]
    MessageNotFound,
    /// The cid was used for something else.
    #[error("this cid was used for another command")]
    CidConflict,
    /// The owner can't give up his membership: he transfers the room or deletes it.
    #[error("the owner stays until the room is transferred or deleted")]
    LastOwner,
    /// The message was deleted.
    #[error("the message was deleted")]
    MessageDeleted,
    /// The message is too old to be edited.
    #[error("the message is too old to be edited")]
    EditWindowClosed,
    /// Slow mode: the actor posted a moment ago.
    #[error("slow mode: wait {} s", retry_ms.div_ceil(1000))]
    SlowMode {
        /// Milliseconds until a post will do.
        retry_ms: u64,
    },
    /// The actor posts faster than allowed.
    #[error("too fast: wait {} s", retry_ms.div_ceil(1000))]
    RateLimited {
        /// Milliseconds until a post will do.
        retry_ms: u64,
    },
    /// The room has no place left.
    #[error("this room is full")]
    RoomFull,
    /// There would be too many of something.
    #[error("no more than {max} {what}")]
    TooMany {
        /// Of what.
        what: Counted,
        /// The limit.
        max: u64,
    },
}

impl Rejection {
    pub(crate) const fn bad(field: Field) -> Self {
        Self::BadArgument { field }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }
    };
}

words! {
    /// A field of a command, as the wire spells it.
    Field {
        /// Who enters how.
        Access = "access",
        /// A room's unique name.
        Alias = "alias",
        /// References of a message.
        Attachments = "attachments",
        /// A message's text.
        Body = "body",
        /// How many members a room takes.
        Capacity = "capacity",
        /// Labels of a message.
        Ext = "ext",
        /// A group of the engine.
        Group = "group",
        /// A position among messages.
        Idx = "idx",
        /// What sort of room.
        Kind = "kind",
        /// A message, by the position of its record.
        Message = "message",
        /// A name of a room or a user.
        Name = "name",
        /// A member's name within a room.
        Nickname = "nickname",
        /// What roles may do in this room.
        Overrides = "overrides",
        /// A room's password.
        Password = "password",
        /// Words that explain an act.
        Reason = "reason",
        /// How long messages are kept.
        Retention = "retention",
        /// The first record that is kept.
        From = "from",
        /// A member's role.
        Role = "role",
        /// Seconds between two posts.
        SlowMode = "slow_mode_s",
        /// What a room is about.
        Topic = "topic",
        /// The moment that something ends.
        Until = "until",
        /// Somebody.
        User = "user",
    }
}

words! {
    /// Things that are counted against a limit.
    Counted {
        /// References of a message.
        Attachments = "attachments",
        /// Bans in force.
        Bans = "bans",
        /// Roles granted to groups.
        Grants = "grants",
        /// Open invitations.
        Invites = "invites",
        /// Guests who came from one address.
        Neighbours = "guests of one address",
        /// Users mentioned by a message.
        Mentions = "mentions",
        /// Mutes in force.
        Mutes = "mutes",
        /// Pinned messages.
        Pins = "pins",
        /// Reactions on a message.
        Reactions = "reactions",
        /// Rooms created by the user today.
        RoomsCreated = "rooms created in a day",
        /// Rooms the user is in.
        RoomsJoined = "rooms joined",
    }
}
