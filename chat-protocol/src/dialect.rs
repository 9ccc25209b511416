//! The seam between sessions and dialects: a session knows a [`Dialect`], never which one.

use chat_core::Record;

use crate::answer::Answer;
use crate::close::Close;
use crate::code::Refusal;
use crate::command::Op;
use crate::dialects::{native, rooms};
use crate::signal::Signal;
use crate::system::System;

/// A way to speak. Closed: a further one is a variant here, a file in `dialects`, and whatever the
/// compiler lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `chat.v1.json`, the one that can say everything.
    Native,
    /// Rooms of a `type` and `payload` protocol, a name per room.
    Rooms,
}

/// What one frame asks for, and what is needed to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How to spell the reply.
    pub ticket: Ticket,
    /// The wish, or why it is none.
    pub op: Result<Op, Refusal>,
}

/// What a dialect has to remember of a frame to spell the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// The frame's number.
    Native(native::Ticket),
    /// The request, and the room as the client spelled it.
    Rooms(rooms::Ticket),
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 2] = [Self::Native, Self::Rooms];

    /// The dialect's name, for configuration and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Rooms => "rooms",
        }
    }

    /// The dialect of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Which of the older dialects a socket's first frame is in, if it can be told.
    #[must_use]
    pub fn recognise(first_frame: &str) -> Option<Self> {
        rooms::recognises(first_frame).then_some(Self::Rooms)
    }

    /// Reads a WebSocket message. It may hold several calls, or none: what a dialect passes over
    /// in silence never shows.
    pub fn decode(self, text: &str, calls: &mut Vec<Call>) {
        match self {
            Self::Native => native::decode(text, calls),
            Self::Rooms => rooms::decode(text, calls),
        }
    }

    /// Spells a reply, if the dialect has one. The ticket is one that this dialect gave.
    #[must_use]
    pub fn answer(self, ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
        match ticket {
            Ticket::Native(ticket) => native::answer(ticket, answer),
            Ticket::Rooms(ticket) => rooms::answer(ticket, answer),
        }
    }

    /// Spells a record, if the dialect has a word for it. `own` is for sessions of its author.
    #[must_use]
    pub fn event(self, record: &Record, own: bool) -> Option<Vec<u8>> {
        match self {
            Self::Native => Some(native::event(record, own)),
            Self::Rooms => rooms::event(record),
        }
    }

    /// Spells a signal, if the dialect has a word for it.
    #[must_use]
    pub fn signal(self, signal: &Signal) -> Option<Vec<u8>> {
        match self {
            Self::Native => Some(crate::json(signal)),
            Self::Rooms => None,
        }
    }

    /// Spells a word about the connection, if the dialect has one for it.
    #[must_use]
    pub fn system(self, system: &System) -> Option<Vec<u8>> {
        match self {
            Self::Native => Some(crate::json(system)),
            Self::Rooms => None,
        }
    }

    /// Whether a session hears its own messages.
    #[must_use]
    pub const fn hears_own(self) -> bool {
        match self {
            Self::Native => true,
            Self::Rooms => false,
        }
    }

    /// Whether positions are kept, so that a slow reader may be thinned and comes back for the
    /// rest. The others are closed, and load afresh.
    #[must_use]
    pub const fn resumes(self) -> bool {
        match self {
            Self::Native => true,
            Self::Rooms => false,
        }
    }

    /// What is said about a frame over the frame limit, before the socket closes.
    #[must_use]
    pub fn too_large(self, bytes_max: u64) -> Option<Vec<u8>> {
        let refusal = Refusal::too_large(bytes_max);
        match self {
            Self::Native => Some(native::refuse(&refusal)),
            Self::Rooms => rooms::answer(&rooms::Ticket::Unreadable, &Err(refusal)),
        }
    }

    /// The close code that says this. The older dialects have the WebSocket's own codes only.
    #[must_use]
    pub const fn close_code(self, close: Close) -> u16 {
        match self {
            Self::Native => close.code(),
            Self::Rooms => plain_code(close),
        }
    }
}

/// The WebSocket's own code (RFC 6455, section 7.4.1) that comes closest.
const fn plain_code(close: Close) -> u16 {
    match close {
        Close::ShuttingDown => 1001,
        Close::Lagging => 1013,
        Close::NoPong => 1001,
        Close::Internal => 1011,
        Close::BadProtocol | Close::Version => 1007,
        Close::FrameTooLarge => 1009,
        Close::TokenExpired
        | Close::RateLimited
        | Close::Unauthenticated
        | Close::OriginRefused
        | Close::Suspended
        | Close::TooManySessions => 1008,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_tells_the_dialect() {
        for frame in [
            r#"{"type":"create","payload":{"name":"galaxy"}}"#,
            r#"{"type":"query","payload":{"query":"rooms"}}"#,
            r#"{"type":"join","payload":{"name":"alok","roomId":"EOF29","pass":""}}"#,
            r#"{"type":"chat","payload":{"roomId":"EOF29","msg":"Hello"}}"#,
            r#" {"payload":{},"type":"leave"} "#,
        ] {
            assert_eq!(Dialect::recognise(frame), Some(Dialect::Rooms), "{frame}");
        }
    }

    #[test]
    fn frames_of_others_are_not_taken_for_ours() {
        for frame in [
            r#"{"action":"join","username":"john_doe","roomId":"room_12345"}"#,
            r#"{"action":"leave","type":"leave"}"#,
            r#"{"type":"join-room","roomName":"TechTalk","username":"john"}"#,
            r#"{"type":"chat","roomName":"TechTalk","username":"john","message":"hi"}"#,
            r#"{"type":"first-connect","name":"sokoro","group":"Plg"}"#,
            r#"{"type":"message","name":"sokoro","group":"Plg","Text":"hi"}"#,
            r#"{"type":"make_group","group_name":"NewG","name":"sokoro"}"#,
            r#"{"type":"log_in","name":"skr","pwrd":"p"}"#,
            r#"{"type":"sign-up","name":"New","pwrd":"p","id":"n1","groups":[]}"#,
            r#"{"type":"get_groups"}"#,
            r#"{"chatRoomId":1,"chatMessage":"Message"}"#,
            r#"{"id":1,"op":"hello","d":{}}"#,
            r#"["create",{}]"#,
            "40",
            "",
        ] {
            assert_eq!(Dialect::recognise(frame), None, "{frame}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_answered_in_words() {
        let said = |dialect: Dialect| String::from_utf8(dialect.too_large(64).unwrap()).unwrap();
        assert_eq!(
            said(Dialect::Rooms),
            r#"{"code":1,"message":"at most 64 bytes"}"#
        );
        assert_eq!(
            said(Dialect::Native),
            r#"{"re":null,"err":{"code":"too_large","class":"invalid","msg":"at most 64 bytes","details":{"max":64}}}"#
        );
    }

    #[test]
    fn older_dialects_close_with_codes_of_the_websocket_itself() {
        for close in Close::ALL {
            assert!(Dialect::Rooms.close_code(*close) < 3000, "{close:?}");
            assert_eq!(
                Close::from_code(Dialect::Native.close_code(*close)),
                Some(*close)
            );
        }
    }

    #[test]
    fn names_are_read_again() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::from_name(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::from_name("smoke signals"), None);
    }
}
