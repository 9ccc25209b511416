//! What the load generator says of one run.

use serde::Deserialize;

use crate::load::ledger::Faults;

/// The figures of one run that tables are made of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Outcome {
    /// Lines on members' sockets.
    pub deliveries: u64,
    /// The same in a second.
    pub deliveries_per_s: f64,
    /// What went wrong.
    pub faults: Faults,
    /// How long lines took.
    pub latency_us: Option<Latency>,
    /// What the server spent.
    pub server: Option<Spent>,
    /// What connecting cost.
    pub connect: Option<Connect>,
    /// What idle connections cost.
    pub memory: Option<Memory>,
}

/// How long lines took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Latency {
    /// All but one in a hundred were quicker.
    pub p99: Option<f64>,
}

/// What a server spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Spent {
    /// Processor seconds per million deliveries.
    pub cpu_s_per_million: Option<f64>,
}

/// What it costs to let somebody in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Connect {
    /// The server's processor time.
    pub cpu_ms_per_connection: Option<f64>,
}

/// What somebody costs who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Memory {
    /// The server's own memory.
    pub per_connection_bytes: Option<f64>,
}
