//! The addresses of stores and buses, checked at birth.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which store keeps rooms and accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The memory of this process, `memory:`: gone when it ends.
    Memory,
    /// One file on disk, `sqlite:PATH`.
    Sqlite(PathBuf),
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("chat.db"))
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "known are sqlite:PATH and memory:";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(format!("\"{text}\" has no scheme; {known}"));
        };
        match (scheme, rest) {
            ("memory", "") => Ok(Self::Memory),
            ("memory", _) => Err("memory: takes no path".into()),
            ("sqlite", "") => Err("sqlite: needs the path of a file".into()),
            ("sqlite", path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            // What follows the scheme may hold a password, so it isn't repeated.
            ("postgres" | "postgresql", _) => Err(format!(
                "{scheme}: is a store that does not exist yet; {known}"
            )),
            _ => Err(format!("{scheme}: is no store; {known}")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// How nodes hear of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusUrl {
    /// There is one node, `local:`.
    Local,
    /// By a NATS server, `nats://HOST:PORT`.
    #[cfg(feature = "nats")]
    Nats(super::NatsUrl),
}

impl FromStr for BusUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "known are local: and nats://HOST:PORT";
        match text.split_once(':') {
            Some(("local", "")) => Ok(Self::Local),
            #[cfg(feature = "nats")]
            Some(("nats" | "tls", _)) => text.parse().map(Self::Nats),
            #[cfg(not(feature = "nats"))]
            Some((scheme @ ("nats" | "tls"), _)) => Err(format!(
                "{scheme}: is a bus that is not part of this build (feature `nats`)"
            )),
            // What follows the scheme may hold a password, so it isn't repeated.
            Some((scheme, _)) => Err(format!("{scheme}: is no bus; {known}")),
            None => Err(format!("has no scheme; {known}")),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local:"),
            #[cfg(feature = "nats")]
            Self::Nats(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_scheme_and_path() {
        assert_eq!("memory:".parse(), Ok(StoreUrl::Memory));
        assert_eq!(
            "sqlite:a/b.db".parse(),
            Ok(StoreUrl::Sqlite("a/b.db".into()))
        );
        assert_eq!(
            "sqlite:///var/b.db".parse(),
            Ok(StoreUrl::Sqlite("/var/b.db".into()))
        );
        assert_eq!(
            StoreUrl::default().to_string().parse(),
            Ok(StoreUrl::default())
        );
    }

    #[test]
    fn an_unknown_store_is_refused_without_repeating_its_password() {
        for url in [
            "postgres://ann:sesame@db/chat",
            "mysql://ann:sesame@db/chat",
        ] {
            let why = url.parse::<StoreUrl>().unwrap_err();
            assert!(why.contains("known are sqlite:PATH and memory:"), "{why}");
            assert!(!why.contains("sesame"), "{why}");
        }
        assert!("sqlite:".parse::<StoreUrl>().is_err());
        assert!("chat.db".parse::<StoreUrl>().is_err());
    }

    #[test]
    fn an_unknown_bus_is_refused_without_repeating_its_password() {
        assert_eq!("local:".parse(), Ok(BusUrl::Local));
        for url in ["redis://ann:sesame@db", "sesame"] {
            let why = url.parse::<BusUrl>().unwrap_err();
            assert!(
                why.contains("known are local: and nats://HOST:PORT"),
                "{why}"
            );
            assert!(!why.contains("sesame"), "{why}");
        }
    }

    #[test]
    #[cfg(feature = "nats")]
    fn a_bus_over_nats_is_named_by_its_address() {
        let url: BusUrl = "nats://ann:sesame@db:4222/x".parse().unwrap();
        assert_eq!(url.to_string(), "nats://db:4222/x");
        assert!("nats:".parse::<BusUrl>().is_err());
    }

    #[test]
    #[cfg(not(feature = "nats"))]
    fn what_is_not_part_of_the_build_is_said_to_be_missing() {
        let why = "nats://ann:sesame@db".parse::<BusUrl>().unwrap_err();
        assert!(
            why.contains("feature `nats`") && !why.contains("sesame"),
            "{why}"
        );
    }
}
