//! Chat servers as somebody who knows their library writes them, to be measured beside ours.
//!
//! Each takes a port, says `listening PORT`, and uses one thread. The plain ones send whatever text
//! somebody says to everybody in the room of his URL (`/?room=NAME`), himself included.

use std::io;
use std::net::TcpListener;

pub mod frames;

/// Listens on the loopback port that the first argument names (0 is any) and says so. The listener
/// doesn't block.
///
/// # Errors
///
/// The system's, for instance that the port is taken.
pub fn listen() -> io::Result<TcpListener> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    listener.set_nonblocking(true)?;
    println!("listening {}", listener.local_addr()?.port());
    Ok(listener)
}

/// How this contender is to work: the second argument.
#[must_use]
pub fn mode() -> String {
    std::env::args().nth(2).unwrap_or_default()
}

/// The room that a request's target names (`/?room=NAME`).
#[must_use]
pub fn room(target: &str) -> String {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let room = pairs.find(|(key, _)| *key == "room");
    room.map_or_else(String::new, |(_, name)| name.to_owned())
}
