//! The seam between sessions and dialects: a session knows a [`Dialect`], never which one.

use crate::answer::Answer;
use crate::close::Close;
use crate::code::Refusal;
use crate::command::Op;
pub use crate::dialects::groups::group;
use crate::dialects::{actions, groups, native, rest, rooms, socketio};
use crate::system::System;
use crate::voice::Face;

/// Takes what a dialect says: whole text messages, in order.
pub type Say<'a> = &'a mut dyn FnMut(&[u8]);

/// A way to speak. Closed: a further one is a variant here, a file in `dialects`, and whatever the
/// compiler lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `chat.v1.json`, the one that can say everything.
    Native,
    /// A WebSocket of `{"type":..,"payload":..}`: rooms by code, a name per room, no accounts.
    Rooms,
    /// Events over Socket.IO, `joinRoom` and `message`, or `join_room` and `send_message`.
    Socketio,
    /// Accounts and rooms over HTTP below `/v1/api`, one room per WebSocket.
    Rest,
    /// Rooms over HTTP below `/api`, and a WebSocket of `{"action":..}` frames.
    Actions,
    /// A WebSocket of `{"type":..,"group":..}`: groups by name, log-in on the socket itself.
    Groups,
}

/// How a WebSocket message came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As text.
    #[default]
    Text,
    /// As binary that holds text.
    Binary,
    /// As no text at all: it can't be read, whatever the dialect.
    Unreadable,
}

/// What one frame asks for, and what is needed to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How to spell the reply.
    pub ticket: Ticket,
    /// The wish, or why it is none.
    pub op: Result<Op, Refusal>,
}

/// Unreadable messages in a row after which a socket closes whose peer doesn't seem to speak what is
/// expected, unless its dialect is more or less patient.
pub const UNREADABLE_MAX: u32 = 10;

/// What a dialect remembers of a frame to spell the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(Kept);

macro_rules! kept {
    ($($(#[$doc:meta])* $name:ident($ticket:ty),)*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        enum Kept {
            $($(#[$doc])* $name($ticket),)*
        }

        $(impl From<$ticket> for Ticket {
            fn from(ticket: $ticket) -> Self {
                Self(Kept::$name(ticket))
            }
        })*
    };
}

kept! {
    /// The frame's number.
    Native(native::Ticket),
    /// The request, and the room as the client spelled it.
    Rooms(rooms::Ticket),
    /// The event, and where its acknowledgement goes.
    Socketio(socketio::Ticket),
    /// The request.
    Rest(rest::Ticket),
    /// The request, and the room as the client spelled it.
    Actions(actions::Ticket),
    /// The request, and the group as the client spelled it.
    Groups(groups::Ticket),
}

impl Ticket {
    /// That of a native frame with this number.
    #[must_use]
    pub const fn numbered(id: u64) -> Self {
        Self(Kept::Native(native::Ticket { id: Some(id) }))
    }

    /// Spells the reply, if the frame's dialect has one.
    pub fn answer(&self, answer: &Result<Answer, Refusal>, say: Say<'_>) {
        let said = match &self.0 {
            Kept::Native(ticket) => native::answer(ticket, answer),
            Kept::Rooms(ticket) => rooms::answer(ticket, answer),
            Kept::Socketio(ticket) => socketio::answer(ticket, answer),
            // It has no words for what becomes of a line.
            Kept::Rest(rest::Ticket::Chat | rest::Ticket::Unreadable) => None,
            Kept::Actions(ticket) => return actions::answer(ticket, answer, say),
            Kept::Groups(ticket) => groups::answer(ticket, answer),
        };
        if let Some(text) = said {
            say(&text);
        }
    }
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 6] = [
        Self::Native,
        Self::Rooms,
        Self::Socketio,
        Self::Rest,
        Self::Actions,
        Self::Groups,
    ];

    /// The dialect's name, for configuration and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Rooms => "rooms",
            Self::Socketio => "socketio",
            Self::Rest => "rest",
            Self::Actions => "actions",
            Self::Groups => "groups",
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
        if rooms::recognises(first_frame) {
            return Some(Self::Rooms);
        }
        if actions::recognises(first_frame) {
            return Some(Self::Actions);
        }
        groups::recognises(first_frame).then_some(Self::Groups)
    }

    /// Reads a WebSocket message. It may hold several calls, or none: what a dialect passes over
    /// in silence never shows.
    pub fn decode(self, text: &str, form: Form, calls: &mut Vec<Call>) {
        if form == Form::Unreadable {
            let ticket = self.unreadable();
            let op = Err(Refusal::bad_frame("a message is UTF-8"));
            return calls.push(Call { ticket, op });
        }
        match self {
            Self::Native => native::decode(text, calls),
            Self::Rooms => rooms::decode(text, calls),
            Self::Socketio => socketio::decode(text, calls),
            Self::Rest => rest::decode(text, form, calls),
            Self::Actions => actions::decode(text, calls),
            Self::Groups => groups::decode(text, calls),
        }
    }

    /// Spells a word about the connection, if the dialect has one for it.
    #[must_use]
    pub fn system(self, system: &System) -> Option<Vec<u8>> {
        match self {
            Self::Native => Some(crate::json(system)),
            Self::Rooms | Self::Socketio | Self::Rest | Self::Actions | Self::Groups => None,
        }
    }

    /// Whether a session hears its own messages.
    #[must_use]
    pub const fn hears_own(self) -> bool {
        match self {
            Self::Native | Self::Rest | Self::Actions => true,
            Self::Rooms | Self::Socketio | Self::Groups => false,
        }
    }

    /// Whether whoever logs in over a socket is told that there is no such user, where others hear
    /// nothing but that the log-in is wrong.
    #[must_use]
    pub const fn tells_unknown_users(self) -> bool {
        match self {
            Self::Groups => true,
            Self::Native | Self::Rooms | Self::Socketio | Self::Rest | Self::Actions => false,
        }
    }

    /// Whether positions are kept, so that a slow reader may be thinned and comes back for the
    /// rest. The others are closed, and load afresh.
    #[must_use]
    pub const fn resumes(self) -> bool {
        match self {
            Self::Native => true,
            Self::Rooms | Self::Socketio | Self::Rest | Self::Actions | Self::Groups => false,
        }
    }

    /// Unreadable messages in a row after which the socket closes; never if absent.
    #[must_use]
    pub const fn unreadable_max(self) -> Option<u32> {
        match self {
            Self::Rest => Some(UNREADABLE_MAX),
            // What is no packet shows that the two ends don't mean the same.
            Self::Socketio => Some(1),
            Self::Native | Self::Rooms | Self::Actions | Self::Groups => None,
        }
    }

    /// What is said about a frame over the frame limit, before the socket closes.
    pub fn too_large(self, bytes_max: u64, say: Say<'_>) {
        let refusal = Refusal::too_large(bytes_max);
        match self {
            Self::Native => say(&native::refuse(&refusal)),
            // An Engine.IO session that sends too much is closed without a word.
            Self::Socketio | Self::Rest => {}
            Self::Rooms | Self::Actions | Self::Groups => {
                self.unreadable().answer(&Err(refusal), say);
            }
        }
    }

    /// The ticket of a frame of which nothing could be read.
    fn unreadable(self) -> Ticket {
        match self {
            Self::Native => native::Ticket { id: None }.into(),
            Self::Rooms => rooms::Ticket::Unreadable.into(),
            Self::Socketio => socketio::Ticket::Unreadable.into(),
            Self::Rest => rest::Ticket::Unreadable.into(),
            Self::Actions => actions::Ticket::Unreadable(Face::First).into(),
            Self::Groups => groups::Ticket::Unreadable.into(),
        }
    }

    /// The close code that says this. The older dialects have the WebSocket's own codes only.
    #[must_use]
    pub const fn close_code(self, close: Close) -> u16 {
        match self {
            Self::Native => close.code(),
            Self::Rooms | Self::Socketio | Self::Rest | Self::Actions | Self::Groups => {
                close.plain_code()
            }
        }
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
    fn actions_are_told_by_either_face() {
        for frame in [
            r#"{"action":"join","username":"john_doe","roomId":"room_12345"}"#,
            r#"{"action":"leave","type":"leave"}"#,
            r#"{"type":"join-room","roomName":"TechTalk","username":"john"}"#,
            r#"{"type":"chat","roomName":"TechTalk","username":"john","message":"hi"}"#,
            r#"{"action":"whatever"}"#,
        ] {
            assert_eq!(Dialect::recognise(frame), Some(Dialect::Actions), "{frame}");
        }
    }

    #[test]
    fn frames_of_others_are_not_taken_for_ours() {
        for frame in [
            r#"{"chatRoomId":1,"chatMessage":"Message"}"#,
            r#"{"id":1,"op":"hello","d":{}}"#,
            r#"["create",{}]"#,
            r#"{"type":"chat"}"#,
            "40",
            "",
        ] {
            assert_eq!(Dialect::recognise(frame), None, "{frame}");
        }
    }

    #[test]
    fn groups_are_told_by_what_is_asked_of_them() {
        for frame in [
            r#"{"type":"first-connect","name":"sokoro","group":"Plg"}"#,
            r#"{"type":"message","name":"sokoro","group":"Plg","Text":"hi"}"#,
            r#"{"type":"make_group","group_name":"NewG","name":"sokoro"}"#,
            r#"{"type":"log_in","name":"skr","pwrd":"p"}"#,
            r#"{"type":"sign-up","name":"New","pwrd":"p","id":"n1","groups":[]}"#,
            r#" {"type":"get_groups"} "#,
            r#"{"type":"get_groups","payload":{}}"#,
        ] {
            assert_eq!(Dialect::recognise(frame), Some(Dialect::Groups), "{frame}");
        }
        for frame in [
            r#"{"type":"log_out"}"#,
            r#"{"type":"Message"}"#,
            r#"["get_groups"]"#,
            r#"{"Type":"get_groups"}"#,
        ] {
            assert_eq!(Dialect::recognise(frame), None, "{frame}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_answered_in_words() {
        let said = |dialect: Dialect| {
            let mut said = String::new();
            dialect.too_large(64, &mut |text| {
                said.push_str(std::str::from_utf8(text).unwrap())
            });
            said
        };
        assert_eq!(
            said(Dialect::Rooms),
            r#"{"code":1,"message":"at most 64 bytes"}"#
        );
        assert_eq!(
            said(Dialect::Groups),
            r#"{"type":"err","err":"at most 64 bytes"}"#
        );
        assert_eq!(
            said(Dialect::Native),
            r#"{"re":null,"err":{"code":"too_large","class":"invalid","msg":"at most 64 bytes","details":{"max":64}}}"#
        );
    }

    #[test]
    fn what_is_no_text_is_a_bad_frame_in_every_dialect() {
        for dialect in Dialect::ALL {
            let mut calls = Vec::new();
            dialect.decode("", Form::Unreadable, &mut calls);
            let codes: Vec<_> = calls.iter().map(|call| call.op.as_ref().err()).collect();
            let [Some(refusal)] = codes[..] else {
                panic!("{dialect:?}: {calls:?}")
            };
            assert_eq!(refusal.code, crate::Code::BadFrame, "{dialect:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_answered_as_each_dialect_answers_noise() {
        for (dialect, words) in [
            (Dialect::Native, "a message is UTF-8"),
            (Dialect::Rooms, "Invalid message"),
            (Dialect::Groups, "Invalid message"),
            (Dialect::Actions, "Invalid message format"),
            (Dialect::Rest, ""),
            (Dialect::Socketio, ""),
        ] {
            let (mut calls, mut said) = (Vec::new(), Vec::new());
            dialect.decode("", Form::Unreadable, &mut calls);
            for Call { ticket, op } in calls {
                let refused = Err(op.unwrap_err());
                ticket.answer(&refused, &mut |text| said.extend_from_slice(text));
            }
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains(words), "{dialect:?}: {said}");
            assert_eq!(said.is_empty(), words.is_empty(), "{dialect:?}: {said}");
        }
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
    fn clients_of_a_dialect_find_what_they_expect() {
        for (dialect, hears_own, tells_unknown_users, resumes, unreadable_max) in [
            (Dialect::Native, true, false, true, None),
            (Dialect::Rooms, false, false, false, None),
            (Dialect::Socketio, false, false, false, Some(1)),
            (Dialect::Rest, true, false, false, Some(UNREADABLE_MAX)),
            (Dialect::Actions, true, false, false, None),
            (Dialect::Groups, false, true, false, None),
        ] {
            assert_eq!(dialect.hears_own(), hears_own, "{dialect:?}");
            let told = dialect.tells_unknown_users();
            assert_eq!(told, tells_unknown_users, "{dialect:?}");
            let voice = crate::Voice::of(dialect);
            assert_eq!(voice.echoes(), hears_own, "{dialect:?}");
            assert!(voice.with_echo(true).echoes(), "asked for, {dialect:?}");
            assert_eq!(dialect.resumes(), resumes, "{dialect:?}");
            assert_eq!(dialect.unreadable_max(), unreadable_max, "{dialect:?}");
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
