//! What differs between servers: how to come in, how a line is posted, and what else is said.
//!
//! A line that is delivered needs no driver: its marker is found in whatever surrounds it.

mod actions;
mod native;
mod rooms;
mod socketio;
mod ws;

use std::fmt::Debug;

use memchr::memmem;

use super::options::DriverName;
use super::plan::Plan;

/// What one kind of server speaks.
pub trait Driver: Debug + Sync {
    /// The path of the WebSocket, or of the polls.
    fn path(&self, me: &Guest) -> String;

    /// The subprotocol that is asked for, if any.
    fn subprotocol(&self) -> Option<&'static str> {
        None
    }

    /// How packets travel.
    fn carrier(&self) -> Carrier {
        Carrier::WebSocket
    }

    /// Whether senders hear themselves.
    fn echoes(&self) -> bool;

    /// Does what has to be done before anybody can come in; gives what the rooms are called, if
    /// that is known by then.
    ///
    /// # Errors
    ///
    /// What the server said.
    fn prepare(&self, plan: &Plan) -> Result<Vec<Option<String>>, String> {
        Ok(vec![None; plan.rooms])
    }

    /// The next step of a guest on his way in, after what he heard; nothing if his connection has
    /// just been opened. The first guest of a room learns what the server calls it.
    fn enter(&self, me: &Guest, room: &mut Option<String>, heard: Option<&[u8]>) -> Step;

    /// What a guest is given to prove later that it is he, if this is where he gets it.
    fn credential<'a>(&self, _heard: &'a [u8]) -> Option<&'a str> {
        None
    }

    /// A post of this line.
    fn post(&self, me: &Guest, room: &str, line: &str) -> String;

    /// What a packet without a line means to somebody who is in.
    fn judge(&self, heard: &[u8]) -> Verdict;
}

/// Somebody on his way into a room.
#[derive(Clone, Debug)]
pub struct Guest {
    /// His name, no one else's.
    pub name: String,
    /// What the room is to be called, if he has to make it.
    pub room_name: String,
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// As text messages of a WebSocket.
    WebSocket,
    /// As payloads of Engine.IO's long polling.
    Polling,
}

/// What a guest does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// He waits for more.
    Wait,
    /// He says this.
    Say(String),
    /// He is in.
    In,
    /// He won't be let in.
    Refused,
}

/// What a packet without a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Noise,
    /// It is to be answered with this.
    Answer(&'static str),
    /// It refuses a line.
    Refusal,
}

/// The driver of this name.
#[must_use]
pub fn named(name: DriverName) -> &'static dyn Driver {
    match name {
        DriverName::Native => &native::Native,
        DriverName::Rooms => &rooms::Rooms,
        DriverName::Socketio => &socketio::Socketio(Carrier::WebSocket),
        DriverName::SocketioPolling => &socketio::Socketio(Carrier::Polling),
        DriverName::Actions => &actions::Actions,
        DriverName::Ws => &ws::Ws,
    }
}

/// Whether these words are in it.
pub(super) fn says(heard: &[u8], words: &str) -> bool {
    memmem::find(heard, words.as_bytes()).is_some()
}

/// What stands between two texts.
pub(super) fn between<'a>(heard: &'a [u8], before: &str, after: &[char]) -> Option<&'a str> {
    let (_, rest) = std::str::from_utf8(heard).ok()?.split_once(before)?;
    rest.split(after).next()
}
