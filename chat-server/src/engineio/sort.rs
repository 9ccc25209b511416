//! What a packet is to its session.

use chat_protocol::engineio::{Malformed, Packet};
use tungstenite::Utf8Bytes;

use crate::websocket::Read;

/// What is heard of a session.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text for the application, with the `4` that its packet begins with.
    Text(Utf8Bytes),
    /// Bytes for the application.
    Binary(Vec<u8>),
    /// A sign of life.
    Alive,
    /// A message over the limit.
    TooLarge,
    /// The end.
    Closed,
}

/// What a packet is to a session.
pub(super) enum Sort {
    Heard(Heard),
    Pong,
    Close,
    Nothing,
    Bad,
}

/// What a packet that was posted is.
pub(super) fn sort(packet: Packet<'_>) -> Sort {
    match packet {
        Packet::Message(text) => Sort::Heard(Heard::Text(format!("4{text}").into())),
        Packet::Binary(bytes) => Sort::Heard(Heard::Binary(bytes)),
        Packet::Pong(_) => Sort::Pong,
        Packet::Close => Sort::Close,
        Packet::Upgrade | Packet::Noop => Sort::Nothing,
        Packet::Open(_) | Packet::Ping(_) => Sort::Bad,
    }
}

/// What is read of a socket.
pub(super) fn sort_read(read: Read) -> Sort {
    match read {
        Read::Message(tungstenite::Message::Text(text)) => match Packet::decode(&text) {
            Ok(Packet::Message(_)) => Sort::Heard(Heard::Text(text)),
            Ok(packet) => sort(packet),
            Err(Malformed) => Sort::Bad,
        },
        Read::Message(tungstenite::Message::Binary(bytes)) => {
            Sort::Heard(Heard::Binary(bytes.into()))
        }
        Read::Message(
            tungstenite::Message::Ping(_)
            | tungstenite::Message::Pong(_)
            | tungstenite::Message::Frame(_),
        ) => Sort::Nothing,
        Read::TooLarge => Sort::Heard(Heard::TooLarge),
        Read::Message(tungstenite::Message::Close(_)) | Read::Closed => Sort::Heard(Heard::Closed),
    }
}
