//! Copying, proving and mending the store, and reading a room out of it.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::clock::{Clock, SystemClock};
use crate::config::StoreUrl;
use crate::store::StoreError;
use crate::store::sqlite::upkeep::{self, BackupError, ExportError, Verified};
use clap::Args;

use super::failure::Failure;
use super::options::Options;
use super::{environment, print};

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// A store's file, such as a backup, instead of the configured store
    file: Option<PathBuf>,
    /// Make everything beside the log again from the log first; stop the server before
    #[arg(long)]
    rebuild: bool,
}

/// Findings that are shown.
const SHOWN_MAX: u64 = 100;

/// Copies the configured store into a file.
pub(crate) fn backup(options: &Options, file: &Path) -> Result<(), Failure> {
    let bytes = upkeep::backup(&configured(options)?, file)?;
    print(&format!("{}: {bytes} bytes\n", file.display()))
}

/// Looks at everything in a store; makes its lists again before, if that is wished.
pub(crate) fn verify(options: &Options, wish: &Verify) -> Result<(), Failure> {
    let path = match &wish.file {
        Some(file) => file.clone(),
        None => configured(options)?,
    };
    let now = SystemClock::new().now();
    if wish.rebuild {
        upkeep::rebuild(&path, now)?;
    }
    let mut found = 0;
    let mut tell = |finding: upkeep::Finding| {
        found += 1;
        if found <= SHOWN_MAX {
            eprintln!("chat-server: {finding}");
        }
    };
    let verified = upkeep::verify(&path, now, &mut tell)?;
    print(&counts(&verified))?;
    match verified.findings {
        0 => print("all of it is as it has to be\n"),
        1 => Err(damaged(&path, "1 thing is not as it has to be")),
        many => Err(damaged(
            &path,
            &format!("{many} things are not as they have to be"),
        )),
    }
}

fn damaged(path: &Path, words: &str) -> Failure {
    Failure::Store(StoreError::Damaged(format!("{}: {words}", path.display())))
}

fn counts(verified: &Verified) -> String {
    let Verified {
        rooms,
        records,
        messages,
        accounts,
        findings: _,
    } = verified;
    let counts = [
        (rooms, "room"),
        (records, "record"),
        (messages, "message"),
        (accounts, "account"),
    ];
    let words = counts.map(|(count, what)| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    });
    format!("{}\n", words.join(", "))
}

/// Prints all records of a room.
pub(crate) fn export(options: &Options, room: &str) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let exported = upkeep::export(&configured(options)?, room, &mut out);
    match exported {
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            // What could be read is shown before what stands in the way.
            drop(out.flush());
            Err(error.into())
        }
        Ok(_) => Ok(()),
    }
}

/// The file of the configured store.
fn configured(options: &Options) -> Result<PathBuf, Failure> {
    match environment::load(options)?.store {
        StoreUrl::Sqlite(path) => Ok(path),
        StoreUrl::Memory => Err(Failure::Usage(
            "the store memory: is in no file; configure another".into(),
        )),
        StoreUrl::Postgres(_) => Err(Failure::Usage(
            "this is for stores in one file; for a PostgreSQL database use its own tools, such as \
             pg_dump and pg_amcheck"
                .into(),
        )),
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(error) => Self::Store(error),
            BackupError::Exists(_) | BackupError::Write { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => Self::Store(error),
            ExportError::NoRoom(_) | ExportError::Write(_) => Self::Failed(error.to_string()),
        }
    }
}
