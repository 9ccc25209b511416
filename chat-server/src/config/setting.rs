//! The settings that a flag, a variable and a key of the file share, each named and read once.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chat_core::Name;

use super::{ActionsNames, Config, Listen, LogFormat, Network, RegisteredNames, Secret};

/// One setting. Its flag is `--jwt-ttl-hours`, its variable `CHAT_JWT_TTL_HOURS` and its key
/// `jwt_ttl_hours`, for example. What it means is described where it ends up, in [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    Listen,
    AdminListen,
    AdminToken,
    TlsCert,
    TlsKey,
    Store,
    Bus,
    Workers,
    Guests,
    SignUps,
    RegisteredNames,
    RateLimits,
    JwtSecret,
    JwtTtlHours,
    Origins,
    TrustedProxies,
    LogFormat,
    SocketioEcho,
    ActionsNames,
    EndlessTokens,
    LockedPeople,
    Groups,
    TestTokens,
}

impl Setting {
    /// Every setting.
    pub(crate) const ALL: [Self; 23] = [
        Self::Listen,
        Self::AdminListen,
        Self::AdminToken,
        Self::TlsCert,
        Self::TlsKey,
        Self::Store,
        Self::Bus,
        Self::Workers,
        Self::Guests,
        Self::SignUps,
        Self::RegisteredNames,
        Self::RateLimits,
        Self::JwtSecret,
        Self::JwtTtlHours,
        Self::Origins,
        Self::TrustedProxies,
        Self::LogFormat,
        Self::SocketioEcho,
        Self::ActionsNames,
        Self::EndlessTokens,
        Self::LockedPeople,
        Self::Groups,
        Self::TestTokens,
    ];

    /// Its key in the file.
    #[must_use]
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::AdminListen => "admin_listen",
            Self::AdminToken => "admin_token",
            Self::TlsCert => "tls_cert",
            Self::TlsKey => "tls_key",
            Self::Store => "store",
            Self::Bus => "bus",
            Self::Workers => "workers",
            Self::Guests => "guests",
            Self::SignUps => "sign_ups",
            Self::RegisteredNames => "registered_names",
            Self::RateLimits => "rate_limits",
            Self::JwtSecret => "jwt_secret",
            Self::JwtTtlHours => "jwt_ttl_hours",
            Self::Origins => "origins",
            Self::TrustedProxies => "trusted_proxies",
            Self::LogFormat => "log_format",
            Self::SocketioEcho => "socketio_echo",
            Self::ActionsNames => "actions_names",
            Self::EndlessTokens => "endless_tokens",
            Self::LockedPeople => "locked_people",
            Self::Groups => "groups",
            Self::TestTokens => "test_tokens",
        }
    }

    /// Its variable in the environment.
    #[must_use]
    pub(crate) fn variable(self) -> String {
        format!("CHAT_{}", self.key().to_ascii_uppercase())
    }

    /// Names of variables that other programs use for it, weaker than its own; the first that is
    /// set counts.
    #[must_use]
    pub(crate) const fn honoured(self) -> &'static [&'static str] {
        match self {
            Self::Listen => &["PORT", "APP_PORT"],
            Self::JwtSecret => &["JWT_SECRET"],
            Self::JwtTtlHours => &["JWT_TTL"],
            Self::Origins => &["CLIENT_URL"],
            Self::AdminListen
            | Self::AdminToken
            | Self::TlsCert
            | Self::TlsKey
            | Self::Store
            | Self::Bus
            | Self::Workers
            | Self::Guests
            | Self::SignUps
            | Self::RegisteredNames
            | Self::RateLimits
            | Self::TrustedProxies
            | Self::LogFormat
            | Self::SocketioEcho
            | Self::ActionsNames
            | Self::EndlessTokens
            | Self::LockedPeople
            | Self::Groups
            | Self::TestTokens => &[],
        }
    }

    /// Whether a variable with `_FILE` behind its name may name a file that holds it.
    #[must_use]
    pub(crate) const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::JwtSecret | Self::AdminToken | Self::Store | Self::Bus
        )
    }

    /// Puts a value as it was written into a configuration, or says what is wrong with it.
    pub(super) fn apply(self, texts: &[String], config: &mut Config) -> Result<(), String> {
        match self {
            Self::Listen => config.listen = several(&listed(texts), str::parse)?,
            Self::AdminListen => config.admin_listen = Some(admin(single(texts)?)?),
            Self::AdminToken => config.admin_token = Some(admin_token(single(texts)?)?),
            Self::TlsCert => config.tls_cert = Some(path(single(texts)?)?),
            Self::TlsKey => config.tls_key = Some(path(single(texts)?)?),
            Self::Store => config.store = single(texts)?.parse()?,
            Self::Bus => config.bus = single(texts)?.parse()?,
            Self::Workers => config.workers = workers(single(texts)?)?,
            Self::Guests => config.guests = switch(single(texts)?)?,
            Self::SignUps => config.sign_ups = switch(single(texts)?)?,
            Self::RegisteredNames => config.registered_names = registered(single(texts)?)?,
            Self::RateLimits => config.set_rate_limits(switch(single(texts)?)?),
            Self::JwtSecret => config.jwt_secret = Some(secret(single(texts)?)?),
            Self::JwtTtlHours => config.jwt_ttl_hours = hours(single(texts)?)?,
            Self::Origins => {
                config.origins = match listed(texts).as_slice() {
                    [] => Vec::new(),
                    some => several(some, origin)?,
                }
            }
            Self::TrustedProxies => config.trusted_proxies = networks(&listed(texts))?,
            Self::LogFormat => config.log_format = log_format(single(texts)?)?,
            Self::SocketioEcho => config.socketio_echo = switch(single(texts)?)?,
            Self::ActionsNames => config.actions_names = actions_names(single(texts)?)?,
            Self::EndlessTokens => config.endless_tokens = switch(single(texts)?)?,
            Self::LockedPeople => config.locked_people = switch(single(texts)?)?,
            Self::Groups => config.groups = group_names(&listed(texts))?,
            Self::TestTokens => config.test_tokens = switch(single(texts)?)?,
        }
        Ok(())
    }
}

/// The values of a list, in order.
fn listed(texts: &[String]) -> Vec<&str> {
    let parts = texts.iter().flat_map(|text| text.split(','));
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn single(texts: &[String]) -> Result<&str, String> {
    match texts {
        [text] => Ok(text.trim()),
        _ => Err("takes exactly one value".into()),
    }
}

fn several<T>(parts: &[&str], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    if parts.is_empty() {
        return Err("needs at least one value".into());
    }
    parts.iter().map(|part| read(part)).collect()
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("\"{text}\" is neither on nor off")),
    }
}

fn admin(text: &str) -> Result<Listen, String> {
    let listen: Listen = text.parse()?;
    match listen.dialect {
        None => Ok(listen),
        Some(_) => Err("the operator's address speaks no dialect".into()),
    }
}

fn admin_token(text: &str) -> Result<Secret, String> {
    if text.len() < ADMIN_TOKEN_BYTES_MIN {
        return Err(format!("has at least {ADMIN_TOKEN_BYTES_MIN} bytes"));
    }
    secret(text)
}

/// Nobody guesses so much.
const ADMIN_TOKEN_BYTES_MIN: usize = 16;

fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("names no file".into()),
        name => Ok(name.into()),
    }
}

fn workers(text: &str) -> Result<Option<NonZeroUsize>, String> {
    if text == "auto" {
        return Ok(None);
    }
    match text.parse() {
        Ok(count) if count <= WORKERS_MAX => Ok(Some(count)),
        Ok(_) | Err(_) => Err(format!(
            "\"{text}\" is neither auto nor from 1 to {WORKERS_MAX}"
        )),
    }
}

fn registered(text: &str) -> Result<RegisteredNames, String> {
    match text {
        "refused" => Ok(RegisteredNames::Refused),
        "free" => Ok(RegisteredNames::Free),
        _ => Err(format!("\"{text}\" is neither refused nor free")),
    }
}

fn actions_names(text: &str) -> Result<ActionsNames, String> {
    match text {
        "open" => Ok(ActionsNames::Open),
        "session" => Ok(ActionsNames::Session),
        "strict" => Ok(ActionsNames::Strict),
        _ => Err(format!("\"{text}\" is none of open, session and strict")),
    }
}

fn group_names(parts: &[&str]) -> Result<Vec<Name>, String> {
    let read = |part: &&str| Name::new(part).map_err(|error| format!("\"{part}\": {error}"));
    parts.iter().map(read).collect()
}

fn networks(parts: &[&str]) -> Result<Vec<Network>, String> {
    parts.iter().map(|part| part.parse()).collect()
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("\"{text}\" is neither text nor json")),
    }
}

fn secret(text: &str) -> Result<Secret, String> {
    Secret::new(text).ok_or_else(|| "a secret can't be empty".into())
}

fn hours(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(hours) if (1..=HOURS_MAX).contains(&hours) => Ok(hours),
        Ok(_) | Err(_) => Err(format!(
            "\"{text}\" is no number of hours from 1 to {HOURS_MAX}"
        )),
    }
}

/// An origin as browsers write it: scheme, host and perhaps port, in lower case.
fn origin(text: &str) -> Result<String, String> {
    let lower = text.trim_end_matches('/').to_ascii_lowercase();
    let host = lower
        .strip_prefix("https://")
        .or_else(|| lower.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']) => {
            Ok(lower)
        }
        Some(_) | None => Err(format!(
            "\"{text}\" is not an origin such as https://chat.example.org"
        )),
    }
}

const WORKERS_MAX: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// Ten years.
const HOURS_MAX: u64 = 10 * 365 * 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(setting: Setting, text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        setting.apply(&[text.to_owned()], &mut config)?;
        Ok(config)
    }

    #[test]
    fn several_listeners_stand_in_one_variable() {
        let config = applied(Setting::Listen, "127.0.0.1:1, rooms=127.0.0.1:2").unwrap();
        let spelled: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
        assert_eq!(spelled, ["127.0.0.1:1", "rooms=127.0.0.1:2"]);
        assert!(applied(Setting::Listen, "").is_err());
    }

    #[test]
    fn rate_limits_are_those_of_the_engine_too() {
        let mut config = Config::default();
        for (text, on) in [("off", false), ("on", true)] {
            let applied = Setting::RateLimits.apply(&[text.to_owned()], &mut config);
            assert_eq!(applied, Ok(()));
            assert_eq!(config.limits.posts_limited, on);
            assert_eq!(config.server_limits.rate_limits, on);
        }
    }

    #[test]
    fn an_origin_is_compared_as_browsers_write_it() {
        let config = applied(Setting::Origins, "HTTP://Localhost:5173/").unwrap();
        assert_eq!(config.origins, ["http://localhost:5173"]);
        for text in [
            "*",
            "localhost:5173",
            "https://",
            "https://a.example/chat",
            "https://*.b",
        ] {
            assert!(applied(Setting::Origins, text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in ["0", "-1", "1025", "two", ""] {
            assert!(applied(Setting::Workers, text).is_err(), "{text}");
        }
        assert_eq!(applied(Setting::Workers, "auto").unwrap().workers, None);
        assert!(applied(Setting::JwtTtlHours, "0").is_err());
        assert_eq!(
            applied(Setting::JwtTtlHours, "720").unwrap().jwt_ttl_hours,
            720
        );
    }
}
