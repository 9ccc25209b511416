//! What is counted in the measured span.

use super::histogram::Histogram;

/// Lines, deliveries and their latencies, from the beginning of the span to its end.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Lines after which nothing more is said.
    pub lines_max: u64,
    /// Lines said.
    pub lines: u64,
    /// Of each delivery, how long after the line was due it came, in nanoseconds.
    pub latency: Histogram,
    /// Deliveries in each step of the span.
    pub timeline: Vec<u64>,
    /// When the span began; none outside of it.
    began_ns: Option<u64>,
}

impl Tally {
    /// The length of a step of the timeline.
    pub const STEP_NS: u64 = 250_000_000;

    /// Whether nothing more is to be said.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.lines >= self.lines_max
    }

    /// Begins the span.
    pub fn begin(&mut self, at_ns: u64) {
        self.began_ns = Some(at_ns);
    }

    /// Ends the span.
    pub fn end(&mut self) {
        self.began_ns = None;
    }

    /// Counts a line that is said.
    pub fn say(&mut self) {
        self.lines += u64::from(self.began_ns.is_some());
    }

    /// Counts a delivery.
    pub fn hear(&mut self, at_ns: u64, due_ns: u64) {
        let Some(began_ns) = self.began_ns else {
            return;
        };
        self.latency.record(at_ns.saturating_sub(due_ns));
        let step = at_ns.saturating_sub(began_ns) / Self::STEP_NS;
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        match self.timeline.get_mut(step) {
            Some(count) => *count += 1,
            None => {
                let length = step.min(STEPS_MAX) + 1;
                self.timeline.resize(length, 0);
                if let Some(last) = self.timeline.last_mut() {
                    *last += 1;
                }
            }
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            lines_max: u64::MAX,
            lines: 0,
            latency: Histogram::default(),
            timeline: Vec::new(),
            began_ns: None,
        }
    }
}

/// Steps of a day.
const STEPS_MAX: usize = 24 * 60 * 60 * 4;
