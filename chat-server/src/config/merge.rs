//! Flag, environment, file and default, in that order.

use std::collections::BTreeMap;

use super::{Config, File, Setting};
use crate::TlsError;

/// What one place says about the settings: the words of the command line, or those of the
/// environment.
#[derive(Clone, Default)]
pub(crate) struct Given(BTreeMap<Setting, Words>);

/// A setting as it was written, and where.
#[derive(Clone)]
struct Words {
    source: String,
    texts: Vec<String>,
}

impl Given {
    /// Notes what a setting is to be, and under which name it was given: `--store`, `CHAT_STORE`.
    pub(crate) fn set(&mut self, setting: Setting, source: impl Into<String>, texts: Vec<String>) {
        let source = source.into();
        self.0.insert(setting, Words { source, texts });
    }
}

/// A configuration, and what its author should hear about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Config,
    /// Things that are odd but work, such as unknown keys: one line each.
    pub(crate) warnings: Vec<String>,
}

/// What is wrong with a configuration, in one line: under which name, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub(crate) struct ConfigError {
    /// The flag, the variable, or the file and its key.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) why: String,
}

impl ConfigError {
    /// A problem and its place.
    pub(crate) fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        // One line, whatever a parser or a stranger's file put into it.
        let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            place: words(place.into()),
            why: words(why.into()),
        }
    }
}

impl From<TlsError> for ConfigError {
    fn from(error: TlsError) -> Self {
        Self::new("TLS", error.to_string())
    }
}

/// Merges what the places say into one configuration.
///
/// # Errors
///
/// A malformed value that no stronger place overrides, or a file that isn't TOML.
pub(crate) fn load(
    flags: Given,
    environment: Given,
    file: Option<&File>,
) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded {
        config: Config::default(),
        warnings: Vec::new(),
    };
    let mut given = match file {
        None => Given::default(),
        Some(file) => file.read(&mut loaded)?,
    };
    given.0.extend(environment.0);
    given.0.extend(flags.0);
    for (named, missing) in [
        (Setting::TlsCert, Setting::TlsKey),
        (Setting::TlsKey, Setting::TlsCert),
    ] {
        if let Some(words) = given.0.get(&named)
            && !given.0.contains_key(&missing)
        {
            let why = format!("is given without {}", missing.key());
            return Err(ConfigError::new(&words.source, why));
        }
    }
    for (setting, Words { source, texts }) in given.0 {
        let applied = setting.apply(&texts, &mut loaded.config);
        applied.map_err(|why| ConfigError::new(source, why))?;
    }
    if let Some(secret) = &loaded.config.jwt_secret
        && secret.expose().len() < SECRET_BYTES_WISE
    {
        let warning = format!("the JWT secret is shorter than {SECRET_BYTES_WISE} bytes");
        loaded.warnings.push(warning);
    }
    Ok(loaded)
}

/// Below this length a secret for HS256 is weaker than its hash.
const SECRET_BYTES_WISE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn given(setting: Setting, source: &str, text: &str) -> Given {
        let mut given = Given::default();
        given.set(setting, source, vec![text.to_owned()]);
        given
    }

    fn file(text: &str) -> File {
        File {
            name: "chat.toml".into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = file("workers = 1");
        let flag = || given(Setting::Workers, "--workers", "3");
        let variable = || given(Setting::Workers, "CHAT_WORKERS", "2");
        let workers = |flags, environment| {
            let loaded = load(flags, environment, Some(&file)).unwrap();
            loaded.config.workers.unwrap().get()
        };
        assert_eq!(workers(flag(), variable()), 3);
        assert_eq!(workers(Given::default(), variable()), 2);
        assert_eq!(workers(Given::default(), Given::default()), 1);
    }

    #[test]
    fn rate_limits_of_a_flag_beat_whatever_the_file_says_of_them() {
        let file = file("rate_limits = false\n[limits]\nposts_limited = false");
        for (word, on) in [("on", true), ("off", false)] {
            let flags = given(Setting::RateLimits, "--rate-limits", word);
            let loaded = load(flags, Given::default(), Some(&file)).unwrap();
            assert_eq!(loaded.config.limits.posts_limited, on, "{word}");
            assert_eq!(loaded.config.server_limits.rate_limits, on, "{word}");
        }
    }

    #[test]
    fn a_malformed_value_is_named_by_the_place_where_it_was_given() {
        let flags = given(Setting::Store, "--store", "floppy:a");
        let error = load(flags, Given::default(), None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("--store: floppy: is no store"),
            "{error}"
        );
    }

    #[test]
    fn an_error_is_one_line() {
        let error = ConfigError::new("chat.toml", "expected\n  a value\n");
        assert_eq!(error.to_string(), "chat.toml: expected a value");
    }

    #[test]
    fn a_short_secret_is_warned_of_and_not_shown() {
        let loaded = load(
            given(Setting::JwtSecret, "x", "sesame"),
            Given::default(),
            None,
        )
        .unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert!(!format!("{loaded:?}").contains("sesame"));
    }
}
