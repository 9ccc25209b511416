//! Trials with a server and a load that are scripts of the shell: what is started, heard, counted and
//! ended is the same as with real ones.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;

use chat_benches::versus::child::Place;
use chat_benches::versus::contender::{CONTENDERS, Contender};
use chat_benches::versus::programs::{LOAD, Programs};
use chat_benches::versus::shape::Shape;
use chat_benches::versus::table::Results;
use chat_benches::versus::trial::{Ground, Pace};

const SERVER: &str = "echo starting; echo listening 8123; exec sleep 600";

fn contender(name: &str) -> Contender {
    let mut all = CONTENDERS.into_iter();
    all.find(|contender| contender.name == name).unwrap()
}

/// A ground on which every server and the load are these scripts.
fn ground(server: &str, load: &str) -> Ground {
    let nothing = Path::new("nothing");
    Ground {
        programs: Programs::default()
            .with("floor", nothing)
            .with(LOAD, nothing),
        server: Place::behind(&["sh", "-c", server]),
        load: Place::behind(&["sh", "-c", load]),
        pace: Pace {
            warm_up_s: 0.0,
            span_s: 0.0,
            hold_s: 0.0,
        },
    }
}

/// A load that says which words it was started with, and this result.
fn load(lost: u64) -> String {
    format!(
        r#"echo "$@" >&2; echo '{{"deliveries": 500, "deliveries_per_s": 250.0,
        "faults": {{"lost": {lost}}}, "latency_us": {{"count": 500, "p99": 1500}},
        "server": {{"cpu_s": 0.001, "cpu_s_per_million": 2.0}}}}'; exit {}"#,
        if lost > 0 { 2 } else { 0 }
    )
}

#[test]
fn a_trial_starts_a_server_puts_the_load_to_its_port_and_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let ground = ground(SERVER, &load(0));
    let shape = Shape::named("1000x10").unwrap();
    let trial = ground
        .hold(&contender("floor-16"), shape, 2, dir.path())
        .unwrap();
    assert_eq!(
        (trial.contender, trial.round, trial.outcome.deliveries),
        ("floor-16", 2, 500)
    );

    let words = fs::read_to_string(dir.path().join("load.log")).unwrap();
    for said in [
        "--url ws://127.0.0.1:8123 --driver ws",
        "--connections 1000 --rooms 10 --senders 8 --in-flight 1",
    ] {
        assert!(words.contains(said), "{words}");
    }
    let (_, pid) = words.split_once("--pid ").unwrap();
    let pid = pid.split(' ').next().unwrap();
    assert!(!Path::new("/proc").join(pid).exists());
}

#[test]
fn a_server_that_loses_lines_stands_in_the_table_as_one_that_does() {
    let dir = tempfile::tempdir().unwrap();
    let ground = ground(SERVER, &load(3));
    let shape = Shape::named("line").unwrap();
    let floor = contender("floor-1");
    let trials = [ground.hold(&floor, shape, 1, dir.path()).unwrap()];
    let table = Results::of(&trials, shape).table(&[floor]);
    assert!(
        table.contains("**3 / 0 / 0 / 0** (in 1 of 1 runs)"),
        "{table}"
    );
    assert!(!table.contains("2.00"), "{table}");
}

#[test]
fn why_there_is_no_result_is_said_in_the_programs_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let shape = Shape::named("line").unwrap();
    let failure = |server: &str, load: &str, name: &str| {
        let ground = ground(server, load);
        ground
            .hold(&contender(name), shape, 1, dir.path())
            .unwrap_err()
    };
    let load_fails = failure(SERVER, "echo no such driver >&2; exit 1", "floor-1");
    assert!(load_fails.ends_with(": no such driver"), "{load_fails}");
    let server_fails = failure("echo port taken >&2; exit 1", &load(0), "floor-1");
    assert_eq!(server_fails, "it ended: port taken");
    assert_eq!(
        failure(SERVER, &load(0), "axum"),
        "axum_chat couldn't be built"
    );
}
