//! The actions dialect over real sockets and plain HTTP, as its two front ends use them.

mod names;
mod rooms;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::world::{Plain, Said, World, http};

/// Asks a route, with this token or without one.
async fn api(at: SocketAddr, token: &str, (method, path): (&str, &str), body: Value) -> Said {
    let bearer = format!("Bearer {token}");
    let headers: &[(&str, &str)] = match token {
        "" => &[],
        _ => &[("authorization", &bearer)],
    };
    let body = if method == "GET" {
        String::new()
    } else {
        body.to_string()
    };
    http(at, method, path, headers, body.as_bytes()).await
}

/// Logs in, which makes the account if there is none; gives the token.
async fn log_in(at: SocketAddr, name: &str) -> String {
    let login = json!({"username": name, "password": "securepassword"});
    let said = api(at, "", ("POST", "/api/login"), login).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let said = said.json();
    assert_eq!(said["status"], "success");
    said["token"].as_str().unwrap().to_owned()
}

/// Makes a room; gives its id.
async fn create(at: SocketAddr, token: &str, name: &str) -> String {
    let wish = json!({"roomName": name, "creator": "whoever"});
    let said = api(at, token, ("POST", "/api/create-room"), wish).await;
    assert_eq!(said.status, 201, "{}", said.body);
    said.json()["roomId"].as_str().unwrap().to_owned()
}

fn join(room: &str, name: &str) -> String {
    json!({"action": "join", "username": name, "roomId": room}).to_string()
}

fn join_by(room: &str, name: &str, token: &str) -> String {
    json!({"action": "join", "username": name, "roomId": room, "token": token}).to_string()
}

fn send(room: &str, message: &str) -> String {
    json!({"action": "send-message", "roomId": room, "message": message}).to_string()
}

fn leave(room: &str, name: &str) -> String {
    json!({"action": "leave", "username": name, "roomId": room}).to_string()
}

fn welcome(room: &str, name: &str) -> String {
    format!(r#"{{"action":"joined","roomId":"{room}","message":"Welcome to {name}!"}}"#)
}

fn moved(how: &str, name: &str) -> String {
    format!(r#"{{"action":"{how}","username":"{name}"}}"#)
}

fn error(message: &str) -> String {
    format!(r#"{{"action":"error","status":"failed","message":"{message}"}}"#)
}

fn failed(message: &str) -> String {
    format!(r#"{{"status":"failed","message":"{message}"}}"#)
}

/// Somebody in a room by the first face.
async fn enter(world: &World, room: &str, title: &str, name: &str) -> Plain {
    let mut socket = Plain::connect(world.address, "/chat").await;
    assert_eq!(socket.ask(&join(room, name)).await, welcome(room, title));
    socket
}

/// Asserts that a line is heard as the first face tells it; when, only the server knows.
async fn hears(socket: &mut Plain, room: &str, sender: &str, message: &str) {
    let heard = socket.hear().await.unwrap();
    let (before, after) = heard
        .split_once(r#","timestamp":""#)
        .unwrap_or_else(|| panic!("no line: {heard}"));
    let line = json!(message);
    assert_eq!(
        before,
        format!(
            r#"{{"action":"new-message","roomId":"{room}","sender":"{sender}","message":{line}"#
        )
    );
    let moment = after.strip_suffix(r#""}"#).unwrap();
    assert_eq!(moment.len(), "2024-12-10T12:10:00Z".len(), "{moment}");
    assert!(moment.ends_with('Z') && moment.as_bytes()[10] == b'T');
}

/// Asserts that nothing is said that wasn't asked for.
async fn silent(socket: &mut Plain) {
    let said = socket.ask("{}").await;
    assert_eq!(said, error("Invalid message format"));
}
