//! Services that give everything back, and clients that poll and that don't.

use std::net::SocketAddr;

use axum::Router;
use chat_protocol::socketio::{Packet, Whole};
use chat_server::Server;
use chat_server::config::{Config, Listen};
use chat_server::engineio::{Cors, Line, Settings};
use chat_server::socketio::{self, Incoming, Peer};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::{self, PATIENCE, Said, http};

/// A server with an echo at `/engine.io/`, and one for Socket.IO at `/socket.io/`.
pub(crate) struct Echo {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

impl Echo {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// One with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config, &mut socketio::Settings)) -> Self {
        let mut config = world::config();
        let mut settings = socketio::Settings::default();
        settings.namespaces = vec!["/".to_owned(), "/custom".to_owned()];
        settings.line.cors = Cors::Everybody;
        change(&mut config, &mut settings);
        let server = Server::builder(config).start().await.unwrap();
        let line: Settings = settings.line.clone();
        let application = Router::new()
            .nest("/engine.io/", server.engine_io(line, echo))
            .nest("/socket.io/", server.socket_io(settings, converse));
        let address = Listen::local(0).address;
        let address = server.listen_for(address, &application).await.unwrap();
        Self { server, address }
    }

    /// Opens a session that polls.
    pub(crate) async fn poller(&self) -> Poller {
        Poller::open(self.address, "/engine.io/").await
    }

    /// Opens a session over a WebSocket, and hears its first packet.
    pub(crate) async fn socket(&self) -> Socket {
        let mut socket = Socket::open(self.address, "/engine.io/").await;
        socket.text().await;
        socket
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

async fn echo(line: &mut Line) {
    while let Some(message) = line.next().await {
        line.send(&message);
    }
}

async fn converse(peer: &mut Peer<'_>) {
    while let Some(incoming) = peer.next().await {
        match incoming {
            Incoming::Connect { namespace, auth } => {
                peer.accept(&namespace);
                let auth: Value =
                    auth.map_or(json!({}), |it| serde_json::from_str(it.get()).unwrap());
                peer.send(&Packet::event("auth", &[auth]).within(&namespace), &[]);
            }
            Incoming::Event(whole) => answer(peer, &whole),
            Incoming::Ack(Whole {
                packet,
                attachments,
            }) => {
                let said = Packet::event("acknowledged", &packet.args())
                    .within(&packet.namespace)
                    .followed_by(packet.attachments);
                peer.send(&said, &attachments);
            }
            Incoming::Disconnect { namespace } => {
                let said = Packet::event("left", &[namespace]);
                peer.send(&said, &[]);
            }
        }
    }
}

fn answer(peer: &mut Peer<'_>, whole: &Whole<'static>) {
    let Whole {
        packet,
        attachments,
    } = whole;
    let name = packet.name().unwrap();
    let answer = match (&*name, packet.id) {
        ("message", _) => Packet::event("message-back", &packet.args()),
        ("message-with-ack", Some(id)) => Packet::ack(id, &packet.args()),
        ("ask-me", _) => {
            peer.ask(Packet::event("question", &packet.args()), &[]);
            return;
        }
        ("put-me-out", _) => return peer.disconnect(&packet.namespace),
        (_, _) => return,
    };
    let answer = answer
        .within(&packet.namespace)
        .followed_by(packet.attachments);
    peer.send(&answer, attachments);
}

/// A session that polls.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) sid: String,
}

impl Poller {
    pub(crate) async fn open(address: SocketAddr, path: &'static str) -> Self {
        let said = get(address, &format!("{path}?EIO=4&transport=polling")).await;
        assert_eq!(said.status, 200, "{}", said.body);
        let open: Value = serde_json::from_str(&said.body[1..]).unwrap();
        let sid = open["sid"].as_str().unwrap().to_owned();
        Self { address, path, sid }
    }

    pub(crate) fn url(&self, transport: &str) -> String {
        format!("{}?EIO=4&transport={transport}&sid={}", self.path, self.sid)
    }

    pub(crate) async fn poll(&self) -> Said {
        get(self.address, &self.url("polling")).await
    }

    /// What there is to hear.
    #[track_caller]
    pub(crate) fn hear(&self) -> impl Future<Output = String> {
        let from = std::panic::Location::caller();
        let this = self.clone();
        async move {
            let said = this.poll().await;
            assert_eq!(said.status, 200, "{from}: {}", said.body);
            said.body
        }
    }

    pub(crate) async fn post(&self, payload: impl AsRef<[u8]>) -> Said {
        http(
            self.address,
            "POST",
            &self.url("polling"),
            &[],
            payload.as_ref(),
        )
        .await
    }

    /// Says a payload, which is taken.
    #[track_caller]
    pub(crate) fn say(&self, payload: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let from = std::panic::Location::caller();
        let (this, payload) = (self.clone(), payload.as_ref().to_vec());
        async move {
            let said = this.post(payload).await;
            assert_eq!((said.status, &*said.body), (200, "ok"), "{from}");
        }
    }

    /// Hears that the session isn't known.
    #[track_caller]
    pub(crate) fn is_unknown(&self) -> impl Future<Output = ()> {
        let from = std::panic::Location::caller();
        let this = self.clone();
        async move {
            let said = this.poll().await;
            let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
            assert_eq!((said.status, &*said.body), (400, unknown), "{from}");
        }
    }

    /// Polls until the session is known no more; what is heard meanwhile is its end.
    pub(crate) async fn ends(&self) {
        loop {
            let said = self.poll().await;
            match said.status {
                200 => assert!(said.body == "1" || said.body == "2", "{}", said.body),
                status => return assert_eq!(status, 400),
            }
        }
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Said {
    http(address, "GET", path, &[], b"").await
}

/// A WebSocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Self {
        let path = format!("{path}?EIO=4&transport=websocket");
        Self::at(address, &path).await.unwrap()
    }

    /// Shakes hands, or gives the answer that isn't one.
    pub(crate) async fn at(address: SocketAddr, path: &str) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(address).await.unwrap();
        let shaken = client_async(format!("ws://{address}{path}"), stream);
        match timeout(PATIENCE, shaken).await.unwrap() {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_message(Message::binary(bytes.to_vec())).await;
    }

    async fn send_message(&mut self, message: Message) {
        // What is wrong with a connection shows when it is read.
        drop(timeout(PATIENCE, self.0.send(message)).await.unwrap());
    }

    /// The next message; none at the end.
    pub(crate) async fn hear(&mut self) -> Option<Message> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    return Some(message);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            }
        }
    }

    /// The next message, which is a text.
    #[track_caller]
    pub(crate) fn text(&mut self) -> impl Future<Output = String> {
        let from = std::panic::Location::caller();
        async move {
            match self.hear().await {
                Some(Message::Text(text)) => text.as_str().to_owned(),
                other => panic!("{from}: {other:?}"),
            }
        }
    }

    /// The next message, which is binary.
    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.hear().await {
            Some(Message::Binary(bytes)) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    /// Hears the end next, or a few pings and then the end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> impl Future<Output = ()> {
        let from = std::panic::Location::caller();
        async move {
            while let Some(heard) = self.hear().await {
                assert_eq!(heard, Message::text("2"), "{from}");
            }
        }
    }
}
