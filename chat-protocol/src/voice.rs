//! How one seat hears a room: seats that hear alike are sent the very same bytes.

use std::sync::Arc;

use chat_core::{Record, UserId};

use crate::dialect::{Dialect, Say};
use crate::dialects::{actions, groups, native, rest, rooms, socketio};
use crate::event::with_cid;
use crate::signal::Signal;

/// Which of its spellings a dialect was addressed in. Some have two front ends in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Face {
    /// In `socketio`, events that name a room by what the client calls it; in `actions`, frames
    /// with `action`.
    #[default]
    First,
    /// In `socketio`, events that name a room by the id that it was given; in `actions`, frames with
    /// `type` and the room's name.
    Second,
}

/// For whom a record is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearer {
    /// The sessions of whoever did it: they find their cid in it.
    Author,
    /// Anybody else.
    Other,
}

impl Hearer {
    /// What this user is to that record.
    #[must_use]
    pub fn of(record: &Record, user: UserId) -> Self {
        if record.by.id == user {
            Self::Author
        } else {
            Self::Other
        }
    }
}

/// The words in which a seat hears what happens in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    dialect: Dialect,
    face: Face,
    /// What the client calls the room, where its dialect names the room in what happens.
    room: Option<Arc<str>>,
    echo: bool,
}

impl Voice {
    /// The words of a dialect: its first face, the room by its own spelling.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            face: Face::First,
            room: None,
            echo: dialect.hears_own(),
        }
    }

    /// The same for a seat that came in by a face, under the client's word for the room.
    #[must_use]
    pub fn for_seat(dialect: Dialect, face: Face, called: &str) -> Self {
        let names_rooms = match dialect {
            Dialect::Socketio | Dialect::Actions => face == Face::First,
            Dialect::Groups => true,
            Dialect::Native | Dialect::Rooms | Dialect::Rest => false,
        };
        Self {
            face,
            room: names_rooms.then(|| called.into()),
            ..Self::of(dialect)
        }
    }

    /// The same, with the seat's own messages or without them.
    #[must_use]
    pub const fn with_echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// The dialect.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether a session hears its own messages.
    #[must_use]
    pub const fn echoes(&self) -> bool {
        self.echo
    }

    /// The face, and the client's word for the room.
    pub(crate) fn manner(&self) -> (Face, Option<&str>) {
        (self.face, self.room.as_deref())
    }

    /// Spells a record, if the dialect has a word for it.
    pub fn event(&self, record: &Record, hearer: Hearer, say: Say<'_>) {
        let said = match self.dialect {
            Dialect::Native => Some(native::event(record, hearer)),
            Dialect::Rooms => rooms::event(record),
            Dialect::Socketio => socketio::event(record, self),
            Dialect::Rest => rest::event(record),
            Dialect::Actions => actions::event(record, self),
            Dialect::Groups => groups::event(record, self),
        };
        if let Some(text) = said {
            say(&text);
        }
    }

    /// Spells a record for its author's sessions, made of what the voice says to all others. It is what
    /// [`Voice::event`] says to the [`Hearer::Author`].
    pub fn own(&self, record: &Record, others: &[u8], say: Say<'_>) {
        match &record.cid {
            Some(cid) if self.tells_cids() => say(&with_cid(others, cid)),
            Some(_) | None => say(others),
        }
    }

    /// Whether an author finds his cid in what he hears, so that it differs from what others do.
    #[must_use]
    pub const fn tells_cids(&self) -> bool {
        matches!(self.dialect, Dialect::Native)
    }

    /// Spells a signal, if the dialect has a word for it.
    pub fn signal(&self, signal: &Signal, say: Say<'_>) {
        match self.dialect {
            Dialect::Native => say(&crate::json(signal)),
            Dialect::Rooms | Dialect::Rest => {}
            Dialect::Socketio => socketio::signal(signal, self, say),
            Dialect::Actions => actions::signal(signal, self, say),
            Dialect::Groups => groups::signal(signal, self, say),
        }
    }
}
