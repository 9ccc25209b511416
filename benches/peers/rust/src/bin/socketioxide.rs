//! socketioxide: rooms by `joinRoom`, lines by `message`, to everybody but the sender.

use axum::Router;
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    room_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Say {
    room_id: String,
    message: String,
    sender: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    room_id: String,
    sender: String,
    message: String,
    timestamp: String,
}

#[derive(Serialize)]
struct Done {
    success: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    // By default 128 packets may wait for a client, and what comes then is lost.
    let (layer, io) = SocketIo::builder().max_buffer_size(4_096).build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("joinRoom", join);
        socket.on("message", say);
    });
    let listener = TcpListener::from_std(chat_peers::listen()?)?.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, Router::new().layer(layer)).await
}

async fn join(socket: SocketRef, Data(wish): Data<Join>, ack: AckSender) {
    socket.join(wish.room_id.clone());
    let _ = socket
        .to(wish.room_id.clone())
        .emit("userJoined", &wish)
        .await;
    let _ = ack.send(&Done { success: true });
}

async fn say(socket: SocketRef, Data(said): Data<Say>, ack: AckSender) {
    let room = said.room_id.clone();
    let line = Line {
        room_id: said.room_id,
        sender: said.sender,
        message: said.message,
        timestamp: format!("{:.3}", jiff::Timestamp::now()),
    };
    let _ = socket.to(room).emit("message", &line).await;
    let _ = ack.send(&Done { success: true });
}
