//! A member's way to the server, whatever carries it.

use std::io;
use std::rc::Rc;

use mio::{Registry, Token};

use super::driver::{Carrier, Driver};
use super::http;
use super::polling::Polling;
use super::socket::{Opening, Socket};
use super::swarm::Sound;
use super::websocket::WebSocket;

/// A WebSocket, or two connections that take turns with requests.
#[derive(Debug)]
pub enum Link {
    /// A WebSocket.
    WebSocket(WebSocket),
    /// Long polling.
    Polling(Box<Polling>),
}

/// Whom to call, and what to say to be put through.
#[derive(Clone, Debug)]
pub struct Calling {
    /// The connection.
    pub opening: Opening,
    /// Where it is waited for.
    pub registry: Rc<Registry>,
    /// What its sides are known by there.
    pub tokens: [Token; 2],
    /// The host, as told to it.
    pub host: String,
    /// The path of the first request.
    pub path: String,
}

/// Which of a link's connections something happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The only one, or the one that brings what others say.
    First,
    /// The one that takes what the member says.
    Second,
}

impl Link {
    /// Begins to open a link.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(calling: Calling, driver: &dyn Driver) -> io::Result<Self> {
        let socket = Socket::open(calling.opening, &calling.registry, calling.tokens[0])?;
        Ok(match driver.carrier() {
            Carrier::WebSocket => {
                let request = http::upgrade(&calling.host, &calling.path, driver.subprotocol());
                Self::WebSocket(WebSocket::new(socket, &request))
            }
            Carrier::Polling => Self::Polling(Box::new(Polling::new(socket, calling))),
        })
    }

    /// Whether the member has said nothing that hasn't been sent.
    pub fn is_silent(&mut self) -> bool {
        match self {
            Self::WebSocket(link) => link.socket().out().is_empty(),
            Self::Polling(link) => link.is_silent(),
        }
    }

    /// Has the member say something; [`write`](Self::write) sends it.
    pub fn say(&mut self, packet: &[u8]) {
        match self {
            Self::WebSocket(link) => link.say(packet),
            Self::Polling(link) => link.say(packet),
        }
    }

    /// Sends what can be sent.
    ///
    /// # Errors
    ///
    /// If the connection has failed or ended.
    pub fn write(&mut self) -> Result<(), String> {
        match self {
            Self::WebSocket(link) => link.socket().flush(),
            Self::Polling(link) => link.write(),
        }
        .map_err(|why| why.to_string())
    }

    /// Reads what has come; what `hear` answers is said.
    ///
    /// # Errors
    ///
    /// If the connection ends, with the words of the server.
    pub fn read(
        &mut self,
        side: Side,
        buffer: &mut [u8],
        ending: bool,
        hear: impl FnMut(Sound<'_>) -> Option<String>,
    ) -> Result<(), String> {
        match self {
            Self::WebSocket(link) => link.read(buffer, ending, hear),
            Self::Polling(link) => link.read(side, buffer, ending, hear),
        }
    }

    /// Reads nothing from here on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ignore(&mut self) -> io::Result<()> {
        match self {
            Self::WebSocket(link) => link.socket().ignore(),
            Self::Polling(link) => link.ignore(),
        }
    }
}
