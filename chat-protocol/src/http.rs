//! The older dialects over plain HTTP: requests in, replies out, as pure values.

use crate::answer::Answer;
use crate::code::Refusal;
use crate::command::{Op, Token};
use crate::dialect::Dialect;
use crate::dialects::{actions, rest};

/// A dialect with a face over HTTP. Closed: a further one is a variant here, and whatever the
/// compiler lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Accounts, rooms and messages below `/v1/api`.
    Rest,
    /// Log-in, rooms and messages below `/api`.
    Actions,
}

/// A request, as far as a dialect looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST` and so on.
    pub method: &'a str,
    /// The path, decoded.
    pub path: &'a str,
    /// What `Authorization` says, if there is one and no other.
    pub authorization: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How to spell the reply.
    pub ticket: Ticket,
    /// Who asks.
    pub proof: Proof,
    /// The wish, or why it is none.
    pub op: Result<Op, Refusal>,
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Anybody may.
    Unasked,
    /// Only somebody known may, and the request doesn't say who it is.
    Missing,
    /// Only somebody known may, by this token.
    Token(Token),
}

impl Proof {
    /// What an `Authorization` header proves: the token after exactly one `Bearer `.
    #[must_use]
    pub fn of(authorization: Option<&str>) -> Self {
        let mut parts = authorization.unwrap_or_default().split("Bearer ");
        match (parts.next(), parts.next(), parts.next()) {
            (Some(""), Some(token), None) => Self::Token(Token::new(token.trim())),
            (_, _, _) => Self::Missing,
        }
    }
}

/// What a dialect remembers of a request to spell the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(Kept);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    /// The route.
    Rest(rest::http::Ticket),
    /// The route, and the room as the client spelled it.
    Actions(actions::http::Ticket),
}

impl From<rest::http::Ticket> for Ticket {
    fn from(ticket: rest::http::Ticket) -> Self {
        Self(Kept::Rest(ticket))
    }
}

impl From<actions::http::Ticket> for Ticket {
    fn from(ticket: actions::http::Ticket) -> Self {
        Self(Kept::Actions(ticket))
    }
}

impl Ticket {
    /// Spells the reply.
    #[must_use]
    pub fn reply(&self, answer: &Result<Answer, Refusal>) -> Reply {
        match &self.0 {
            Kept::Rest(ticket) => rest::http::reply(*ticket, answer),
            Kept::Actions(ticket) => actions::http::reply(ticket, answer),
        }
    }
}

/// A reply: a status and a body of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status (RFC 9110, section 15).
    pub status: u16,
    /// The methods that there are, for a reply that refuses one.
    pub allow: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

/// What pages of other origins are told beside `Access-Control-Allow-Origin: *`, as lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The methods that they may use.
    pub methods: &'static str,
    /// The headers that they may send.
    pub headers: &'static str,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rest, Self::Actions];

    /// The face over HTTP of a dialect, if it has one.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::Rest => Some(Self::Rest),
            Dialect::Actions => Some(Self::Actions),
            Dialect::Native | Dialect::Rooms | Dialect::Socketio | Dialect::Groups => None,
        }
    }

    /// Everything of it lies below this path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Rest => "/v1/api",
            Self::Actions => "/api",
        }
    }

    /// What pages of other origins may do.
    #[must_use]
    pub const fn cors(self) -> Cors {
        match self {
            Self::Rest => rest::http::CORS,
            Self::Actions => actions::http::CORS,
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// The reply, where nobody needs to be asked for it: there is no such route or method.
    pub fn ask(self, request: &Request<'_>) -> Result<Asked, Reply> {
        match self {
            Self::Rest => rest::http::ask(request),
            Self::Actions => actions::http::ask(request),
        }
    }

    /// Refuses a request that can't be read, or somebody who may not come in.
    #[must_use]
    pub fn refuse(self, refusal: &Refusal) -> Reply {
        match self {
            Self::Rest => rest::http::refuse(refusal),
            Self::Actions => actions::http::refuse(refusal),
        }
    }
}

impl Reply {
    /// A reply that says a value.
    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        Self {
            status,
            allow: None,
            body: crate::json(value),
        }
    }
}
