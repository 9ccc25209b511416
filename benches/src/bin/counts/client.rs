//! A client, byte by byte: it costs little, and never waits.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One end of a WebSocket.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
    /// Messages that it has yet to hear.
    pub(crate) owed: usize,
}

impl Client {
    /// Connects, and asks for a WebSocket.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("it is a TCP socket");
        stream.set_nonblocking(true).expect("it is a socket");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: chat\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("little fits");
        Self {
            stream,
            heard: Vec::new(),
            owed: 0,
        }
    }

    /// Sends a text.
    pub(crate) fn send(&mut self, text: &str) {
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(short) if short < 126 => frame.push(0x80 | short),
            Ok(_) | Err(_) => {
                let length = u16::try_from(text.len()).expect("texts are short here");
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        // A mask that changes every byte.
        frame.extend([MASK; 4]);
        frame.extend(text.bytes().map(|byte| byte ^ MASK));
        self.stream.write_all(&frame).expect("little fits");
    }

    /// Whether it has heard this; it is forgotten then, and what came before.
    pub(crate) fn has_heard(&mut self, what: &str) -> bool {
        self.read();
        let mut places = self.heard.windows(what.len());
        let place = places.position(|it| it == what.as_bytes());
        if let Some(place) = place {
            self.heard.drain(..place + what.len());
        }
        place.is_some()
    }

    /// Hears what has come; tells how many messages with these bytes are missing.
    pub(crate) fn listen(&mut self, what: &[u8]) -> Option<usize> {
        self.read();
        let heard = count(&self.heard, what);
        assert!(heard <= self.owed, "something was heard twice");
        if heard < self.owed {
            return Some(self.owed - heard);
        }
        self.owed = 0;
        self.heard.clear();
        None
    }

    fn read(&mut self) {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => panic!("the server has gone"),
                Ok(length) => self.heard.extend(bytes.iter().take(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// How often something occurs.
fn count(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|it| *it == what).count()
}

const MASK: u8 = 0x5a;
