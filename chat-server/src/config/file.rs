//! The file: the settings as keys, and the two sets of limits as tables.

use chat_core::limits::{POSTS_BURST_MAX, SLOW_MODE_S_MAX};
use chat_core::{Limits, NUMBER_MAX};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::merge::Loaded;
use super::{ConfigError, Given, Setting};
use crate::limits::ServerLimits;

/// A configuration file that has been read from disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its name, for what is said about it.
    pub(crate) name: String,
    /// Its text, in TOML.
    pub(crate) text: String,
}

impl File {
    /// Puts the limits into the configuration, warns of unknown keys, and returns the settings.
    pub(super) fn read(&self, loaded: &mut Loaded) -> Result<Given, ConfigError> {
        let table: Table = self.text.parse().map_err(|error| self.malformed(&error))?;
        let mut given = Given::default();
        for (key, value) in table {
            let setting = Setting::ALL
                .into_iter()
                .find(|setting| setting.key() == key);
            match (setting, key.as_str()) {
                (Some(setting), _) => {
                    let texts = texts(&value).map_err(|why| self.error(&key, &why))?;
                    // That speed is bounded at all is the default. How, the tables below say, and
                    // one of their bounds may be off alone.
                    if setting == Setting::RateLimits && texts == ["on"] {
                        continue;
                    }
                    given.set(setting, format!("{}: {key}", self.name), texts);
                }
                (None, "limits") => {
                    loaded.config.limits =
                        self.limits::<Limits>(&key, value, ENGINE_ZEROES, &mut loaded.warnings)?;
                }
                (None, "server_limits") => {
                    loaded.config.server_limits = self.limits::<ServerLimits>(
                        &key,
                        value,
                        SERVER_ZEROES,
                        &mut loaded.warnings,
                    )?;
                }
                (None, _) => loaded.warnings.push(self.unknown(&key)),
            }
        }
        Ok(given)
    }

    /// A set of limits: the defaults, with what the file says in their place.
    fn limits<T: Default + Serialize + DeserializeOwned>(
        &self,
        name: &str,
        value: Value,
        zeroes: &[&str],
        warnings: &mut Vec<String>,
    ) -> Result<T, ConfigError> {
        let Value::Table(given) = value else {
            return Err(self.error(name, "is a table"));
        };
        let wrong = |key: &str, why: &str| self.error(&format!("{name}.{key}"), why);
        let mut merged =
            Table::try_from(T::default()).map_err(|error| self.error(name, &error.to_string()))?;
        for (key, value) in given {
            let known = !SETTINGS.contains(&key.as_str());
            let Some(place) = merged.get_mut(&key).filter(|_| known) else {
                warnings.push(self.unknown(&format!("{name}.{key}")));
                continue;
            };
            within_bounds(&key, place, &value, zeroes).map_err(|why| wrong(&key, &why))?;
            *place = value;
        }
        merged
            .try_into()
            .map_err(|error: toml::de::Error| self.error(name, error.message()))
    }

    fn unknown(&self, key: &str) -> String {
        format!("{}: unknown key {key}", self.name)
    }

    fn error(&self, key: &str, why: &str) -> ConfigError {
        ConfigError::new(format!("{}: {key}", self.name), why)
    }

    /// Not the parser's picture of the place, which shows the line, secrets included.
    fn malformed(&self, error: &toml::de::Error) -> ConfigError {
        let before = error.span().and_then(|span| self.text.get(..span.start));
        let place = match before {
            Some(text) => format!("{} line {}", self.name, text.split('\n').count()),
            None => self.name.clone(),
        };
        ConfigError::new(place, error.message())
    }
}

/// A value of the file as a flag would spell it.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Integer(number) => Ok(vec![number.to_string()]),
        Value::Boolean(on) => Ok(vec![if *on { "on" } else { "off" }.to_owned()]),
        Value::Array(values) => values.iter().map(listed).collect(),
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
            Err(format!("can't be a {}", value.type_str()))
        }
    }
}

/// An item of a list.
fn listed(value: &Value) -> Result<String, String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("holds a {} where a string belongs", value.type_str()))
}

/// Whether a limit is of its kind, and neither senselessly small nor past what a client can read or
/// the engine can hold.
fn within_bounds(key: &str, default: &Value, value: &Value, zeroes: &[&str]) -> Result<(), String> {
    match (default, value) {
        (Value::Integer(_), Value::Integer(number)) => {
            let bound = BOUNDS.iter().find(|(name, _)| *name == key);
            let max = bound.map_or(NUMBER_MAX, |(_, max)| *max);
            match u64::try_from(*number) {
                Ok(0) if !zeroes.contains(&key) => Err("must be at least 1".into()),
                Ok(number) if number <= max => Ok(()),
                Ok(_) | Err(_) => Err(format!("{number} is not from 0 to {max}")),
            }
        }
        (default, value) if default.same_type(value) => Ok(()),
        (default, value) => Err(format!(
            "can't be a {}: it is a {}",
            value.type_str(),
            default.type_str()
        )),
    }
}

/// What is a setting of its own, and no key of a table.
const SETTINGS: &[&str] = &["rate_limits"];

/// Limits of the engine for which zero means: none at all.
const ENGINE_ZEROES: &[&str] = &[
    "ext_bytes_max",
    "attachments_max",
    "mentions_max",
    "reactions_distinct_max",
    "reactions_max",
    "pins_max",
    "topic_chars_max",
    "invites_max",
    "bans_max",
    "grants_max",
    "rooms_created_a_day_max",
    "slow_mode_s_max",
    "edit_window_ms",
];

/// Limits that have a limit themselves, since a room remembers no longer who posted.
const BOUNDS: &[(&str, u64)] = &[
    ("slow_mode_s_max", SLOW_MODE_S_MAX),
    ("posts_burst", POSTS_BURST_MAX),
];

/// Limits of the server for which zero means: at once, or none.
const SERVER_ZEROES: &[&str] = &["room_idle_ms", "guest_grace_ms", "password_bytes_min"];

#[cfg(test)]
mod tests {
    use super::super::{Config, DEFAULT_TOML, load};
    use super::*;

    fn loaded(text: &str) -> Result<Loaded, ConfigError> {
        let file = File {
            name: "chat.toml".into(),
            text: text.into(),
        };
        load(Given::default(), Given::default(), Some(&file))
    }

    fn refusal(text: &str) -> String {
        loaded(text).unwrap_err().to_string()
    }

    #[test]
    fn the_default_file_says_what_the_defaults_are() {
        let loaded = loaded(DEFAULT_TOML).unwrap();
        assert_eq!(loaded.config, Config::default());
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }

    #[test]
    fn the_default_file_names_every_key_and_no_other() {
        // What has no default stands there commented out.
        let text = DEFAULT_TOML.replace("#jwt_secret", "jwt_secret");
        let table: Table = text
            .replace("#admin_listen", "admin_listen")
            .replace("#admin_token", "admin_token")
            .replace("#tls_", "tls_")
            .parse()
            .unwrap();
        let keys = |table: &Table| {
            table
                .keys()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>()
        };
        let mut settings: std::collections::BTreeSet<_> = Setting::ALL
            .into_iter()
            .map(|setting| setting.key().to_owned())
            .collect();
        settings.extend(["limits".to_owned(), "server_limits".to_owned()]);
        assert_eq!(keys(&table), settings);
        let limits = Table::try_from(Limits::default()).unwrap();
        assert_eq!(keys(table["limits"].as_table().unwrap()), keys(&limits));
        let mut limits = Table::try_from(ServerLimits::default()).unwrap();
        for setting in SETTINGS {
            limits.remove(*setting);
        }
        assert_eq!(
            keys(table["server_limits"].as_table().unwrap()),
            keys(&limits)
        );
    }

    #[test]
    fn unknown_keys_are_warned_of_by_name() {
        let loaded = loaded("listn = 1\n[limits]\nbody_max = 1\n").unwrap();
        let said = [
            "chat.toml: unknown key limits.body_max",
            "chat.toml: unknown key listn",
        ];
        assert_eq!(loaded.warnings, said);
    }

    #[test]
    fn speed_is_unbounded_as_a_whole_or_for_posts_alone() {
        let bounded = |text: &str| {
            let config = loaded(text).unwrap().config;
            (
                config.limits.posts_limited,
                config.server_limits.rate_limits,
            )
        };
        assert_eq!(bounded("rate_limits = true"), (true, true));
        assert_eq!(bounded("rate_limits = false"), (false, false));
        let posts = "rate_limits = true\n[limits]\nposts_limited = false";
        assert_eq!(bounded(posts), (false, true));
        let warned = loaded("[server_limits]\nrate_limits = false").unwrap();
        let said = ["chat.toml: unknown key server_limits.rate_limits"];
        assert_eq!(warned.warnings, said);
        assert!(warned.config.server_limits.rate_limits);
    }

    #[test]
    fn a_limit_changes_alone() {
        let loaded = loaded("[limits]\nbody_bytes_max = 1000\n").unwrap();
        let mut expected = Limits::default();
        expected.body_bytes_max = 1000;
        assert_eq!(loaded.config.limits, expected);
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_name() {
        let zero = refusal("[server_limits]\nmailbox_requests_max = 0");
        assert_eq!(
            zero,
            "chat.toml: server_limits.mailbox_requests_max: must be at least 1"
        );
        assert!(refusal("[limits]\npins_max = -1").contains("limits.pins_max: -1 is not from 0"));
        assert!(refusal("[limits]\npins_max = 9007199254740992").contains("limits.pins_max"));
        assert!(refusal("[limits]\npins_max = 'few'").contains("can't be a string"));
        assert!(refusal("limits = 3").contains("limits: is a table"));
        assert_eq!(
            loaded("[limits]\npins_max = 0")
                .unwrap()
                .config
                .limits
                .pins_max,
            0
        );
    }

    #[test]
    fn a_slow_mode_that_could_not_be_enforced_is_refused() {
        assert!(loaded("[limits]\nslow_mode_s_max = 21600").is_ok());
        assert_eq!(
            refusal("[limits]\nslow_mode_s_max = 21601"),
            "chat.toml: limits.slow_mode_s_max: 21601 is not from 0 to 21600"
        );
        assert!(refusal("[limits]\nposts_burst = 43201").contains("0 to 43200"));
    }

    #[test]
    fn a_malformed_file_is_named_by_its_line_and_not_repeated() {
        let why = refusal("guests = true\njwt_secret = 'sesame\n");
        assert!(why.starts_with("chat.toml line 2: "), "{why}");
        assert!(!why.contains("sesame"), "{why}");
    }
}
