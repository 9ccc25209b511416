//! A client that makes and reads its frames by hand.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::PATIENCE;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;

/// A frame's first byte, and its payload.
pub(crate) type Part<'a> = (u8, &'a [u8]);

/// A connection after its handshake.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::at(address, "/").await
    }

    /// Shakes hands at this path.
    pub(crate) async fn at(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: keep-alive, Upgrade\r\n\
             upgrade: WebSocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // What is wrong with a connection shows when it is read.
        drop(self.0.write_all(bytes).await);
    }

    /// The next whole frame as it came, none at the end.
    pub(crate) async fn hear(&mut self) -> Option<Vec<u8>> {
        timeout(PATIENCE, self.frame()).await.unwrap().ok()
    }

    async fn frame(&mut self) -> io::Result<Vec<u8>> {
        let first = self.0.read_u8().await?;
        let length = match self.0.read_u8().await? {
            126 => usize::from(self.0.read_u16().await?),
            127 => usize::try_from(self.0.read_u64().await?).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok(plain(first, &payload))
    }

    /// The code that the connection ends with, whatever is heard before; none if it has none.
    pub(crate) async fn ends(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(frame) = self.hear().await {
            assert_eq!(code, None, "nothing follows a close");
            if frame[0] == FIN | CLOSE {
                code = Some(
                    frame
                        .get(2..4)
                        .map_or(0, |it| u16::from(it[0]) << 8 | u16::from(it[1])),
                );
            }
        }
        code
    }
}

/// A frame's header, with the shortest length there is.
pub(crate) fn header(first: u8, mask: u8, length: usize) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..=125 => header.push(mask | u8::try_from(length).unwrap()),
        126..=0xffff => {
            header.push(mask | 126);
            header.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header
}

/// A frame as servers send it.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0, payload.len());
    frame.extend(payload);
    frame
}

/// A frame as clients send it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x5a, 0x01, 0xff, 0x80];
    let mut frame = header(first, 0x80, payload.len());
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// A close frame as clients send it.
pub(crate) fn close(code: u16, why: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), why].concat())
}

/// Frames as clients send them, one after the other.
pub(crate) fn join(frames: &[Part<'_>]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(first, it)| frame(*first, it))
        .collect()
}
