//! The JSON command enum: every op that a client may send, in one list.
//!
//! Commands to a room are the core's own payloads; what stands here beside them is about sessions
//! and questions. Name, decoding and schema of an op come from one line each.

mod hello;
mod history;
mod older;

use std::fmt;

use chat_core::commands::CreateRoom;
use chat_core::{Cid, Command, Name, Password, Permission, RoomId, Seq, Text, UserId};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::hello::{GuestHello, Hello, Subscribe};
pub use self::history::{History, Place};
pub use self::older::{Enter, Lobby, NameRule, SignUp};
use crate::room_ref::RoomRef;

macro_rules! ops {
    ($(
        $(#[$doc:meta])*
        $name:ident = $word:literal {
            $($(#[$fdoc:meta])* $field:ident: $type:ty $([$attribute:ident])?,)*
        }
    )*) => {
        /// A wish or a question of a client, whatever dialect it came in.
        ///
        /// Exhaustive: a new one is a breaking release.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Op {
            /// Say who one is, and go on where one was.
            Hello(Hello),
            /// A command to one room.
            InRoom {
                /// The room; none for a command that makes it.
                room: Option<RoomRef>,
                /// The client's own id of the command.
                cid: Option<Cid>,
                /// The command.
                command: Command,
            },
            /// Read a room's messages.
            History(History),
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $type,)* },)*
            /// Make a room whose name becomes its alias if that is free. Older dialects only.
            Create {
                /// The room.
                command: CreateRoom,
                /// Whether to take the name as alias if it is free.
                alias_if_free: bool,
            },
            /// Make a room, unless there is one of that name. Older dialects only.
            Found {
                /// The room; its name becomes its alias.
                command: CreateRoom,
            },
            /// Be in a room under a name, with this socket. Older dialects only.
            Enter(Box<Enter>),
            /// Be in a room, or in all rooms, no longer. Older dialects only.
            Exit {
                /// The room; all of them if absent.
                room: Option<RoomRef>,
            },
            /// Whether this socket is in a room. Older dialects only.
            Inside {
                /// The room.
                room: RoomRef,
            },
            /// The listed rooms and who is in them. Older dialects only.
            Lobby(Lobby),
            /// A room and its last messages. Older dialects only.
            Transcript {
                /// The room.
                room: RoomRef,
                /// Most messages of the answer.
                limit: u64,
            },
            /// Say who one is, with a token or as a guest without a name. Older dialects only.
            Connect {
                /// Proof of who one is.
                token: Option<Token>,
            },
            /// Be nobody again, and in no room. Older dialects only.
            Disconnect {},
            /// Log in with a password. Older dialects only.
            LogIn {
                /// The account's name, handle or e-mail address.
                login: String,
                /// Its password.
                password: Password,
                /// Whether an account is made if there is none of that name.
                make: bool,
            },
            /// Make an account and log in to it. Older dialects only.
            SignUp(Box<SignUp>),
        }

        impl Op {
            /// The names of the native ops that aren't commands to a room; those are
            /// [`Command::NAMES`].
            pub const NAMES: &'static [&'static str] = &["hello", "history", $($word,)*];

            /// The op's name as the native dialect spells it; ops that it doesn't have go by
            /// names of their own.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    Self::Hello(_) => "hello",
                    Self::InRoom { command, .. } => command.name(),
                    Self::History(_) => "history",
                    $(Self::$name { .. } => $word,)*
                    Self::Create { .. } => "create",
                    Self::Found { .. } => "found",
                    Self::Enter(_) => "enter",
                    Self::Exit { .. } => "exit",
                    Self::Inside { .. } => "inside",
                    Self::Lobby(_) => "lobby",
                    Self::Transcript { .. } => "transcript",
                    Self::Connect { .. } => "connect",
                    Self::Disconnect {} => "disconnect",
                    Self::LogIn { .. } => "log_in",
                    Self::SignUp(_) => "sign_up",
                }
            }

            /// Deserializes the op of this name, one of [`Op::NAMES`], from its payload; none if
            /// there is no such op.
            pub(crate) fn deserialize_payload<'de, D: Deserializer<'de>>(
                name: &str,
                deserializer: D,
            ) -> Result<Option<Self>, D::Error> {
                Ok(Some(match name {
                    "hello" => Self::Hello(Hello::deserialize(deserializer)?),
                    "history" => Self::History(History::deserialize(deserializer)?),
                    $($word => {
                        let payload::$name { $($field,)* } = Deserialize::deserialize(deserializer)?;
                        Self::$name { $($field,)* }
                    })*
                    _ => return Ok(None),
                }))
            }

            /// Serializes what stands under `d` in a frame of this op. An op that the native dialect
            /// doesn't have has nothing there.
            ///
            /// # Errors
            ///
            /// What the serializer says.
            pub fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Hello(hello) => hello.serialize(serializer),
                    Self::History(history) => history.serialize(serializer),
                    Self::InRoom { room, cid, command } => {
                        InRoom { room, cid, command: Payload(command) }.serialize(serializer)
                    }
                    $(Self::$name { $($field,)* } => {
                        payload::$name { $($field: $field.clone(),)* }.serialize(serializer)
                    })*
                    Self::Create { .. }
                    | Self::Found { .. }
                    | Self::Enter(_)
                    | Self::Exit { .. }
                    | Self::Inside { .. }
                    | Self::Lobby(_)
                    | Self::Transcript { .. }
                    | Self::Connect { .. }
                    | Self::Disconnect {}
                    | Self::LogIn { .. }
                    | Self::SignUp(_) => serializer.serialize_map(Some(0))?.end(),
                }
            }

            /// The schema of each native op's payload that isn't a command's, in the order of
            /// [`Op::NAMES`].
            #[cfg(feature = "schema")]
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![
                    ("hello", generator.subschema_for::<Hello>()),
                    ("history", generator.subschema_for::<history::Fields>()),
                    $(($word, generator.subschema_for::<payload::$name>()),)*
                ]
            }
        }

        /// The payloads as they are on the wire.
        mod payload {
            use super::{
                Deserialize, Name, Permission, RoomId, RoomRef, Seq, Serialize, Status, Text, Token, UserId,
            };

            $(
                $(#[$doc])*
                #[derive(Serialize, Deserialize)]
                #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
                pub(super) struct $name {
                    $($(#[$fdoc])* $(#[serde($attribute)])? pub(super) $field: $type,)*
                }
            )*
        }
    };
}

ops! {
    /// Attach this session to rooms.
    Subscribe = "subscribe" {
        /// The rooms.
        rooms: Vec<RoomRef>,
    }
    /// Detach this session from rooms.
    Unsubscribe = "unsubscribe" {
        /// The rooms.
        rooms: Vec<RoomRef>,
    }
    /// A room as it is, and everything after it.
    Snapshot = "snapshot" {
        /// The room.
        room: RoomRef,
    }
    /// Records of a room, to fill a gap.
    Records = "records" {
        /// The room.
        room: RoomRef,
        /// The last record that one has.
        since: Seq,
        /// Most records of the answer.
        limit: Option<u64>,
    }
    /// End the log-in that this session's token came from.
    Logout = "logout" {
        /// Whether to end all log-ins of the user.
        all: bool [default],
    }
    /// Go on with a fresh token.
    Refresh = "refresh" {
        /// The token.
        token: Token,
    }
    /// Tell others how one is.
    SetStatus = "set_status" {
        /// Online or away.
        status: Status,
        /// A few words.
        text: Option<Text>,
    }
    /// Hear nothing more from a user.
    Block = "block" {
        /// The user.
        user: UserId,
    }
    /// Undo that.
    Unblock = "unblock" {
        /// The user.
        user: UserId,
    }
    /// A room's card.
    Room = "room" {
        /// The room.
        room: RoomRef,
    }
    /// The rooms that one is a member of, with counts.
    Rooms = "rooms" {
        /// The last room of the part before this one.
        after: Option<RoomId>,
    }
    /// The listed rooms. A part that is searched for may have fewer than were asked for, or none, and
    /// go on: so many are looked at for each.
    Directory = "directory" {
        /// Words that the name has to contain.
        search: Option<Text>,
        /// Where the part before this one ended.
        cursor: Option<Text>,
        /// Most rooms of the answer.
        limit: Option<u64>,
    }
    /// Find messages that say something.
    Search = "search" {
        /// The words; pieces apart by white space may stand anywhere, the words of one stand in a row.
        text: Text,
        /// The room; all rooms that one is a member of if absent.
        room: Option<RoomRef>,
        /// Only messages before this one; of one room.
        before: Option<Seq>,
        /// Where the part before this one ended.
        cursor: Option<Text>,
        /// Most messages of the answer.
        limit: Option<u64>,
    }
    /// A room's members.
    Members = "members" {
        /// The room.
        room: RoomRef,
        /// The last member of the part before this one.
        after: Option<UserId>,
        /// Most members of the answer.
        limit: Option<u64>,
    }
    /// Who is banned from a room.
    Bans = "bans" {
        /// The room.
        room: RoomRef,
        /// The last user of the part before this one.
        after: Option<UserId>,
    }
    /// Who is invited to a room.
    Invites = "invites" {
        /// The room.
        room: RoomRef,
        /// The last user of the part before this one.
        after: Option<UserId>,
    }
    /// One message.
    Message = "message" {
        /// The room.
        room: RoomRef,
        /// The message.
        message: Seq,
    }
    /// A room's pinned messages.
    Pins = "pins" {
        /// The room.
        room: RoomRef,
        /// The last message of the part before this one.
        after: Option<Seq>,
    }
    /// How far the members have read.
    Markers = "markers" {
        /// The room.
        room: RoomRef,
        /// The last member of the part before this one.
        after: Option<UserId>,
    }
    /// Who is present in a room.
    Presence = "presence" {
        /// The room.
        room: RoomRef,
        /// The last user of the part before this one.
        after: Option<UserId>,
    }
    /// What one is and may do in a room.
    Permissions = "permissions" {
        /// The room.
        room: RoomRef,
    }
    /// Why somebody may or may not do something.
    Explain = "explain" {
        /// The room.
        room: RoomRef,
        /// What.
        permission: Permission,
        /// Who; oneself if absent.
        user: Option<UserId>,
    }
    /// Find an account by name.
    User = "user" {
        /// The name.
        name: Name,
    }
    /// Every bound of engine and server.
    Limits = "limits" {}
}

/// A command as its payload names it, beside what every command has.
#[derive(Serialize)]
struct InRoom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    room: &'a Option<RoomRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: &'a Option<Cid>,
    #[serde(flatten)]
    command: Payload<'a>,
}

struct Payload<'a>(&'a Command);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_payload(serializer)
    }
}

/// How somebody is, as he says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Here.
    Online,
    /// Not at the keyboard.
    Away,
}

/// Proof of who somebody is. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Takes a token as the client wrote it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token, for whoever checks it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}
