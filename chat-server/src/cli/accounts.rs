//! Accounts and tokens, by hand. The store is opened as the server opens it, so a running server
//! that holds it is noticed.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::hashing::{Hasher, HashingCost};
use crate::auth::limiter::{AttemptRules, Limiter};
use crate::auth::{Accounts, AccountsConfig, AuthError, SignUp};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreUrl};
use crate::store::{Store, StoreError};
use chat_core::Password;
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::options::Options;
use super::{environment, health, print, serve};

/// How long whoever reads the store is waited for before it can forget what was erased.
const READERS_LEAVE: Duration = Duration::from_secs(3_600);

/// How long that is waited for without a word, and how often it is looked.
const TOLD_AFTER: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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
        password: PasswordFrom,
    },
    /// Change an account's password; everybody who is logged in to it is logged out
    Passwd {
        /// Its name
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Suspend an account: it can neither log in nor act
    Suspend {
        /// Its name
        name: String,
        /// Let it act again
        #[arg(long)]
        lift: bool,
        /// Have the running server do it that serves operators at this address, with the
        /// configured admin token: its live sessions end at once
        #[arg(long, value_name = "http://HOST:PORT")]
        at: Option<String>,
    },
    /// Erase an account, its names and all that was written by it; there is no way back
    Erase {
        /// Its name
        name: String,
    },
}

/// Where a password comes from.
#[derive(Args, Debug)]
pub(crate) struct PasswordFrom {
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
            let chosen = password.choose()?;
            let wish = SignUp {
                name,
                email,
                handle: None,
                password: chosen.password.clone(),
            };
            let bytes_min = config.server_limits.password_bytes_min;
            if chosen.password.expose().len() < bytes_min {
                let why = format!("a password has at least {bytes_min} bytes");
                return Err(Failure::Usage(why));
            }
            with(&config, async |_, accounts| {
                Ok(accounts.sign_up(&wish, bytes_min).await?)
            })?;
            chosen.show()
        }
        User::Passwd { name, password } => {
            let chosen = password.choose()?;
            with_existing(&config, async |_, accounts| {
                Ok(accounts.set_password(&name, &chosen.password).await?)
            })?;
            chosen.show()
        }
        User::Suspend {
            name,
            lift,
            at: Some(url),
        } => suspend_at(&config, &url, &name, lift),
        User::Suspend {
            name,
            lift,
            at: None,
        } => with_existing(&config, async |store, accounts| {
            let account = store.find_account(&name).await?;
            let account = account.ok_or(AuthError::UserNotFound)?;
            match lift {
                true => accounts.reinstate(account.user).await?,
                // The server that runs, if one does, hears of it when it looks next.
                false => drop(accounts.suspend(account.user).await?),
            }
            Ok(())
        }),
        User::Erase { name } => with_existing(&config, async |store, accounts| {
            let account = store.find_account(&name).await?;
            let account = account.ok_or(AuthError::UserNotFound)?;
            accounts.erase(account.user).await?;
            // What is left are his rooms: the server ends what he is there when it runs.
            forget(store.as_ref()).await
        }),
    }
}

/// Has the store forget what was erased. Who reads it meanwhile for long is waited for.
async fn forget(store: &dyn Store) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let mut waits_from = None;
    let mut is_told = false;
    loop {
        while store.tend(clock.now()).await? {}
        if store.has_forgotten().await? {
            return Ok(());
        }
        let at = clock.elapsed();
        let waited = at - *waits_from.get_or_insert(at);
        if waited >= READERS_LEAVE {
            let why = "he is erased, but something reads the store all the time, and what he wrote is \
                       in its files until a server has run on it after that";
            return Err(Failure::Failed(why.into()));
        }
        if waited >= TOLD_AFTER && !is_told {
            eprintln!("chat-server: something reads the store (a backup?); this waits for its end");
            is_told = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Suspends an account by asking the server that runs.
fn suspend_at(config: &Config, url: &str, name: &str, lift: bool) -> Result<(), Failure> {
    let token = config.admin_token.as_ref();
    let token =
        token.ok_or_else(|| Failure::Usage("--at needs the server's admin_token".into()))?;
    let body = serde_json::json!({ "name": name, "lift": lift }).to_string();
    match health::post(url, "/admin/suspend", token.expose(), &body)? {
        204 => Ok(()),
        401 => Err(Failure::Failed("the admin token is another".into())),
        404 => Err(Failure::Failed(
            "no such user, or no admin token there".into(),
        )),
        status => Err(Failure::Failed(format!("{url} answers {status}"))),
    }
}

/// Prints an access token of an account.
pub(crate) fn print_token(options: &Options, name: &str) -> Result<(), Failure> {
    let config = environment::load(options)?;
    let signed_in = with_existing(&config, async |_, accounts| {
        Ok(accounts.token_for(name).await?)
    })?;
    print(&format!("{}\n", signed_in.access.expose()))
}

/// Does something with accounts that are there: where no store is, none is made.
fn with_existing<T>(
    config: &Config,
    work: impl AsyncFnOnce(Arc<dyn Store>, Accounts) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let StoreUrl::Sqlite(path) = &config.store
        && let Err(error) = fs::metadata(path)
    {
        let why = format!("{}: {error}", path.display());
        return Err(StoreError::Unavailable(why).into());
    }
    with(config, work)
}

/// Opens the configured store and does something with its accounts.
fn with<T>(
    config: &Config,
    work: impl AsyncFnOnce(Arc<dyn Store>, Accounts) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if config.store == StoreUrl::Memory {
        let why = "the store memory: forgets accounts at once; configure another".to_owned();
        return Err(Failure::Usage(why));
    }
    serve::runtime()?.block_on(async {
        let store = crate::store::open(&config.store)?;
        let accounts = accounts(Arc::clone(&store), config).await?;
        work(store, accounts).await
    })
}

/// The accounts of a store, for one thing to be done with them.
async fn accounts(store: Arc<dyn Store>, config: &Config) -> Result<Accounts, Failure> {
    let limits = &config.server_limits;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let hasher = Hasher::start(1, 1, HashingCost::default())
        .map_err(|error| Failure::Failed(format!("can't start a thread: {error}")))?;
    let limiter = Limiter::new(Arc::clone(&clock), AttemptRules::from(limits));
    let rules = AccountsConfig::from(config);
    Ok(Accounts::open(store, clock, Arc::new(hasher), limiter, rules).await?)
}

/// What an operator did wrong with an account, or what went wrong meanwhile.
impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable => Self::Store(StoreError::Unavailable(error.to_string())),
            AuthError::BadArgument { .. } | AuthError::PasswordTooLong { .. } => {
                Self::Usage(error.to_string())
            }
            AuthError::Unauthenticated
            | AuthError::TokenExpired
            | AuthError::TokenInvalid(_)
            | AuthError::BadCredentials
            | AuthError::Suspended
            | AuthError::RateLimited { .. }
            | AuthError::NameTaken
            | AuthError::EmailTaken
            | AuthError::HandleTaken
            | AuthError::AccountNeeded
            | AuthError::SignUpsClosed
            | AuthError::GuestsRefused
            | AuthError::UserNotFound
            | AuthError::Busy { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl PasswordFrom {
    /// The password that standard input holds, or a drawn one.
    fn choose(&self) -> Result<Chosen, Failure> {
        if self.password_stdin {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            read.map_err(|error| Failure::Failed(format!("can't read the password: {error}")))?;
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                return Err(Failure::Usage(
                    "the password on standard input is empty".into(),
                ));
            }
            return Ok(Chosen {
                password: Password::new(line),
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
        Ok(Chosen {
            password: Password::new(text),
            drawn: true,
        })
    }
}

/// A password, and whether anybody knows it yet.
struct Chosen {
    password: Password,
    drawn: bool,
}

impl Chosen {
    /// Prints a drawn password: there is no other way to learn it.
    fn show(&self) -> Result<(), Failure> {
        if self.drawn {
            print(&format!("{}\n", self.password.expose()))
        } else {
            Ok(())
        }
    }
}
