//! Users, rooms and messages of an older server, brought here with their times and authors.
//!
//! The file is read twice. The first time users become accounts, and of every message its room, its
//! time and its place in the file are noted: 32 bytes each, which is all that grows with the file.
//! The second time each room's lines are taken in the order of their times and judged by the engine
//! like any other wishes, so that what an import leaves behind is a log like any other.
//!
//! What was brought once is known for ever. A user is known by his link, a room by its number, which
//! the store keeps under the old id, and a line by the `cid` of the record that it became: the log
//! itself remembers. So an import may be repeated, after a crash or with a longer file.

mod file;
mod line;
mod moment;
mod outline;
mod people;
mod report;
mod room;
mod rooms;
mod scribe;
mod story;
mod together;

use std::io::{self, Read, Seek};

use blake2::{Blake2b128, Digest};
use chat_core::{Cid, Limits, Timestamp};
use chat_protocol::Spelling;

pub use self::report::{Count, Note, Outcome, Report};
pub use self::together::TOGETHER as HASHES_AT_ONCE;
use crate::auth::hashing::{HashError, Hasher};
use crate::store::{Store, StoreError};

/// Which older server the file is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A WebSocket of `type` and `payload`: rooms with a name for each.
    Rooms,
    /// Events over Socket.IO, in either of the two sets.
    Socketio,
    /// Accounts and rooms over HTTP, and a WebSocket for each room.
    Rest,
    /// Rooms over HTTP, and a WebSocket of an `action` protocol.
    Actions,
    /// Groups, with log-in over the WebSocket.
    Groups,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Rooms,
        Self::Socketio,
        Self::Rest,
        Self::Actions,
        Self::Groups,
    ];

    /// The dialect's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rooms => "rooms",
            Self::Socketio => "socketio",
            Self::Rest => "rest",
            Self::Actions => "actions",
            Self::Groups => "groups",
        }
    }

    /// Under whom its users are linked: as those of the tokens that it made.
    fn issuer(self) -> String {
        format!("dialect/{}", self.name())
    }

    /// Whether a name alone names one user there.
    const fn names_users(self) -> bool {
        match self {
            Self::Socketio | Self::Actions => true,
            Self::Rooms | Self::Rest | Self::Groups => false,
        }
    }

    /// How it wrote a room's number, where its rooms had numbers.
    const fn numbers(self) -> Option<Spelling> {
        match self {
            Self::Rest => Some(Spelling::Number),
            Self::Actions => Some(Spelling::Prefixed),
            Self::Rooms | Self::Socketio | Self::Groups => None,
        }
    }

    /// The id under which a line's record is known for ever.
    fn cid(self, what: &str, id: &str) -> Option<Cid> {
        let text = format!("import/{}/{what}/{id}", self.name());
        if text.len() <= Cid::BYTES_MAX {
            return Cid::new(text).ok();
        }
        let short = digest(&[id.as_bytes()]);
        Cid::new(format!("import/{}/{what}/#{short:032x}", self.name())).ok()
    }
}

/// What an operator decides about an import.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which server the file is from.
    pub from: Source,
    /// Whether somebody of the name of an account here is the one whose account it is.
    pub link_names: bool,
    /// The bounds that apply to what is brought; those on how fast somebody acts don't.
    pub limits: Limits,
    /// The time: nothing was said after it.
    pub now: Timestamp,
}

/// Why an import stopped before its end. What it had brought by then stays, and is known when it is
/// repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file can't be read.
    #[error("can't read the file: {0}")]
    Read(#[from] io::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password can't be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Somebody else writes to a room that is being filled.
    #[error("somebody else writes to room {0}: stop the other server, then repeat this")]
    Disturbed(chat_core::RoomId),
}

/// Brings the users, rooms, members and messages of a file into a store, and tells what becomes of
/// each line that isn't simply a message: [`Report`] counts those.
///
/// It blocks its thread while it reads the file.
///
/// # Errors
///
/// [`ImportError`] says what stopped it. A line that can't be brought stops nothing: it is told.
pub async fn import(
    store: &dyn Store,
    hasher: &Hasher,
    options: &Options,
    file: impl Read + Seek,
    tell: &mut dyn FnMut(Note),
) -> Result<Report, ImportError> {
    let mut lines = file::Lines::of(file);
    let mut desk = report::Desk::new(tell);
    let mut people = people::People::new(store, hasher, options);
    let mut outline = outline::read(&mut lines, &mut people, &mut desk).await?;
    outline.settle(&mut desk);
    rooms::number(store, options, &mut outline, &mut desk).await?;
    let mut scribe = scribe::Scribe::new(store, hasher, options);
    for index in 0..outline.rooms.len() {
        let work = room::Work {
            scribe: &mut scribe,
            people: &mut people,
            lines: &mut lines,
            desk: &mut desk,
            options,
        };
        work.fill(&outline, index).await?;
    }
    scribe.flush().await?;
    Ok(desk.finish())
}

/// What some texts amount to, in an order: the same on every machine and in every version.
fn digest(texts: &[&[u8]]) -> u128 {
    let mut hash = Blake2b128::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    u128::from_le_bytes(hash.finalize().into())
}
