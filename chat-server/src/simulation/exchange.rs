//! One request over HTTP and its response, byte by byte, over a connection of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::network::{Cable, End};

/// A request that waits for its response.
#[derive(Debug)]
pub(super) struct Exchange {
    end: End,
    cable: Cable,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

/// A status and a body; none if the connection broke before both were there.
pub(super) type Said = Option<(u16, String)>;

/// How long any response may take: longer than the server allows itself.
const PATIENCE: Duration = Duration::from_secs(40);

impl Exchange {
    /// Begins to ask. `more` are further headers, each with its end of line.
    pub(super) fn begin(
        (end, cable): (End, Cable),
        (method, path): (&str, &str),
        more: &str,
        body: &str,
    ) -> Self {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        );
        Self {
            end,
            cable,
            outgoing: request.into_bytes(),
            incoming: Vec::new(),
        }
    }

    /// Waits for the response; an error if there is none, and nothing has broken either.
    pub(super) async fn end(mut self) -> Result<Said, ()> {
        let said = timeout(PATIENCE, poll_fn(|cx| self.poll(cx))).await;
        said.map_err(|_| ())
    }

    /// Cuts its connection.
    pub(super) fn cut(&self) {
        self.cable.cut();
    }

    /// Lets everything pass at once from here on.
    pub(super) fn clear(&self) {
        self.cable.clear();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        while !self.outgoing.is_empty() {
            match Pin::new(&mut self.end).poll_write(cx, &self.outgoing) {
                Poll::Ready(Ok(length)) => drop(self.outgoing.drain(..length)),
                // What was said before may be there to be read.
                Poll::Ready(Err(_)) => self.outgoing.clear(),
                Poll::Pending => break,
            }
        }
        loop {
            if let Some(said) = self.said() {
                return Poll::Ready(Some(said));
            }
            let mut bytes = [0; 4096];
            let mut buffer = ReadBuf::new(&mut bytes);
            match std::task::ready!(Pin::new(&mut self.end).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    self.incoming.extend_from_slice(buffer.filled());
                }
                Ok(()) | Err(_) => return Poll::Ready(None),
            }
        }
    }

    /// The response, once all of it is there.
    fn said(&self) -> Option<(u16, String)> {
        let end = self.incoming.windows(4).position(|it| it == b"\r\n\r\n")?;
        let (head, body) = self.incoming.split_at_checked(end + 4)?;
        let head = std::str::from_utf8(head).ok()?.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))?;
        let body = body.get(..length.parse().ok()?)?.to_vec();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, String::from_utf8(body).ok()?))
    }
}
