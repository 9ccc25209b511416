//! Tokens that the servers of the older dialects made with the same secret.
//!
//! They stay valid, but name nobody by number: a number there isn't a number here.

use chat_core::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::Identity;
use crate::auth::error::{AuthError, TokenFault};
use crate::auth::link::{Held, Linker, Newcomer, Pass};
use crate::auth::token::{check_beginning, check_times, seconds, seconds_claim};

/// What counts of tokens that were made elsewhere with the same secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignRules {
    /// How long one counts that doesn't say when it ends, in milliseconds after it was made.
    pub ttl_ms: u64,
    /// Whether one counts that says neither when it ends nor when it was made.
    pub endless: bool,
}

impl Default for ForeignRules {
    fn default() -> Self {
        Self {
            ttl_ms: 24 * 60 * 60_000,
            endless: false,
        }
    }
}

/// Who the holder of such a token is here.
pub(super) async fn admit(
    linker: &Linker,
    rules: &ForeignRules,
    token: &str,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Identity, AuthError> {
    let foreign = Foreign::read(claims).ok_or(TokenFault::Claims)?;
    let made_s = seconds_claim(claims, "iat")?;
    let ends_s = match (seconds_claim(claims, "exp")?, made_s) {
        (Some(ends_s), _) => Some(ends_s),
        (None, Some(made_s)) => Some(made_s.saturating_add(rules.ttl_ms / 1_000)),
        (None, None) if rules.endless => None,
        (None, None) => return Err(TokenFault::Claims.into()),
    };
    check_times(made_s, ends_s.unwrap_or(u64::MAX), now)?;
    check_beginning(seconds_claim(claims, "nbf")?, now)?;
    let newcomer = Newcomer {
        issuer: foreign.shape,
        id: &foreign.id,
        name: foreign.name,
        email: foreign.email,
        held: Held::Refused,
    };
    let pass = Pass {
        token,
        made_s,
        ends_at: ends_s.map(seconds),
    };
    linker.admit(&newcomer, &pass).await
}

/// What an older server of the `socketio` dialect would sign for a test user.
#[derive(Serialize)]
pub(super) struct TestClaims {
    id: &'static str,
    username: &'static str,
    iat: u64,
    exp: u64,
}

impl TestClaims {
    pub(super) fn new(rules: &ForeignRules, now: Timestamp) -> Self {
        Self {
            id: "testuser",
            username: "testuser",
            iat: now.number() / 1_000,
            exp: now.plus_ms(rules.ttl_ms).number() / 1_000,
        }
    }
}

/// Somebody, as one of the older servers names him.
struct Foreign<'a> {
    /// Which server's claims these are; the issuer under which he is linked.
    shape: &'static str,
    id: String,
    name: &'a str,
    email: Option<&'a str>,
}

impl<'a> Foreign<'a> {
    /// `UserID, UserName, Email` (`rest`), `id, username` (`socketio`), `username` (`actions`).
    fn read(claims: &'a Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if let Some(name) = text("UserName") {
            return Some(Self {
                shape: "dialect/rest",
                id: id_of(claims.get("UserID")?)?,
                name,
                email: text("Email"),
            });
        }
        let name = text("username")?;
        let (shape, id) = match claims.get("id") {
            Some(id) => ("dialect/socketio", id_of(id)?),
            None => ("dialect/actions", id_of(claims.get("username")?)?),
        };
        Some(Self {
            shape,
            id,
            name,
            email: None,
        })
    }
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) if !text.is_empty() && text.len() <= ID_BYTES_MAX => Some(text.clone()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

const ID_BYTES_MAX: usize = 256;
