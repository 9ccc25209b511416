//! Tokens that nobody made, or that were made of anything.

use std::future::Future;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;

use super::tokens::signed;
use super::{DAY, House};

const NOW_S: u64 = DAY.number() / 1_000;

/// Tokens of an ordinary run; `PROPTEST_CASES` asks for more.
const TOKENS: u32 = 128;

fn tokens() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = TOKENS;
    }
    config
}

fn now<T>(story: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(story)
}

/// Values that a claim may have, many of them almost right.
fn claim() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![
            json!("chat"),
            json!("1"),
            json!("01"),
            json!("4503599627370496"),
            json!("access"),
            json!("refresh"),
            json!("guest"),
            json!("ann"),
            json!("\u{202e}"),
            json!(""),
            json!(0),
            json!(-1),
            json!(1),
            json!(NOW_S),
            json!(NOW_S + 60),
            json!(9_007_199_254_740_992_u64),
            json!(u64::MAX),
            json!(1.5),
            json!(1e300),
            json!(null),
            json!(true),
            json!([1]),
            json!({"a": 1}),
        ]),
        any::<String>().prop_map(Value::from),
    ]
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let names = vec![
        "iss", "sub", "name", "gid", "epo", "typ", "iat", "exp", "nbf", "id", "username", "UserID",
        "UserName", "Email", "aud",
    ];
    btree_map(select(names).prop_map(str::to_owned), claim(), 0..10)
        .prop_map(|map| map.into_iter().collect())
}

/// Three parts, or almost: what looks like a token.
fn almost_a_token() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9".to_owned()),
        // `{"alg":"none"}`, `{"alg":"HS256","crit":["x"]}`
        Just("eyJhbGciOiJub25lIn0".to_owned()),
        Just("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ".to_owned()),
        Just("eyJpc3MiOiJjaGF0Iiwic3ViIjoiMSJ9".to_owned()),
        "[A-Za-z0-9_-]{0,60}",
        any::<String>(),
    ];
    vec(part, 0..5).prop_map(|parts| parts.join("."))
}

proptest! {
    #![proptest_config(tokens())]

    #[test]
    fn nobody_comes_in_by_what_was_not_signed_here(
        texts in vec(prop_oneof![any::<String>(), almost_a_token()], 1..20),
        claims in claims(),
    ) {
        now(async {
            let house = House::open().await;
            house.sign_up("ann").await;
            let with = |algorithm, key: &[u8]| {
                encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(key)).unwrap()
            };
            let others = [with(Algorithm::HS256, b"another secret"), with(Algorithm::HS512, super::SECRET)];
            for token in texts.iter().chain(&others) {
                assert!(house.who(token).await.is_err(), "{token}");
            }
            let cut = signed(&Value::Object(claims.clone()));
            assert!(house.who(&cut[..cut.len() - 1]).await.is_err());
        });
    }

    #[test]
    fn whatever_was_signed_here_names_an_account_or_nobody(claims in vec(claims(), 1..20)) {
        now(async {
            let house = House::open().await;
            let ann = house.sign_up("ann").await.identity.user;
            for claims in claims {
                let own = claims.get("iss") == Some(&json!("chat"));
                let Ok(identity) = house.who(&signed(&Value::Object(claims.clone()))).await else {
                    continue;
                };
                let actor = identity.actor();
                if own {
                    assert_eq!(claims["sub"], actor.id.to_string(), "{claims:?}");
                } else {
                    // Made elsewhere: it stands for somebody of its own, not for one of ours.
                    assert_ne!(actor.id, ann, "{claims:?}");
                }
            }
        });
    }
}
