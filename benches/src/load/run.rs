//! A run, from the first connection to the result.

use std::collections::HashMap;
use std::time::Duration;

use chat_server::clock::{Clock, SystemClock};

use super::options::{Mode, Options};
use super::outcome::{Connect, Growth, Outcome, Share, Usage};
use super::plan::Plan;
use super::process::{Memory, Processes, own_cpu_s};
use super::progress::Progress;
use super::quiet;
use super::resume::resume;
use super::silence::Silence;
use super::swarm::Swarm;
use super::talk::Talk;
use super::town::Town;

/// Does what the options say.
///
/// # Errors
///
/// If it can't, with what the server or the system said.
pub fn run(options: &Options) -> Result<Outcome, String> {
    let at_ms = SystemClock::new().now().number();
    // Lines of an earlier run are told from ours as long as no two of 65 536 runs are alike.
    let mark = u16::try_from((at_ms / 10) % 65_536).unwrap_or(0);
    let plan = Plan::new(options, mark)?;
    let server = Processes::watch(&options.pid)?;
    let mut outcome = Outcome::new(options, &plan, at_ms);
    let mut town = Town::new(plan, options.driver)?;
    let mut swarm = Swarm::new(&town.plan, town.driver).map_err(|why| why.to_string())?;

    town.credentials = (options.mode == Mode::Resume).then(HashMap::new);
    let before = server.memory();
    outcome.connect = come_in(&mut town, &mut swarm, &server)?;
    quiet::furnish(&town.plan, &mut swarm)?;
    let quiet = match options.mode {
        Mode::Idle => Duration::from_secs_f64(options.hold),
        Mode::Talk | Mode::Storm | Mode::Resume => SETTLING,
    };
    let mut silence = Silence::new(town.driver);
    silence
        .last(quiet, &mut swarm)
        .map_err(|why| why.to_string())?;
    let members = town.plan.connections + town.plan.stalled;
    let grown = |after: Memory| Growth::new(before, after, members);
    outcome.memory = (!server.is_empty()).then(|| grown(server.memory()));
    outcome.faults.closed = silence.closed;
    outcome.said = silence.said;
    match options.mode {
        Mode::Idle | Mode::Storm => {}
        Mode::Resume => resume(options, &town, &mut swarm, &server, &mut outcome)?,
        Mode::Talk => talk(options, &town, &mut swarm, &server, &mut outcome)?,
    }
    Ok(outcome)
}

/// Brings everybody in; what is told is how all came who aren't the first of their rooms.
fn come_in(town: &mut Town, swarm: &mut Swarm, server: &Processes) -> Result<Connect, String> {
    let founders = town.arrive(swarm, town.founders())?;
    let cpu_s = server.cpu_s();
    let others = town.arrive(swarm, town.others())?;
    let cpu_s = (!server.is_empty()).then(|| server.cpu_s() - cpu_s);
    town.arrive(swarm, town.stalled())?;
    for member in town.stalled() {
        swarm.stall(member).map_err(|why| why.to_string())?;
    }
    let arrival = if others.members > 0 { others } else { founders };
    Ok(Connect::new(&arrival, cpu_s))
}

/// Lets everybody talk, and counts.
fn talk(
    options: &Options,
    town: &Town,
    swarm: &mut Swarm,
    server: &Processes,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let failed = |why: std::io::Error| why.to_string();
    let mut progress = Progress::new();
    let mut talk = Talk::new(town, swarm.now_ns());
    let begin_ns = swarm.now_ns() + nanoseconds(options.warm_up);
    while swarm.now_ns() < begin_ns {
        talk.round(swarm).map_err(failed)?;
        progress.show(swarm.now_ns(), 0.0, || "warming up".to_owned());
    }

    let (cpu_s, own_s, written) = (server.cpu_s(), own_cpu_s(), server.written());
    let span_ns = nanoseconds(options.duration);
    let begin_ns = swarm.now_ns();
    talk.tally.begin(begin_ns);
    talk.tally.lines_max = options.lines.unwrap_or(u64::MAX);
    loop {
        let passed_ns = swarm.now_ns() - begin_ns;
        if passed_ns >= span_ns || (talk.tally.is_full() && talk.ledger.open() == 0) {
            break;
        }
        talk.round(swarm).map_err(failed)?;
        let part = passed_ns as f64 / span_ns as f64;
        progress.show(swarm.now_ns(), part, || {
            let millions = talk.tally.latency.count() as f64 / 1e6;
            format!(
                "{:.0} s, {millions:.2} million deliveries",
                passed_ns as f64 / 1e9
            )
        });
    }
    talk.tally.end();
    outcome.count(&talk.tally, swarm.now_ns() - begin_ns);
    let cpu_s = server.cpu_s() - cpu_s;
    let usage = || Usage {
        written: server.written().since(written),
        ..Usage::new(cpu_s, outcome.deliveries, outcome.span_s, server.memory())
    };
    outcome.server = (!server.is_empty()).then(usage);
    outcome.generator = Share::new(own_cpu_s() - own_s, outcome.span_s);

    talk.finish(swarm, outcome).map_err(failed)
}

fn nanoseconds(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap_or(u64::MAX)
}

/// Until a server that answers first and lets in afterwards has let everybody in.
const SETTLING: Duration = Duration::from_millis(300);
