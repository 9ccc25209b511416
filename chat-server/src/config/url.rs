//! The addresses of stores and buses, checked at birth.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::Secret;

/// Which store keeps rooms and accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The memory of this process, `memory:`: gone when it ends.
    Memory,
    /// One file on disk, `sqlite:PATH`.
    Sqlite(PathBuf),
    /// A PostgreSQL database, `postgres://USER:PASSWORD@HOST/DATABASE`.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database. What it shows of itself is where the database is: the
/// password is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Secret);

impl PostgresUrl {
    /// The address with everything in it, for the code that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = ["postgres://", "postgresql://"];
        let is_known = known.iter().any(|scheme| text.starts_with(scheme));
        // What is wrong with it may lie in the password, so it isn't repeated.
        #[cfg(feature = "postgres")]
        let is_known = is_known && text.parse::<tokio_postgres::Config>().is_ok();
        match Secret::new(text).filter(|_| is_known) {
            Some(secret) => Ok(Self(secret)),
            None => Err(
                "a database is not of the form postgres://USER:PASSWORD@HOST/DATABASE, whose parts \
                 are percent-encoded"
                    .into(),
            ),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, rest) = self.expose().split_once("//").unwrap_or_default();
        let (before, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        // A password with signs of its own may make an end where there is none.
        let place = match before.contains(['?', '/', '#']) {
            true => "",
            false => place.split(['?', '#']).next().unwrap_or_default(),
        };
        write!(f, "postgres://{place}")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("chat.db"))
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "known are sqlite:PATH, postgres://... and memory:";
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
            ("postgres" | "postgresql", _) => text.parse().map(Self::Postgres),
            // What follows the scheme may hold a password, so it isn't repeated.
            _ => Err(format!("{scheme}: is no store; {known}")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
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
    fn a_database_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://ann:sesame@db/chat", "postgres://db/chat"),
            (
                "postgresql://db:5433/chat?user=ann&password=sesame",
                "postgres://db:5433/chat",
            ),
            ("postgres://ann:sesame?@db/chat", "postgres://"),
            ("postgres://ann:/sesame@db/chat", "postgres://"),
            ("postgres://ann:@sesame@db/chat", "postgres://db/chat"),
            ("postgres://ann@db/chat?password=@sesame", "postgres://"),
        ] {
            // Some of them can't be read, and are refused.
            match url.parse::<StoreUrl>() {
                Ok(store) => {
                    assert_eq!(store.to_string(), shown);
                    assert_eq!(format!("{store:?}"), format!("Postgres({shown})"));
                }
                Err(why) => assert!(!why.contains("sesame"), "{why}"),
            }
        }
        let why = "postgres:ann:sesame@db".parse::<StoreUrl>().unwrap_err();
        assert!(!why.contains("sesame"), "{why}");
    }

    #[test]
    fn an_unknown_store_is_refused_without_repeating_its_password() {
        let why = "mysql://ann:sesame@db/chat"
            .parse::<StoreUrl>()
            .unwrap_err();
        assert!(why.contains("known are sqlite:PATH, postgres://"), "{why}");
        assert!(!why.contains("sesame"), "{why}");
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
