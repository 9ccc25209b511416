//! What everybody sees of the rooms there are, and in which order he is told.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{PASSWORD, Plain, World, config};

const ROOMS: &str = r#"{"type":"query","payload":{"query":"rooms"}}"#;

#[tokio::test]
async fn names_of_people_behind_a_password_are_shown_unless_that_is_switched_off() {
    for shown in [true, false] {
        let mut config = config();
        config.locked_people = shown;
        let world = World::with(config).await;
        let mut inside = Vec::new();
        for (name, pass) in [("open", ""), ("locked", "sesame")] {
            let mut socket = Plain::connect(world.address, "/").await;
            let room = json!({"name": name, "visibility": "public", "pass": pass});
            let made = socket
                .ask(&json!({"type": "create", "payload": room}).to_string())
                .await;
            let made: Value = serde_json::from_str(&made).unwrap();
            let (_, id) = made["message"]
                .as_str()
                .unwrap()
                .split_once("id: ")
                .unwrap();
            let join = json!({"name": "ann", "roomId": id, "pass": pass});
            let joined = socket
                .ask(&json!({"type": "join", "payload": join}).to_string())
                .await;
            assert!(joined.starts_with(r#"{"code":0"#), "{joined}");
            inside.push(socket);
        }
        let mut stranger = Plain::connect(world.address, "/").await;
        let rooms: Value = serde_json::from_str(&stranger.ask(ROOMS).await).unwrap();
        let ann = json!([{"name": "ann"}]);
        assert_eq!(rooms[0]["people"], ann);
        let locked = if shown { ann } else { json!([]) };
        assert_eq!(
            (&rooms[1]["name"], &rooms[1]["people"]),
            (&json!("locked"), &locked)
        );
        world.stop().await;
    }
}

#[tokio::test]
async fn what_takes_long_is_answered_before_what_was_asked_after_it() {
    let world = World::new().await;
    world.account("ann").await;
    let mut socket = Plain::connect(world.address, "/").await;
    let log_in = json!({"type": "log_in", "name": "ann", "pwrd": PASSWORD}).to_string();
    let wrong = json!({"type": "log_in", "name": "ann", "pwrd": "wrong"}).to_string();
    let groups = r#"{"type":"get_groups"}"#;
    for frame in [&wrong, groups, &log_in, "{", groups] {
        socket.send(frame).await;
    }
    for begin in [
        r#"{"type":"err","err":"wrong-password"}"#,
        r#"{"type":"active-groups""#,
        r#"{"type":"login-accept""#,
        r#"{"type":"err","err":"Invalid message"}"#,
        r#"{"type":"active-groups""#,
    ] {
        let said = socket.hear().await.unwrap();
        assert!(said.starts_with(begin), "{said}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_binary_frame_of_json_is_read_as_text_and_tells_the_dialect_too() {
    let world = World::new().await;
    for (frame, answer) in [
        (ROOMS, "[]"),
        (
            r#"{"type":"get_groups"}"#,
            r#"{"type":"active-groups","groups":[]}"#,
        ),
        (
            r#"{"action":"join","username":"ann","roomId":"room_1"}"#,
            r#"{"action":"error","status":"failed","message":"Room does not exist"}"#,
        ),
    ] {
        let url = format!("ws://{}/", world.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        for bytes in [vec![0xff, 0xfe], frame.into()] {
            socket.send(Message::binary(bytes)).await.unwrap();
        }
        let said = socket.next().await.unwrap().unwrap();
        assert_eq!(said, Message::text(answer));
    }
    world.stop().await;
}
