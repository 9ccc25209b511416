//! One member's WebSocket.

use super::frame::{self, Frame};
use super::http::{self, Response};
use super::socket::{After, Socket};
use super::swarm::Sound;

/// A connection from its first byte on.
#[derive(Debug)]
pub struct WebSocket {
    socket: Socket,
    upgraded: bool,
}

impl WebSocket {
    /// A connection that is to be upgraded by this request.
    #[must_use]
    pub fn new(mut socket: Socket, request: &str) -> Self {
        socket.out().extend(request.as_bytes());
        Self {
            socket,
            upgraded: false,
        }
    }

    /// The connection below.
    pub const fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Adds a message to what is to be sent.
    pub fn say(&mut self, packet: &[u8]) {
        frame::text(packet, self.socket.out());
    }

    /// Reads what has come; what `hear` answers is said.
    ///
    /// # Errors
    ///
    /// If the connection ends, with the words of the server.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        ending: bool,
        mut hear: impl FnMut(Sound<'_>) -> Option<String>,
    ) -> Result<(), String> {
        let upgraded = &mut self.upgraded;
        let after = self.socket.read(buffer, ending, |bytes, out| {
            digest(upgraded, bytes, out, &mut hear)
        })?;
        match after {
            After::Open => Ok(()),
            After::Ended => Err("the server hung up".to_owned()),
        }
    }
}

/// Reads what is whole; gives how much that was.
fn digest(
    upgraded: &mut bool,
    bytes: &[u8],
    out: &mut Vec<u8>,
    hear: &mut impl FnMut(Sound<'_>) -> Option<String>,
) -> Result<usize, String> {
    let mut rest = bytes;
    if !*upgraded {
        let Some(response) = Response::read(bytes)? else {
            return Ok(0);
        };
        if !http::is_upgraded(&response) {
            return Err(response.words());
        }
        *upgraded = true;
        rest = response.rest;
        say(hear(Sound::Opened), out);
    }
    while let Some((frame, after)) = frame::take(rest).map_err(|why| why.to_string())? {
        rest = after;
        match frame {
            Frame::Message(packet) => say(hear(Sound::Packet(packet)), out),
            Frame::Ping(payload) => frame::pong(payload, out),
            Frame::Pong => {}
            Frame::Close(payload) => return Err(frame::reason(payload)),
        }
    }
    Ok(bytes.len() - rest.len())
}

fn say(answer: Option<String>, out: &mut Vec<u8>) {
    if let Some(answer) = answer {
        frame::text(answer.as_bytes(), out);
    }
}
