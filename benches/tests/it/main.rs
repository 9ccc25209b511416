//! Runs of the load generator, against our own server and against bad ones; and of `versus`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the servers of tests serve their members side by side"
)]

mod drivers;
mod faults;
mod plain;
mod versus;

use std::net::SocketAddr;

use chat_benches::load::options::{Cli, Options};
use chat_benches::load::outcome::Outcome;
use chat_benches::load::run;
use clap::Parser;

/// A run with these flags; without a warm-up, so that every line counts.
pub(crate) fn load(server: SocketAddr, flags: &str) -> Result<Outcome, String> {
    run::run(&options(server, flags))
}

fn options(server: SocketAddr, flags: &str) -> Options {
    let line = format!("chat-load --url ws://{server} --warm-up 0 {flags}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    cli.options.unwrap()
}
