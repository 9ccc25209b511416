//! Whose tokens count.

use super::*;

/// A token of the older server.
fn foreign(claims: &Value) -> String {
    signed(Algorithm::HS256, SECRET, claims)
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn now_s() -> u64 {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::new(now.as_millis().try_into().unwrap()).number() / 1_000
}

fn claims_until(ends_s: u64) -> Value {
    json!({"UserID": 7, "UserName": "tim", "Email": "tim@mail.com", "exp": ends_s})
}

#[tokio::test]
async fn a_token_of_the_older_server_goes_on_counting() {
    let world = world().await;
    let token = foreign(&claims_until(now_s() + 60));
    let tim = Person { id: 7, token };
    let room = create(&world, &tim, "Chat name").await;
    let mut chat = Chat::enter(&world, &tim, room).await;
    chat.send(json!({"chatMessage": "hello"})).await;
    let heard: Value = serde_json::from_str(&chat.hear().await.unwrap()).unwrap();
    assert_eq!(heard["Body"]["chatUser"], "tim");
    world.stop().await;
}

#[tokio::test]
async fn the_end_of_a_token_is_the_end_of_its_socket() {
    let world = world().await;
    let ends_s = now_s() + 3;
    let token = foreign(&claims_until(ends_s));
    let tim = Person { id: 7, token };
    let room = create(&world, &tim, "Chat name").await;
    let mut chat = Chat::enter(&world, &tim, room).await;
    chat.send(json!({"chatMessage": "hello"})).await;
    chat.hear().await.unwrap();
    assert_eq!(chat.hear().await, Err(1008));
    assert!(now_s() >= ends_s);
    world.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said_alike_on_both_carriers() {
    let world = world().await;
    let fresh = claims_until(now_s() + 60);
    let ann = sign_up(&world, "ann").await;
    let room = create(&world, &ann, "Chat name").await;
    let none = "eyJhbGciOiJub25lIn0.eyJVc2VySUQiOjd9.";
    for (token, words) in [
        ("ab", "token contains an invalid number of segments"),
        ("a.b", "token contains an invalid number of segments"),
        (
            &*signed(Algorithm::HS256, "another secret", &fresh),
            "signature is invalid",
        ),
        (&foreign(&claims_until(now_s() - 1)), "Token is expired"),
        (
            &signed(Algorithm::HS384, SECRET, &fresh),
            "unexpected signing method: HS384",
        ),
        (none, "unexpected signing method: none"),
    ] {
        let body = json!({ "roomId": room });
        let said = post(world.address, Some(token), "chat/room-messages", &body).await;
        assert_eq!((said.status, said.json()), envelope(401, words));
        let path = format!("/ws?room_id={room}&jwt={token}");
        assert_eq!(
            refused(world.address, &path, &[]).await,
            envelope(401, words)
        );
    }
    let path = format!("/v1/ws?room_id={room}");
    for headers in [&[][..], &[("authorization", "Basic YTpi")]] {
        let said = refused(world.address, &path, headers).await;
        assert_eq!(said, envelope(401, "malformed jwt token"));
    }
    let bearer = format!("Bearer {}", ann.token);
    let once = ("authorization", bearer.as_str());
    let path = "/v1/api/chat/rooms";
    for (headers, status) in [(&[once][..], 200), (&[once, once], 401)] {
        let said = http(world.address, "GET", path, headers, b"").await;
        assert_eq!(said.status, status, "{}", said.body);
    }
    // A query proves something at a handshake alone.
    let path = format!("{path}?jwt={}", ann.token);
    let said = http(world.address, "GET", &path, &[], b"").await;
    assert_eq!(
        (said.status, said.json()),
        envelope(401, "malformed jwt token")
    );
    world.stop().await;
}

#[tokio::test]
async fn a_guest_of_the_native_dialect_may_visit_what_is_open() {
    let world = world().await;
    let owner = world.account("owner").await;
    let mut native = world.enter(&owner).await;
    let open = native.create(json!({"name": "open"})).await;
    let den = json!({"name": "den", "access": {"mode": "invite"}, "listed": true});
    let den = native.create(den).await;
    let body = br#"{"name": "gus"}"#;
    let said = http(world.address, "POST", "/v1/auth/guest", &[], body).await;
    let gus = Person {
        id: said.json()["user"]["id"].as_u64().unwrap(),
        token: said.json()["token"].as_str().unwrap().to_owned(),
    };
    let mut chat = Chat::enter(&world, &gus, open).await;
    chat.say(open, ("gus", gus.id), "hello").await;
    let path = format!("/ws?room_id={den}&jwt={}", gus.token);
    let said = refused(world.address, &path, &[]).await;
    assert_eq!(said, envelope(403, "not a member of this room"));
    world.stop().await;
}

#[tokio::test]
async fn a_log_out_ends_the_socket_and_the_token() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let room = create(&world, &ann, "Chat name").await;
    let mut chat = Chat::enter(&world, &ann, room).await;
    chat.say(room, ("ann", ann.id), "here").await;
    let bearer = format!("Bearer {}", ann.token);
    let headers = [("authorization", bearer.as_str())];
    let out = http(world.address, "POST", "/v1/auth/logout", &headers, b"").await;
    assert_eq!(out.status, 204);
    assert_eq!(chat.hear().await, Err(1008));
    let path = format!("/ws?room_id={room}&jwt={}", ann.token);
    let (status, body) = refused(world.address, &path, &[]).await;
    assert_eq!((status, &body["Status"]), (401, &json!(false)));
    world.stop().await;
}
