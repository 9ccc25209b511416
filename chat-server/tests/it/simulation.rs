//! Whole servers in a simulated world, seed by seed. `SEED=7` runs one world again, with all that
//! happened in it (the last `LINES=1000` lines of it); `SEEDS=100000` runs so many, `FROM=n`
//! from that one on.

use std::collections::BTreeSet;

use chat_server::simulation::{Counts, Report, Simulation};

/// What a batch of worlds has to have seen: a proof that never met these proves little.
const SOMETIMES: &[&str] = &[
    "a caller came in",
    "a caller heard a line",
    "a guest came in",
    "a guest came in by events",
    "a guest came into a group",
    "a guest heard a line",
    "a guest knew the password",
    "a poll was answered",
    "a room compared with its records",
    "a session rose to a socket",
    "append met a conflict",
    "attached anew",
    "cid conflict told",
    "closed: lagging",
    "closed: no pong",
    "closed: the server stops",
    "closed: the store failed while catching up",
    "command refused",
    "command sent again",
    "heard that a room was trimmed",
    "heard that it left",
    "heard that it was removed",
    "heard that the house trimmed a room",
    "history was read",
    "removed while away",
    "reset: too far",
    "resumed",
    "resumed, and missed some",
    "signal heard",
    "start failed",
    "storage unavailable told",
    "told of a room from outside",
    "told that it lags",
    "told that it was done before",
];

/// What has to have been done to the worlds.
const FAULTS: &[&str] = &[
    "append failed after the write",
    "append failed before the write",
    "bus cut",
    "client fell silent",
    "connection cut",
    "hint doubled",
    "hint late",
    "hint lost",
    "reader stalled",
    "request failed",
    "server crashed",
    "server crashed between commit and reply",
    "server stopped",
    "store down",
    "store slow",
    "wall clock put elsewhere",
];

/// Worlds of a run that nobody asked more of.
const WORLDS: u64 = 120;

/// Worlds that are run a second time, and have to be the same.
const TWICE: u64 = 40;

/// Seconds that each lasts.
const SECONDS: u64 = 15;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) -> Report {
    let lines = number("LINES").and_then(|it| it.try_into().ok());
    let world = Simulation::new(seed).lines(lines.unwrap_or(60));
    let report = world.seconds(SECONDS).run();
    assert!(report.failure.is_none(), "{report}");
    report
}

fn add(sum: &mut Counts, counts: Counts) {
    for (what, count) in counts {
        *sum.entry(what).or_default() += count;
    }
}

#[test]
fn whatever_happens_everybody_hears_what_he_may_and_nothing_else() {
    if let Some(seed) = number("SEED") {
        let report = run(seed);
        println!("{report}, {:?}", report.reached);
        assert_eq!(report, run(seed), "seed {seed} is not the same twice");
        return;
    }
    let seeds = number("SEEDS").unwrap_or(WORLDS);
    let (mut deeds, mut records) = (0, 0);
    let (mut faults, mut reached) = (Counts::new(), Counts::new());
    let from = number("FROM").unwrap_or(0);
    for seed in from..from + seeds {
        let report = run(seed);
        if seed < from + TWICE {
            assert_eq!(report, run(seed), "seed {seed} is not the same twice");
        }
        deeds += report.deeds;
        records += report.records;
        add(&mut faults, report.faults);
        add(&mut reached, report.reached);
    }
    println!("{seeds} worlds, {deeds} deeds, {records} records; {faults:?}; {reached:?}");
    let due: BTreeSet<_> = SOMETIMES.iter().chain(FAULTS).copied().collect();
    let met: BTreeSet<_> = faults.keys().chain(reached.keys()).copied().collect();
    let never: Vec<_> = due.difference(&met).collect();
    assert!(
        never.is_empty() || seeds < WORLDS,
        "in {seeds} worlds never: {never:?}"
    );
}

#[test]
fn a_store_that_forgets_what_it_promised_is_found() {
    use chat_server::store::memory::Memory;
    use std::sync::Arc;

    let found = (0..20).any(|seed| {
        let forgetful = Simulation::new(seed)
            .store(|dice| Arc::new(Memory::named(format!("{:x}", dice.draw()))))
            .seconds(SECONDS);
        forgetful.run().failure.is_some()
    });
    assert!(found);
}
