//! A load generator for chat servers, ours and others.
//!
//! One thread with one epoll drives all connections, since the server is to be the bottleneck: what
//! comes is read into one buffer and not parsed; a line is known by a marker in its body
//! ([`mod@line`]), whatever a [`driver`]'s server wraps it in.
//!
//! * [`plan`] is a run as it was asked for; [`run`](mod@run) does it, and [`outcome`] is its result.
//! * [`swarm`] holds the connections; a [`town`]'s members come in by its [`door`]; [`talk`] has
//!   them say lines in a closed loop or at a fixed rate.
//! * [`ledger`] knows who should have heard what: lost, doubled, disordered and leaked lines are
//!   counted in every run. [`tally`] counts what is measured, [`report`] draws it.

pub mod door;
pub mod driver;
pub mod frame;
pub mod histogram;
pub mod http;
pub mod ledger;
pub mod line;
pub mod link;
pub mod options;
pub mod outcome;
pub mod plan;
pub mod polling;
pub mod process;
pub mod progress;
pub mod quiet;
pub mod report;
pub mod resume;
pub mod run;
pub mod silence;
pub mod socket;
pub mod swarm;
pub mod talk;
pub mod tally;
pub mod town;
pub mod websocket;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::slice;

use clap::Parser;

use self::options::{Cli, Command, Options};
use self::outcome::Outcome;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (cli.command, cli.options) {
        (Some(Command::Report { results, out }), _) => compare(&results, &out),
        (None, Some(options)) => measure(&options),
        (None, None) => Err("--url says where the server is".to_owned()),
    };
    match done {
        Ok(code) => code,
        Err(why) => {
            // Nobody is left to tell if this fails.
            drop(writeln!(io::stderr(), "chat-load: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Does a run and writes down its result.
fn measure(options: &Options) -> Result<ExitCode, String> {
    let outcome = run::run(options)?;
    write_json(options, &outcome)?;
    if let Some(path) = &options.report {
        write(path, &report::page(slice::from_ref(&outcome)))?;
    }
    Ok(if outcome.faults.none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTY)
    })
}

/// Makes one page of several results.
fn compare(results: &[PathBuf], out: &Path) -> Result<ExitCode, String> {
    let read = |path: &PathBuf| {
        let json = fs::read_to_string(path).map_err(|why| why.to_string());
        let outcome =
            json.and_then(|json| serde_json::from_str(&json).map_err(|why| why.to_string()));
        outcome.map_err(|why| format!("{}: {why}", path.display()))
    };
    let outcomes = results
        .iter()
        .map(read)
        .collect::<Result<Vec<Outcome>, _>>()?;
    write(out, &report::page(&outcomes))?;
    Ok(ExitCode::SUCCESS)
}

fn write_json(options: &Options, outcome: &Outcome) -> Result<(), String> {
    let mut json = serde_json::to_string_pretty(outcome).map_err(|why| why.to_string())?;
    json.push('\n');
    match &options.out {
        Some(path) => write(path, &json),
        None => io::stdout()
            .write_all(json.as_bytes())
            .map_err(|why| why.to_string()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|why| format!("{}: {why}", path.display()))
}

/// The run was done, and lines were lost, doubled, disordered or leaked.
const FAULTY: u8 = 2;
