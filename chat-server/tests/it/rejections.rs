//! Every reason to refuse, reached by a frame; and everything that is no frame.

use std::collections::BTreeSet;

use chat_protocol::Code;
use chat_server::config::Config;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{Native, PASSWORD, Plain, World, config, http};

/// The codes that no frame of a client brings about, and why.
const OUT_OF_REACH: [(Code, &str); 3] = [
    (Code::Unavailable, "takes thousands of requests at once"),
    (Code::ShuttingDown, "takes a server that stops"),
    (Code::StorageUnavailable, "takes a disk that fails"),
];

/// The codes that were reached.
#[derive(Default)]
struct Reached(BTreeSet<Code>);

impl Reached {
    #[track_caller]
    fn note(&mut self, refusal: &Value, code: Code) {
        assert_eq!(refusal["code"], code.as_str(), "{refusal}");
        assert!(refusal["msg"].as_str().is_some_and(|msg| !msg.is_empty()));
        self.0.insert(code);
    }

    /// Makes each of these calls, which all have to be refused for these reasons.
    async fn by(&mut self, client: &mut Native, calls: &[(&str, Value, Code)]) {
        for (op, d, code) in calls {
            let refusal = client.refused(op, d.clone()).await;
            self.note(&refusal, *code);
        }
    }
}

/// Bounds that are near enough to be reached.
fn narrow() -> Config {
    let mut config = config();
    config.limits.pins_max = 1;
    config.limits.edit_window_ms = 1;
    config
}

#[tokio::test]
async fn every_reason_to_refuse_is_given_to_somebody() {
    let mut reached = Reached::default();
    in_a_room(&mut reached).await;
    at_the_door(&mut reached).await;
    between_two_people(&mut reached).await;
    about_frames_and_tokens(&mut reached).await;
    for code in Code::ALL {
        let within = !OUT_OF_REACH.iter().any(|(out, _)| out == code);
        assert_eq!(reached.0.contains(code), within, "{code}");
    }
}

async fn in_a_room(reached: &mut Reached) {
    let world = World::with(narrow()).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let room = a.create(json!({"name": "Den", "alias": "den"})).await;
    b.join(room).await;
    let (one, two) = (a.post(room, "1").await, a.post(room, "2").await);
    let said = |body: &str| json!({"room": room, "body": body, "cid": "x"});
    let long = json!({"room": room, "body": "x".repeat(16 * 1024 + 1)});
    let of = |message: u64| json!({"room": room, "message": message});
    a.ok("post", said("x")).await;
    a.ok("pin", of(one)).await;
    a.ok("delete", of(two)).await;
    reached
        .by(
            &mut a,
            &[
                ("post", said("y"), Code::CidConflict),
                ("post", json!({"room": room, "body": " "}), Code::EmptyBody),
                ("post", long, Code::TooLarge),
                ("pin", of(one + 2), Code::TooMany),
                (
                    "edit",
                    json!({"room": room, "message": two, "body": "?"}),
                    Code::MessageDeleted,
                ),
                ("message", of(999), Code::MessageNotFound),
                ("leave", json!({"room": room}), Code::LastOwner),
                (
                    "records",
                    json!({"room": room, "since": 999}),
                    Code::Unrecoverable,
                ),
                (
                    "invite",
                    json!({"room": room, "user": 999}),
                    Code::UserNotFound,
                ),
                (
                    "create_room",
                    json!({"name": "x", "alias": "DEN"}),
                    Code::NameTaken,
                ),
                (
                    "post",
                    json!({"room": 999, "body": "?"}),
                    Code::RoomNotFound,
                ),
            ],
        )
        .await;
    too_late(reached, &mut a, room, one).await;
    by_rank(reached, (&mut a, ann.id), (&mut b, bob.id), room).await;
    world.stop().await;
}

async fn too_late(reached: &mut Reached, client: &mut Native, room: u64, message: u64) {
    // The window closes a millisecond after the post: soon enough.
    let edit = json!({"room": room, "message": message, "body": "one"});
    let refusal = loop {
        if let Err(refusal) = client.call("edit", edit.clone()).await {
            break refusal;
        }
    };
    reached.note(&refusal, Code::EditWindowClosed);
}

type Person<'a> = (&'a mut Native, u64);

async fn by_rank(reached: &mut Reached, (a, ann): Person<'_>, (b, bob): Person<'_>, room: u64) {
    let outranked = json!({"room": room, "user": ann});
    let archive = json!({"room": room});
    a.ok(
        "set_role",
        json!({"room": room, "user": bob, "role": "moderator"}),
    )
    .await;
    reached
        .by(
            b,
            &[
                ("kick", outranked, Code::Outranked),
                ("archive", archive.clone(), Code::PermissionDenied),
            ],
        )
        .await;
    let muted = json!({"room": room, "user": bob, "until": 4_000_000_000_000_u64});
    a.ok("mute", muted).await;
    let post = json!({"room": room, "body": "?"});
    reached.by(b, &[("post", post.clone(), Code::Muted)]).await;
    a.ok("ban", json!({"room": room, "user": bob})).await;
    reached.by(b, &[("post", post.clone(), Code::Banned)]).await;
    a.ok("archive", archive).await;
    reached.by(a, &[("post", post, Code::Archived)]).await;
}

async fn at_the_door(reached: &mut Reached) {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    let open = a.create(json!({"name": "open"})).await;
    let locked = json!({"name": "locked", "access": {"mode": "password", "password": "x"}});
    let locked = a.create(locked).await;
    let club = json!({"name": "club", "access": {"mode": "invite"}, "listed": true});
    let club = a.create(club).await;
    let full = a.create(json!({"name": "full", "capacity": 1})).await;
    let slow = a.create(json!({"name": "slow", "slow_mode_s": 60})).await;
    let join = |room: u64| json!({"room": room, "password": "y"});
    b.ok("join", join(slow)).await;
    b.post(slow, "one").await;
    reached
        .by(
            &mut b,
            &[
                ("post", json!({"room": open, "body": "?"}), Code::NotAMember),
                ("join", join(locked), Code::WrongPassword),
                ("join", join(club), Code::InviteRequired),
                ("join", join(full), Code::RoomFull),
                ("post", json!({"room": slow, "body": "two"}), Code::SlowMode),
            ],
        )
        .await;
    world.stop().await;
}

async fn between_two_people(reached: &mut Reached) {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let (mut a, mut b) = (world.enter(&ann).await, world.enter(&bob).await);
    b.ok("block", json!({"user": ann.id})).await;
    let direct = ("open_direct", json!({"user": bob.id}), Code::Blocked);
    reached.by(&mut a, &[direct]).await;

    let wrong = json!({"login": "ann", "password": "wrong"}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/login",
        &[],
        wrong.as_bytes(),
    )
    .await;
    assert_eq!(said.status, 401);
    reached
        .0
        .insert(code_of(&said.json(), Code::BadCredentials));
    world
        .server
        .suspend(bob.id.try_into().unwrap())
        .await
        .unwrap();
    let right = json!({"login": "bob", "password": PASSWORD}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/login",
        &[],
        right.as_bytes(),
    )
    .await;
    assert_eq!(said.status, 403);
    reached.0.insert(code_of(&said.json(), Code::Suspended));
    world.stop().await;
}

fn code_of(problem: &Value, code: Code) -> Code {
    assert_eq!(problem["code"], code.as_str(), "{problem}");
    assert_eq!(problem["status"], code.http_status());
    code
}

async fn about_frames_and_tokens(reached: &mut Reached) {
    let mut config = config();
    config.server_limits.token_ms = 1;
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 10;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut client = world.connect().await;
    let expired = loop {
        let refusal = client.call("hello", json!({"token": ann.token})).await;
        match refusal {
            Err(refusal) => break refusal,
            Ok(_) => client = world.connect().await,
        }
    };
    reached.note(&expired, Code::TokenExpired);
    let mut client = world.connect().await;
    let unknown = json!({"token": "not.a.token"});
    reached
        .by(
            &mut client,
            &[
                ("hello", unknown, Code::TokenInvalid),
                ("rooms", json!({}), Code::Unauthenticated),
                ("fly", json!({}), Code::UnknownCommand),
                ("post", json!({"body": "?"}), Code::BadArgument),
            ],
        )
        .await;
    client.send(r#"{"id":77}"#).await;
    let bad = client.reply(77).await.unwrap_err();
    reached.note(&bad, Code::BadFrame);
    let refusal = loop {
        match client.call("rooms", json!({})).await {
            Err(refusal) if refusal["code"] == "unauthenticated" => {}
            refusal => break refusal.unwrap_err(),
        }
    };
    reached.note(&refusal, Code::RateLimited);
    assert!(
        refusal["retry_ms"].as_u64().is_some_and(|ms| ms > 0),
        "{refusal}"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_is_answered_and_the_socket_lives() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deeper = format!(r#"{{"id":1,"op":"post","d":{{"room":{room},"body":{deep}}}}}"#);
    let frames = [
        "hello",
        "7",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":-1,"op":"limits"}"#,
        r#"{"id":9007199254740993,"op":"limits"}"#,
        r#"{"id":1e99,"op":"limits"}"#,
        r#"{"id":1,"id":2,"op":"limits"}"#,
        r#"{"id":1,"op":"limits","op":"rooms"}"#,
        r#"{"id":1,"op":7}"#,
        r#"{"id":1,"op":"limits","d":[]}"#,
        r#"{"id":1,"op":"post","d":{"room":1,"room":1,"body":"x"}}"#,
        &deep,
        &deeper,
        "\u{0}",
        "{\"id\":1,\"op\":\"limits\"}\u{0}",
    ];
    for frame in frames {
        a.send(frame).await;
        let refused = a.frame().await;
        let code = refused["err"]["code"].as_str().unwrap_or_default();
        let shown: String = frame.chars().take(80).collect();
        assert!(
            ["bad_frame", "bad_argument"].contains(&code),
            "{shown}: {refused}"
        );
    }
    for bytes in [
        vec![0xff, 0xfe, 0x00],
        vec![0; 1000],
        b"\xed\xa0\x80".to_vec(),
    ] {
        a.send_message(Message::binary(bytes)).await;
        assert_eq!(a.frame().await["err"]["code"], "bad_frame");
    }
    // JSON that was sent as binary is JSON all the same.
    let id = json!({"id": 5000, "op": "limits"}).to_string();
    a.send_message(Message::binary(id.into_bytes())).await;
    a.reply(5000).await.unwrap();
    a.post(room, "still here").await;
    world.stop().await;
}

#[tokio::test]
async fn the_field_that_is_wrong_is_named() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let wrong = [
        ("post", json!({"room": room, "body": 7}), "body"),
        ("edit", json!({"room": room, "body": "?"}), "message"),
        ("post", json!({"room": room, "body": "a\u{0}b"}), "body"),
        ("post", json!({"body": "x"}), "room"),
        ("post", json!({"room": -1, "body": "x"}), "room"),
        (
            "post",
            json!({"room": room, "body": "x", "cid": "y".repeat(65)}),
            "cid",
        ),
        (
            "post",
            json!({"room": room, "body": "x", "mentions": "ann"}),
            "mentions",
        ),
        ("create_room", json!({"name": ""}), "name"),
        ("create_room", json!({"name": "a\u{202e}b"}), "name"),
        (
            "react",
            json!({"room": room, "message": 1, "reaction": ""}),
            "reaction",
        ),
        ("mark_read", json!({"room": room, "idx": 999}), "idx"),
        (
            "history",
            json!({"room": room, "before": 1, "after": 1}),
            "after",
        ),
        (
            "explain",
            json!({"room": room, "permission": "fly"}),
            "permission",
        ),
    ];
    for (op, d, field) in wrong {
        let refused = a.refused(op, d.clone()).await;
        assert_eq!(refused["code"], "bad_argument", "{op} {d}: {refused}");
        assert_eq!(refused["details"]["field"], field, "{op} {d}: {refused}");
    }
    a.post(room, "still here").await;
    world.stop().await;
}

#[tokio::test]
async fn a_body_is_measured_to_the_byte_and_a_frame_over_its_limit_closes() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    for (bytes, fits) in [(16_383, true), (16_384, true), (16_385, false)] {
        let d = json!({"room": room, "body": "x".repeat(bytes)});
        let said = a.call("post", d).await;
        assert_eq!(said.is_ok(), fits, "{bytes}");
        if let Err(refused) = said {
            assert_eq!(refused["code"], "too_large");
            assert_eq!(refused["details"]["max"], 16_384);
        }
    }
    let padded = |bytes: usize| {
        let frame = json!({"id": 9000, "op": "limits", "pad": ""}).to_string();
        let pad = "x".repeat(bytes - frame.len());
        frame.replace(r#""pad":"""#, &format!(r#""pad":"{pad}""#))
    };
    a.send(padded(64 * 1024)).await;
    a.reply(9000).await.unwrap();
    // Far over, so that the server closes with much of it unread.
    for bytes in [64 * 1024 + 1, 8 * 1024 * 1024] {
        let mut client = world.enter(&ann).await;
        client.send(padded(bytes)).await;
        assert_eq!(client.closed().await, 4507, "{bytes}");
    }
    let mut stranger = world.connect().await;
    stranger.send(padded(16 * 1024 + 1)).await;
    assert_eq!(stranger.closed().await, 4507);
    let mut old = Plain::connect(world.address, "/").await;
    old.ask(r#"{"type":"query","payload":{"query":"rooms"}}"#)
        .await;
    old.send(&"x".repeat(70_000)).await;
    assert!(
        old.hear()
            .await
            .unwrap()
            .starts_with(r#"{"code":1,"message":"#)
    );
    assert_eq!(old.hear().await, Err(1009));
    a.post(room, "still here").await;
    world.stop().await;
}
