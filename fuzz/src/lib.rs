//! What holds of any bytes, for whoever looks for bytes of which it doesn't.
//!
//! One function per fuzz target. The properties are those of the tests; here a fuzzer, led by what
//! the code does with an input, makes the next one. `bash .ci/fuzz` runs them all.

#[path = "../../chat-protocol/tests/it/hostile/frames.rs"]
mod frames;
mod import;
#[path = "../../chat-core/tests/it/check/proofs.rs"]
mod proofs;
#[path = "../../chat-protocol/tests/it/hostile/properties.rs"]
mod properties;
#[expect(dead_code, reason = "the engine's tests need more of it")]
#[path = "../../chat-core/tests/it/check/shell.rs"]
mod shell;
#[path = "../../chat-protocol/tests/it/hostile/world.rs"]
mod world;

use std::borrow::Cow;

use chat_protocol::http::{Request, Site};
use chat_protocol::{Dialect, Form};

/// A message of a native client.
pub fn native(data: &[u8]) {
    message(Dialect::Native, data);
}

/// A message of the `rooms` dialect.
pub fn rooms(data: &[u8]) {
    message(Dialect::Rooms, data);
}

/// A message of the `groups` dialect.
pub fn groups(data: &[u8]) {
    message(Dialect::Groups, data);
}

/// A message of the `actions` dialect.
pub fn actions(data: &[u8]) {
    message(Dialect::Actions, data);
}

/// A message of the `rest` dialect.
pub fn rest(data: &[u8]) {
    message(Dialect::Rest, data);
}

/// A message of the `socketio` dialect.
pub fn socketio(data: &[u8]) {
    message(Dialect::Socketio, data);
}

fn message(dialect: Dialect, data: &[u8]) {
    let text = text(data);
    properties::message(dialect, &text, Form::Text);
    properties::message(dialect, &text, Form::Binary);
}

/// A payload of HTTP polling.
pub fn engineio(data: &[u8]) {
    properties::payload(&text(data));
}

/// Something that may be base64.
pub fn base64(data: &[u8]) {
    properties::payload(&format!("b{}", text(data)));
}

/// Messages of a Socket.IO client, and what is binary in them.
pub fn attachments(data: &[u8]) {
    properties::packets_and_attachments(data.split(|byte| *byte == 0xff));
}

/// A request over HTTP: a byte for site and method, then path, header and body, a line each.
pub fn http(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let site = Site::ALL[usize::from(*first) % Site::ALL.len()];
    let methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get", ""];
    let method = methods[usize::from(first / 2) % methods.len()];
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let path = text(lines.next().unwrap_or_default());
    let authorization = text(lines.next().unwrap_or_default());
    let authorization = (!authorization.is_empty()).then_some(&*authorization);
    let body = lines.next().unwrap_or_default();
    let request = Request {
        method,
        path: &path,
        authorization,
        body,
    };
    properties::request(site, &request);
}

/// A row of a log: the fact and the words, a line each.
pub fn log(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let fact = lines.next().unwrap_or_default();
    properties::rows(fact, lines.next().unwrap_or_default());
}

/// A name, a word for a room, a number.
pub fn names(data: &[u8]) {
    properties::word(&text(data));
    let mut number = [0; 8];
    number
        .iter_mut()
        .zip(data)
        .for_each(|(to, from)| *to = *from);
    properties::number(u64::from_le_bytes(number));
}

/// What a client hears.
pub fn client(data: &[u8]) {
    properties::server_frame(&text(data));
}

/// A message in the shape that a dialect knows, to everybody.
pub fn shaped(data: &[u8]) {
    let (_, text) = frames::one(data);
    properties::first_message(&text);
    properties::server_frame(&text);
}

/// A conversation of people of all dialects, through the engine and the log.
pub fn conversation(data: &[u8]) {
    frames::converse(data);
}

/// A line of a file that another server's data comes in.
pub fn import_line(data: &[u8]) {
    import::read(&text(data));
}

fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}
