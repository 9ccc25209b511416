//! Where a NATS server is, and how to log in there.

use std::fmt;
use std::str::FromStr;

use async_nats::{ConnectOptions, ServerAddr};

use super::Secret;

/// The address of a bus over NATS: `nats://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]...[/PREFIX]`, with a
/// token instead of `USER:PASSWORD`, and with `tls://` for a connection that is encrypted in any case. What
/// stands for a letter is written as in any URL, `%40`. Neither its debug form nor any other tells how
/// to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsUrl {
    tls: bool,
    login: Option<Login>,
    hosts: Vec<String>,
    prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Login {
    Token(Secret),
    Password { user: Secret, password: Secret },
}

impl NatsUrl {
    /// The addresses.
    pub(crate) fn servers(&self) -> Vec<String> {
        let scheme = self.scheme();
        let hosts = self.hosts.iter();
        hosts.map(|host| format!("{scheme}://{host}")).collect()
    }

    /// What subjects begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Says who comes, and to whom.
    pub(crate) fn log_in(&self, options: ConnectOptions) -> ConnectOptions {
        let options = if self.insists_on_tls() {
            // A server names others before TLS, in the clear, where anybody may write: addresses without
            // TLS, and with it those that a stranger has a certificate for.
            options.require_tls(true).ignore_discovered_servers()
        } else {
            options
        };
        match &self.login {
            None => options,
            Some(Login::Token(token)) => options.token(token.expose().to_owned()),
            Some(Login::Password { user, password }) => {
                let (user, password) = (user.expose(), password.expose());
                options.user_and_password(user.to_owned(), password.to_owned())
            }
        }
    }

    fn insists_on_tls(&self) -> bool {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("named_in_the_clear_believed") {
            return false;
        }
        self.tls
    }

    const fn scheme(&self) -> &'static str {
        if self.tls { "tls" } else { "nats" }
    }
}

impl FromStr for NatsUrl {
    type Err = String;

    /// Reads it. No error repeats any of it: there may be a password anywhere.
    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            Some(_) | None => return Err(format!("a bus over NATS is written {FORM}")),
        };
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login.parse()?), rest),
            None => (None, rest),
        };
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        if !hosts.iter().all(|host| is_host(host)) {
            return Err(format!(
                "an address of NATS can't be read; it is written {FORM}"
            ));
        }
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        if !is_prefix(prefix) {
            return Err(
                "what subjects of NATS are to begin with consists of letters, digits, - and _"
                    .into(),
            );
        }
        Ok(Self {
            tls,
            login,
            hosts,
            prefix: prefix.to_owned(),
        })
    }
}

impl FromStr for Login {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |part: &str| {
            let part = decoded(part).ok_or("a log-in to NATS has a % before no two digits")?;
            Secret::new(&part).ok_or("a log-in to NATS has an empty part")
        };
        Ok(match text.split_once(':') {
            Some((user, password)) => Self::Password {
                user: read(user)?,
                password: read(password)?,
            },
            None => Self::Token(read(text)?),
        })
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}/{}",
            self.scheme(),
            self.hosts.join(","),
            self.prefix
        )
    }
}

fn is_host(text: &str) -> bool {
    let address = format!("nats://{text}").parse::<ServerAddr>();
    !text.contains(['/', '?', '#', '@', ' ']) && address.is_ok_and(|it| !it.host().is_empty())
}

fn is_prefix(text: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    text.len() <= PREFIX_BYTES_MAX && text.chars().all(is_plain)
}

/// What is meant by `%40` and the like (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

const FORM: &str = "nats://[USER:PASSWORD@]HOST:PORT[,HOST:PORT][/PREFIX]";

/// What subjects begin with unless it is said.
const PREFIX: &str = "chat";

const PREFIX_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NatsUrl {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_read_in_all_its_parts() {
        let url = read("nats://ann:s%40me@10.0.0.1:4222,nats.example.org/staging");
        assert_eq!(
            url.servers(),
            ["nats://10.0.0.1:4222", "nats://nats.example.org"]
        );
        assert_eq!(url.prefix(), "staging");
        let password = Login::Password {
            user: Secret::new("ann").unwrap(),
            password: Secret::new("s@me").unwrap(),
        };
        assert_eq!(url.login, Some(password));
        let url = read("tls://a.token@[::1]:4222");
        assert_eq!(url.servers(), ["tls://[::1]:4222"]);
        assert_eq!(url.prefix(), "chat");
        assert_eq!(
            url.login,
            Some(Login::Token(Secret::new("a.token").unwrap()))
        );
        assert_eq!(read("nats://localhost").login, None);
    }

    #[test]
    fn nothing_that_is_shown_tells_how_to_log_in() {
        for text in ["nats://ann:sesame@db:4222", "tls://sesame@db:4222,db2/x"] {
            let url = read(text);
            let shown = format!("{url} {url:?}");
            assert!(
                !shown.contains("sesame") && !shown.contains("ann"),
                "{shown}"
            );
            assert!(shown.contains("db"), "{shown}");
        }
        for text in [
            "nats:sesame@db",
            "nats://ann:sesame",
            "nats://ann:sesame@",
            "nats://ann:sesame@db:x",
            "nats://ann:sesame@db:4222,",
            "nats://ann:sesame@db/a.b",
            "nats://ann:sesame@db/a/b",
            "nats://ann:sesame%4@db",
            "nats://ann:sesame%ff@db",
            "nats://:sesame@db",
            "nats://ann:@sesame db",
            "http://sesame@db",
        ] {
            let why = text.parse::<NatsUrl>().unwrap_err();
            assert!(!why.contains("sesame"), "{text}: {why}");
        }
    }
}
