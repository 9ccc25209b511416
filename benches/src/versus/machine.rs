//! What is told of the machine, and which processor is whose.

use std::fs;
use std::thread;

use super::child::Place;

/// How many descriptors a process may have, as far as the system says.
#[must_use]
pub fn descriptors() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = open.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(1_024)
}

/// Where the server runs, and where the load: the server has a processor of its own.
#[must_use]
pub fn places() -> (Place, Place) {
    match processors() {
        1 => (Place::default(), Place::default()),
        many => (Place::on("0"), Place::on(&format!("1-{}", many - 1))),
    }
}

/// Wherever the system puts a program.
#[must_use]
pub fn anywhere() -> Place {
    Place::on(&format!("0-{}", processors() - 1))
}

/// The machine in a few words.
#[must_use]
pub fn described() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models = facts.lines().filter(|line| line.starts_with("model name"));
    let model = models.next().and_then(|line| line.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} processors ({}), {} descriptors a process, load average {} at the start",
        processors(),
        model.map_or("unknown", |(_, model)| model),
        descriptors(),
        load.split(' ').next().unwrap_or_default()
    )
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
