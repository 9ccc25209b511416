//! One contender put to one shape once.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chat_server::config::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::child::{Place, Running};
use super::contender::{Contender, Program, Store};
use super::outcome::Outcome;
use super::programs::{LOAD, Programs, SERVER};
use super::shape::{Doing, Shape};

/// Our server's bounds on speed stay in force, so that their price is in the figures. They are raised
/// to where a few members who talk as fast as they are heard, and thousands of guests of one address,
/// don't reach them.
pub const LIMITS: &str = "[limits]
posts_burst = 43200
rooms_created_a_day_max = 1000000
[server_limits]
commands_burst = 1000000000
guests_burst = 1000000000
guest_joins_burst = 1000000000
guest_commands_burst = 1000000000
";

/// The same for a server within a program.
pub fn lift_limits(config: &mut Config) {
    config.limits.posts_burst = 43_200;
    config.limits.rooms_created_a_day_max = 1_000_000;
    let limits = &mut config.server_limits;
    limits.commands_burst = 1_000_000_000;
    limits.guests_burst = 1_000_000_000;
    limits.guest_joins_burst = 1_000_000_000;
    limits.guest_commands_burst = 1_000_000_000;
}

/// Source addresses of the load: our server takes 10 000 connections of each, and who polls has two.
const SOURCES: usize = 4;

/// How long a program may take beyond the time that it is asked to spend.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long trials take.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pace {
    /// Seconds before the measured span.
    pub warm_up_s: f64,
    /// Seconds of the measured span.
    pub span_s: f64,
    /// Seconds of silence among idle connections.
    pub hold_s: f64,
}

/// Where and with what trials are held.
#[derive(Debug)]
pub struct Ground {
    /// What is run.
    pub programs: Programs,
    /// Where servers run.
    pub server: Place,
    /// Where the load runs.
    pub load: Place,
    /// How long it takes.
    pub pace: Pace,
}

/// What came of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The shape's name.
    pub shape: &'static str,
    /// The contender's name.
    pub contender: &'static str,
    /// Which round it was.
    pub round: usize,
    /// What the load generator says, whole.
    pub load: Value,
    /// The figures of it.
    #[serde(skip)]
    pub outcome: Outcome,
}

impl Ground {
    /// Starts a contender and the load, and says what came of it. The folder is for what they write.
    ///
    /// # Errors
    ///
    /// Why there is nothing to say.
    pub fn hold(
        &self,
        contender: &Contender,
        shape: Shape,
        round: usize,
        dir: &Path,
    ) -> Result<Trial, String> {
        let server = self.contender(contender, dir)?;
        let load = self.work(server, self.flags(contender, shape), dir)?;
        let told = |error| format!("no result ({error})");
        Ok(Trial {
            shape: shape.name,
            contender: contender.name,
            round,
            outcome: Outcome::deserialize(&load).map_err(told)?,
            load,
        })
    }

    /// Starts a server, and the load with these flags; what the load generator says of them. The
    /// folder is for what both complain of.
    ///
    /// # Errors
    ///
    /// Why it says nothing.
    pub fn work(
        &self,
        server: Command,
        flags: Vec<(&str, String)>,
        dir: &Path,
    ) -> Result<Value, String> {
        let mut server = Running::start(server, &dir.join("server.log"))?;
        let port = server.port(PATIENCE)?;
        let mut command = self.load.command(self.programs.executable(LOAD)?);
        let own = [
            ("--pid", server.pid().to_string()),
            ("--sources", SOURCES.to_string()),
            ("--url", format!("ws://127.0.0.1:{port}")),
        ];
        for (flag, value) in own.into_iter().chain(flags) {
            command.arg(flag).arg(value);
        }
        let mut load = Running::start(command, &dir.join("load.log"))?;
        let Pace {
            warm_up_s,
            span_s,
            hold_s,
        } = self.pace;
        let asked = Duration::from_secs_f64(warm_up_s + span_s + hold_s);
        let said = load.output(PATIENCE + asked)?;
        let told = |error| format!("no result ({error}): {}", load.complaint());
        serde_json::from_str(&said).map_err(told)
    }

    /// Our server with this store and so many workers, on any free port. The folder is for its files.
    ///
    /// # Errors
    ///
    /// That it is missing, or its files can't be written.
    pub fn chat(&self, store: Store, workers: usize, dir: &Path) -> Result<Command, String> {
        let config = dir.join("chat.toml");
        let text = configuration(store, workers, dir);
        fs::write(&config, text).map_err(|error| error.to_string())?;
        let mut command = self.server.command(self.programs.executable(SERVER)?);
        command.arg("--config").arg(config).current_dir(dir);
        Ok(command)
    }

    /// What starts a contender on any free port.
    fn contender(&self, contender: &Contender, dir: &Path) -> Result<Command, String> {
        match contender.program {
            Program::Chat(store) => self.chat(store, 1, dir),
            Program::Own(name) => Ok(self.server.command(self.programs.executable(name)?)),
            Program::Rust(name, mode) => {
                let mut command = self.server.command(self.programs.executable(name)?);
                command.args(["0", mode]);
                Ok(command)
            }
            Program::Node(script) => {
                let mut command = self.server.command("node".as_ref());
                command.arg(self.programs.script(script)?).arg("0");
                Ok(command)
            }
        }
    }

    fn flags(&self, contender: &Contender, shape: Shape) -> Vec<(&'static str, String)> {
        let pace = self.pace;
        let mut words = vec![
            ("--driver", contender.driver.to_owned()),
            ("--label", contender.name.to_owned()),
            ("--connections", shape.connections.to_string()),
            ("--rooms", shape.rooms.to_string()),
        ];
        match shape.doing {
            Doing::Talking { senders, in_flight } => words.extend([
                ("--senders", senders.to_string()),
                ("--in-flight", in_flight.to_string()),
                ("--warm-up", pace.warm_up_s.to_string()),
                ("--duration", pace.span_s.to_string()),
            ]),
            Doing::Idling => words.extend([
                ("--mode", "idle".to_owned()),
                ("--hold", pace.hold_s.to_string()),
            ]),
        }
        words
    }
}

/// The file that our server is started with.
fn configuration(store: Store, workers: usize, dir: &Path) -> String {
    let store = match store {
        Store::Memory => "memory:".to_owned(),
        Store::Sqlite => format!("sqlite:{}", dir.join("chat.db").display()),
    };
    format!("listen = [\"127.0.0.1:0\"]\nworkers = \"{workers}\"\nstore = {store:?}\n{LIMITS}")
}
