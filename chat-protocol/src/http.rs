//! The older dialects over plain HTTP: requests in, replies out, as pure values.

use crate::code::Refusal;
use crate::command::Op;

/// A request, as far as a dialect looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST` and so on.
    pub method: &'a str,
    /// The path, decoded.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<T> {
    /// What is needed to spell the reply.
    pub ticket: T,
    /// Whether only somebody with a token may ask it.
    pub signed_in: bool,
    /// The wish, or why it is none.
    pub op: Result<Op, Refusal>,
}

/// A reply: a status and a body of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status (RFC 9110, section 15).
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply that says a value.
    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        Self {
            status,
            body: crate::json(value),
        }
    }
}
