//! A client's end of a WebSocket, byte by byte.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use super::network::{Cable, End};
use crate::frame;

/// A connection after its handshake.
#[derive(Debug)]
pub(super) struct Connection {
    end: End,
    cable: Cable,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    deaf_until: Option<Instant>,
    /// Whether its client ever let it wait.
    pub(super) was_deaf: bool,
    mute_until: Option<Instant>,
    /// Whether its client ever gave no sign of life.
    pub(super) was_mute: bool,
}

/// What a client hears of its connection.
#[derive(Debug)]
pub(super) enum Next {
    Text(String),
    /// The server has closed it, with this code.
    Closed(u16),
    /// It has ended without a word.
    Ended,
    /// Nothing was heard until then.
    Time,
}

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(20);

const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

impl Connection {
    /// Asks for a WebSocket at this path; none if there is nobody, or he refuses.
    pub(super) async fn open((end, cable): (End, Cable), path: &str, more: &str) -> Option<Self> {
        let mut connection = Self {
            end,
            cable,
            incoming: Vec::new(),
            outgoing: format!(
                "GET {path} HTTP/1.1\r\nHost: chat\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
            )
            .into_bytes(),
            deaf_until: None,
            was_deaf: false,
            mute_until: None,
            was_mute: false,
        };
        let head = timeout(PATIENCE, poll_fn(|cx| connection.poll_head(cx)));
        let head = head.await.ok()??;
        head.starts_with("HTTP/1.1 101 ").then_some(connection)
    }

    pub(super) fn send(&mut self, text: &str) {
        self.write(frame::TEXT, text.as_bytes());
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        self.write(CLOSE, &1000_u16.to_be_bytes());
    }

    /// Cuts it, wherever it is.
    pub(super) fn cut(&self) {
        self.cable.cut();
    }

    /// Reads nothing for a while.
    pub(super) fn be_deaf(&mut self, until: Instant) {
        self.deaf_until = Some(until);
        self.was_deaf = true;
    }

    pub(super) const fn is_deaf(&self) -> bool {
        self.deaf_until.is_some()
    }

    /// Says nothing for a while, not even that it is there.
    pub(super) fn be_mute(&mut self, until: Instant) {
        self.mute_until = Some(until);
        self.was_mute = true;
    }

    pub(super) fn is_mute(&self) -> bool {
        self.mute_until.is_some_and(|until| Instant::now() < until)
    }

    /// Reads and speaks again, whatever was meant before.
    pub(super) fn listen(&mut self) {
        self.mute_until = None;
        self.deaf_until = None;
        self.cable.clear();
    }

    /// Waits for the next thing.
    pub(super) async fn next(&mut self, until: Instant) -> Next {
        if let Some(deaf) = self.deaf_until {
            let until = until.min(deaf);
            // What was written goes on leaving meanwhile.
            let silence = poll_fn(|cx| self.poll_leave(cx).map(|()| Next::Ended));
            let next = timeout_at(until, silence).await.unwrap_or(Next::Time);
            if Instant::now() >= deaf {
                self.deaf_until = None;
            }
            return next;
        }
        let next = timeout_at(until, poll_fn(|cx| self.poll_next(cx)));
        next.await.unwrap_or(Next::Time)
    }

    fn write(&mut self, opcode: u8, payload: &[u8]) {
        let mut plain = Vec::new();
        frame::write(&mut plain, opcode, payload);
        let header = plain.len() - payload.len();
        if let Some(length) = plain.get_mut(1) {
            *length |= 0x80;
        }
        let (header, payload) = plain.split_at(header);
        self.outgoing.extend_from_slice(header);
        // A mask of zeros masks nothing.
        self.outgoing.extend_from_slice(&[0; 4]);
        self.outgoing.extend_from_slice(payload);
    }

    /// Writes what there is; ready if the connection is broken.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.outgoing.is_empty() {
            match Pin::new(&mut self.end).poll_write(cx, &self.outgoing) {
                Poll::Ready(Ok(length)) => drop(self.outgoing.drain(..length)),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// Reads more; ready with whether there was any.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut bytes = [0; 4096];
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(&mut self.end).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.incoming.extend_from_slice(buffer.filled());
                Poll::Ready(true)
            }
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        loop {
            if self.poll_leave(cx).is_ready() {
                return Poll::Ready(None);
            }
            let end = self.incoming.windows(4).position(|it| it == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.incoming.drain(..end + 4).collect();
                return Poll::Ready(String::from_utf8(head).ok());
            }
            if !std::task::ready!(self.poll_more(cx)) {
                return Poll::Ready(None);
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            // Whether it can still be written to shows in what can be read.
            let _broken = self.poll_leave(cx).is_ready();
            match self.frame() {
                Some((frame::TEXT, payload)) => {
                    return Poll::Ready(match String::from_utf8(payload) {
                        Ok(text) => Next::Text(text),
                        Err(_) => Next::Closed(1007),
                    });
                }
                Some((CLOSE, payload)) => {
                    let code = payload
                        .first_chunk()
                        .map_or(1005, |it| u16::from_be_bytes(*it));
                    return Poll::Ready(Next::Closed(code));
                }
                Some((PING, payload)) if !self.is_mute() => self.write(PONG, &payload),
                Some(_) => {}
                None => {
                    if !std::task::ready!(self.poll_more(cx)) {
                        return Poll::Ready(Next::Ended);
                    }
                }
            }
        }
    }

    /// The next whole frame.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (opcode, payload) = frame::parts(&self.incoming, 0)?;
        let frame = self.incoming.get(payload.clone())?.to_vec();
        self.incoming.drain(..payload.end);
        Some((opcode, frame))
    }
}
