//! The one request over HTTP that a client makes: for tokens.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Posts JSON to a server, such as to `/v1/auth/login` at `127.0.0.1:8080`, and gives its answer.
///
/// As plain as HTTP/1.1 can be: a program that talks to strangers takes a library, and TLS.
///
/// # Errors
///
/// Words for a person: why there is no answer, or what the server says against the request.
pub async fn post(authority: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(authority, &(head + &body)).await;
    let answer = answer.map_err(|why| format!("{authority} can't be reached: {why}"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("the answer is cut short")?;
    let body: Value = serde_json::from_str(body).map_err(|_| "the answer is no JSON".to_owned())?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') {
        return Ok(body);
    }
    let words = ["detail", "title"]
        .into_iter()
        .find_map(|it| body.get(it)?.as_str());
    Err(words.map_or_else(|| format!("status {status}"), str::to_owned))
}

async fn exchange(authority: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .await?;
    Ok(answer)
}
