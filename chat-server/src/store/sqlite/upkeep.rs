//! What an operator does with the file, beside a running server or without one: copying it,
//! proving it, making its lists again, reading a room out of it.
//!
//! The log is the truth. [`verify`] reads every record of every room, makes all lists again from
//! them in a database that goes when it is done, and compares. [`rebuild`] puts those lists in the
//! place of the stored ones. [`backup`], [`verify`] and [`export`] take no lock: each reads the file
//! as it was at one moment, while a server may write to it.

mod accounts;
mod backup;
mod cids;
mod compare;
mod export;
mod fold;
mod keys;
mod rebuild;
mod scratch;
mod verify;

use std::fmt;

pub use self::backup::{BackupError, backup};
pub use self::export::{ExportError, export};
pub use self::rebuild::rebuild;
pub use self::verify::{Verified, verify};

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which part of the store it is about.
    pub part: Part,
    /// What is wrong, and where.
    pub words: String,
}

/// The parts of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file itself, as SQLite knows it.
    File,
    /// The log: what nothing else can tell.
    Log,
    /// What is kept beside the log and can be made again from it.
    Lists,
    /// Accounts and their links.
    Accounts,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Who is told of findings, each once.
type Tell<'a> = &'a mut dyn FnMut(Finding);

/// Tells of a finding.
fn find(tell: &mut dyn FnMut(Finding), part: Part, words: impl Into<String>) {
    tell(Finding {
        part,
        words: words.into(),
    });
}
