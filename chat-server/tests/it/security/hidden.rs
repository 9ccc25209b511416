//! A room that is hidden is no room: whoever may not know of it hears, whatever he tries, the very
//! words that he would hear if there were none.

use chat_core::Command;
use chat_protocol::Op;
use serde_json::{Value, json};

use super::house::{House, Someone, Standing, Which, command};
use super::reading::rows;
use crate::people::Kind;
use crate::world::{Native, Plain, by};

/// What a command to a room says beside the room; none for one that makes it.
fn payload(command: &str, somebody: u64) -> Option<Value> {
    let user = json!({"user": somebody});
    let message = json!({"message": 2});
    Some(match command {
        "create_room" | "open_direct" => return None,
        "update_room" => json!({"topic": "mine"}),
        "set_access" => json!({"listed": true}),
        "set_grant" => json!({"group": 1, "role": "member"}),
        "archive" | "unarchive" | "delete_room" | "leave" | "decline_invite" => json!({}),
        "join" | "visit" => json!({"password": "a guess"}),
        "transfer_ownership" | "invite" | "revoke_invite" | "kick" | "ban" | "unban" | "unmute" => {
            user
        }
        "mute" => json!({"user": somebody, "until": 4_000_000_000_000_u64}),
        "set_role" => json!({"user": somebody, "role": "admin"}),
        "set_nickname" => json!({"nickname": "me"}),
        "trim" => json!({"from": 2}),
        "post" => json!({"body": "hello?", "reply_to": 2}),
        "edit" => json!({"message": 2, "body": "mine"}),
        "delete" | "pin" | "unpin" => message,
        "react" | "unreact" => json!({"message": 2, "reaction": "+"}),
        "mark_read" => json!({"idx": 1}),
        "typing" => json!({"on": true}),
        unknown => panic!("{unknown} may tell something, and nothing here tries it"),
    })
}

/// Everything that can be said about a room in the native dialect: op, payload, whether it needs a
/// socket.
fn said_of(room: &Value, host: u64) -> Vec<(&'static str, Value, bool)> {
    let questions = Op::NAMES
        .iter()
        .flat_map(|op| rows(op, room, 2, host))
        .map(|row| (row.op, row.d, row.live));
    let commands = Command::NAMES.iter().filter_map(|name| {
        let mut d = payload(name, host)?;
        d["room"] = room.clone();
        Some((*name, d, false))
    });
    questions.chain(commands).collect()
}

/// Nobody's room, by its number and by a name.
const NOWHERE: u64 = 4_444;
const NOTHING: &str = "den-nothing";

#[tokio::test]
async fn whoever_may_not_know_of_a_room_hears_what_he_hears_where_there_is_none() {
    let house = House::open().await;
    let hidden = house.room(Which::Hidden).clone();
    let pairs = [
        (json!(hidden.id), json!(NOWHERE)),
        (json!(hidden.alias), json!(NOTHING)),
        (
            json!(Kind::Rooms.spell(hidden.id, "")),
            json!(Kind::Rooms.spell(NOWHERE, "")),
        ),
    ];
    let outside = [
        Standing::Stranger,
        Standing::Guest,
        Standing::Visitor,
        Standing::Left,
        Standing::Kicked,
        Standing::Banned,
        Standing::Expelled,
    ];
    let mut cells = 0;
    for who in house
        .people
        .iter()
        .filter(|it| outside.contains(&it.standing))
    {
        let mut socket = house.world.connect().await;
        socket
            .ok("hello", json!({"token": who.account.token}))
            .await;
        for (there, nowhere) in &pairs {
            let both = said_of(there, house.host_id).into_iter();
            let both = both.zip(said_of(nowhere, house.host_id));
            for ((op, there, live), (_, nowhere, _)) in both {
                if !live {
                    let tried = command(&house.world, &who.account, op, &there).await;
                    let due = command(&house.world, &who.account, op, &nowhere).await;
                    compare(who, op, &there, tried, due);
                }
                let (tried, due) = (
                    answer(&mut socket, op, &there).await,
                    answer(&mut socket, op, &nowhere).await,
                );
                compare(who, op, &there, tried, due);
                cells += 2;
            }
        }
    }
    println!("{cells} pairs of answers compared");
    house.world.stop().await;
}

async fn answer(socket: &mut Native, op: &str, d: &Value) -> Value {
    match socket.call(op, d.clone()).await {
        Ok(ok) => json!({"ok": ok}),
        Err(err) => json!({"err": err}),
    }
}

fn compare(who: &Someone, op: &str, d: &Value, tried: Value, due: Value) {
    // The number that was asked for comes back in one answer.
    let spelled = |answer: Value| answer.to_string().replace(&NOWHERE.to_string(), "N");
    let number = d["rooms"][0].as_u64().map(|room| format!("\"{room}\""));
    let tried = match number {
        Some(number) => spelled(tried).replace(&number, "\"N\""),
        None => spelled(tried),
    };
    assert_eq!(tried, spelled(due), "{:?}: {op} {d}", who.standing);
}

#[tokio::test]
async fn the_older_dialects_know_of_no_hidden_room_either() {
    let house = House::open().await;
    let hidden = house.room(Which::Hidden).clone();
    let who = &house
        .people
        .iter()
        .find(|it| it.standing == Standing::Stranger);
    let who = who.unwrap();
    for token in [who.account.token.as_str(), "", "a.b.c"] {
        for name in [who.name.as_str(), "owner", "nobody in particular"] {
            for (path, before, frames) in asked(token, name) {
                for spelling in [Kind::Rooms, Kind::Native, Kind::Actions, Kind::Groups] {
                    let mut said = Vec::new();
                    for (room, alias) in [(hidden.id, hidden.alias.as_str()), (NOWHERE, NOTHING)] {
                        let word = spelling.spell(room, alias);
                        let frames = frames.replace("ROOM", &word);
                        let heard = tell(&house, path, before, &frames).await;
                        said.push(heard.replace(&word, "ROOM").replace(&room.to_string(), "N"));
                    }
                    assert_eq!(said[0], said[1], "{path} {frames} {spelling:?}");
                }
            }
        }
    }
    for (method, path, body) in [
        (
            "POST",
            "/v1/api/chat/room-messages",
            json!({"roomId": "ROOM"}).to_string(),
        ),
        (
            "POST",
            "/api/join-room",
            json!({"roomId": "ROOM", "username": "stranger"}).to_string(),
        ),
        ("GET", "/api/chat-history/ROOM", String::new()),
        ("GET", "/v1/rooms/ROOM/messages", String::new()),
    ] {
        for spelling in [Kind::Rooms, Kind::Native, Kind::Actions, Kind::Groups] {
            let mut said = Vec::new();
            for (room, alias) in [(hidden.id, hidden.alias.as_str()), (NOWHERE, NOTHING)] {
                let word = spelling.spell(room, alias);
                let (path, body) = (path.replace("ROOM", &word), body.replace("ROOM", &word));
                let heard = by(&house.world, &who.account, method, &path, &body).await;
                said.push((heard.status, heard.body.replace(&word, "ROOM")));
            }
            assert_eq!(said[0], said[1], "{path} {spelling:?}");
        }
    }
    house.world.stop().await;
}

/// The paths, what has to be said first, and the frames that name a room there.
fn asked(token: &str, name: &str) -> Vec<(&'static str, &'static str, String)> {
    let rooms = |kind: &str, mut payload: Value| {
        payload["roomId"] = json!("ROOM");
        json!({"type": kind, "payload": payload}).to_string()
    };
    let join = if token.is_empty() {
        json!({"name": name, "pass": "a guess"})
    } else {
        json!({"name": name, "pass": "a guess", "token": token})
    };
    let mut act = json!({"action": "join", "username": name, "roomId": "ROOM"});
    if !token.is_empty() {
        act["token"] = json!(token);
    }
    vec![
        ("/", "", rooms("join", join)),
        ("/", "", rooms("chat", json!({"msg": "hello?"}))),
        ("/", "", rooms("leave", json!({}))),
        ("/", "", rooms("query", json!({"query": "userInRoom"}))),
        ("/chat", "", act.to_string()),
        (
            "/chat",
            "",
            json!({"action": "send-message", "roomId": "ROOM", "message": "hello?"}).to_string(),
        ),
        (
            "/chat",
            "",
            json!({"action": "leave", "username": name, "roomId": "ROOM"}).to_string(),
        ),
        (
            "/chat",
            "",
            json!({"type": "join-room", "roomName": "ROOM", "username": name}).to_string(),
        ),
        (
            "/chat",
            "",
            json!({"type": "chat", "roomName": "ROOM", "username": name, "message": "hello?"})
                .to_string(),
        ),
        (
            "/",
            "",
            json!({"type": "first-connect", "name": name, "group": "ROOM"}).to_string(),
        ),
        (
            "/",
            "",
            json!({"type": "message", "name": name, "group": "ROOM", "Text": "hello?"}).to_string(),
        ),
        (
            "/socket.io/?EIO=4&transport=websocket",
            "40",
            r#"421["join_room","ROOM"]"#.to_owned(),
        ),
        (
            "/socket.io/?EIO=4&transport=websocket",
            "40",
            r#"421["send_message",{"roomId":"ROOM","message":"hello?"}]"#.to_owned(),
        ),
        (
            "/socket.io/?EIO=4&transport=websocket",
            "40",
            r#"421["message",{"roomId":"ROOM","message":"hello?"}]"#.to_owned(),
        ),
    ]
}

/// Says something on a socket of its own; gives what is heard of it.
async fn tell(house: &House, path: &str, before: &str, frame: &str) -> String {
    let mut socket = Plain::connect(house.world.address, path).await;
    if !before.is_empty() {
        socket.hear().await.unwrap();
        let guest = &house
            .people
            .iter()
            .find(|it| it.standing == Standing::Guest);
        let token = &guest.unwrap().account.token;
        let said = socket
            .ask(&format!("{before}{}", json!({"token": token})))
            .await;
        assert!(said.starts_with("40{"), "{said}");
    }
    socket.send(frame).await;
    let heard = if before.is_empty() {
        socket.ping().await
    } else {
        // A pong may come before an answer there; the next answer doesn't.
        let next = json!(["send_message", {"roomId": NOTHING, "message": "?"}]);
        socket.send(&format!("422{next}")).await;
        let mut heard = Vec::new();
        loop {
            let said = socket.hear().await.unwrap();
            if said.starts_with("432[") {
                break heard;
            }
            heard.push(said);
        }
    };
    socket.leave().await;
    heard.join("\n")
}
