//! Counts the instructions of what happens often: `bash .ci/counts`.
//!
//! It runs itself under valgrind, once for each group of cases, and compares what was counted with
//! what is kept in `benches/counts.txt`. With `--keep` it writes that file.

mod client;
mod kept;
mod parts;
mod town;
mod valgrind;
mod within;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use self::kept::{Counts, Verdict};
use self::town::Tongue;

/// Cases that are counted by one process.
#[derive(Clone, Copy, Debug)]
enum Group {
    Parts,
    Server(Tongue),
}

impl Group {
    /// All of them, the longest first.
    const ALL: [Self; 4] = [
        Self::Server(Tongue::Native),
        Self::Parts,
        Self::Server(Tongue::Socketio),
        Self::Server(Tongue::Rooms),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::Server(tongue) => tongue.name(),
        }
    }

    fn run(self) {
        match self {
            Self::Parts => {
                parts::engine_posts();
                parts::encodes();
                parts::decodes();
                parts::log_entries();
            }
            Self::Server(tongue) => town::posts(tongue),
        }
    }
}

fn main() -> ExitCode {
    let asked = env::args().nth(1);
    let group = Group::ALL
        .into_iter()
        .find(|it| asked.as_deref() == Some(it.name()));
    match (asked.as_deref(), group) {
        (_, Some(group)) => {
            group.run();
            ExitCode::SUCCESS
        }
        (None, None) => compare(),
        (Some("--keep"), None) => keep(),
        (Some(other), None) => {
            eprintln!("counts: {other} is neither --keep nor a group of cases");
            ExitCode::FAILURE
        }
    }
}

/// Counts, and tells whether anything takes more than it did.
fn compare() -> ExitCode {
    let (counts, kept) = (count(), Counts::read(Path::new(kept::FILE)));
    if counts.made_with != kept.made_with {
        print!("{counts}");
        println!("counts: LEFT OUT the comparison, figures of different tools can't be compared");
        println!("  kept are those of {}", kept.made_with);
        println!("  counted was with  {}", counts.made_with);
        return ExitCode::SUCCESS;
    }
    let verdicts = counts.against(&kept);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    if verdicts.iter().any(Verdict::fails) {
        println!("counts: more than is kept: make it less, or say why and bash .ci/counts --keep");
        return ExitCode::FAILURE;
    }
    if verdicts.iter().any(Verdict::is_news) {
        println!("counts: less than is kept: bash .ci/counts --keep holds it there");
    }
    ExitCode::SUCCESS
}

/// Counts, and keeps it.
fn keep() -> ExitCode {
    let counts = count();
    std::fs::write(kept::FILE, counts.to_string()).expect("the repository can be written to");
    print!("{counts}");
    ExitCode::SUCCESS
}

fn count() -> Counts {
    let cases = valgrind::count(&Group::ALL.map(Group::name));
    Counts::of(valgrind::made_with(), cases)
}
