//! The command line: what can be asked of the program, and who does it. Only here the environment
//! is read.
#![allow(
    rustdoc::invalid_html_tags,
    reason = "the help is printed as it is written, and is no markup"
)]

mod accounts;
mod environment;
mod failure;
mod health;
mod import;
mod options;
mod serve;
mod upkeep;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use self::failure::Failure;
use self::options::Options;
use crate::config::DEFAULT_TOML;

/// A chat server: rooms over WebSockets and HTTP, kept in one file.
///
/// Every option below has a variable CHAT_<NAME> and a key in chat.toml as well: a flag beats the
/// environment, the environment beats the file, the file beats the default.
#[derive(Parser)]
#[command(
    name = "chat-server",
    version,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server; this is what happens without a command
    Serve,
    /// Say whether the configuration is sound
    CheckConfig,
    /// Tell about the configuration
    #[command(subcommand)]
    Config(Config),
    /// Make and change accounts
    #[command(subcommand)]
    User(accounts::User),
    /// Bring users, rooms and messages of an older server here; --help shows the file's form
    Import(import::Import),
    /// Copy the store into a file, also while a server runs on it
    Backup {
        /// The file; there must be none of that name
        file: PathBuf,
    },
    /// Say whether the store is whole, also while a server runs on it; exit 0 if so and 65 otherwise
    Verify(upkeep::Verify),
    /// Print all records of a room: one JSON object a line
    Export {
        /// Its number, its alias, or how any dialect spells its number
        room: String,
    },
    /// Print an access token of an account
    Gentoken {
        /// The account's name
        name: String,
    },
    /// Ask a running server whether it is ready; exit 0 if so and 1 otherwise
    Health {
        /// The address to ask instead of the configured one
        #[arg(long, value_name = "http://HOST:PORT")]
        url: Option<String>,
    },
}

/// What scripts have to know, below the help.
const EXIT_CODES: &str = "Exit codes: 0; 1 failed; 2 usage or configuration; 65 damaged data; \
                          69 store unavailable or newer; 73 store locked.";

#[derive(Debug, Subcommand)]
enum Config {
    /// Print a file with every key and its default
    Default,
}

/// Does what the command line asks for, and says in one line and one exit code what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("chat-server: {failure}");
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    match cli.command {
        None | Some(Command::Serve) => serve::run(&cli.options),
        Some(Command::CheckConfig) => {
            environment::check(&cli.options)?;
            environment::log_filter()?;
            print("ok\n")
        }
        Some(Command::Config(Config::Default)) => print(DEFAULT_TOML),
        Some(Command::User(user)) => accounts::run(&cli.options, user),
        Some(Command::Import(wish)) => import::run(&cli.options, &wish),
        Some(Command::Backup { file }) => upkeep::backup(&cli.options, &file),
        Some(Command::Verify(wish)) => upkeep::verify(&cli.options, &wish),
        Some(Command::Export { room }) => upkeep::export(&cli.options, &room),
        Some(Command::Gentoken { name }) => accounts::print_token(&cli.options, &name),
        Some(Command::Health { url }) => health::run(&cli.options, url.as_deref()),
    }
}

/// Writes to standard output. A reader that went away early is no failure of ours.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "can't write to standard output: {error}"
        ))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What clap answers: help and version on standard output, a mistake as one line.
fn explain(answer: &clap::Error) -> Result<(), Failure> {
    let text = answer.render().to_string();
    if matches!(
        answer.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return print(&text);
    }
    if answer.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::Usage(
            "which command? See chat-server --help".into(),
        ));
    }
    // The first paragraph says what is wrong; usage and tips follow.
    let lines = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim);
    let said = lines.collect::<Vec<_>>().join(" ");
    let what = said.strip_prefix("error: ").unwrap_or(&said);
    Err(Failure::Usage(format!("{what}; see chat-server --help")))
}
