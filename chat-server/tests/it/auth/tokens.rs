//! The token matrix: what is refused, and why.

use chat_server::auth::TokenFault::{Claims, Future, Malformed, Revoked, Segments, Signature, Use};
use chat_server::auth::{AuthError, TokenFault};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{DAY, House, SECRET};

const NOW_S: u64 = DAY.number() / 1_000;

/// A token with these claims, signed as this server signs.
pub(super) fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET);
    encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// What an access token of account 1 says.
fn access() -> Value {
    json!({
        "iss": "chat", "sub": "1", "name": "ann", "gid": "g", "epo": 0, "typ": "access",
        "iat": NOW_S, "exp": NOW_S + 60,
    })
}

fn access_but(name: &str, value: Value) -> Value {
    let mut claims = access();
    claims[name] = value;
    claims
}

fn access_without(name: &str) -> Value {
    let mut claims = access();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn refusal(house: &House, token: &str) -> AuthError {
    house.who(token).await.unwrap_err()
}

#[tokio::test]
async fn only_whole_and_timely_claims_of_the_right_types_count() {
    let house = House::open().await;
    house.sign_up("ann").await;
    house.who(&signed(&access())).await.unwrap();
    let a_bit_ahead = access_but("iat", json!(NOW_S + 59));
    house.who(&signed(&a_bit_ahead)).await.unwrap();

    let end = NOW_S + 60;
    for (claims, fault) in [
        (access_but("exp", json!(end.to_string())), Claims),
        (access_but("exp", json!(1.79e9 + 60.0)), Claims),
        (access_but("exp", json!(1e300)), Claims),
        (access_but("exp", json!(-1)), Claims),
        (access_but("exp", json!([end])), Claims),
        (access_but("exp", Value::Null), Claims),
        (access_but("exp", json!(true)), Claims),
        (access_without("exp"), Claims),
        (access_without("iat"), Claims),
        (access_but("iat", json!("yesterday")), Claims),
        (access_but("iat", json!(NOW_S + 3_600)), Future),
        (access_but("typ", json!("refresh")), Use),
        (access_but("typ", json!("guest")), Use),
        (access_but("typ", json!("root")), Claims),
        (access_without("typ"), Claims),
        (access_but("sub", json!(1)), Claims),
        (access_but("sub", json!("01")), Claims),
        (access_but("sub", json!("+1")), Claims),
        (access_but("sub", json!("9007199254740992")), Claims),
        (access_but("sub", json!("2")), Revoked),
        (access_but("sub", json!("0")), Revoked),
        (access_but("epo", json!("0")), Claims),
        (access_but("epo", json!(1)), Revoked),
        (access_but("iss", json!("else")), Claims),
    ] {
        let refused = refusal(&house, &signed(&claims)).await;
        assert_eq!(refused, AuthError::TokenInvalid(fault), "{claims}");
    }
    for exp in [NOW_S, NOW_S - 1, 0] {
        let refused = refusal(&house, &signed(&access_but("exp", json!(exp)))).await;
        assert_eq!(refused, AuthError::TokenExpired, "{exp}");
    }
}

#[tokio::test]
async fn the_algorithm_is_ours_to_choose() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let good = signed(&access());
    let parts: Vec<_> = good.split('.').collect();

    // {"alg":"none"}, {"alg":"None","typ":"JWT"}
    for (header, name) in [
        ("eyJhbGciOiJub25lIn0", "none"),
        ("eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0", "None"),
    ] {
        for signature in ["", parts[2]] {
            let token = format!("{header}.{}.{signature}", parts[1]);
            let fault = TokenFault::Algorithm(name.into());
            assert_eq!(refusal(&house, &token).await, fault.into());
        }
    }
    let secret = EncodingKey::from_secret(SECRET);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = encode(&Header::new(algorithm), &access(), &secret).unwrap();
        let fault = TokenFault::Algorithm(format!("{algorithm:?}").into());
        assert_eq!(refusal(&house, &token).await, fault.into());
    }
    let rsa = EncodingKey::from_rsa_der(include_bytes!("keys/rsa.der"));
    let token = encode(&Header::new(Algorithm::RS256), &access(), &rsa).unwrap();
    let fault = TokenFault::Algorithm("RS256".into());
    assert_eq!(refusal(&house, &token).await, fault.into());
}

#[tokio::test]
async fn a_token_neither_brings_nor_names_its_key() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let key = EncodingKey::from_secret(SECRET);
    let named = Header {
        kid: Some("../../dev/null".to_owned()),
        jku: Some("https://example.org/keys".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let token = encode(&named, &access(), &key).unwrap();
    house.who(&token).await.unwrap();
    let mine = EncodingKey::from_secret(b"a secret of my own");
    let token = encode(&named, &access(), &mine).unwrap();
    assert_eq!(refusal(&house, &token).await, Signature.into());
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..Header::new(Algorithm::HS256)
    };
    let token = encode(&critical, &access(), &key).unwrap();
    assert_eq!(refusal(&house, &token).await, Malformed.into());
}

#[tokio::test]
async fn what_is_no_token_is_refused_in_words_that_fit() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let good = signed(&access());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let wrong_end = format!("{message}.A{}", signature.get(1..).unwrap());
    for (token, fault) in [
        ("", Segments),
        ("a.b", Segments),
        ("a.b.c.d", Segments),
        ("a.b.c", Malformed),
        ("..", Malformed),
        ("\u{0}.\u{ff}.\u{1f4ac}", Malformed),
        (&format!("{message}."), Signature),
        (&format!("{good}="), Malformed),
        (&"a".repeat(100_000), Malformed),
        (&wrong_end, Signature),
    ] {
        let refused = refusal(&house, token).await;
        let shown: String = token.chars().take(80).collect();
        assert_eq!(refused, AuthError::TokenInvalid(fault), "{shown}");
    }
}

#[tokio::test]
async fn each_token_has_its_use() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    assert_eq!(refusal(&house, ann.refresh.expose()).await, Use.into());
    let (_, guest) = house.accounts.guest("zoe").await.unwrap();
    for token in [ann.access.expose(), guest.expose()] {
        let refused = house.accounts.refresh(token).await.unwrap_err();
        assert_eq!(refused, AuthError::TokenInvalid(Use));
    }
}

#[tokio::test]
async fn ended_log_ins_raised_epochs_and_suspensions_end_tokens() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let forged_ahead = signed(&access_but("epo", json!(1)));
    assert_eq!(refusal(&house, &forged_ahead).await, Revoked.into());
    let accounts = &house.accounts;
    accounts.log_out(&ann.identity, false).await.unwrap();
    assert_eq!(refusal(&house, ann.access.expose()).await, Revoked.into());
    house.who(&signed(&access())).await.unwrap();
    accounts.log_out(&ann.identity, true).await.unwrap();
    assert_eq!(refusal(&house, &signed(&access())).await, Revoked.into());
    accounts.suspend(ann.identity.user).await.unwrap();
    assert_eq!(
        refusal(&house, &signed(&access())).await,
        AuthError::Suspended
    );
}
