//! Accounts and tokens, by hand. The store is opened as the server opens it, so a running server
//! that holds it is noticed.

use std::fmt::Write as _;
use std::io;

use chat_server::config::Secret;
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::options::Options;
use super::pending::{self, Accounts};
use super::{environment, print, serve};

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make an account
    Add {
        /// Its name
        name: String,
        /// Its e-mail address
        #[arg(long)]
        email: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Change an account's password; everybody who is logged in to it is logged out
    Passwd {
        /// Its name
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Suspend an account: it can neither log in nor act
    Suspend {
        /// Its name
        name: String,
        /// Let it act again
        #[arg(long)]
        lift: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Password {
    /// Read the password from the first line of standard input; without it one is drawn and
    /// printed
    #[arg(long)]
    password_stdin: bool,
}

/// Makes or changes an account.
pub(crate) fn run(options: &Options, user: User) -> Result<(), Failure> {
    let config = environment::load(options)?;
    match user {
        User::Add {
            name,
            email,
            password,
        } => {
            let password = password.choose()?;
            with(&config, async |accounts| {
                accounts
                    .sign_up(&name, email.as_deref(), password.secret.expose())
                    .await
            })?;
            password.show()
        }
        User::Passwd { name, password } => {
            let password = password.choose()?;
            with(&config, async |accounts| {
                accounts.set_password(&name, password.secret.expose()).await
            })?;
            password.show()
        }
        User::Suspend { name, lift } => with(&config, async |accounts| {
            accounts.suspend(&name, !lift).await
        }),
    }
}

/// Prints an access token of an account.
pub(crate) fn print_token(options: &Options, name: &str) -> Result<(), Failure> {
    let config = environment::load(options)?;
    let token = with(&config, async |accounts| accounts.issue_token(name).await)?;
    print(&format!("{token}\n"))
}

/// Opens the configured store and does something with its accounts.
fn with<T>(
    config: &chat_server::config::Config,
    work: impl AsyncFnOnce(Accounts) -> Result<T, Failure>,
) -> Result<T, Failure> {
    serve::runtime()?.block_on(async {
        let store = pending::open(&config.store)?;
        work(Accounts::new(store, config).await?).await
    })
}

impl Password {
    /// The password that standard input holds, or a drawn one.
    fn choose(&self) -> Result<Chosen, Failure> {
        if self.password_stdin {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            read.map_err(|error| Failure::Failed(format!("can't read the password: {error}")))?;
            let secret = Secret::new(line.trim_end_matches(['\n', '\r']))
                .ok_or_else(|| Failure::Usage("the password on standard input is empty".into()))?;
            return Ok(Chosen {
                secret,
                drawn: false,
            });
        }
        let mut bytes = [0_u8; 12];
        getrandom::fill(&mut bytes)
            .map_err(|error| Failure::Failed(format!("can't draw a password: {error}")))?;
        let mut text = String::new();
        for byte in bytes {
            write!(text, "{byte:02x}").unwrap_or_default();
        }
        let secret = Secret::new(&text);
        let secret = secret.ok_or_else(|| Failure::Failed("drew an empty password".into()))?;
        Ok(Chosen {
            secret,
            drawn: true,
        })
    }
}

/// A password, and whether anybody knows it yet.
struct Chosen {
    secret: Secret,
    drawn: bool,
}

impl Chosen {
    /// Prints a drawn password: there is no other way to learn it.
    fn show(&self) -> Result<(), Failure> {
        if self.drawn {
            print(&format!("{}\n", self.secret.expose()))
        } else {
            Ok(())
        }
    }
}
