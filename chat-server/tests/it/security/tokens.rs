//! Tokens that don't count, at every door that takes one.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use chat_server::config::Secret;

use super::house::{SECRET, altered, claims_of};
use crate::people::Kind;
use crate::world::{Account, Plain, World, by, config, http};

/// Shows a token at every door; gives the doors that let it in.
async fn doors(world: &World, room: u64, token: &str) -> Vec<&'static str> {
    let mut open = Vec::new();
    let account = Account {
        id: 0,
        token: token.to_owned(),
        refresh: String::new(),
    };
    for path in ["/v1/me", "/v1/rooms", "/v1/api/chat/rooms", "/api/rooms"] {
        let said = by(world, &account, "GET", path, "").await;
        if said.status == 200 {
            open.push(path);
        }
    }
    let frame = json!({"id": 1, "op": "rooms", "d": {}}).to_string();
    let said = by(world, &account, "POST", "/v1/cmd", &frame).await;
    if said.status == 200 {
        open.push("/v1/cmd");
    }
    // No line of a header, and no part of an address, holds these.
    let plain = token.chars().all(|it| it.is_ascii_graphic());
    if plain && token.len() < 10_000 {
        for (name, path) in [
            ("/ws", format!("/ws?room_id={room}&jwt={token}")),
            ("/v1/ws?jwt", format!("/v1/ws?room_id={room}&jwt={token}")),
        ] {
            if Plain::try_connect(world.address, &path).await.is_ok() {
                open.push(name);
            }
        }
        let path = format!("/chat?token={token}");
        let join = json!({"action": "join", "username": "ann", "roomId": "Den"}).to_string();
        if said_on(world, &path, "", &join)
            .await
            .starts_with(r#"{"action":"joined""#)
        {
            open.push("/chat?token");
        }
    }
    for (name, path, before, frame, granted) in frames(room, token) {
        if said_on(world, path, before, &frame)
            .await
            .starts_with(granted)
        {
            open.push(name);
        }
    }
    open
}

type Frame = (
    &'static str,
    &'static str,
    &'static str,
    String,
    &'static str,
);

fn frames(room: u64, token: &str) -> Vec<Frame> {
    let hello = json!({"id": 1, "op": "hello", "d": {"token": token}});
    let code = Kind::Rooms.spell(room, "Den");
    let join = json!({"name": "ann", "roomId": code, "pass": "", "token": token});
    let join = json!({"type": "join", "payload": join});
    let act = json!({"action": "join", "username": "ann", "roomId": "Den", "token": token});
    let socketio = "/socket.io/?EIO=4&transport=websocket";
    vec![
        ("hello", "/v1/ws", "", hello.to_string(), r#"{"re":1,"ok""#),
        ("rooms", "/", "", join.to_string(), r#"{"code":0"#),
        (
            "actions",
            "/chat",
            "",
            act.to_string(),
            r#"{"action":"joined""#,
        ),
        (
            "socketio",
            socketio,
            "0",
            format!("40{}", json!({"token": token})),
            "40{",
        ),
    ]
}

/// Says something; gives what is heard of it, after what comes first by itself.
async fn said_on(world: &World, path: &str, before: &str, frame: &str) -> String {
    let mut socket = Plain::connect(world.address, path).await;
    if !before.is_empty() {
        assert!(socket.hear().await.unwrap().starts_with(before));
    }
    socket.send(frame).await;
    let heard = socket.hear().await.unwrap_or_default();
    socket.leave().await;
    heard
}

/// All doors, each once.
const DOORS: usize = 12;

async fn world() -> (World, Account, u64) {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    config.server_limits.sessions_per_user_max = 1_000;
    config.server_limits.silent_sockets_per_address_max = 10_000;
    config.actions_names = chat_server::config::ActionsNames::Strict;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    (world, ann, room)
}

fn segments(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().unwrap()
}

/// The text without padding, as RFC 4648 has it for addresses.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().enumerate().fold(0_u32, |bits, (place, byte)| {
            bits | u32::from(*byte) << (16 - 8 * place)
        });
        for digit in 0..=part.len() {
            let index = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}

fn with_header(token: &str, header: &Value) -> String {
    let [_, payload, signature] = segments(token);
    format!(
        "{}.{payload}.{signature}",
        base64url(header.to_string().as_bytes())
    )
}

type Bad = Vec<(String, String)>;

/// What is wrong, and the token with it.
fn bad_tokens(ann: &Account) -> Bad {
    let mut bad = bad_headers(&ann.token);
    bad.extend(bad_claims(ann));
    bad.extend(bad_shapes(ann));
    bad
}

fn bad_headers(good: &str) -> Bad {
    let mut bad = Bad::new();
    for alg in [
        "none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256", "",
        "HS256 ", "unknown",
    ] {
        let signed = with_header(good, &json!({"typ": "JWT", "alg": alg}));
        let [header, payload, _] = segments(&signed);
        let unsigned = format!("{header}.{payload}.");
        bad.push((format!("algorithm {alg}, unsigned"), unsigned));
        bad.push((format!("algorithm {alg}"), signed));
    }
    for header in [
        json!({"alg": "HS256", "crit": ["exp"]}),
        json!({"alg": ["HS256"]}),
        json!({"alg": 1}),
        json!({"alg": "HS256", "kid": "x".repeat(9_000)}),
        json!({}),
        json!([]),
        json!("HS256"),
    ] {
        bad.push((format!("header {header:.60}"), with_header(good, &header)));
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = encode(&Header::new(algorithm), &claims_of(good), &key).unwrap();
        bad.push((format!("signed by {algorithm:?}"), token));
    }
    for secret in [
        "",
        "x",
        "a secret of another house",
        " a secret of this house",
    ] {
        let token = altered(good, secret, "name", &json!("ann"));
        bad.push((format!("secret {secret:?}"), token));
    }
    bad
}

/// Signed as it has to be, and saying what no token says.
fn bad_claims(ann: &Account) -> Bad {
    let now = jsonwebtoken::get_current_timestamp();
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let mut subs = texts(&[
        "01",
        "+1",
        "-1",
        " 1",
        "1e0",
        "",
        "99999999999999999999",
        "4503599627370497",
    ]);
    subs.extend([json!(ann.id), json!(null), json!([])]);
    let mut uses = texts(&["refresh", "guest", "Access", ""]);
    uses.extend([json!(null), json!(["access"])]);
    let mut ends = vec![
        json!("9999999999"),
        json!(9e9),
        json!(1.5),
        json!(-1),
        json!(0),
    ];
    ends.extend([
        json!(now - 1),
        json!([now + 600]),
        json!({}),
        json!(true),
        json!(1e300_f64),
    ]);
    ends.push(Value::Null);
    let mut bad = Bad::new();
    for (claim, values) in [
        ("exp", ends),
        ("sub", subs),
        ("typ", uses),
        (
            "epo",
            vec![json!(1), json!("0"), json!(-1), json!(0.5), json!(null)],
        ),
        ("gid", vec![json!(1), json!(null), json!([])]),
        (
            "iat",
            vec![
                json!(now + 120),
                json!("1"),
                json!(-1),
                json!(null),
                json!(1.5),
            ],
        ),
        (
            "iss",
            vec![json!("chat "), json!("Chat"), json!(null), json!(1)],
        ),
        (
            "name",
            vec![json!(1), json!(null), json!(""), json!("x".repeat(9_000))],
        ),
    ] {
        for value in values {
            let token = altered(&ann.token, SECRET, claim, &value);
            bad.push((format!("{claim} {value:.60}"), token));
        }
    }
    bad.extend(lacking_claims(&ann.token));
    bad
}

fn lacking_claims(good: &str) -> Bad {
    let mut bad = Bad::new();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for claim in ["exp", "sub", "iss", "gid", "epo", "typ", "iat"] {
        let mut claims = claims_of(good);
        claims.as_object_mut().unwrap().remove(claim);
        let token = encode(&Header::default(), &claims, &key).unwrap();
        bad.push((format!("no {claim}"), token));
    }
    bad
}

fn bad_shapes(ann: &Account) -> Bad {
    let good = ann.token.as_str();
    let [header, payload, signature] = segments(good);
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let others = altered(good, "x", "name", &json!("eve"));
    let [_, other, _] = segments(&others);
    let mut bad = vec![
        format!("{header}.{payload}.{first}{}", &signature[1..]),
        format!("{header}.{payload}.{}", &signature[..20]),
        format!("{header}.{other}.{signature}"),
        format!("{good}.{signature}"),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}="),
        format!("{good}{good}"),
        ann.refresh.clone(),
    ];
    let none = [
        "", ".", "..", "...", "a.b", "a.b.c.d", "null", "Bearer", "{}",
    ];
    bad.extend(none.map(str::to_owned));
    bad.into_iter()
        .map(|token| ("its shape".to_owned(), token))
        .collect()
}

#[tokio::test]
async fn no_door_opens_to_a_token_that_does_not_count() {
    let (world, ann, room) = world().await;
    let open = doors(&world, room, &ann.token).await;
    assert_eq!(open.len(), DOORS, "{open:?}");
    let bad = bad_tokens(&ann);
    for (what, token) in &bad {
        let open = doors(&world, room, token).await;
        assert!(open.is_empty(), "{what} opens {open:?}: {token}");
    }
    println!("{} tokens refused at {DOORS} doors each", bad.len());
    world.stop().await;
}

#[tokio::test]
async fn what_has_ended_opens_no_door() {
    let (world, ann, room) = world().await;
    let again = world.log_in("ann").await;
    let (bob, cat) = (world.account("bob").await, world.account("cat").await);
    let out = by(&world, &ann, "POST", "/v1/auth/logout", "{}").await;
    assert_eq!(out.status, 204);
    // The other log-in of the same account goes on.
    assert_eq!(doors(&world, room, &again.token).await.len(), DOORS);
    let all = by(&world, &bob, "POST", "/v1/auth/logout", r#"{"all":true}"#).await;
    assert_eq!(all.status, 204);
    let user = cat.id.try_into().unwrap();
    world.server.suspend(user).await.unwrap();
    for (what, account) in [
        ("logged out", &ann),
        ("an old epoch", &bob),
        ("suspended", &cat),
    ] {
        let open = doors(&world, room, &account.token).await;
        assert!(open.is_empty(), "{what} opens {open:?}");
        let refresh = json!({"refresh_token": account.refresh}).to_string();
        let said = http(
            world.address,
            "POST",
            "/v1/auth/refresh",
            &[],
            refresh.as_bytes(),
        )
        .await;
        assert!([401, 403].contains(&said.status), "{what}: {}", said.body);
    }
    world.stop().await;
}

#[tokio::test]
async fn an_access_token_renews_nothing_and_a_guest_is_no_account() {
    let (world, ann, _) = world().await;
    for token in [
        ann.token.clone(),
        altered(&ann.refresh, "x", "name", &json!("ann")),
        altered(&ann.refresh, SECRET, "exp", &json!(1)),
    ] {
        let refresh = json!({"refresh_token": token}).to_string();
        let said = http(
            world.address,
            "POST",
            "/v1/auth/refresh",
            &[],
            refresh.as_bytes(),
        )
        .await;
        assert_eq!(said.status, 401, "{}", said.body);
    }
    let guest = http(
        world.address,
        "POST",
        "/v1/auth/guest",
        &[],
        br#"{"name":"gus"}"#,
    )
    .await;
    let token = guest.json()["token"].as_str().unwrap().to_owned();
    // A guest's number in a token of an account, and an account's in one of a guest.
    for (claim, value) in [("typ", json!("access")), ("sub", json!(ann.id.to_string()))] {
        let forged = altered(&token, "not the secret", claim, &value);
        let bearer = format!("Bearer {forged}");
        let said = http(
            world.address,
            "GET",
            "/v1/me",
            &[("authorization", &bearer)],
            b"",
        )
        .await;
        assert_eq!(said.status, 401, "{claim}: {}", said.body);
    }
    let account = Account {
        id: 0,
        token,
        refresh: String::new(),
    };
    let change = json!({"old": "x", "new": "a long password"}).to_string();
    let said = by(&world, &account, "POST", "/v1/auth/password", &change).await;
    assert_eq!(said.status, 403, "{}", said.body);
    world.stop().await;
}
