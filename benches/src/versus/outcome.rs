//! What the load generator says of one run.

use std::fmt;
use std::ops::AddAssign;

use serde::Deserialize;

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

/// How often which promise was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Somebody didn't hear a line.
    pub lost: u64,
    /// Somebody heard a line twice.
    pub duplicated: u64,
    /// Somebody heard lines in another order than others.
    pub disordered: u64,
    /// Somebody heard a line of another room.
    pub leaked: u64,
    /// The server refused something.
    pub refused: u64,
    /// The server closed a connection.
    pub closed: u64,
}

impl Faults {
    /// Whether all went well.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
        self.leaked += other.leaked;
        self.refused += other.refused;
        self.closed += other.closed;
    }
}

impl fmt::Display for Faults {
    /// Lines lost, doubled, out of order and leaked; what else went wrong only if it did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lost,
            duplicated,
            disordered,
            leaked,
            ..
        } = self;
        write!(f, "{lost} / {duplicated} / {disordered} / {leaked}")?;
        for (count, what) in [(self.refused, "refused"), (self.closed, "closed")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
