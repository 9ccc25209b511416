//! axum's WebSockets with a broadcast channel per room: two tasks for each connection, one that
//! reads and publishes, one that forwards what the channel brings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::extract::{RawQuery, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};

/// Lines of a room that a slow connection may be behind.
const BEHIND_MAX: usize = 4_096;

type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", any(upgrade))
        .with_state(Rooms::default());
    let listener = TcpListener::from_std(chat_peers::listen()?)?.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await
}

async fn upgrade(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let name = chat_peers::room(&format!("?{}", query.unwrap_or_default()));
    let mut rooms = rooms.lock().unwrap();
    let room = rooms
        .entry(name)
        .or_insert_with(|| broadcast::channel(BEHIND_MAX).0)
        .clone();
    upgrade.on_upgrade(|socket| converse(socket, room))
}

async fn converse(socket: WebSocket, room: broadcast::Sender<Utf8Bytes>) {
    let (mut sink, mut stream) = socket.split();
    let mut lines = room.subscribe();
    let forward = tokio::spawn(async move {
        loop {
            let sent = match lines.recv().await {
                Ok(line) => sink.send(Message::Text(line)).await,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => break,
            };
            if sent.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(frame)) = stream.next().await {
        if let Message::Text(line) = frame {
            let _ = room.send(line);
        }
    }
    forward.abort();
}
