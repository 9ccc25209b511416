//! A reader of server-sent events, as the standard has it (WHATWG HTML, section 9.2.6), and of the
//! chunks that they come in.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{Account, PATIENCE, Said, World};

/// Somebody who listens.
pub(crate) struct Reader {
    stream: TcpStream,
    /// What was read of the connection and isn't decoded yet.
    raw: Vec<u8>,
    /// All that was decoded.
    body: Vec<u8>,
    /// How much of that has been understood.
    done: usize,
    over: bool,
    /// The id of the last event that was heard.
    pub(crate) last_id: String,
    /// How many lines were heard that say nothing.
    pub(crate) beats: usize,
    pub(crate) retry_ms: Option<u64>,
    pub(crate) head: String,
}

impl Reader {
    /// Listens to all rooms of somebody.
    pub(crate) async fn of(world: &World, who: &Account) -> Self {
        Self::to(world, who, "/v1/events", "").await
    }

    /// Listens at a path, from where somebody was on; nobody was anywhere yet who has no id.
    pub(crate) async fn to(world: &World, who: &Account, path: &str, last_id: &str) -> Self {
        let asked = Self::ask(world, who, path, last_id).await;
        asked.unwrap_or_else(|said| panic!("{}: {}", said.status, said.body))
    }

    /// The same, or what it is refused with.
    pub(crate) async fn ask(
        world: &World,
        who: &Account,
        path: &str,
        last_id: &str,
    ) -> Result<Self, Said> {
        let bearer = format!("Bearer {}", who.token);
        let mut headers = vec![("authorization", bearer.as_str())];
        if !last_id.is_empty() {
            headers.push(("last-event-id", last_id));
        }
        let stream = TcpStream::connect(world.address).await.unwrap();
        Self::over(stream, world.address, path, &headers).await
    }

    /// The same with these headers, over a stream that is connected.
    pub(crate) async fn over(
        mut stream: TcpStream,
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Said> {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = Self {
            stream,
            raw: Vec::new(),
            body: Vec::new(),
            done: 0,
            over: false,
            last_id: String::new(),
            beats: 0,
            retry_ms: None,
            head: String::new(),
        };
        let end = loop {
            if let Some(end) = place(&reader.raw, b"\r\n\r\n") {
                break end;
            }
            assert!(reader.read().await, "no answer");
        };
        let rest = reader.raw.split_off(end + 4);
        let head = std::mem::replace(&mut reader.raw, rest);
        reader.head = String::from_utf8(head).unwrap().to_lowercase();
        if reader.head.starts_with("http/1.1 200") {
            return Ok(reader);
        }
        while reader.read().await {}
        let status = reader.head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = String::from_utf8(reader.raw).unwrap();
        Err(Said {
            status,
            head: reader.head,
            body,
        })
    }

    /// Reads some more; tells whether there was any.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer));
        let count = read.await.expect("something to hear").unwrap_or(0);
        self.raw.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Decodes the chunks that are whole (RFC 9112, section 7.1).
    fn decode(&mut self) {
        while let Some(end) = place(&self.raw, b"\r\n") {
            let length = std::str::from_utf8(&self.raw[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            if self.raw.len() < end + 2 + length + 2 {
                return;
            }
            self.body
                .extend_from_slice(&self.raw[end + 2..end + 2 + length]);
            self.raw.drain(..end + 2 + length + 2);
            self.over |= length == 0;
        }
    }

    /// The next line; none at the end.
    async fn line(&mut self) -> Option<String> {
        loop {
            self.decode();
            if let Some(end) = place(&self.body[self.done..], b"\n") {
                let line = self.body[self.done..self.done + end].to_vec();
                self.done += end + 1;
                return Some(String::from_utf8(line).unwrap());
            }
            if self.over || !self.read().await {
                return None;
            }
        }
    }

    /// The next event, and whether it came with an id; none when the response has ended.
    pub(crate) async fn next(&mut self) -> Option<(bool, Value)> {
        let (mut data, mut id) = (Vec::new(), None);
        loop {
            let line = self.line().await?;
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match (line.as_str(), field) {
                ("", _) if data.is_empty() => {}
                ("", _) => {
                    let named = id.is_some();
                    self.last_id = id.unwrap_or(std::mem::take(&mut self.last_id));
                    return Some((named, serde_json::from_str(&data.join("\n")).unwrap()));
                }
                (_, "") => self.beats += 1,
                (_, "data") => data.push(value.to_owned()),
                (_, "id") => id = Some(value.to_owned()),
                (_, "retry") => self.retry_ms = Some(value.parse().unwrap()),
                (line, _) => panic!("what is {line}"),
            }
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Value {
        let next = self.next().await;
        next.expect("the response has ended").1
    }

    /// What became of the rooms: the first thing that is heard.
    pub(crate) async fn welcome(&mut self) -> Value {
        let welcome = self.frame().await;
        assert_eq!(welcome["re"], 0, "{welcome}");
        welcome["ok"].clone()
    }

    /// The next durable event.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            if frame.get("ev").is_some() {
                return frame;
            }
        }
    }

    /// The next word of the connection's own that is this one.
    pub(crate) async fn system(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["sys"] == kind {
                return frame;
            }
        }
    }

    /// Reads to the end; gives every frame.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        while let Some((_, frame)) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Waits for a line that says nothing.
    pub(crate) async fn beat(&mut self) {
        let before = self.beats;
        while self.beats == before {
            let line = self.line().await.expect("the response has ended");
            assert!(line.is_empty() || line.starts_with(':'), "{line}");
            self.beats += usize::from(!line.is_empty());
        }
    }

    /// Everything that was heard so far, as it came.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn place(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}
