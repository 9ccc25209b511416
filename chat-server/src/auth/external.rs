//! Tokens of people who have their users elsewhere: an identity provider, an app around the chat.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

mod key_file;
pub use self::key_file::KeyFile;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::auth::error::{AuthError, TokenFault};
use crate::auth::link::{Held, Linker, Newcomer, Pass};
use crate::auth::token::{
    Secret, check_beginning, check_times, header, open, seconds, seconds_claim,
};
use crate::auth::{Authenticator, Identity, Verdict};
use crate::clock::Clock;
use crate::store::Store;

/// Admits people whose tokens somebody else signs. Each gets an account here at first sight, linked
/// by issuer and id; a name that is taken gets a suffix.
pub struct External {
    clock: Arc<dyn Clock>,
    linker: Linker,
    keys: ExternalKeys,
    rules: ExternalRules,
}

/// What their tokens are signed with.
#[derive(Clone, Debug)]
pub enum ExternalKeys {
    /// A secret that both sides know: HS256.
    Shared(Secret),
    /// Public keys: RS256, ES256 or EdDSA, as the key is made for.
    Public(KeySet),
    /// The same, in a file that is read again when a token names a key that isn't in it.
    File(Arc<KeyFile>),
}

/// What their tokens have to say.
#[derive(Clone, Debug)]
pub struct ExternalRules {
    /// The `iss` that a token names.
    pub issuer: String,
    /// The `aud` that a token names; without one, a token that names any is refused.
    pub audience: Option<String>,
    /// The claim that names a user for ever.
    pub id_claim: String,
    /// The claim with the name that he goes by.
    pub name_claim: String,
}

impl ExternalRules {
    /// The claims as OpenID Connect has them.
    #[must_use]
    pub fn of(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: None,
            id_claim: "sub".to_owned(),
            name_claim: "name".to_owned(),
        }
    }
}

/// A set of public keys (RFC 7517).
#[derive(Clone)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a text is no set of keys that tokens can be checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKeySet {
    /// It is no JSON Web Key Set.
    #[error("this is no JSON Web Key Set")]
    Unreadable,
    /// No key in it is for RS256, ES256 or EdDSA signatures.
    #[error("no key of the set is for RS256, ES256 or EdDSA signatures")]
    NoKeys,
    /// Two keys have the same name.
    #[error("two keys of the set have the same kid")]
    SameNames,
    /// The file that holds it can't be read, or is too large for one.
    #[error("the file of the set can't be read")]
    NoFile,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys for other uses are left out, secret ones above all: what is
    /// in a file for everybody proves nothing.
    ///
    /// # Errors
    ///
    /// [`BadKeySet`] if no key is left.
    pub fn from_json(json: &str) -> Result<Self, BadKeySet> {
        let set: JwkSet = serde_json::from_str(json).map_err(|_| BadKeySet::Unreadable)?;
        let keys: Vec<_> = set.keys.iter().filter_map(PublicKey::of).collect();
        if keys.is_empty() {
            return Err(BadKeySet::NoKeys);
        }
        for (place, key) in keys.iter().enumerate() {
            let mut earlier = keys.iter().take(place);
            if key.id.is_some() && earlier.any(|other| other.id == key.id) {
                return Err(BadKeySet::SameNames);
            }
        }
        Ok(Self(keys))
    }

    /// The key of this name. A token that names none is checked with the only key, if there is one.
    fn find(&self, id: Option<&str>) -> Option<&PublicKey> {
        match (id, self.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({})", self.0.len())
    }
}

impl PublicKey {
    /// The one algorithm that a key is for follows from the key, never from a token.
    fn of(jwk: &Jwk) -> Option<Self> {
        let algorithm = if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
            Algorithm::RS256
        } else if let AlgorithmParameters::EllipticCurve(key) = &jwk.algorithm
            && key.curve == EllipticCurve::P256
        {
            Algorithm::ES256
        } else if let AlgorithmParameters::OctetKeyPair(key) = &jwk.algorithm
            && key.curve == EllipticCurve::Ed25519
        {
            Algorithm::EdDSA
        } else {
            return None;
        };
        let usage = jwk.common.public_key_use.as_ref();
        let is_for_signatures = usage.is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let named = jwk.common.key_algorithm.as_ref();
        let fits = named.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
        if !is_for_signatures || !fits {
            return None;
        }
        Some(Self {
            id: jwk.common.key_id.clone(),
            algorithm,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}

impl External {
    /// Admits people by these keys and rules, and keeps their accounts in this store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keys: ExternalKeys,
        rules: ExternalRules,
    ) -> Self {
        Self {
            linker: Linker::new(store, Arc::clone(&clock)),
            clock,
            keys,
            rules,
        }
    }

    fn open(&self, token: &str) -> Result<Map<String, Value>, AuthError> {
        let audience = self.rules.audience.as_deref();
        match &self.keys {
            ExternalKeys::Shared(secret) => {
                open(token, &secret.verifying_key(), Algorithm::HS256, audience)
            }
            ExternalKeys::Public(keys) => {
                let header = header(token)?;
                let key = keys.find(header.kid.as_deref()).ok_or(TokenFault::Key)?;
                open(token, &key.key, key.algorithm, audience)
            }
            ExternalKeys::File(file) => {
                let header = header(token)?;
                let key = file.find(header.kid.as_deref(), self.clock.elapsed());
                let key = key.ok_or(TokenFault::Key)?;
                open(token, &key.key, key.algorithm, audience)
            }
        }
    }

    async fn holder_of(&self, token: &str) -> Result<Identity, AuthError> {
        let claims = self.open(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(&self.rules.issuer) {
            return Err(TokenFault::Claims.into());
        }
        let now = self.clock.now();
        let made_s = seconds_claim(&claims, "iat")?;
        let ends_s = seconds_claim(&claims, "exp")?.ok_or(TokenFault::Claims)?;
        check_times(made_s, ends_s, now)?;
        check_beginning(seconds_claim(&claims, "nbf")?, now)?;
        let id = id_of(claims.get(&self.rules.id_claim)).ok_or(TokenFault::Claims)?;
        let newcomer = Newcomer {
            issuer: &self.rules.issuer,
            id: &id,
            name: text(&self.rules.name_claim).unwrap_or(&id),
            // Not every issuer makes sure of an address, and here it would be a log-in name.
            email: None,
            held: Held::Suffixed,
        };
        let pass = Pass {
            token,
            made_s,
            ends_at: Some(seconds(ends_s)),
        };
        self.linker.admit(&newcomer, &pass).await
    }
}

#[async_trait]
impl Authenticator for External {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        Verdict::of_signed(self.holder_of(token).await)
    }
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External")
            .field("keys", &self.keys)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn id_of(claim: Option<&Value>) -> Option<String> {
    let id = match claim? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (1..=ID_BYTES_MAX).contains(&id.len()).then_some(id)
}

const ID_BYTES_MAX: usize = 256;
