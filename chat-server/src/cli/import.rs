//! Bringing the users, rooms and messages of an older server here.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use crate::auth::hashing::{Hasher, HashingCost};
use crate::clock::{Clock, SystemClock};
use crate::config::StoreUrl;
use crate::import::{self, Count, HASHES_AT_ONCE, ImportError, Note, Report, Source};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::options::Options;
use super::{environment, print, serve};

#[derive(Args, Debug)]
#[command(after_long_help = FORMAT)]
pub(crate) struct Import {
    /// Which server the file is from
    #[arg(long, value_name = "rooms|socketio|rest|actions|groups", value_parser = source)]
    from: Source,
    /// The file: one JSON object a line
    file: PathBuf,
    /// Say that somebody of the name of an account here is the one whose account it is
    #[arg(long)]
    link_names: bool,
    /// Write what became of users, rooms and refused lines to a file: one JSON object a line
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What the file looks like, in short.
const FORMAT: &str = r#"The file has one JSON object a line, in any order:
  {"type":"user","id":1,"name":"ann","email":"ann@example.org","password_hash":"$2a$10$...","created_at":"2023-10-30T15:47:33Z"}
  {"type":"room","id":7,"name":"Den","access":"open","owner":1,"created_at":1698680853246}
  {"type":"member","room":7,"user":1,"role":"admin","joined_at":1698680853246}
  {"type":"message","room":7,"user":1,"body":"hello","at":1698680860000,"id":99}
A user has a "password" (plain) or a "password_hash" (bcrypt or argon2id), or neither. A room's
access is open, password (with "password") or invite. A message of somebody without an account has
"name" in place of "user". Times are milliseconds since 1970 or RFC 3339. Each server's own names of
these fields are understood too; docs/import.md lists them.

Stop the server first. The same file may be imported any number of times: what is here stays as it
is. The exit code is 1 if any line could not be brought; all others are."#;

/// Refused lines that are shown; a report has them all.
const SHOWN_MAX: u64 = 50;

fn source(text: &str) -> Result<Source, String> {
    let mut all = Source::ALL.into_iter();
    all.find(|source| source.name() == text)
        .ok_or_else(|| "it is none of rooms, socketio, rest, actions and groups".to_owned())
}

/// Imports a file into the configured store.
pub(crate) fn run(options: &Options, wish: &Import) -> Result<(), Failure> {
    let config = environment::load(options)?;
    if config.store == StoreUrl::Memory {
        let why = "the store memory: forgets everything at once; configure another".to_owned();
        return Err(Failure::Usage(why));
    }
    let cannot = |path: &Path, error| Failure::Usage(format!("{}: {error}", path.display()));
    let file = File::open(&wish.file).map_err(|error| cannot(&wish.file, error))?;
    let mut desk = Desk::default();
    if let Some(path) = &wish.report {
        let report = File::create(path).map_err(|error| cannot(path, error))?;
        desk.report = Some(BufWriter::new(report));
    }
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let hasher = Hasher::start(threads, HASHES_AT_ONCE, HashingCost::default())
        .map_err(|error| Failure::Failed(format!("can't start a thread: {error}")))?;
    let rules = import::Options {
        from: wish.from,
        link_names: wish.link_names,
        limits: config.limits.clone(),
        now: SystemClock::new().now(),
    };
    let report = serve::runtime()?.block_on(async {
        let store = crate::store::open(&config.store)?;
        let tell = &mut |note| desk.take(&note);
        import::import(store.as_ref(), &hasher, &rules, file, tell).await
    })?;
    desk.finish(&report)?;
    print(&words(&report))?;
    match report.refused() {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 line could not be brought".into())),
        count => Err(Failure::Failed(format!(
            "{count} lines could not be brought"
        ))),
    }
}

/// Where notes go: to standard error as words, to the report as JSON.
#[derive(Default)]
struct Desk {
    report: Option<BufWriter<File>>,
    failed: Option<std::io::Error>,
    refused: u64,
}

impl Desk {
    fn take(&mut self, note: &Note) {
        match note {
            Note::User { .. } | Note::Room { .. } => {}
            Note::Warning { line, words } => {
                eprintln!("chat-server: warning: line {line}: {words}")
            }
            Note::Refused { line, what, why } => {
                self.refused += 1;
                if self.refused <= SHOWN_MAX {
                    eprintln!("chat-server: line {line}: {what}: {why}");
                }
            }
        }
        self.write(note);
    }

    fn write(&mut self, it: &impl Serialize) {
        let Some(report) = self.report.as_mut().filter(|_| self.failed.is_none()) else {
            return;
        };
        let written = serde_json::to_writer(&mut *report, it)
            .map_err(std::io::Error::from)
            .and_then(|()| report.write_all(b"\n"));
        self.failed = written.err();
    }

    fn finish(&mut self, report: &Report) -> Result<(), Failure> {
        if let Some(more) = self.refused.checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            eprintln!("chat-server: {more} more were refused; --report FILE tells of all");
        }
        self.write(&Summary {
            note: "summary",
            report,
        });
        let flushed = self.report.as_mut().map_or(Ok(()), Write::flush);
        match self.failed.take().or(flushed.err()) {
            Some(error) => Err(Failure::Failed(format!("can't write the report: {error}"))),
            None => Ok(()),
        }
    }
}

/// The last line of a report.
#[derive(Serialize)]
struct Summary<'a> {
    note: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

/// The report, for a person.
fn words(report: &Report) -> String {
    let counts = [
        ("users", report.users),
        ("rooms", report.rooms),
        ("members", report.members),
        ("messages", report.messages),
    ];
    let mut text = String::new();
    for (what, count) in counts {
        let Count {
            made,
            there,
            refused,
        } = count;
        text += &format!("{what:9} {made} made, {there} there already, {refused} refused\n");
    }
    for (count, what) in [
        (report.unreadable, "lines could not be read"),
        (
            report.deleted,
            "lines are of what its server had deleted, and were left out",
        ),
        (
            report.unsorted,
            "rooms had messages out of order, and were sorted by time",
        ),
        (
            report.late,
            "messages are older than what their room held, and bear its time",
        ),
    ] {
        if count > 0 {
            text += &format!("{count} {what}\n");
        }
    }
    if report.made() == 0 {
        text += "nothing was made\n";
    }
    text
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => Self::Store(error),
            ImportError::Read(_) | ImportError::Hash(_) | ImportError::Disturbed(_) => {
                Self::Failed(error.to_string())
            }
        }
    }
}
