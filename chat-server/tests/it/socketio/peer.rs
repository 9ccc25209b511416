//! A client of the chat over Socket.IO, on a WebSocket.

use std::net::SocketAddr;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::engineio::client::Socket;
use crate::world::{World, config};
use chat_server::config::{Config, Secret};

/// What tokens are signed with where that is configured.
pub(super) const SECRET: &str = "your_super_secret_32_characters_long_JWT_Token";

/// Somebody.
pub(super) struct Peer {
    pub(super) socket: Socket,
    next_id: u64,
}

impl Peer {
    /// Opens a session, without a word about who it is.
    pub(super) async fn open(address: SocketAddr) -> Self {
        let mut socket = Socket::open(address, "/socket.io/").await;
        let open = socket.text().await;
        assert!(open.starts_with("0{"), "{open}");
        Self { socket, next_id: 0 }
    }

    /// Enters the main namespace as a guest.
    pub(super) async fn guest(world: &World) -> Self {
        let mut peer = Self::open(world.address).await;
        let said = peer.knock("").await;
        assert!(said.starts_with(r#"40{"sid":""#), "{said}");
        peer
    }

    /// Enters the main namespace with a token.
    pub(super) async fn with(world: &World, token: &str) -> Self {
        let mut peer = Self::open(world.address).await;
        let said = peer.knock(&json!({"token": token}).to_string()).await;
        assert!(said.starts_with(r#"40{"sid":""#), "{said}");
        peer
    }

    /// A guest who has joined a room by the first face, under this name.
    pub(super) async fn joined(world: &World, room: &str, name: &str) -> Self {
        let mut peer = Self::guest(world).await;
        let join = json!(["joinRoom", {"roomId": room, "username": name}]);
        peer.granted(join).await;
        peer
    }

    /// Asks to enter the main namespace; gives what it is told.
    pub(super) async fn knock(&mut self, auth: &str) -> String {
        self.socket.send(&format!("40{auth}")).await;
        self.socket.text().await
    }

    /// Emits an event, and doesn't ask for an acknowledgement.
    pub(super) async fn emit(&mut self, event: Value) {
        self.socket.send(&format!("42{event}")).await;
    }

    /// Emits an event; gives what is acknowledged, which has to come before anything else.
    #[track_caller]
    pub(super) fn ask(&mut self, event: Value) -> impl Future<Output = Value> {
        let from = std::panic::Location::caller();
        async move {
            let id = self.next_id;
            self.next_id += 1;
            self.socket.send(&format!("42{id}{event}")).await;
            let said = self.socket.text().await;
            let ack = said.strip_prefix(&format!("43{id}["));
            let ack = ack.unwrap_or_else(|| panic!("{from}: {said} is no acknowledgement"));
            serde_json::from_str(ack.trim_end_matches(']')).unwrap()
        }
    }

    /// Emits an event that is acknowledged as done, without more words.
    #[track_caller]
    pub(super) fn granted(&mut self, event: Value) -> impl Future<Output = ()> {
        let from = std::panic::Location::caller();
        async move {
            let ack = self.ask(event).await;
            assert_eq!(ack, json!({"success": true}), "{from}");
        }
    }

    /// Emits an event that is refused; gives why.
    #[track_caller]
    pub(super) fn refused(&mut self, event: Value) -> impl Future<Output = String> {
        let from = std::panic::Location::caller();
        async move {
            let ack = self.ask(event).await;
            assert_eq!(ack["success"], false, "{from}");
            ack["error"].as_str().unwrap().to_owned()
        }
    }

    /// The next event.
    #[track_caller]
    pub(super) fn hear(&mut self) -> impl Future<Output = Value> {
        let from = std::panic::Location::caller();
        async move {
            let said = self.socket.text().await;
            let event = said.strip_prefix("42");
            let event = event.unwrap_or_else(|| panic!("{from}: {said} is no event"));
            serde_json::from_str(event).unwrap()
        }
    }

    /// The next event, a message whose time is a moment to the millisecond; gives it without.
    #[track_caller]
    pub(super) fn message(&mut self) -> impl Future<Output = Value> {
        let from = std::panic::Location::caller();
        async move {
            let mut event = self.hear().await;
            let message = event[1].as_object_mut().unwrap();
            let at = message.remove("timestamp");
            let at = at.unwrap_or_else(|| panic!("{from}: {event}"));
            let at = at.as_str().unwrap();
            assert!(
                at.len() == 24 && at.ends_with('Z') && at.is_char_boundary(20),
                "{at}"
            );
            event
        }
    }
}

/// The event of a message of the first face.
pub(super) fn said(room: impl Into<Value>, sender: &str, message: impl Into<Value>) -> Value {
    json!(["message", {"roomId": room.into(), "sender": sender, "message": message.into()}])
}

/// An event of the first face about somebody.
pub(super) fn about(event: &str, room: &str, name: &str) -> Value {
    json!([event, {"roomId": room, "username": name}])
}

/// A server whose secret is configured.
pub(super) fn with_secret() -> Config {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    config
}

/// A token as the older server of this dialect made it.
pub(super) fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), claims, &key).unwrap()
}

/// A token of somebody from there.
pub(super) fn token_of(id: u64, username: &str) -> String {
    let iat = jsonwebtoken::get_current_timestamp();
    let claims = json!({"id": id, "username": username, "iat": iat, "exp": iat + 3600});
    signed(&claims, SECRET)
}
