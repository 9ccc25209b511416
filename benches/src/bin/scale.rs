//! Has our server do more and more, and prints what that costs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chat_benches::scale::page::page;
use chat_benches::scale::question::{Doing, Question};
use chat_benches::scale::results::Results;
use chat_benches::scale::table::Table;
use chat_benches::scale::trial::{Trial, Turn};
use chat_benches::versus::contender::CONTENDERS;
use chat_benches::versus::machine;
use chat_benches::versus::programs::{LOAD, Programs, SERVER};
use chat_benches::versus::trial::{Ground, LIMITS, Pace};
use chat_server::clock::{Clock, SystemClock};
use clap::Parser;
use serde_json::json;

/// Measures what deliveries, posts, connections and members cost our server as they grow in number.
///
/// Ends with 0 if all promises were kept, with 2 if not, and with 1 if it couldn't run.
#[derive(Debug, Parser)]
#[command(name = "scale")]
struct Options {
    /// Less than a minute instead of six: short spans, two sizes, one round
    #[arg(long)]
    quick: bool,
    /// A question; repeatable
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often everybody has a turn at each size
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each measured span
    #[arg(long)]
    span: Option<f64>,
    /// Seconds after which no further turn begins
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Where scale.json and scale.html are written
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/scale"))]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Asks all that is to be asked; whether our server kept its promises.
fn run(options: &Options) -> Result<bool, String> {
    let questions = Question::named(&options.only)?;
    fs::create_dir_all(&options.out).map_err(words)?;
    let scene = Scene::set(options)?;
    let introduction = format!(
        "{}. Medians of rounds in which all take turns (lowest to highest).",
        machine::described()
    );
    println!("{introduction}\n");

    let clock = SystemClock::new();
    let end = clock.now().plus_ms(options.seconds.saturating_mul(1_000));
    let mut trials = Vec::new();
    let mut failures = Vec::new();
    for question in &questions {
        for turn in turns(options, question) {
            let name = format!("{}/{}, {}", question.name, turn.contender.name, turn.size);
            if clock.now() >= end {
                failures.push(format!("{name}: no time was left"));
                continue;
            }
            eprintln!("scale: {name}, round {}", turn.round);
            match scene.hold(turn, &options.out) {
                Ok(trial) => trials.push(trial),
                Err(error) => failures.push(format!("{name}: {error}")),
            }
        }
        let table = Table::of(&Results::of(&trials, question)).markdown();
        println!("### {}\n\n{table}", question.title);
    }
    failures.iter().for_each(|failure| println!("* {failure}"));
    write(options, &introduction, &questions, &trials, &failures)?;
    let sound = trials.iter().all(|trial| trial.outcome.faults.none());
    Ok(failures.is_empty() && sound)
}

/// All turns of a question: within a round, and a size of it, contenders follow each other.
fn turns<'a>(options: &Options, question: &'a Question) -> Vec<Turn<'a>> {
    let rounds = match (options.rounds, options.quick) {
        (Some(rounds), _) => rounds,
        (None, true) => 1,
        (None, false) => question.rounds,
    };
    let sizes = question.sizes(options.quick, machine::descriptors());
    let sizes = (1..=rounds).flat_map(|round| sizes.iter().map(move |size| (round, *size)));
    let turns = sizes.flat_map(|(round, size)| {
        question.contenders.iter().map(move |contender| Turn {
            question,
            contender,
            size,
            round,
        })
    });
    turns.collect()
}

/// Where turns are taken.
struct Scene {
    /// The server has a processor of its own.
    apart: Ground,
    /// The system puts server and load where it likes.
    anywhere: Ground,
}

impl Scene {
    fn set(options: &Options) -> Result<Self, String> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        // Any contender that is ours has our server built.
        let programs = Programs::build(&repository, CONTENDERS.get(..1).unwrap_or_default());
        programs.executable(LOAD)?;
        programs.executable(SERVER)?;
        let (server, load) = machine::places();
        let pace = pace(options);
        let anywhere = Ground {
            programs: programs.clone(),
            server: machine::anywhere(),
            load: machine::anywhere(),
            pace,
        };
        let apart = Ground {
            programs,
            server,
            load,
            pace,
        };
        Ok(Self { apart, anywhere })
    }

    fn hold(&self, turn: Turn<'_>, out: &Path) -> Result<Trial, String> {
        let dir = tempfile::tempdir_in(out).map_err(words)?;
        let ground = if turn.question.doing == Doing::Workers {
            &self.anywhere
        } else {
            &self.apart
        };
        turn.take(ground, dir.path())
    }
}

fn pace(options: &Options) -> Pace {
    let (warm_up_s, span_s) = if options.quick {
        (0.2, 0.5)
    } else {
        (0.4, 1.4)
    };
    Pace {
        warm_up_s,
        span_s: options.span.unwrap_or(span_s),
        hold_s: 0.5,
    }
}

fn write(
    options: &Options,
    introduction: &str,
    questions: &[Question],
    trials: &[Trial],
    failures: &[String],
) -> Result<(), String> {
    let everything = json!({
        "machine": introduction,
        "pace": pace(options),
        "limits": LIMITS,
        "failures": failures,
        "trials": trials,
    });
    let file = options.out.join("scale.json");
    fs::write(&file, everything.to_string()).map_err(words)?;
    let drawn = options.out.join("scale.html");
    fs::write(&drawn, page(introduction, questions, trials)).map_err(words)?;
    eprintln!(
        "scale: everything is in {} and {}",
        file.display(),
        drawn.display()
    );
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn words(error: io::Error) -> String {
    error.to_string()
}
