//! Stories of people whose tokens were made elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use chat_server::auth::TokenFault::{Claims, Key, NameHeld, Revoked, Signature};
use chat_server::auth::{
    AnyOf, AuthError, Authenticator, BadKeySet, External, ExternalKeys, ExternalRules, Identity,
    KeyFile, KeySet, Secret, TokenFault, Verdict,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::tokens::signed;
use super::{DAY, House};

const NOW_S: u64 = DAY.number() / 1_000;

#[tokio::test]
async fn each_older_server_has_its_own_people() {
    let house = House::open().await;
    let shapes = [
        json!({"id": 7, "username": "sam", "iat": NOW_S}),
        json!({"UserID": 7, "UserName": "tim", "Email": "tim@example.org", "exp": NOW_S + 9}),
        json!({"username": "joe", "iat": NOW_S}),
    ];
    let mut users = Vec::new();
    for claims in &shapes {
        let first = house.who(&signed(claims)).await.unwrap();
        let second = house.who(&signed(claims)).await.unwrap();
        assert_eq!(first.user, second.user);
        assert!(!first.user.is_guest());
        users.push((first.user, first.name.to_string()));
    }
    let names: Vec<_> = users.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["sam", "tim", "joe"]);
    users.dedup_by_key(|(user, _)| *user);
    assert_eq!(users.len(), 3);
}

#[tokio::test]
async fn a_number_from_elsewhere_is_nobodys_number_here() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let number = ann.identity.user.number();
    for claims in [
        json!({"id": number, "username": "eve", "iat": NOW_S}),
        json!({"UserID": number, "UserName": "mallory", "exp": NOW_S + 60}),
    ] {
        let identity = house.who(&signed(&claims)).await.unwrap();
        assert_ne!(identity.user, ann.identity.user);
    }
}

#[tokio::test]
async fn a_name_with_a_password_here_is_linked_by_an_operator_only() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let token = signed(&json!({"username": "Ann", "iat": NOW_S}));
    let refused = house.who(&token).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(NameHeld));
    let accounts = &house.accounts;
    accounts
        .link("dialect/actions", "Ann", "ann")
        .await
        .unwrap();
    assert_eq!(house.who(&token).await.unwrap().user, ann.identity.user);
}

#[tokio::test]
async fn the_same_name_from_two_servers_is_two_people() {
    let house = House::open().await;
    let joe = house
        .who(&signed(&json!({"username": "joe", "iat": NOW_S})))
        .await;
    let claims = json!({"id": "x1", "username": "joe", "iat": NOW_S});
    let other = house.who(&signed(&claims)).await.unwrap();
    assert_ne!(joe.unwrap().user, other.user);
    assert_eq!(other.name.as_str(), "joe-2");
}

#[tokio::test]
async fn a_token_without_an_end_ends_all_the_same() {
    let house = House::open().await;
    let token = signed(&json!({"username": "joe", "iat": NOW_S}));
    let identity = house.who(&token).await.unwrap();
    assert_eq!(identity.expires_at, Some(DAY.plus_ms(24 * 3_600_000)));
    house.pass(24 * 3_600);
    assert_eq!(
        house.who(&token).await.unwrap_err(),
        AuthError::TokenExpired
    );

    let endless = signed(&json!({"username": "joe"}));
    let refused = house.who(&endless).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Claims));
    let lenient = House::with(|config| config.foreign.endless = true).await;
    let identity = lenient.who(&endless).await.unwrap();
    assert_eq!(identity.expires_at, None);
}

#[tokio::test]
async fn times_of_wrong_types_refuse_a_token_from_elsewhere() {
    let house = House::with(|config| config.foreign.endless = true).await;
    let end = NOW_S + 60;
    for claims in [
        json!({"username": "joe", "exp": end.to_string()}),
        json!({"username": "joe", "exp": 1.79e9 + 60.5}),
        json!({"username": "joe", "exp": null}),
        json!({"username": "joe", "iat": "now"}),
        json!({"username": 7, "exp": end}),
        json!({"username": "", "exp": end}),
        json!({"username": "joe", "id": {}, "exp": end}),
        json!({"UserName": "joe", "exp": end}),
        json!({"exp": end}),
    ] {
        let refused = house.who(&signed(&claims)).await.unwrap_err();
        assert_eq!(refused, AuthError::TokenInvalid(Claims), "{claims}");
    }
}

#[tokio::test]
async fn a_token_from_elsewhere_does_not_count_before_its_time() {
    let house = House::open().await;
    for name in ["iat", "nbf"] {
        let mut claims = json!({"username": "joe", "exp": NOW_S + 9_000});
        claims[name] = json!(NOW_S + 600);
        let token = signed(&claims);
        let refused = house.who(&token).await.unwrap_err();
        assert_eq!(refused, AuthError::TokenInvalid(TokenFault::Future));
    }
    let claims = json!({"username": "joe", "nbf": NOW_S, "exp": NOW_S + 9_000});
    house.who(&signed(&claims)).await.unwrap();
}

#[tokio::test]
async fn whoever_changes_his_name_elsewhere_is_the_same_here() {
    let house = House::open().await;
    for (claims, changed) in [
        (
            json!({"id": 7, "username": "sam", "iat": NOW_S}),
            json!({"id": 7, "username": "samuel", "iat": NOW_S}),
        ),
        (
            json!({"UserID": 7, "UserName": "tim", "exp": NOW_S + 9}),
            json!({"UserID": "7", "UserName": "Timothy", "exp": NOW_S + 9}),
        ),
    ] {
        let before = house.who(&signed(&claims)).await.unwrap();
        let after = house.who(&signed(&changed)).await.unwrap();
        assert_eq!((after.user, &after.name), (before.user, &before.name));
    }
}

#[tokio::test]
async fn what_was_made_before_a_revocation_stays_out() {
    let house = House::open().await;
    let old = signed(&json!({"username": "joe", "iat": NOW_S}));
    let undated = signed(&json!({"username": "joe", "exp": NOW_S + 9_000}));
    let joe = house.who(&old).await.unwrap();
    house.who(&undated).await.unwrap();
    house.pass(10);
    house.accounts.log_out(&joe, true).await.unwrap();
    house.pass(10);
    for token in [&old, &undated] {
        let refused = house.who(token).await.unwrap_err();
        assert_eq!(refused, AuthError::TokenInvalid(Revoked));
    }
    let later = signed(&json!({"username": "joe", "iat": NOW_S + 15}));
    assert_eq!(house.who(&later).await.unwrap().user, joe.user);
}

#[tokio::test]
async fn a_log_out_ends_one_token_from_elsewhere() {
    let house = House::open().await;
    let phone = signed(&json!({"username": "joe", "iat": NOW_S}));
    let laptop = signed(&json!({"username": "joe", "iat": NOW_S - 1}));
    let joe = house.who(&phone).await.unwrap();
    house.accounts.log_out(&joe, false).await.unwrap();
    let refused = house.who(&phone).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Revoked));
    house.who(&laptop).await.unwrap();
}

/// Keys that were made for these tests and guard nothing.
fn keys() -> [(Algorithm, EncodingKey); 3] {
    [
        (
            Algorithm::RS256,
            EncodingKey::from_rsa_der(include_bytes!("keys/rsa.der")),
        ),
        (
            Algorithm::ES256,
            EncodingKey::from_ec_der(include_bytes!("keys/p256.der")),
        ),
        (
            Algorithm::EdDSA,
            EncodingKey::from_ed_der(include_bytes!("keys/ed25519.der")),
        ),
    ]
}

fn key_set() -> Value {
    let keys = keys().map(|(algorithm, key)| {
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common.key_id = Some(format!("{algorithm:?}"));
        serde_json::to_value(jwk).unwrap()
    });
    json!({ "keys": keys })
}

fn external(house: &House, keys: ExternalKeys) -> External {
    let rules = ExternalRules::of("https://id.example.org");
    External::new(house.store.clone(), house.clock.clone(), keys, rules)
}

fn published(house: &House) -> External {
    let keys = KeySet::from_json(&key_set().to_string()).unwrap();
    external(house, ExternalKeys::Public(keys))
}

fn ann_there() -> Value {
    json!({
        "iss": "https://id.example.org", "sub": "u-1", "name": "Ann", "iat": NOW_S,
        "exp": NOW_S + 60,
    })
}

fn token(algorithm: Algorithm, kid: &str, key: &EncodingKey, claims: &Value) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    };
    encode(&header, claims, key).unwrap()
}

#[tokio::test]
async fn an_identity_provider_signs_with_any_of_its_keys() {
    let house = House::open().await;
    let external = published(&house);
    let mut users = Vec::new();
    for (algorithm, key) in keys() {
        let token = token(algorithm, &format!("{algorithm:?}"), &key, &ann_there());
        users.push(who(&external, &token).await.unwrap().user);
    }
    users.dedup();
    assert_eq!(users.len(), 1);
}

#[tokio::test]
async fn a_key_is_good_for_its_own_algorithm_and_name() {
    let house = House::open().await;
    let external = published(&house);
    let [(_, rsa), (_, ec), _] = keys();
    let confused = token(Algorithm::ES256, "RS256", &ec, &ann_there());
    let refused = who(&external, &confused).await.unwrap_err();
    let fault = TokenFault::Algorithm("ES256".into());
    assert_eq!(refused, AuthError::TokenInvalid(fault));
    let unknown = token(Algorithm::RS256, "nobody", &rsa, &ann_there());
    let refused = who(&external, &unknown).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Key));
    let unnamed = encode(&Header::new(Algorithm::RS256), &ann_there(), &rsa).unwrap();
    let refused = who(&external, &unnamed).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Key));
}

#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    let house = House::open().await;
    let external = published(&house);
    let published = key_set();
    let modulus = published["keys"][0]["n"].as_str().unwrap();
    for secret in [
        modulus.as_bytes().to_vec(),
        published["keys"][0].to_string().into_bytes(),
        published.to_string().into_bytes(),
    ] {
        let key = EncodingKey::from_secret(&secret);
        for kid in ["RS256", "ES256", "EdDSA"] {
            let token = token(Algorithm::HS256, kid, &key, &ann_there());
            let refused = who(&external, &token).await.unwrap_err();
            let fault = TokenFault::Algorithm("HS256".into());
            assert_eq!(refused, AuthError::TokenInvalid(fault));
        }
    }
}

#[test]
fn a_key_set_needs_public_keys_for_signatures() {
    let read = |value: &Value| KeySet::from_json(&value.to_string()).unwrap_err();
    assert_eq!(KeySet::from_json("{").unwrap_err(), BadKeySet::Unreadable);
    assert_eq!(read(&json!({"keys": []})), BadKeySet::NoKeys);
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VzYW1l", "alg": "HS256", "kid": "a"}]});
    assert_eq!(read(&secret), BadKeySet::NoKeys);
    let mut other_use = key_set();
    for key in other_use["keys"].as_array_mut().unwrap() {
        key["use"] = json!("enc");
    }
    assert_eq!(read(&other_use), BadKeySet::NoKeys);
    let mut twice = key_set();
    twice["keys"][1]["kid"] = json!("RS256");
    assert_eq!(read(&twice), BadKeySet::SameNames);
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_suffix() {
    let house = House::open().await;
    let here = house.sign_up("ann").await;
    let secret = Secret::new(b"shared with the app").unwrap();
    let external = external(&house, ExternalKeys::Shared(secret));
    let key = EncodingKey::from_secret(b"shared with the app");
    let token = |claims: &Value| encode(&Header::default(), claims, &key).unwrap();
    let there = who(&external, &token(&ann_there())).await.unwrap();
    assert_ne!(there.user, here.identity.user);
    assert_eq!(there.name.as_str(), "Ann-2");
    let mut mail = ann_there();
    mail["sub"] = json!("u-2");
    mail["name"] = json!("ann@example.org");
    let mail = who(&external, &token(&mail)).await.unwrap();
    assert_eq!(mail.name.as_str(), "ann-3");
}

#[tokio::test]
async fn claims_of_another_issuer_audience_or_time_are_refused() {
    let house = House::open().await;
    let external = published(&house);
    let [(_, rsa), _, _] = keys();
    let refusal = async |name: &str, value: Value| {
        let mut claims = ann_there();
        claims[name] = value;
        let token = token(Algorithm::RS256, "RS256", &rsa, &claims);
        who(&external, &token).await.unwrap_err()
    };
    for (name, value) in [
        ("iss", json!("https://evil.example.org")),
        ("iss", json!("chat")),
        ("aud", json!("another app")),
        ("exp", json!((NOW_S + 60).to_string())),
        ("exp", json!(1.5)),
        ("exp", Value::Null),
        ("sub", json!("")),
        ("sub", json!(["u-1"])),
    ] {
        let refused = refusal(name, value.clone()).await;
        assert_eq!(refused, AuthError::TokenInvalid(Claims), "{name} {value}");
    }
    assert_eq!(refusal("exp", json!(NOW_S)).await, AuthError::TokenExpired);
    for name in ["iat", "nbf"] {
        let refused = refusal(name, json!(NOW_S + 600)).await;
        assert_eq!(refused, AuthError::TokenInvalid(TokenFault::Future));
    }
    let ours = token(Algorithm::RS256, "RS256", &rsa, &ann_there());
    let audience = ExternalRules {
        audience: Some("chat".to_owned()),
        ..ExternalRules::of("https://id.example.org")
    };
    let keys = KeySet::from_json(&key_set().to_string()).unwrap();
    let keys = ExternalKeys::Public(keys);
    let strict = External::new(house.store.clone(), house.clock.clone(), keys, audience);
    let refused = who(&strict, &ours).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Claims));
}

#[tokio::test]
async fn several_authenticators_are_asked_in_turn() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let any = AnyOf::new(vec![house.accounts.clone(), Arc::new(published(&house))]);
    let [(_, rsa), _, _] = keys();
    let there = token(Algorithm::RS256, "RS256", &rsa, &ann_there());
    let here = who(&any, ann.access.expose()).await.unwrap();
    assert_eq!(here.user, ann.identity.user);
    let there = who(&any, &there).await.unwrap();
    assert_eq!(there.name.as_str(), "ann-2".replace('a', "A"));
    house.accounts.log_out(&ann.identity, false).await.unwrap();
    let refused = who(&any, ann.access.expose()).await.unwrap_err();
    assert_eq!(refused, AuthError::TokenInvalid(Revoked));
    let stranger = encode(
        &Header::default(),
        &ann_there(),
        &EncodingKey::from_secret(b"x"),
    );
    let refused = who(&any, &stranger.unwrap()).await.unwrap_err();
    assert!(matches!(
        refused,
        AuthError::TokenInvalid(Signature | Key | TokenFault::Algorithm(_))
    ));
}

async fn who(authenticator: &dyn Authenticator, token: &str) -> Result<Identity, AuthError> {
    authenticator.authenticate(token).await?.holder()
}

/// Takes every token for one of its own.
#[derive(Debug)]
struct Everybody(Identity);

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, _: &str) -> Result<Verdict, AuthError> {
        Ok(Verdict::Holder(self.0.clone()))
    }
}

/// An application that gives its users tokens of a form of its own.
#[derive(Debug)]
struct Sessions(Identity);

#[async_trait]
impl Authenticator for Sessions {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        match token {
            "one-word" | "not.a.jwt" => Ok(Verdict::Holder(self.0.clone())),
            "handed-back" => Err(AuthError::BadCredentials),
            _ => Ok(Verdict::NotMine(TokenFault::Unknown)),
        }
    }
}

#[tokio::test]
async fn a_token_that_is_no_jwt_is_shown_to_the_next() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await.identity;
    let any = AnyOf::new(vec![
        house.accounts.clone(),
        Arc::new(Sessions(ann.clone())),
    ]);
    for token in ["one-word", "not.a.jwt"] {
        assert_eq!(who(&any, token).await, Ok(ann.clone()), "{token}");
    }
    // Nobody knows it; the house can say why it isn't one of its own.
    let refused = who(&any, "another").await;
    assert_eq!(refused, Err(AuthError::TokenInvalid(TokenFault::Segments)));
    let alone = AnyOf::new(vec![Arc::new(Sessions(ann))]);
    let refused = who(&alone, "another").await;
    assert_eq!(refused, Err(AuthError::TokenInvalid(TokenFault::Unknown)));
}

#[tokio::test]
async fn whatever_speaks_against_a_token_of_ones_own_nobody_else_is_asked() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await.identity;
    let admits_all = Arc::new(Everybody(ann.clone()));
    let any = AnyOf::new(vec![Arc::new(Sessions(ann.clone())), admits_all]);
    assert_eq!(who(&any, "another").await, Ok(ann));
    let refused = who(&any, "handed-back").await;
    assert_eq!(refused, Err(AuthError::BadCredentials));
}

#[tokio::test]
async fn a_key_that_is_added_to_the_file_counts_without_a_restart() {
    let house = House::open().await;
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("keys.json");
    assert_eq!(KeyFile::open(&path).unwrap_err(), BadKeySet::NoFile);
    let all = key_set();
    let only = json!({"keys": [all["keys"][0]]});
    std::fs::write(&path, only.to_string()).unwrap();
    let file = Arc::new(KeyFile::open(&path).unwrap());
    let external = external(&house, ExternalKeys::File(file));
    let [(_, rsa), (_, ec), _] = keys();
    let by = |algorithm, key| token(algorithm, &format!("{algorithm:?}"), key, &ann_there());
    who(&external, &by(Algorithm::RS256, &rsa)).await.unwrap();
    let unknown = AuthError::TokenInvalid(Key);
    let early = who(&external, &by(Algorithm::ES256, &ec)).await;
    assert_eq!(early.unwrap_err(), unknown);
    std::fs::write(&path, all.to_string()).unwrap();
    // It was looked for just before, and anybody may name keys that there aren't.
    let soon = who(&external, &by(Algorithm::ES256, &ec)).await;
    assert_eq!(soon.unwrap_err(), unknown);
    house.pass(60);
    let fresh = json!({"iss": "https://id.example.org", "sub": "u-1", "exp": NOW_S + 600});
    let late = token(Algorithm::ES256, "ES256", &ec, &fresh);
    who(&external, &late).await.unwrap();
    // What can't be read leaves the keys as they are.
    std::fs::write(&path, "{").unwrap();
    house.pass(60);
    let odd = token(Algorithm::ES256, "nobody", &ec, &fresh);
    assert_eq!(who(&external, &odd).await.unwrap_err(), unknown);
    who(&external, &late).await.unwrap();
}
