//! What became of the lines.

use chat_core::{Name, RoomId, UserId};
use serde::Serialize;

use super::line::Kind;

/// What became of one line, where there is something to tell. As JSON it is a line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// Somebody has an account here.
    User {
        /// The line.
        line: u64,
        /// What he was there.
        id: String,
        /// What he is here.
        user: UserId,
        /// What he is called here.
        name: Name,
        /// How he came by it.
        outcome: Outcome,
        /// Whether his address belongs to another account, or is none, and was left out.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        without_email: bool,
    },
    /// A room is here.
    Room {
        /// The line.
        line: u64,
        /// What it was called there.
        id: String,
        /// Its number here.
        room: RoomId,
        /// Its unique name here.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<Name>,
        /// How it came here.
        outcome: Outcome,
        /// Whether a client that says the old id means this room.
        old_id_works: bool,
    },
    /// A line could not be brought.
    Refused {
        /// The line.
        line: u64,
        /// What it is about: a user, a room, a member, a message, or nobody knows.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Something is odd, and nothing is lost by it.
    Warning {
        /// The line.
        line: u64,
        /// What.
        words: String,
    },
}

/// How something came to be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was made.
    Made,
    /// It was here before.
    There,
    /// Somebody's account was here before, and is his from now on.
    Linked,
}

/// How many lines of one kind came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What they say was made here.
    pub made: u64,
    /// It was here before.
    pub there: u64,
    /// It could not be brought.
    pub refused: u64,
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Accounts.
    pub users: Count,
    /// Rooms.
    pub rooms: Count,
    /// Memberships.
    pub members: Count,
    /// Messages.
    pub messages: Count,
    /// Lines that say nothing.
    pub unreadable: u64,
    /// Lines about what their server had deleted.
    pub deleted: u64,
    /// Rooms whose messages didn't stand in the order of their times.
    pub unsorted: u64,
    /// Messages that are older than what their room held already, and bear its time.
    pub late: u64,
}

impl Report {
    /// How many lines could not be brought.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.users.refused
            + self.rooms.refused
            + self.members.refused
            + self.messages.refused
            + self.unreadable
    }

    /// How much was made.
    #[must_use]
    pub const fn made(&self) -> u64 {
        self.users.made + self.rooms.made + self.members.made + self.messages.made
    }
}

/// Where notes are told and counted.
pub(super) struct Desk<'a> {
    tell: &'a mut dyn FnMut(Note),
    report: Report,
}

impl<'a> Desk<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(Note)) -> Self {
        Self {
            tell,
            report: Report::default(),
        }
    }

    pub(super) fn finish(self) -> Report {
        self.report
    }

    pub(super) const fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    pub(super) fn tell(&mut self, note: Note) {
        (self.tell)(note);
    }

    /// Notes that a line's matter was made, or was there before.
    pub(super) const fn done(&mut self, kind: Kind, outcome: Outcome) {
        let count = self.count(kind);
        match outcome {
            Outcome::Made | Outcome::Linked => count.made += 1,
            Outcome::There => count.there += 1,
        }
    }

    /// Notes that a line could not be brought.
    pub(super) fn refuse(&mut self, line: u64, kind: Option<Kind>, why: impl Into<String>) {
        match kind {
            Some(kind) => self.count(kind).refused += 1,
            None => self.report.unreadable += 1,
        }
        (self.tell)(Note::Refused {
            line,
            what: kind.map_or("line", Kind::word),
            why: why.into(),
        });
    }

    pub(super) fn warn(&mut self, line: u64, words: impl Into<String>) {
        let words = words.into();
        (self.tell)(Note::Warning { line, words });
    }

    const fn count(&mut self, kind: Kind) -> &mut Count {
        match kind {
            Kind::User => &mut self.report.users,
            Kind::Room => &mut self.report.rooms,
            Kind::Member => &mut self.report.members,
            Kind::Message => &mut self.report.messages,
        }
    }
}
