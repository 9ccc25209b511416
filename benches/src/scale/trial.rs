//! One contender at one size, once.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk;
use super::question::{Contender, Doing, People, Question};
use crate::load::outcome::Outcome;
use crate::versus::contender::Store;
use crate::versus::trial::{Ground, Pace};

/// What came of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The question's name.
    pub question: &'static str,
    /// The contender's name.
    pub contender: &'static str,
    /// How many there were of what grows.
    pub size: usize,
    /// Which round it was.
    pub round: usize,
    /// Milliseconds of one synchronisation of the disk just before, where it matters.
    pub sync_ms: Option<f64>,
    /// What the load generator says.
    #[serde(rename = "load")]
    pub outcome: Outcome,
}

/// One turn of a contender.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// What is asked.
    pub question: &'a Question,
    /// Who is asked.
    pub contender: &'a Contender,
    /// How many there are of what grows.
    pub size: usize,
    /// Which round it is.
    pub round: usize,
}

impl Turn<'_> {
    /// Starts a server and the load, and says what came of it. The folder is for what they write.
    ///
    /// # Errors
    ///
    /// Why there is nothing to say.
    pub fn take(&self, ground: &Ground, dir: &Path) -> Result<Trial, String> {
        let doing = self.question.doing;
        let durable = matches!(doing, Doing::Senders);
        let sync_ms = (durable && self.contender.store == Store::Sqlite)
            .then(|| disk::sync_ms(dir).map_err(|error| error.to_string()))
            .transpose()?;
        let workers = match doing {
            Doing::Workers => self.size,
            Doing::Members
            | Doing::Rooms
            | Doing::Beside
            | Doing::Senders
            | Doing::Arrivals
            | Doing::Gatherings
            | Doing::Idle => 1,
        };
        let server = ground.chat(self.contender.store, workers, dir)?;
        let said = ground.work(server, self.flags(ground.pace), dir)?;
        let outcome = Outcome::deserialize(said);
        Ok(Trial {
            question: self.question.name,
            contender: self.contender.name,
            size: self.size,
            round: self.round,
            sync_ms,
            outcome: outcome.map_err(|error| format!("no result ({error})"))?,
        })
    }

    fn flags(&self, pace: Pace) -> Vec<(&'static str, String)> {
        let doing = self.question.doing;
        let People {
            connections,
            rooms,
            senders,
            in_flight,
        } = doing.people(self.size);
        let mut flags = vec![
            ("--driver", self.contender.driver.to_owned()),
            ("--connections", connections.to_string()),
            ("--rooms", rooms.to_string()),
        ];
        match doing {
            Doing::Members | Doing::Rooms | Doing::Beside | Doing::Senders | Doing::Workers => {
                flags.extend([
                    ("--senders", senders.to_string()),
                    ("--in-flight", in_flight.to_string()),
                    ("--warm-up", pace.warm_up_s.to_string()),
                    ("--duration", pace.span_s.to_string()),
                ])
            }
            Doing::Arrivals | Doing::Gatherings => {
                let resumes = self.contender.resumes;
                let mode = if resumes { "resume" } else { "storm" };
                flags.push(("--mode", mode.to_owned()));
            }
            Doing::Idle => flags.extend([
                ("--mode", "idle".to_owned()),
                ("--hold", pace.hold_s.to_string()),
            ]),
        }
        match doing {
            Doing::Senders => flags.push(("--wait-for", "own".to_owned())),
            Doing::Beside => flags.push(("--quiet-rooms", self.size.to_string())),
            Doing::Members
            | Doing::Rooms
            | Doing::Workers
            | Doing::Arrivals
            | Doing::Gatherings
            | Doing::Idle => {}
        }
        flags
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::question::QUESTIONS;
    use super::*;
    use crate::load::options::{Cli, Options};
    use crate::load::plan::Plan;
    use clap::Parser;

    fn plan(flags: &str) -> (Options, Result<Plan, String>) {
        let line = format!("chat-load --url ws://127.0.0.1:1 {flags}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let options = cli.options.unwrap();
        let plan = Plan::new(&options, 0);
        (options, plan)
    }

    /// A trial of nothing.
    pub(in crate::scale) fn trial(
        question: &'static str,
        contender: &'static str,
        size: usize,
        round: usize,
    ) -> Trial {
        let (options, plan) = plan("");
        Trial {
            question,
            contender,
            size,
            round,
            sync_ms: None,
            outcome: Outcome::new(&options, &plan.unwrap(), 0),
        }
    }

    #[test]
    fn the_load_generator_takes_every_turn() {
        let pace = Pace {
            warm_up_s: 0.2,
            span_s: 0.5,
            hold_s: 0.5,
        };
        for question in &QUESTIONS {
            for (contender, size) in question
                .contenders
                .iter()
                .flat_map(|contender| question.sizes.iter().map(move |size| (contender, *size)))
            {
                let turn = Turn {
                    question,
                    contender,
                    size,
                    round: 1,
                };
                let flags = turn.flags(pace).into_iter();
                let words: Vec<String> = flags
                    .map(|(flag, value)| format!("{flag} {value}"))
                    .collect();
                let words = words.join(" ");
                let (_, plan) = plan(&words);
                let plan = plan.unwrap_or_else(|why| panic!("{words}: {why}"));
                assert_eq!(plan.connections, question.doing.people(size).connections);
            }
        }
    }
}
