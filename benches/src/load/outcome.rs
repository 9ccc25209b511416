//! What a run comes to, as it is written and read again.

use serde::{Deserialize, Serialize};

use super::door::Arrival;
use super::histogram::Histogram;
use super::ledger::Faults;
use super::options::{Options, spelled};
use super::plan::{Pace, Plan};
use super::process::{Memory, Written};
use super::tally::Tally;

/// The result of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What the run is called.
    pub label: String,
    /// What the server spoke.
    pub driver: String,
    /// What was measured.
    pub mode: String,
    /// The server.
    pub url: String,
    /// When the run began, in Unix milliseconds.
    pub at_ms: u64,
    /// Who took part, and what was said.
    pub setup: Setup,
    /// The measured span, in seconds.
    pub span_s: f64,
    /// Lines said in it.
    pub lines: u64,
    /// The same in a second.
    pub lines_per_s: f64,
    /// Lines heard in it, by each member.
    pub deliveries: u64,
    /// The same in a second.
    pub deliveries_per_s: f64,
    /// From the moment when a line was due until a member heard it.
    pub latency_us: Latency,
    /// The same as pairs: the largest latency of a bucket in microseconds, and how many it holds.
    pub latency_buckets: Vec<(f64, u64)>,
    /// The length of a step of the timeline, in seconds.
    pub timeline_step_s: f64,
    /// Deliveries in each step of the measured span.
    pub timeline: Vec<u64>,
    /// What must not happen, over the whole run.
    pub faults: Faults,
    /// What the server said when it refused something or hung up.
    pub said: Vec<String>,
    /// What the server used in the span, if its process is known.
    pub server: Option<Usage>,
    /// What the load generator used in the span.
    pub generator: Share,
    /// How the members came in; without the first of each room, if there are others.
    pub connect: Connect,
    /// What the server's memory grew by while they came in, if its process is known.
    pub memory: Option<Growth>,
    /// How everybody came back.
    pub resume: Option<Resume>,
}

/// Who took part, and what was said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Members.
    pub connections: usize,
    /// Rooms.
    pub rooms: usize,
    /// Rooms beside those where nobody talked.
    #[serde(default)]
    pub quiet_rooms: usize,
    /// Members of each room who talk.
    pub senders: usize,
    /// Bytes of a line.
    pub body_bytes: usize,
    /// Lines of a sender under way, unless they came at a fixed rate.
    pub in_flight: Option<usize>,
    /// When such a line is done.
    pub wait_for: Option<String>,
    /// Lines a second, if they came at a fixed rate.
    pub rate: Option<f64>,
    /// Whether senders heard themselves.
    pub echo: bool,
    /// Addresses that connections came from.
    pub sources: u32,
    /// Members who never read, beside the others.
    pub stalled: usize,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half of them aren't longer.
    pub p50: f64,
    /// Nine of ten aren't longer.
    pub p90: f64,
    /// Of a hundred one is longer.
    pub p99: f64,
    /// Of a thousand one is longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// What the server used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time in seconds.
    pub cpu_s: f64,
    /// Processor time for a million deliveries.
    pub cpu_s_per_million: f64,
    /// Processors it kept busy.
    pub cpu_share: f64,
    /// Its memory at the end.
    #[serde(flatten)]
    pub memory: Memory,
    /// What it wrote.
    #[serde(flatten)]
    pub written: Written,
}

/// What the load generator used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Share {
    /// Processor time in seconds.
    pub cpu_s: f64,
    /// The part of a processor that this is; near 1 the generator is what is measured.
    pub cpu_share: f64,
}

/// How members came in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Connect {
    /// How many.
    pub connections: usize,
    /// How long it took, in seconds.
    pub wall_s: f64,
    /// How many in a second.
    pub per_s: f64,
    /// The server's processor time for each, in milliseconds, if its process is known.
    pub cpu_ms_per_connection: Option<f64>,
    /// From setting out to being in.
    pub latency_us: Latency,
}

/// What the server's memory grew by.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Growth {
    /// Resident before anybody came.
    pub rss_before_bytes: u64,
    /// Resident when all were in.
    pub rss_after_bytes: u64,
    /// The part that is no other process's, before anybody came.
    pub private_before_bytes: u64,
    /// The same when all were in.
    pub private_after_bytes: u64,
    /// What that grew by for each member.
    pub per_connection_bytes: f64,
}

/// How everybody came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// Lines that each of them had missed.
    pub missed_lines: u64,
    /// How they came.
    #[serde(flatten)]
    pub arrival: Connect,
}

impl Outcome {
    /// A result that knows how the members came in, and nothing more.
    #[must_use]
    pub fn new(options: &Options, plan: &Plan, at_ms: u64) -> Self {
        let driver = spelled(&options.driver);
        Self {
            label: options.label.clone().unwrap_or_else(|| driver.clone()),
            driver,
            mode: spelled(&options.mode),
            url: options.url.clone(),
            at_ms,
            setup: Setup::new(plan),
            span_s: 0.0,
            lines: 0,
            lines_per_s: 0.0,
            deliveries: 0,
            deliveries_per_s: 0.0,
            latency_us: Latency::default(),
            latency_buckets: Vec::new(),
            timeline_step_s: 0.0,
            timeline: Vec::new(),
            faults: Faults::default(),
            said: Vec::new(),
            server: None,
            generator: Share::default(),
            connect: Connect::default(),
            memory: None,
            resume: None,
        }
    }

    /// Writes down what was counted in the span.
    pub fn count(&mut self, tally: &Tally, span_ns: u64) {
        self.span_s = seconds(span_ns);
        self.lines = tally.lines;
        self.lines_per_s = per(tally.lines as f64, self.span_s);
        self.deliveries = tally.latency.count();
        self.deliveries_per_s = per(self.deliveries as f64, self.span_s);
        self.latency_us = Latency::of(&tally.latency);
        let buckets = tally.latency.buckets();
        self.latency_buckets = buckets.map(|(ns, count)| (us(ns), count)).collect();
        self.timeline_step_s = seconds(Tally::STEP_NS);
        self.timeline.clone_from(&tally.timeline);
    }
}

impl Setup {
    fn new(plan: &Plan) -> Self {
        let (in_flight, wait_for, rate) = match plan.pace {
            Pace::Closed {
                in_flight,
                wait_for,
            } => (Some(in_flight), Some(spelled(&wait_for)), None),
            Pace::Fixed(rate) => (None, None, Some(rate)),
        };
        Self {
            connections: plan.connections,
            rooms: plan.rooms,
            quiet_rooms: plan.quiet_rooms,
            senders: plan.senders,
            body_bytes: plan.body,
            in_flight,
            wait_for,
            rate,
            echo: plan.echo,
            sources: plan.sources,
            stalled: plan.stalled,
        }
    }
}

impl Latency {
    fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            mean: us(histogram.mean()),
            p50: us(histogram.quantile(500)),
            p90: us(histogram.quantile(900)),
            p99: us(histogram.quantile(990)),
            p999: us(histogram.quantile(999)),
            max: us(histogram.max()),
        }
    }
}

impl Usage {
    /// So much processor time for so many deliveries, in so many seconds.
    #[must_use]
    pub fn new(cpu_s: f64, deliveries: u64, span_s: f64, memory: Memory) -> Self {
        Self {
            cpu_s,
            cpu_s_per_million: per(cpu_s * 1e6, deliveries as f64),
            cpu_share: per(cpu_s, span_s),
            memory,
            written: Written::default(),
        }
    }
}

impl Share {
    /// So much processor time in so many seconds.
    #[must_use]
    pub fn new(cpu_s: f64, span_s: f64) -> Self {
        Self {
            cpu_s,
            cpu_share: per(cpu_s, span_s),
        }
    }
}

impl Connect {
    /// An arrival, and the processor time that the server had for it.
    #[must_use]
    pub fn new(arrival: &Arrival, cpu_s: Option<f64>) -> Self {
        let (members, wall_s) = (arrival.members as f64, seconds(arrival.wall_ns));
        Self {
            connections: arrival.members,
            wall_s,
            per_s: per(members, wall_s),
            cpu_ms_per_connection: cpu_s.map(|cpu_s| per(cpu_s * 1e3, members)),
            latency_us: Latency::of(&arrival.latency),
        }
    }
}

impl Growth {
    /// What so many members made of the server's memory.
    #[must_use]
    pub fn new(before: Memory, after: Memory, members: usize) -> Self {
        let grown = after.private_bytes as f64 - before.private_bytes as f64;
        Self {
            rss_before_bytes: before.rss_bytes,
            rss_after_bytes: after.rss_bytes,
            private_before_bytes: before.private_bytes,
            private_after_bytes: after.private_bytes,
            per_connection_bytes: per(grown, members as f64),
        }
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A ratio, and 0 where there is none.
fn per(value: f64, by: f64) -> f64 {
    if by > 0.0 { value / by } else { 0.0 }
}
