//! Puts our server and those of others to the same work, taking turns, and prints what it cost each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chat_benches::versus::choice::Choice;
use chat_benches::versus::contender::{Contender, Program};
use chat_benches::versus::machine;
use chat_benches::versus::programs::{LOAD, Programs};
use chat_benches::versus::shape::Shape;
use chat_benches::versus::table::Results;
use chat_benches::versus::targets;
use chat_benches::versus::trial::{Ground, LIMITS, Pace, Trial};
use clap::Parser;
use serde_json::json;

/// Runs our server and those of others side by side and prints tables of what a delivery costs each.
///
/// Ends with 0 if ours kept all promises, with 2 if not, and with 1 if it couldn't run.
#[derive(Debug, Parser)]
#[command(name = "versus")]
struct Options {
    /// A minute instead of ten: short spans, one round, 1000 idle connections
    #[arg(long)]
    quick: bool,
    /// A shape, the beginning of contenders' names, or SHAPE/CONTENDER; repeatable
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often everybody has a turn at each shape (idle connections: once)
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each measured span
    #[arg(long)]
    span: Option<f64>,
    /// Where versus.json and a page for each shape are written
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/versus"))]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("versus: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all that is asked for; whether our server kept its promises.
fn run(options: &Options) -> Result<bool, String> {
    let choice = Choice::of(&options.only)?;
    fs::create_dir_all(&options.out).map_err(words)?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let programs = Programs::build(&repository, &choice.contenders);
    programs.executable(LOAD)?;
    let (server, load) = machine::places();
    let pace = pace(options);
    let ground = Ground {
        programs,
        server,
        load,
        pace,
    };
    introduce(&ground);

    let mut trials = Vec::new();
    let mut failures = Vec::new();
    for shape in &choice.shapes {
        turns(
            &ground,
            options,
            *shape,
            &choice.contenders,
            |turn| match turn {
                Ok(trial) => trials.push(trial),
                Err(failure) => failures.push(failure),
            },
        );
        println!("{}", Results::of(&trials, *shape).table(&choice.contenders));
        page(&ground, &trials, *shape, &options.out).unwrap_or_else(|error| eprintln!("{error}"));
    }
    println!("{}", targets::table(&trials, &choice.shapes));
    failures.iter().for_each(|failure| println!("* {failure}"));

    let everything = json!({
        "machine": machine::described(),
        "pace": pace,
        "limits": LIMITS,
        "missing": ground.programs.missing,
        "failures": failures,
        "trials": trials,
    });
    let file = options.out.join("versus.json");
    fs::write(&file, everything.to_string()).map_err(words)?;
    eprintln!("versus: everything is in {}", file.display());
    Ok(failures.is_empty() && ours_are_sound(&trials, &choice.contenders))
}

/// Has everybody take turns at a shape.
fn turns(
    ground: &Ground,
    options: &Options,
    shape: Shape,
    contenders: &[Contender],
    mut take: impl FnMut(Result<Trial, String>),
) {
    let rounds = match (shape.is_idle(), options.quick) {
        (true, _) => 1,
        (false, quick) => options.rounds.unwrap_or(if quick { 1 } else { 3 }),
    };
    let idle_max = if options.quick { 1_000 } else { usize::MAX };
    for round in 1..=rounds {
        for contender in contenders {
            eprintln!("versus: {}/{}, round {round}", shape.name, contender.name);
            let sockets_max = machine::descriptors().saturating_sub(500) / contender.sockets();
            let mut shape = shape.of_at_most(sockets_max);
            if shape.is_idle() {
                shape = shape.of_at_most(idle_max);
            }
            let trial = tempfile::tempdir_in(&options.out)
                .map_err(words)
                .and_then(|dir| ground.hold(contender, shape, round, dir.path()));
            let name = |error| format!("{}/{}: {error}", shape.name, contender.name);
            take(trial.map_err(name));
        }
    }
}

fn pace(options: &Options) -> Pace {
    let (warm_up_s, span_s, hold_s) = if options.quick {
        (0.2, 0.4, 0.5)
    } else {
        (0.5, 1.5, 1.0)
    };
    Pace {
        warm_up_s,
        span_s: options.span.unwrap_or(span_s),
        hold_s,
    }
}

fn introduce(ground: &Ground) {
    println!("{}.", machine::described());
    if !ground.server.is_pinned() {
        println!("No processor is anybody's own: there is one, or taskset is missing.");
    }
    for missing in &ground.programs.missing {
        println!("Missing: {missing}.");
    }
    let limits = LIMITS.lines().filter(|line| !line.starts_with('['));
    let limits: Vec<&str> = limits.collect();
    println!(
        "Our server's limits are in force; raised are {}.\n",
        limits.join(", ")
    );
}

/// Writes the load generator's page of the last round.
fn page(ground: &Ground, trials: &[Trial], shape: Shape, out: &Path) -> Result<(), String> {
    let of_shape = || trials.iter().filter(|trial| trial.shape == shape.name);
    let last = of_shape().map(|trial| trial.round).max();
    let dir = tempfile::tempdir_in(out).map_err(words)?;
    let mut command = ground.load.command(ground.programs.executable(LOAD)?);
    command
        .arg("report")
        .arg("--out")
        .arg(out.join(format!("{}.html", shape.name)));
    for trial in of_shape().filter(|trial| Some(trial.round) == last) {
        let file = dir.path().join(format!("{}.json", trial.contender));
        fs::write(&file, trial.load.to_string()).map_err(words)?;
        command.arg(file);
    }
    match (last, command.output().map_err(words)?) {
        (Some(_), made) if !made.status.success() => Err(format!(
            "versus: no page of {}: {}",
            shape.name,
            String::from_utf8_lossy(&made.stderr).trim_end()
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

fn ours_are_sound(trials: &[Trial], contenders: &[Contender]) -> bool {
    let ours = contenders
        .iter()
        .filter(|contender| matches!(contender.program, Program::Chat(_)));
    let names: Vec<&str> = ours.map(|contender| contender.name).collect();
    let mut trials = trials
        .iter()
        .filter(|trial| names.contains(&trial.contender));
    trials.all(|trial| trial.outcome.faults.none())
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn words(error: io::Error) -> String {
    error.to_string()
}
