//! What a client is told when its wish is refused: a code, a class, words, details.

use std::fmt;

use chat_core::Rejection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident, $words:literal;)*) => {
        /// A stable name of a reason to refuse. Programs go by it, never by the words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as the wire spells it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What a client may do about it.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

codes! {
    /// No frame: not JSON, or not the envelope.
    BadFrame = "bad_frame", Invalid, "this is no frame";
    /// An op that doesn't exist.
    UnknownCommand = "unknown_command", Invalid, "there is no such command";
    /// A field is missing, of the wrong type, or makes no sense.
    BadArgument = "bad_argument", Invalid, "an argument is not acceptable";
    /// Something is over its limit.
    TooLarge = "too_large", Invalid, "this is too large";
    /// There is nothing to post.
    EmptyBody = "empty_body", Invalid, "there is nothing to post";
    /// Nobody has said who he is.
    Unauthenticated = "unauthenticated", Auth, "say who you are first";
    /// The token's time is over.
    TokenExpired = "token_expired", Auth, "the token has expired";
    /// The token is none of ours, or was revoked.
    TokenInvalid = "token_invalid", Auth, "the token is not valid";
    /// Unknown login or wrong password.
    BadCredentials = "bad_credentials", Auth, "unknown login or wrong password";
    /// The role doesn't allow it.
    PermissionDenied = "permission_denied", Forbidden, "not permitted";
    /// The room is known, its membership lacking.
    NotAMember = "not_a_member", Forbidden, "not a member of this room";
    /// Banned from the room.
    Banned = "banned", Forbidden, "banned from this room";
    /// Muted in the room.
    Muted = "muted", Forbidden, "muted in this room";
    /// The other's rank is as high or higher.
    Outranked = "outranked", Forbidden, "not above the other's rank";
    /// The room has another password.
    WrongPassword = "wrong_password", Forbidden, "wrong password";
    /// The room is entered by invitation.
    InviteRequired = "invite_required", Forbidden, "an invitation is needed";
    /// The room is read only.
    Archived = "archived", Forbidden, "this room is archived";
    /// The other one doesn't want to hear.
    Blocked = "blocked", Forbidden, "blocked by the other user";
    /// The account is suspended.
    Suspended = "suspended", Forbidden, "this account is suspended";
    /// No such room, or none to know of.
    RoomNotFound = "room_not_found", NotFound, "no such room";
    /// No such user.
    UserNotFound = "user_not_found", NotFound, "no such user";
    /// No such message.
    MessageNotFound = "message_not_found", NotFound, "no such message";
    /// The name belongs to another.
    NameTaken = "name_taken", Conflict, "this name is taken";
    /// The cid was used for something else.
    CidConflict = "cid_conflict", Conflict, "this cid was used for another command";
    /// The owner can't give up his membership.
    LastOwner = "last_owner", Conflict, "the owner stays until the room is transferred or deleted";
    /// The message was deleted.
    MessageDeleted = "message_deleted", Conflict, "the message was deleted";
    /// The message is too old to be edited.
    EditWindowClosed = "edit_window_closed", Conflict, "the message is too old to be edited";
    /// Too fast.
    RateLimited = "rate_limited", Limit, "too fast";
    /// Slow mode.
    SlowMode = "slow_mode", Limit, "slow mode";
    /// The room has no place left.
    RoomFull = "room_full", Limit, "this room is full";
    /// There would be too many of something.
    TooMany = "too_many", Limit, "too many";
    /// What lies at this position can't be had any more.
    Unrecoverable = "unrecoverable", Position, "this position can't be resumed from";
    /// Overloaded or between two states; asking again helps.
    Unavailable = "unavailable", Server, "unavailable for a moment";
    /// The server is stopping.
    ShuttingDown = "shutting_down", Server, "the server is shutting down";
    /// The disk doesn't take it.
    StorageUnavailable = "storage_unavailable", Server, "storage is unavailable";
}

impl Code {
    /// The status of an HTTP response with this code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self.class() {
            Class::Invalid if matches!(self, Self::TooLarge) => 413,
            Class::Invalid if matches!(self, Self::BadArgument | Self::EmptyBody) => 422,
            Class::Invalid => 400,
            Class::Auth => 401,
            Class::Forbidden => 403,
            Class::NotFound => 404,
            Class::Conflict => 409,
            Class::Limit => 429,
            Class::Position => 410,
            Class::Server => 503,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client may do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Say it otherwise.
    Invalid,
    /// Log in.
    Auth,
    /// Let it be.
    Forbidden,
    /// Look elsewhere.
    NotFound,
    /// Look again, then decide again.
    Conflict,
    /// Wait.
    Limit,
    /// Load afresh.
    Position,
    /// Try again.
    Server,
}

/// A refusal as a client gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// What a client may do about it.
    pub class: Class,
    /// Words for a person. Never to be parsed.
    pub msg: String,
    /// Milliseconds after which asking again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
    /// Particulars, by code.
    #[serde(default)]
    pub details: Map<String, Value>,
}

impl Refusal {
    /// A refusal in its usual words, without particulars.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            class: code.class(),
            msg: code.words().to_owned(),
            retry_ms: None,
            details: Map::new(),
        }
    }

    /// The same, in other words.
    #[must_use]
    pub fn with_words(mut self, words: impl Into<String>) -> Self {
        self.msg = words.into();
        self
    }

    /// The same, to be tried again after so many milliseconds.
    #[must_use]
    pub fn with_retry(mut self, ms: u64) -> Self {
        self.retry_ms = Some(ms);
        self.with_detail("retry_ms", ms)
    }

    /// The same with one particular more.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// What arrived is no frame; the words say why.
    #[must_use]
    pub fn bad_frame(words: impl Into<String>) -> Self {
        Self::new(Code::BadFrame).with_words(words)
    }

    /// There is no op of this name.
    #[must_use]
    pub fn unknown_command(name: &str) -> Self {
        let shown: String = name.chars().take(64).collect();
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("cut_inside_a_character") && name.len() > 64 {
            let (shown, _) = name.split_at(64);
            return Self::new(Code::UnknownCommand).with_words(shown);
        }
        Self::new(Code::UnknownCommand).with_words(format!("there is no command {shown:?}"))
    }

    /// A field is missing, of the wrong type, or makes no sense.
    #[must_use]
    pub fn bad_argument(field: &str) -> Self {
        Self::new(Code::BadArgument)
            .with_words(format!("{field} is not acceptable"))
            .with_detail("field", field)
    }

    /// Something is over its limit in bytes.
    #[must_use]
    pub fn too_large(bytes_max: u64) -> Self {
        Self::new(Code::TooLarge)
            .with_words(format!("at most {bytes_max} bytes"))
            .with_detail("max", bytes_max)
    }

    /// What lies at a position can't be had any more.
    #[must_use]
    pub fn unrecoverable(why: &str) -> Self {
        Self::new(Code::Unrecoverable).with_detail("why", why)
    }

    /// Too fast: to be tried again after so many milliseconds.
    #[must_use]
    pub fn rate_limited(retry_ms: u64) -> Self {
        Self::new(Code::RateLimited)
            .with_words(format!("too fast: wait {} s", retry_ms.div_ceil(1000)))
            .with_retry(retry_ms)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.msg)
    }
}

impl std::error::Error for Refusal {}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let mut refusal = Self::new(Code::from(&rejection)).with_words(rejection.to_string());
        if let Rejection::SlowMode { retry_ms } | Rejection::RateLimited { retry_ms } = rejection {
            refusal.retry_ms = Some(retry_ms);
        }
        // A rejection serializes as its code and its details, so the details are spelled once.
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(&rejection) {
            if let Some(Value::Object(details)) = fields.remove("details") {
                refusal.details = details;
            }
        }
        refusal
    }
}

impl From<&Rejection> for Code {
    fn from(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::BadArgument { .. } => Self::BadArgument,
            Rejection::TooLarge { .. } => Self::TooLarge,
            Rejection::EmptyBody => Self::EmptyBody,
            Rejection::PermissionDenied { .. } => Self::PermissionDenied,
            Rejection::NotAMember => Self::NotAMember,
            Rejection::Banned { .. } => Self::Banned,
            Rejection::Muted { .. } => Self::Muted,
            Rejection::Outranked => Self::Outranked,
            Rejection::WrongPassword => Self::WrongPassword,
            Rejection::InviteRequired => Self::InviteRequired,
            Rejection::Archived => Self::Archived,
            Rejection::Blocked => Self::Blocked,
            Rejection::Suspended => Self::Suspended,
            Rejection::RoomNotFound => Self::RoomNotFound,
            Rejection::UserNotFound => Self::UserNotFound,
            Rejection::MessageNotFound => Self::MessageNotFound,
            Rejection::CidConflict => Self::CidConflict,
            Rejection::LastOwner => Self::LastOwner,
            Rejection::MessageDeleted => Self::MessageDeleted,
            Rejection::EditWindowClosed => Self::EditWindowClosed,
            Rejection::SlowMode { .. } => Self::SlowMode,
            Rejection::RateLimited { .. } => Self::RateLimited,
            Rejection::RoomFull => Self::RoomFull,
            Rejection::TooMany { .. } => Self::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_core::{Permission, Rule};

    use super::*;

    #[test]
    fn a_rejection_keeps_its_details_and_its_code() {
        let (permission, rule) = (Permission::Pin, Rule::Table);
        let refusal = Refusal::from(Rejection::PermissionDenied { permission, rule });
        assert_eq!(
            serde_json::to_string(&refusal).unwrap(),
            r#"{"code":"permission_denied","class":"forbidden","msg":"not permitted: pin (table)","details":{"permission":"pin","rule":"table"}}"#
        );
    }

    #[test]
    fn the_code_of_a_rejection_is_the_one_that_the_core_spells() {
        for rejection in [
            Rejection::EmptyBody,
            Rejection::LastOwner,
            Rejection::RoomFull,
        ] {
            let value = serde_json::to_value(&rejection).unwrap();
            assert_eq!(value["code"], Code::from(&rejection).as_str());
        }
    }

    #[test]
    fn whoever_is_too_fast_learns_how_long_to_wait() {
        let refusal = Refusal::from(Rejection::SlowMode { retry_ms: 11_400 });
        assert_eq!(refusal.retry_ms, Some(11_400));
        assert_eq!(refusal.msg, "slow mode: wait 12 s");
        assert_eq!(refusal.class, Class::Limit);
        assert_eq!(refusal.to_string(), "slow_mode: slow mode: wait 12 s");
    }

    #[test]
    fn a_status_says_over_http_what_the_class_says() {
        for (code, status) in [
            (Code::BadFrame, 400),
            (Code::BadArgument, 422),
            (Code::EmptyBody, 422),
            (Code::TooLarge, 413),
            (Code::Unauthenticated, 401),
            (Code::Banned, 403),
            (Code::RoomNotFound, 404),
            (Code::NameTaken, 409),
            (Code::Unrecoverable, 410),
            (Code::SlowMode, 429),
            (Code::Unavailable, 503),
        ] {
            assert_eq!(code.http_status(), status, "{code}");
        }
    }

    #[test]
    fn codes_are_unique() {
        let mut words: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
    }
}
