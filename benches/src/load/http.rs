//! Requests over HTTP/1.1, as far as a client that knows its servers needs them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memmem;

use super::plan::Plan;

/// The answer to a request, as far as it lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: &'a str,
    /// What follows them: the body, or the first frames of a WebSocket.
    pub rest: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads the head of a response, if it is there as a whole.
    ///
    /// # Errors
    ///
    /// If it isn't HTTP.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let (head, rest) = bytes.split_at(end + 4);
        let head = std::str::from_utf8(head).map_err(|_| "no HTTP comes back".to_owned())?;
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("no HTTP/1.1 comes back: {head:?}"))?;
        Ok(Some(Self { status, head, rest }))
    }

    /// The body, if it is there as a whole, before what follows it.
    ///
    /// # Errors
    ///
    /// If its length isn't told.
    pub fn body(&self) -> Result<Option<&'a [u8]>, String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut lengths = lines.filter(|(key, _)| key.eq_ignore_ascii_case("content-length"));
        let length = lengths
            .next()
            .and_then(|(_, value)| value.trim().parse().ok());
        let length = length.ok_or_else(|| format!("a body of unknown length: {:?}", self.head))?;
        Ok(self.rest.get(..length))
    }

    /// The response in words, for somebody who wonders what went wrong.
    #[must_use]
    pub fn words(&self) -> String {
        let status = self.head.lines().next().unwrap_or_default();
        let body = self.rest.get(..self.rest.len().min(WORDS_BYTES_MAX));
        let body = String::from_utf8_lossy(body.unwrap_or_default());
        format!("{status} {body}").trim_end().to_owned()
    }
}

/// A request to upgrade a connection to a WebSocket.
#[must_use]
pub fn upgrade(host: &str, path: &str, subprotocol: Option<&str>) -> String {
    let subprotocol = subprotocol.map_or_else(String::new, |name| {
        format!("Sec-WebSocket-Protocol: {name}\r\n")
    });
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{subprotocol}\r\n"
    )
}

/// Whether this answers [`upgrade`] with a WebSocket.
#[must_use]
pub fn is_upgraded(response: &Response<'_>) -> bool {
    response.status == 101 && response.head.contains(ACCEPT)
}

/// A request for what is at a path.
#[must_use]
pub fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A request with these headers that brings something to a path.
#[must_use]
pub fn post(host: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let (headers, length) = (headers.join("\r\n"), body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Brings JSON to a path, perhaps with a token, and waits for the answer's body.
///
/// # Errors
///
/// What the server or the system says.
pub fn ask(plan: &Plan, path: &str, token: &str, json: &str) -> Result<String, String> {
    let failed = |why: io::Error| format!("{}: {why}", plan.server);
    let mut stream = TcpStream::connect_timeout(&plan.server, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let token = format!("Authorization: Bearer {token}");
    let headers = [
        "Content-Type: application/json",
        "Connection: close",
        &token,
    ];
    let request = post(&plan.host, path, &headers, json.as_bytes());
    stream.write_all(&request).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    let response = Response::read(&bytes)?.ok_or("the answer breaks off")?;
    if response.status >= 300 {
        return Err(response.words());
    }
    Ok(String::from_utf8_lossy(response.rest).into_owned())
}

/// The example of RFC 6455, section 1.3: nobody caches these handshakes.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What has to come back for it.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const PATIENCE: Duration = Duration::from_secs(10);

const WORDS_BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-length: 2\r\n\r\nokHTTP/1.1";
        for cut in 0..38 {
            assert_eq!(Response::read(&text[..cut]), Ok(None), "{cut}");
        }
        let response = Response::read(text).unwrap().unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.body(), Ok(Some(&b"ok"[..])));
        let response = Response::read(&text[..39]).unwrap().unwrap();
        assert_eq!(response.body(), Ok(None));
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_server() {
        let text = b"HTTP/1.1 429 Too Many Requests\r\n\r\n{\"code\":\"rate_limited\"}";
        let response = Response::read(text).unwrap().unwrap();
        let words = "HTTP/1.1 429 Too Many Requests {\"code\":\"rate_limited\"}";
        assert_eq!(response.words(), words);
        assert!(!is_upgraded(&response));
        assert!(response.body().is_err());
        assert!(Response::read(b"SSH-2.0\r\n\r\n").is_err());
    }
}
