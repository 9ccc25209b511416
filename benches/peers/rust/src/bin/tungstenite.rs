//! tokio-tungstenite with a channel per connection: `tungstenite PORT [feed | send]`.
//!
//! `feed` hands over all that waits for a connection and flushes once; `send` flushes each line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// Lines that may wait for a connection; one that is further behind is dropped.
const WAITING_MAX: usize = 4_096;

type Sink = SplitSink<WebSocketStream<TcpStream>, Message>;
type Room = HashMap<usize, mpsc::Sender<Utf8Bytes>>;
type Rooms = Arc<Mutex<HashMap<String, Room>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let each = chat_peers::mode() == "send";
    let listener = TcpListener::from_std(chat_peers::listen()?)?;
    let rooms = Rooms::default();
    for id in 0.. {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(converse(socket, id, rooms.clone(), each));
    }
    Ok(())
}

async fn converse(socket: TcpStream, id: usize, rooms: Rooms, each: bool) -> Result<(), Error> {
    // The default of 128 KiB is zeroed at every read.
    let config = WebSocketConfig::default().read_buffer_size(4_096);
    let mut room = String::new();
    #[expect(clippy::result_large_err, reason = "that is what tungstenite asks for")]
    let accept = |request: &Request, response: Response| {
        room = chat_peers::room(&request.uri().to_string());
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(socket, accept, Some(config)).await?;
    let (sink, mut stream) = socket.split();
    let (sender, lines) = mpsc::channel(WAITING_MAX);
    with(&rooms, &room, |members| members.insert(id, sender));
    let writer = tokio::spawn(forward(sink, lines, each));

    while let Some(Ok(frame)) = stream.next().await {
        if let Message::Text(line) = frame {
            with(&rooms, &room, |members| {
                members.retain(|_, member| member.try_send(line.clone()).is_ok());
            });
        }
    }
    with(&rooms, &room, |members| members.remove(&id));
    writer.abort();
    Ok(())
}

async fn forward(
    mut sink: Sink,
    mut lines: mpsc::Receiver<Utf8Bytes>,
    each: bool,
) -> Result<(), Error> {
    while let Some(line) = lines.recv().await {
        sink.feed(Message::Text(line)).await?;
        while !each && let Ok(line) = lines.try_recv() {
            sink.feed(Message::Text(line)).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

fn with<T>(rooms: &Rooms, room: &str, act: impl FnOnce(&mut Room) -> T) -> T {
    let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
    match rooms.get_mut(room) {
        Some(members) => act(members),
        None => act(rooms.entry(room.to_owned()).or_default()),
    }
}
