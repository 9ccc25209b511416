//! The figures by which servers are compared, and how numbers are shown.

use crate::load::outcome::Outcome;

/// A figure that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    CpuPerMillion,
    DeliveriesPerSecond,
    SlowestHundredth,
    MemoryPerConnection,
    CpuPerConnection,
    CpuPerResume,
}

impl Figure {
    pub(super) const ALL: [Self; 6] = [
        Self::CpuPerMillion,
        Self::DeliveriesPerSecond,
        Self::SlowestHundredth,
        Self::MemoryPerConnection,
        Self::CpuPerConnection,
        Self::CpuPerResume,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::CpuPerMillion => "CPU for a million deliveries",
            Self::DeliveriesPerSecond => "Deliveries a second",
            Self::SlowestHundredth => "p99",
            Self::MemoryPerConnection => "Memory of a connection",
            Self::CpuPerConnection => "CPU of coming in",
            Self::CpuPerResume => "CPU of coming back",
        }
    }

    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::CpuPerMillion => {
                "Processor time of the server, all threads, in user and system mode. Less is better."
            }
            Self::DeliveriesPerSecond => {
                "Lines on members' sockets. More is better, if the server was the bottleneck."
            }
            Self::SlowestHundredth => "One delivery of a hundred is slower. Less is better.",
            Self::MemoryPerConnection => {
                "What the server's private memory grew by while members came in. Less is better."
            }
            Self::CpuPerConnection => {
                "Connecting, upgrading, greeting and joining, for each member. Less is better."
            }
            Self::CpuPerResume => {
                "Connecting, proving who one is, and hearing what one missed. Less is better."
            }
        }
    }

    pub(super) const fn more_is_better(self) -> bool {
        match self {
            Self::DeliveriesPerSecond => true,
            Self::CpuPerMillion
            | Self::SlowestHundredth
            | Self::MemoryPerConnection
            | Self::CpuPerConnection
            | Self::CpuPerResume => false,
        }
    }

    /// What a run came to, if it measured this.
    pub(super) fn of(self, outcome: &Outcome) -> Option<f64> {
        let heard = outcome.deliveries > 0;
        match self {
            Self::CpuPerMillion => {
                let server = outcome.server.filter(|_| heard)?;
                Some(server.cpu_s_per_million)
            }
            Self::DeliveriesPerSecond => heard.then_some(outcome.deliveries_per_s),
            Self::SlowestHundredth => heard.then_some(outcome.latency_us.p99),
            Self::MemoryPerConnection => Some(outcome.memory?.per_connection_bytes),
            Self::CpuPerConnection => outcome.connect.cpu_ms_per_connection,
            Self::CpuPerResume => outcome.resume.as_ref()?.arrival.cpu_ms_per_connection,
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::CpuPerMillion => format!("{value:.2} s"),
            Self::DeliveriesPerSecond => count(value),
            Self::SlowestHundredth => latency(value),
            Self::MemoryPerConnection => bytes(value),
            Self::CpuPerConnection | Self::CpuPerResume => format!("{value:.3} ms"),
        }
    }
}

/// A number of anything.
pub(super) fn count(value: f64) -> String {
    scaled(value, 1e3, &["", " k", " M", " G"])
}

/// Microseconds.
pub(super) fn latency(us: f64) -> String {
    scaled(us, 1e3, &[" µs", " ms", " s"])
}

/// An amount of memory.
pub(super) fn bytes(value: f64) -> String {
    scaled(value, 1_024.0, &[" B", " KiB", " MiB", " GiB"])
}

/// How many times the best something is, or the best how many times it.
pub(super) fn ratio(value: f64, best: f64) -> String {
    let (more, less) = (value.max(best), value.min(best));
    // What rounds to the same is the same.
    if less > 0.0 && more / less >= 1.005 {
        format!(" ({:.2}×)", more / less)
    } else {
        String::new()
    }
}

fn scaled(value: f64, by: f64, units: &[&str]) -> String {
    let mut rest = value;
    for unit in units.iter().take(units.len() - 1) {
        if rest.abs() < by {
            return format!("{}{unit}", significant(rest));
        }
        rest /= by;
    }
    let last = units.last().copied().unwrap_or_default();
    format!("{}{last}", significant(rest))
}

/// Three digits that count.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_three_digits_and_a_unit() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(123_456.0), "123 k");
        assert_eq!(latency(850.4), "850 µs");
        assert_eq!(latency(61_234.0), "61.2 ms");
        assert_eq!(latency(90e6), "90.0 s");
        assert_eq!(bytes(3_686.4), "3.60 KiB");
        assert_eq!(
            (ratio(2.0, 1.0), ratio(1.0, 1.0)),
            (" (2.00×)".into(), String::new())
        );
        assert_eq!(ratio(1.0, 4.0), " (4.00×)");
    }
}
