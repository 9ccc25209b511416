//! The options that every command shares, as words; what they mean is the configuration's.

use std::path::PathBuf;

use crate::config::{Given, Setting};
use clap::Args;

/// What the command line says about settings. It has no debug form: it may hold a secret.
#[derive(Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Options {
    /// The configuration file; chat.toml if there is one
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to accept connections, for one dialect (native, rooms, socketio, rest, actions, groups) or
    /// all of them; repeatable
    /// [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "[DIALECT=]ADDR")]
    listen: Vec<String>,

    /// Where to serve metrics and the operator's face apart from the public port
    #[arg(long, global = true, value_name = "ADDR")]
    admin_listen: Option<String>,

    /// What proves at the operator's address that one may do something there [default: nobody may]
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    admin_token: Option<String>,

    /// The certificates to show where connections are accepted, in PEM: with them and a key only
    /// https and wss are spoken there [default: http and ws]
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert: Option<String>,

    /// The key of the first of those certificates, in PEM; SIGHUP reads both files again
    #[arg(long, global = true, value_name = "FILE")]
    tls_key: Option<String>,

    /// Where rooms and accounts are kept: sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or
    /// memory: [default: sqlite:chat.db]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,

    /// How nodes on one store hear of each other: local: or nats://HOST:PORT [default: local:]
    #[arg(long, global = true, value_name = "URL")]
    bus: Option<String>,

    /// Threads that serve rooms and sessions [default: one per core]
    #[arg(long, global = true, value_name = "N")]
    workers: Option<String>,

    /// Whether somebody without an account may come in [default: on]
    #[arg(long, global = true, value_name = "on|off")]
    guests: Option<String>,

    /// Whether anybody may make an account [default: on]
    #[arg(long, global = true, value_name = "on|off")]
    sign_ups: Option<String>,

    /// Whether a guest may use the name of an account [default: refused]
    #[arg(long, global = true, value_name = "refused|free")]
    registered_names: Option<String>,

    /// Whether posts, commands and log-ins are bounded in speed [default: on]
    #[arg(long, global = true, value_name = "on|off")]
    rate_limits: Option<String>,

    /// What tokens are signed with [default: drawn once and kept in the store]
    #[arg(long, global = true, value_name = "SECRET")]
    jwt_secret: Option<String>,

    /// How long a token counts that doesn't say so itself [default: 24]
    #[arg(long, global = true, value_name = "HOURS")]
    jwt_ttl_hours: Option<String>,

    /// Origins of browser pages that may connect beside the server's own, separated by commas
    #[arg(long, global = true, value_name = "LIST")]
    origins: Option<String>,

    /// Addresses and networks of proxies that are believed when they tell whom they speak for,
    /// separated by commas
    #[arg(long, global = true, value_name = "LIST")]
    trusted_proxies: Option<String>,

    /// How log lines look [default: text]
    #[arg(long, global = true, value_name = "text|json")]
    log_format: Option<String>,

    /// Whether a message in the socketio dialect comes back to its sender [default: off]
    #[arg(long, global = true, value_name = "on|off", hide_short_help = true)]
    socketio_echo: Option<String>,

    /// Who may use a registered name in the actions dialect without a token [default: session]
    #[arg(
        long,
        global = true,
        value_name = "open|session|strict",
        hide_short_help = true
    )]
    actions_names: Option<String>,

    /// Whether tokens from elsewhere count that name no time at all [default: off]
    #[arg(long, global = true, value_name = "on|off", hide_short_help = true)]
    endless_tokens: Option<String>,

    /// Whether older lists name the people in rooms with a password [default: on]
    #[arg(long, global = true, value_name = "on|off", hide_short_help = true)]
    locked_people: Option<String>,

    /// Groups that exist from the beginning, separated by commas
    #[arg(long, global = true, value_name = "LIST", hide_short_help = true)]
    groups: Option<String>,

    /// Whether anybody gets a token of a test user, for development alone [default: off]
    #[arg(long, global = true, value_name = "on|off", hide_short_help = true)]
    test_tokens: Option<String>,
}

impl Options {
    /// The settings that were given as flags.
    pub(crate) fn given(&self) -> Given {
        let mut given = Given::default();
        for setting in Setting::ALL {
            let texts: Vec<String> = match setting {
                Setting::Listen => self.listen.clone(),
                Setting::AdminListen => self.admin_listen.iter().cloned().collect(),
                Setting::AdminToken => self.admin_token.iter().cloned().collect(),
                Setting::TlsCert => self.tls_cert.iter().cloned().collect(),
                Setting::TlsKey => self.tls_key.iter().cloned().collect(),
                Setting::Store => self.store.iter().cloned().collect(),
                Setting::Bus => self.bus.iter().cloned().collect(),
                Setting::Workers => self.workers.iter().cloned().collect(),
                Setting::Guests => self.guests.iter().cloned().collect(),
                Setting::SignUps => self.sign_ups.iter().cloned().collect(),
                Setting::RegisteredNames => self.registered_names.iter().cloned().collect(),
                Setting::RateLimits => self.rate_limits.iter().cloned().collect(),
                Setting::JwtSecret => self.jwt_secret.iter().cloned().collect(),
                Setting::JwtTtlHours => self.jwt_ttl_hours.iter().cloned().collect(),
                Setting::Origins => self.origins.iter().cloned().collect(),
                Setting::TrustedProxies => self.trusted_proxies.iter().cloned().collect(),
                Setting::LogFormat => self.log_format.iter().cloned().collect(),
                Setting::SocketioEcho => self.socketio_echo.iter().cloned().collect(),
                Setting::ActionsNames => self.actions_names.iter().cloned().collect(),
                Setting::EndlessTokens => self.endless_tokens.iter().cloned().collect(),
                Setting::LockedPeople => self.locked_people.iter().cloned().collect(),
                Setting::Groups => self.groups.iter().cloned().collect(),
                Setting::TestTokens => self.test_tokens.iter().cloned().collect(),
            };
            if !texts.is_empty() {
                let flag = format!("--{}", setting.key().replace('_', "-"));
                given.set(setting, flag, texts);
            }
        }
        given
    }
}
