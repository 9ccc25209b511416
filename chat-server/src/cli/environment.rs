//! The environment and the configuration file. Nobody else reads either.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::config::{self, Config, ConfigError, File, Given, Setting};
use crate::tls::Tls;

use super::options::Options;

/// The configuration out of flags, environment and file. Warnings go to standard error.
pub(crate) fn load(options: &Options) -> Result<Config, ConfigError> {
    let file = file(options.config.as_deref())?;
    let loaded = config::load(options.given(), given()?, file.as_ref())?;
    let unknown = unknown();
    let warnings = loaded.warnings.iter().chain(&unknown);
    warnings.for_each(|warning| warn(warning));
    Ok(loaded.config)
}

/// Whether a server could run with that, as far as files tell.
pub(crate) fn check(options: &Options) -> Result<(), ConfigError> {
    let config = load(options)?;
    if let Some(warning) = Tls::open(&config)?.and_then(|tls| tls.warning()) {
        warn(&warning);
    }
    Ok(())
}

fn warn(warning: &str) {
    eprintln!("chat-server: warning: {warning}");
}

/// What is logged: `CHAT_LOG`, or else `RUST_LOG`, or else `info`.
pub(crate) fn log_filter() -> Result<String, ConfigError> {
    let mut filter = "info".to_owned();
    for name in ["CHAT_LOG", "RUST_LOG"] {
        if let Some(text) = variable(name)? {
            crate::logs::check_filter(&text)
                .map_err(|error| ConfigError::new(name, error.to_string()))?;
            filter = text;
            break;
        }
    }
    Ok(filter)
}

/// The settings that stand in the environment.
fn given() -> Result<Given, ConfigError> {
    let mut given = Given::default();
    for setting in Setting::ALL {
        let own = setting.variable();
        if let Some(text) = secret_file(setting, &own)? {
            given.set(setting, format!("{own}_FILE"), vec![text]);
        } else if let Some(text) = variable(&own)? {
            given.set(setting, own, vec![text]);
        } else {
            honoured(setting, &mut given)?;
        }
    }
    Ok(given)
}

/// What is to be said of variables that are called like ours and are none: `CHAT_GUEST=off` closes
/// nothing.
fn unknown() -> Option<String> {
    let of = |setting: Setting| {
        let own = setting.variable();
        let file = setting.is_secret().then(|| format!("{own}_FILE"));
        std::iter::once(own).chain(file)
    };
    let mut known: Vec<_> = Setting::ALL.into_iter().flat_map(of).collect();
    known.extend(["CHAT_CONFIG", "CHAT_LOG"].map(String::from));
    let names = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut unknown: Vec<_> = names
        .filter(|name| name.starts_with("CHAT_") && !known.contains(name))
        .collect();
    unknown.sort_unstable();
    (!unknown.is_empty()).then(|| format!("unknown variables {}", unknown.join(", ")))
}

/// The file that a variable names, for what should stand in no environment.
fn secret_file(setting: Setting, own: &str) -> Result<Option<String>, ConfigError> {
    let name = format!("{own}_FILE");
    if !setting.is_secret() {
        return Ok(None);
    }
    let Some(path) = variable(&name)? else {
        return Ok(None);
    };
    if variable(own)?.is_some() {
        return Err(ConfigError::new(
            name,
            format!("is set beside {own}; only one may be"),
        ));
    }
    let text = fs::read_to_string(&path)
        .map_err(|error| ConfigError::new(name, format!("can't read {path}: {error}")))?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// A setting under the first of its names that other programs use.
fn honoured(setting: Setting, given: &mut Given) -> Result<(), ConfigError> {
    for name in setting.honoured() {
        let Some(text) = variable(name)? else {
            continue;
        };
        let text = match setting {
            // Those name a port alone; the address stays the loopback one.
            Setting::Listen => format!("127.0.0.1:{text}"),
            Setting::AdminListen
            | Setting::AdminToken
            | Setting::TlsCert
            | Setting::TlsKey
            | Setting::Store
            | Setting::Bus
            | Setting::Workers
            | Setting::Guests
            | Setting::SignUps
            | Setting::RegisteredNames
            | Setting::RateLimits
            | Setting::JwtSecret
            | Setting::JwtTtlHours
            | Setting::Origins
            | Setting::TrustedProxies
            | Setting::LogFormat
            | Setting::SocketioEcho
            | Setting::ActionsNames
            | Setting::EndlessTokens
            | Setting::LockedPeople
            | Setting::Groups
            | Setting::TestTokens => text,
        };
        given.set(setting, *name, vec![text]);
        break;
    }
    Ok(())
}

/// A variable; an empty one counts as absent.
fn variable(name: &str) -> Result<Option<String>, ConfigError> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(ConfigError::new(name, "is not valid UTF-8")),
    }
}

/// The file that was asked for, or `chat.toml` if there is one.
fn file(asked: Option<&Path>) -> Result<Option<File>, ConfigError> {
    let named = match asked {
        Some(path) => Some(("--config", path.to_owned())),
        None => variable("CHAT_CONFIG")?.map(|path| ("CHAT_CONFIG", PathBuf::from(path))),
    };
    let (place, path) = named
        .clone()
        .unwrap_or(("chat.toml", PathBuf::from("chat.toml")));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(File {
            name: path.display().to_string(),
            text,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => Err(ConfigError::new(
            place,
            format!("can't read {}: {error}", path.display()),
        )),
    }
}
