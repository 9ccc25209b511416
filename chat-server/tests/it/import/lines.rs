//! Lines that aren't as they should be, and files that are read again.

use serde_json::{Value, json};

use super::{HASH, House, file, hello, history, line};

fn message(id: u64, user: &str, body: &str, at: u64) -> Value {
    json!({"type": "message", "id": id, "room": "den", "user": user, "body": body, "at": at})
}

fn user(id: &str) -> Value {
    json!({"type": "user", "id": id, "name": id, "password_hash": HASH})
}

fn den() -> Value {
    json!({"type": "room", "id": "den", "name": "Den", "created_at": 1_000})
}

#[test]
fn what_cannot_be_brought_is_told_by_its_line_and_all_else_is_brought() {
    let house = House::new();
    let mut bytes = file(&[
        user("ann"),
        den(),
        message(1, "ann", "one", 2_000),
        message(2, "nobody", "two", 2_001),
        message(3, "ann", " ", 2_002),
        message(4, "ann", &"x".repeat(17 * 1024), 2_003),
        message(5, "ann", "from tomorrow", 9_000_000_000_000),
        json!({"type": "message", "room": "den", "name": "e\u{202e}ve", "body": "x", "at": 2_004}),
        json!({"type": "message", "room": "attic", "user": "ann", "body": "x", "at": 2_005}),
        json!({"type": "user", "id": "eve", "name": "\u{200b}", "password": "x"}),
        json!({"type": "user", "id": "joe", "name": "joe", "password_hash": "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}),
        json!({"type": "member", "room": "den", "user": "eve"}),
        json!({"type": "room", "id": "hall", "name": "a\nb"}),
        json!({"type": "member", "room": "hall", "user": "ann"}),
        json!({"type": "message", "room": "den", "user": "ann", "body": "nul\0", "at": 2_006}),
        message(16, "ann", "sixteen", 2_007),
    ])
    .into_bytes();
    bytes.extend(b"\xff\xfe\n\nnonsense\n");
    bytes.extend(br#"{"type":"message","room":"den","user":"ann","bo"#);
    let said = house.import("socketio", &bytes, &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for (line, words) in [
        (4, "no user \"nobody\""),
        (5, "nothing to post"),
        (6, "over its limit"),
        (7, "future"),
        (8, "may not contain"),
        (9, "no room \"attic\""),
        (10, "name can't be used"),
        (11, "costs too much"),
        (12, "no user \"eve\""),
        (13, "may not contain"),
        (14, "could not be made"),
        (15, "NUL"),
        (17, "UTF-8"),
        (19, "no JSON object"),
        (20, "no JSON object"),
    ] {
        assert!(
            said.refusal(line).contains(words),
            "{line}: {}",
            said.refusal(line)
        );
        assert!(said.err.contains(&format!("line {line}: ")), "{}", said.err);
    }
    assert!(
        said.err.ends_with("15 lines could not be brought\n"),
        "{}",
        said.err
    );
    assert_eq!(said.count("users"), (1, 0, 2));
    assert_eq!(said.count("messages"), (2, 0, 7));
    let summary = said.report.last().unwrap();
    assert_eq!(summary["unreadable"], 3);
    let again = house.import("socketio", &bytes, &[]);
    assert_eq!(again.code, Some(1));
    assert_eq!(again.count("messages"), (0, 2, 7));
}

#[tokio::test]
async fn a_longer_file_brings_what_is_not_here_yet() {
    let house = House::new();
    let mut lines = vec![
        user("ann"),
        user("bob"),
        den(),
        json!({"type": "member", "room": "den", "user": "bob", "role": "admin", "joined_at": 1_500}),
        message(1, "bob", "one", 2_000),
        // Said twice within one moment, without an id.
        json!({"type": "message", "room": "den", "user": "bob", "body": "ok", "at": 2_001}),
        json!({"type": "message", "room": "den", "user": "bob", "body": "ok", "at": 2_001}),
        message(2, "ann", "two", 2_002),
    ];
    let first = house.import_twice("socketio", &lines);
    assert_eq!(first.count("messages"), (4, 0, 0));
    assert_eq!(first.count("members"), (1, 0, 0));
    // Out of order, and one that is older than what is here.
    lines.extend([
        message(4, "ann", "four", 4_000),
        message(3, "bob", "three", 3_000),
        message(5, "ann", "late", 1_900),
        json!({"type": "user", "id": "bob", "name": "bob", "avatar": "b.png"}),
    ]);
    let more = house.import("socketio", file(&lines), &[]);
    assert_eq!(more.code, Some(0), "{}", more.err);
    assert_eq!(more.count("messages"), (3, 4, 0));
    assert_eq!(more.count("users"), (0, 3, 0));
    assert!(
        more.err
            .contains("line 12: unknown field \"avatar\" of a user"),
        "{}",
        more.err
    );
    assert!(
        more.out.contains("1 rooms had messages out of order"),
        "{}",
        more.out
    );
    assert!(more.out.contains("1 messages are older"), "{}", more.out);

    let world = house.open().await;
    let claims = json!({"id": "bob", "username": "bob", "exp": 9_999_999_999_u64});
    let (mut bob, user) = hello(&world, &claims).await;
    assert_eq!(
        history(&mut bob, "den").await,
        [
            line("bob", "one", 2_000),
            line("bob", "ok", 2_001),
            line("bob", "ok", 2_001),
            line("ann", "two", 2_002),
            line("ann", "late", 2_002),
            line("bob", "three", 3_000),
            line("ann", "four", 4_000),
        ]
    );
    // The file lists its members: who merely spoke once is none of them.
    let members = bob.ok("members", json!({"room": "den"})).await;
    let members = members["items"].as_array().unwrap();
    assert_eq!(members.len(), 1, "{members:?}");
    assert_eq!(
        (&members[0]["user"]["id"], &members[0]["role"]),
        (&user["id"], &json!("admin"))
    );
    world.stop().await;
}

#[test]
fn a_file_that_broke_off_is_imported_again_as_a_whole() {
    let house = House::new();
    let mut lines = vec![user("ann"), den()];
    lines.extend((0..1_500).map(|n| message(n, "ann", "x", 2_000 + n)));
    let whole = file(&lines);
    let broken = house.import("socketio", &whole.as_bytes()[..whole.len() / 2], &[]);
    assert_eq!(broken.code, Some(1));
    let brought = broken.count("messages").0;
    assert!(brought > 512, "{brought}");
    let again = house.import("socketio", &whole, &[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(again.count("messages"), (1_500 - brought, brought, 0));
}

#[tokio::test]
async fn a_private_room_opens_to_its_members_alone() {
    let house = House::new();
    let secret =
        json!({"type": "room", "id": "den", "name": "Den", "access": "invite", "owner": "ann"});
    let member = |user: &str, at: u64| json!({"type": "member", "room": "den", "user": user, "joined_at": at});
    let said = house.import_twice(
        "socketio",
        &[
            user("ann"),
            user("bob"),
            user("cyd"),
            secret,
            member("ann", 1_000),
            member("bob", 1_500),
            message(1, "bob", "one", 2_000),
            message(2, "cyd", "two", 2_500),
        ],
    );
    assert_eq!(said.count("members"), (2, 0, 0));
    let world = house.open().await;
    let claims = |id: &str| json!({"id": id, "username": id, "exp": 9_999_999_999_u64});
    let (mut bob, _) = hello(&world, &claims("bob")).await;
    let told = [line("bob", "one", 2_000), line("cyd", "two", 2_500)];
    assert_eq!(history(&mut bob, "den").await, told);
    // She spoke there once, and is on the list no more.
    let (mut cyd, _) = hello(&world, &claims("cyd")).await;
    for op in ["history", "join"] {
        let refused = cyd.refused(op, json!({"room": "den"})).await;
        assert_eq!(refused["code"], "room_not_found", "{op}");
    }
    world.stop().await;
}
