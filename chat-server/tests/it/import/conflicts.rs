//! Names, addresses and numbers that somebody has here already.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{HASH, House, file, hello, log_in};

impl House {
    /// Makes an account by the program.
    fn sign_up(&self, name: &str, email: &str, password: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .current_dir(self.folder.path())
            .env_clear()
            .args(["user", "add", name, "--email", email, "--password-stdin"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{password}").unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

fn ann() -> Value {
    json!({"type": "user", "ID": 1, "UserName": "Ann", "Email": "ann@example.org", "Password": HASH})
}

#[tokio::test]
async fn a_name_that_has_an_account_here_is_linked_only_where_the_operator_says_so() {
    let house = House::new();
    house.sign_up("ann", "other@example.org", "the password here");
    let said = house.import("rest", file(&[ann()]), &[]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.refusal(1).contains("--link-names"),
        "{}",
        said.refusal(1)
    );
    assert!(!said.err.contains(HASH) && !said.out.contains(HASH));
    let linked = house.import("rest", file(&[ann()]), &["--link-names"]);
    assert_eq!(
        (linked.code, linked.count("users")),
        (Some(0), (1, 0, 0)),
        "{}",
        linked.err
    );
    let again = house.import("rest", file(&[ann()]), &[]);
    assert_eq!(
        (again.code, again.count("users")),
        (Some(0), (0, 1, 0)),
        "{}",
        again.err
    );
    let world = house.open().await;
    let here = log_in(&world, "ann", "the password here").await;
    assert!(here.is_some());
    assert_eq!(
        log_in(&world, "ann", "U*U").await,
        None,
        "the password here stays"
    );
    let claims = json!({"UserID": 1, "UserName": "Ann", "exp": 9_999_999_999_u64});
    assert_eq!(hello(&world, &claims).await.1["id"].as_u64(), here);
    world.stop().await;
}

#[test]
fn two_of_one_server_are_never_taken_for_one() {
    let house = House::new();
    let ann = ann();
    let named = |id: u64, name: &str| json!({"type": "user", "ID": id, "UserName": name});
    let first = house.import("rest", file(std::slice::from_ref(&ann)), &[]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    // Whoever comes later stands far in front of her in the file, and her name is spelled alike.
    let mut lines = vec![named(900, "ann")];
    lines.extend((100..200).map(|id| named(id, &format!("user {id}"))));
    lines.push(ann);
    let said = house.import("rest", file(&lines), &["--link-names"]);
    assert_eq!(
        (said.code, said.count("users")),
        (Some(0), (101, 1, 0)),
        "{}",
        said.err
    );
    assert_eq!(said.of("user", "900")["name"], "ann-2");
}

#[tokio::test]
async fn an_account_made_for_a_token_gets_the_password_that_is_brought_later() {
    let house = House::new();
    let world = house.open().await;
    let claims = json!({"UserID": 1, "UserName": "Ann", "exp": 9_999_999_999_u64});
    let (_, first) = hello(&world, &claims).await;
    assert_eq!(log_in(&world, "ann", "U*U").await, None);
    world.stop().await;
    let said = house.import("rest", file(&[ann()]), &[]);
    assert_eq!(
        (said.code, said.count("users")),
        (Some(0), (0, 1, 0)),
        "{}",
        said.err
    );
    let world = house.open().await;
    assert_eq!(log_in(&world, "ann", "U*U").await, first["id"].as_u64());
    world.stop().await;
}

#[test]
fn an_address_that_is_taken_is_left_out_and_look_alikes_get_a_suffix() {
    let house = House::new();
    house.sign_up("bob", "Ann@Example.org", "the password here");
    let twin = json!({"type": "user", "ID": 2, "UserName": "\u{410}nn", "Password": HASH});
    let mail = json!({"type": "user", "ID": 3, "UserName": "joe@example.org", "Email": "none"});
    let said = house.import("rest", file(&[ann(), twin, mail]), &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.of("user", "1")["without_email"], true);
    assert_eq!(said.of("user", "2")["name"], "\u{410}nn-2");
    assert_eq!(said.of("user", "3")["name"], "joe");
}

#[tokio::test]
async fn a_number_or_name_that_is_taken_leads_nobody_to_another_room() {
    let house = House::new();
    let world = house.open().await;
    let (mut eve, _) = hello(
        &world,
        &json!({"username": "eve", "exp": 9_999_999_999_u64}),
    )
    .await;
    let native = eve
        .ok("create_room", json!({"name": "Mine", "alias": "TechTalk"}))
        .await;
    assert_eq!(native["room"], 1);
    world.stop().await;
    let room = |id: &str, name: &str| json!({"type": "room", "roomId": id, "roomName": name});
    let said = house.import_twice(
        "actions",
        // The third one's id spells the number of a room here, its name the number of another room
        // of this file.
        &[
            room("room_9", "TechTalk"),
            room("room_8", "Den"),
            room("room_1", "room_9"),
        ],
    );
    let of = |id: &str| {
        let note = said.of("room", id);
        (
            note["room"].as_u64().unwrap(),
            note["alias"].clone(),
            note["old_id_works"].clone(),
        )
    };
    assert_eq!(of("room_9"), (9, Value::Null, json!(true)));
    assert_eq!(of("room_8"), (8, json!("Den"), json!(true)));
    let (number, alias, works) = of("room_1");
    assert!(![1, 8, 9].contains(&number), "{number}");
    assert_eq!((alias, works), (Value::Null, json!(false)));
}

#[test]
fn the_program_says_what_it_needs() {
    let house = House::new();
    let run = |words: &str| {
        Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .current_dir(house.folder.path())
            .env_clear()
            .args(words.split_whitespace())
            .output()
            .unwrap()
    };
    for (words, needle) in [
        ("import nowhere", "--from"),
        ("import --from irc nowhere", "irc"),
        ("import --from rest nowhere.jsonl", "nowhere.jsonl"),
        ("import --from rest x --store memory:", "memory:"),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(needle), "{words}: {said}");
    }
    let help = String::from_utf8(run("import --help").stdout).unwrap();
    for word in [
        "\"type\":\"message\"",
        "--link-names",
        "--report",
        "RFC 3339",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[tokio::test]
async fn nobody_else_has_said_the_words_of_somebody_who_is_brought_later() {
    let house = House::new();
    house.sign_up("ann", "other@example.org", "the password here");
    let lines = [
        ann(),
        json!({"type": "room", "ID": 1, "name": "Den", "owner": 1}),
        json!({"type": "message", "ID": 1, "chatRoomId": 1, "chatUserId": 1, "chatUser": "Ann",
            "chatMessage": "mine", "ChatMessageTs": 2_000}),
        json!({"type": "message", "ID": 2, "chatRoomId": 1, "chatUserId": 9, "chatUser": "Gone",
            "chatMessage": "bye", "ChatMessageTs": 3_000}),
    ];
    let said = house.import("rest", file(&lines), &[]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.refusal(3).contains("could not be brought"),
        "{}",
        said.refusal(3)
    );
    assert!(said.err.contains("the house owns it"), "{}", said.err);
    assert_eq!(said.count("messages"), (1, 0, 1));
    let linked = house.import("rest", file(&lines), &["--link-names"]);
    assert_eq!(
        (linked.code, linked.count("messages")),
        (Some(0), (1, 1, 0)),
        "{}",
        linked.err
    );
    let again = house.import("rest", file(&lines), &[]);
    assert!(again.out.ends_with("nothing was made\n"), "{}", again.out);
    let world = house.open().await;
    let claims = json!({"UserID": 1, "UserName": "Ann", "exp": 9_999_999_999_u64});
    let (mut ann, user) = hello(&world, &claims).await;
    let page = ann.ok("history", json!({"room": 1})).await;
    let by = |index: usize| page["items"][index]["by"].clone();
    assert_eq!(by(0)["name"], "Gone");
    assert_eq!(by(1)["id"], user["id"]);
    // The room is hers after all.
    ann.ok("delete_room", json!({"room": 1})).await;
    world.stop().await;
}
