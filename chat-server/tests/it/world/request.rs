//! Plain HTTP requests, each on a connection of its own.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Account, Duplex, PATIENCE, World};

/// An answer over HTTP.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// One request, on a connection of its own.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Said {
    let stream = TcpStream::connect(address).await.unwrap();
    http_over(stream, address, method, path, headers, body).await
}

/// The same, over a stream that is connected.
pub(crate) async fn http_over(
    stream: impl Duplex,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Said {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    raw_over(stream, &bytes).await
}

/// A request with a token.
pub(crate) async fn by(world: &World, who: &Account, method: &str, path: &str, body: &str) -> Said {
    let bearer = format!("Bearer {}", who.token);
    let headers = [("authorization", bearer.as_str())];
    http(world.address, method, path, &headers, body.as_bytes()).await
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Said {
    raw_over(TcpStream::connect(address).await.unwrap(), bytes).await
}

/// The same, over a stream that is connected.
pub(crate) async fn raw_over(mut stream: impl Duplex, bytes: &[u8]) -> Said {
    // A server that has refused already may have closed.
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Said {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
