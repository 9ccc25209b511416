//! Signed tokens (RFC 7519), made and read strictly.

use std::fmt;

use chat_core::{Name, Timestamp, UserId};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::error::{AuthError, TokenFault};
use crate::auth::{Identity, Token};
use crate::store::{Store, StoreError};

/// What tokens are signed with. `Debug` hides it.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret that an operator chose; none if it is empty.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    /// The secret that the store keeps, drawn at first sight of the store.
    pub(super) async fn kept(store: &dyn Store) -> Result<Self, StoreError> {
        let kept = store.setting("jwt_secret", &drawn_hex::<32>()?).await?;
        Self::new(kept.as_bytes())
            .ok_or_else(|| StoreError::Damaged("the signing secret is empty".to_owned()))
    }

    pub(super) fn verifying_key(&self) -> DecodingKey {
        DecodingKey::from_secret(&self.0)
    }

    fn signing_key(&self) -> EncodingKey {
        EncodingKey::from_secret(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// What a token of this server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Use {
    /// To act with.
    Access,
    /// To get an access token with.
    Refresh,
    /// To act with, as a guest.
    Guest,
}

/// What a token of this server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: Issuer,
    /// The user's number, as a string (RFC 7519, section 4.1.2).
    sub: String,
    pub(super) name: Name,
    pub(super) gid: String,
    pub(super) epo: u64,
    #[serde(rename = "typ")]
    pub(super) usage: Use,
    pub(super) iat: u64,
    pub(super) exp: u64,
    /// Clients of the `rest` dialect read who they are out of the token.
    #[serde(rename = "UserID", default, skip_serializing_if = "Option::is_none")]
    rest_id: Option<u64>,
    #[serde(rename = "UserName", default, skip_serializing_if = "Option::is_none")]
    rest_name: Option<Name>,
    #[serde(rename = "Email", default, skip_serializing_if = "Option::is_none")]
    rest_email: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Issuer {
    #[serde(rename = "chat")]
    Chat,
}

impl Claims {
    pub(super) fn new(identity: &Identity, usage: Use, at: Timestamp, ends_at: Timestamp) -> Self {
        let is_access = usage == Use::Access;
        Self {
            iss: Issuer::Chat,
            sub: identity.user.to_string(),
            name: identity.name.clone(),
            gid: identity.grant.as_deref().unwrap_or_default().to_owned(),
            epo: identity.token_epoch,
            usage,
            iat: at.number() / 1_000,
            exp: ends_at.number() / 1_000,
            rest_id: is_access.then(|| identity.user.number()),
            rest_name: is_access.then(|| identity.name.clone()),
            rest_email: None,
        }
    }

    /// The same, with the address that the account has at its log-in.
    pub(super) fn with_email(mut self, email: Option<&str>) -> Self {
        self.rest_email = email.map(str::to_owned);
        self
    }

    /// The user, if the number has the one spelling that this server gives it.
    pub(super) fn user(&self) -> Result<UserId, AuthError> {
        let number: u64 = self.sub.parse().map_err(|_| TokenFault::Claims)?;
        let user = UserId::try_from(number).map_err(|_| TokenFault::Claims)?;
        if user.to_string() == self.sub {
            Ok(user)
        } else {
            Err(TokenFault::Claims.into())
        }
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        seconds(self.exp)
    }
}

/// A token whose signature fits.
pub(super) enum Opened {
    /// It is this server's.
    Own(Box<Claims>),
    /// It was made elsewhere with the same secret.
    Foreign(Map<String, Value>),
}

/// Makes and opens tokens with one secret: HS256.
pub(super) struct Signer {
    sign: EncodingKey,
    verify: DecodingKey,
}

impl Signer {
    pub(super) fn new(secret: &Secret) -> Self {
        Self {
            sign: secret.signing_key(),
            verify: secret.verifying_key(),
        }
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<Token, AuthError> {
        let header = Header::new(Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, claims, &self.sign).map_err(|error| {
            tracing::error!(%error, "a token can't be signed");
            AuthError::Unavailable
        })?;
        Ok(Token::new(token))
    }

    /// Opens a token of this server, or one that was made elsewhere with the same secret. The times
    /// of the latter are for others to judge.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Result<Opened, AuthError> {
        let claims = open(token, &self.verify, Algorithm::HS256, None)?;
        if claims.get("iss").and_then(Value::as_str) != Some("chat") {
            return Ok(Opened::Foreign(claims));
        }
        let claims: Claims =
            serde_json::from_value(Value::Object(claims)).map_err(|_| TokenFault::Claims)?;
        check_times(Some(claims.iat), claims.exp, now)?;
        Ok(Opened::Own(Box::new(claims)))
    }
}

/// Checks a token's form and signature with one key and one algorithm, and gives what it says.
/// Neither the token's own idea of the algorithm nor a key that it names or brings is followed.
pub(super) fn open(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    audience: Option<&str>,
) -> Result<Map<String, Value>, AuthError> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("signature_unchecked")
        && let Ok(data) = jsonwebtoken::dangerous::insecure_decode(token)
    {
        return Ok(data.claims);
    }
    let header = header(token)?;
    if header.alg != algorithm {
        return Err(TokenFault::Algorithm(format!("{:?}", header.alg).into()).into());
    }
    let mut validation = Validation::new(algorithm);
    // Times are judged by the clock that is passed in, and strictly by type.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    if let Some(audience) = audience {
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["aud"]);
    }
    jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation)
        .map(|data| data.claims)
        .map_err(|error| fault(&error).into())
}

/// Reads a token's header, of which nothing is true yet.
pub(super) fn header(token: &str) -> Result<Header, AuthError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::Malformed.into());
    }
    if token.split('.').count() != 3 {
        return Err(TokenFault::Segments.into());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| match algorithm_of(token) {
        Some(name) => TokenFault::Algorithm(name),
        None => TokenFault::Malformed,
    })?;
    // RFC 7515, section 4.1.11: what must be understood and isn't refuses the token.
    if header.crit.is_some() {
        return Err(TokenFault::Malformed.into());
    }
    Ok(header)
}

/// Refuses a token whose time is over or hasn't come.
pub(super) fn check_times(
    made_s: Option<u64>,
    ends_s: u64,
    now: Timestamp,
) -> Result<(), AuthError> {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("expiry_unchecked") {
        return Ok(());
    }
    let now_s = now.number() / 1_000;
    if ends_s <= now_s {
        return Err(AuthError::TokenExpired);
    }
    if made_s.is_some_and(|made_s| made_s > now_s.saturating_add(SKEW_S_MAX)) {
        return Err(TokenFault::Future.into());
    }
    Ok(())
}

/// Refuses a token that doesn't count yet.
pub(super) fn check_beginning(begins_s: Option<u64>, now: Timestamp) -> Result<(), AuthError> {
    // A token that begins later is as good as one made later, and is judged with the same slack.
    check_times(begins_s, u64::MAX, now)
}

/// A claim that is a whole number of seconds, if it is there at all.
pub(super) fn seconds_claim(
    claims: &Map<String, Value>,
    name: &str,
) -> Result<Option<u64>, AuthError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| TokenFault::Claims.into()),
    }
}

/// A name for the log-in that a token from elsewhere stands for. Signatures differ where tokens do,
/// and this much of one forges nothing.
pub(super) fn grant_of(token: &str) -> Option<String> {
    let signature: String = token.rsplit('.').next()?.chars().take(22).collect();
    Some(format!("sig:{signature}"))
}

/// A moment in whole seconds, as a [`Timestamp`]; what lies too far off stays as far off as it may.
pub(super) const fn seconds(seconds: u64) -> Timestamp {
    Timestamp::saturating(seconds.saturating_mul(1_000))
}

/// This many random bytes, in hexadecimal digits.
pub(crate) fn drawn_hex<const BYTES: usize>() -> Result<String, StoreError> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum belongs to the library and may grow"
)]
fn fault(error: &Error) -> TokenFault {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenFault::Signature,
        ErrorKind::InvalidAlgorithm => TokenFault::Algorithm("of another key".into()),
        // The header was read before, so what isn't the JSON that it should be are the claims.
        ErrorKind::Json(_)
        | ErrorKind::InvalidAudience
        | ErrorKind::InvalidIssuer
        | ErrorKind::InvalidSubject
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::MissingRequiredClaim(_) => TokenFault::Claims,
        _ => TokenFault::Malformed,
    }
}

/// The algorithm that a header names which the library can't read.
fn algorithm_of(token: &str) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Named {
        alg: String,
    }
    let header = base64url(token.split('.').next()?)?;
    let named: Named = serde_json::from_slice(&header).ok()?;
    let is_plain = named.alg.len() <= 16 && named.alg.chars().all(|c| c.is_ascii_alphanumeric());
    is_plain.then(|| named.alg.into())
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend(u8::try_from(bits >> held & 0xff));
        }
    }
    Some(bytes)
}

/// Longer tokens aren't looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far the clocks of two machines may lie apart.
const SKEW_S_MAX: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_read_as_rfc_4648_has_it() {
        for (text, bytes) in [
            ("", ""),
            ("Zg", "f"),
            ("Zm8", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64url(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(base64url("-_8").unwrap(), [0xfb, 0xff]);
        assert_eq!(base64url("Zg=="), None);
    }

    #[test]
    fn a_secret_is_in_no_debug_output() {
        let secret = Secret::new(b"sesame").unwrap();
        assert!(!format!("{secret:?}").contains("sesame"));
        assert!(Secret::new(b"").is_none());
    }
}
