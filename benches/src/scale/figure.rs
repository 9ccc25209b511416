//! What is read off a trial.

use super::trial::Trial;
use crate::load::outcome::Usage;

/// A figure of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Processor seconds of the server per million deliveries.
    Cpu,
    /// Lines on members' sockets in a second.
    Deliveries,
    /// Posts that their senders heard back, in a second.
    Posts,
    /// Milliseconds in which half of the copies were there.
    Median,
    /// Milliseconds in which all but one in a hundred were.
    Late,
    /// Processor microseconds of the server per post.
    CpuPerPost,
    /// Bytes per post that the server wrote.
    Bytes,
    /// Writes of the server per post, to files or sockets.
    Writes,
    /// Milliseconds of one synchronisation just before.
    Sync,
    /// Processor milliseconds of the server per member who came in, or back.
    Entry,
    /// Members who came in, or back, in a second.
    Entries,
    /// Bytes of the server's own memory per idle connection.
    Memory,
}

impl Figure {
    /// What it is called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU-s per million deliveries",
            Self::Deliveries => "deliveries/s",
            Self::Posts => "posts/s",
            Self::Median => "p50 ms",
            Self::Late => "p99 ms",
            Self::CpuPerPost => "CPU-µs per post",
            Self::Bytes => "bytes written per post",
            Self::Writes => "writes per post",
            Self::Sync => "one sync, ms",
            Self::Entry => "CPU-ms per connection",
            Self::Entries => "connections/s",
            Self::Memory => "bytes per connection",
        }
    }

    /// How many digits it is shown with after the point.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Cpu | Self::Median | Self::Late | Self::Writes | Self::Sync => 2,
            Self::Entry => 3,
            Self::CpuPerPost => 1,
            Self::Deliveries | Self::Posts | Self::Bytes | Self::Entries | Self::Memory => 0,
        }
    }

    /// Its value, if the trial has one.
    #[must_use]
    pub fn of(self, trial: &Trial) -> Option<f64> {
        let outcome = &trial.outcome;
        let entry = match &outcome.resume {
            Some(resume) => &resume.arrival,
            None => &outcome.connect,
        };
        let heard = (outcome.deliveries > 0).then_some(outcome);
        let per_post = |what: fn(&Usage) -> f64| {
            let lines = (outcome.lines > 0).then_some(outcome.lines as f64)?;
            Some(what(outcome.server.as_ref()?) / lines)
        };
        match self {
            Self::Cpu => Some(heard?.server?.cpu_s_per_million),
            Self::Deliveries => Some(heard?.deliveries_per_s),
            Self::Posts => Some(heard?.lines_per_s),
            Self::Median => Some(heard?.latency_us.p50 / 1e3),
            Self::Late => Some(heard?.latency_us.p99 / 1e3),
            Self::CpuPerPost => per_post(|usage| usage.cpu_s * 1e6),
            Self::Bytes => per_post(|usage| usage.written.bytes as f64),
            Self::Writes => per_post(|usage| usage.written.calls as f64),
            Self::Sync => trial.sync_ms,
            Self::Entry => entry.cpu_ms_per_connection,
            Self::Entries => (entry.connections > 0).then_some(entry.per_s),
            Self::Memory => Some(outcome.memory?.per_connection_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::tests::trial;
    use super::*;
    use crate::load::outcome::{Connect, Resume};
    use crate::load::process::{Memory, Written};

    #[test]
    fn what_a_post_costs_is_what_all_cost_by_their_number() {
        let mut talk = trial("members", "native", 10, 1);
        assert_eq!(Figure::CpuPerPost.of(&talk), None, "nobody said anything");
        talk.outcome.lines = 200;
        talk.outcome.deliveries = 2_000;
        let mut usage = Usage::new(0.5, 2_000, 1.0, Memory::default());
        usage.written = Written {
            bytes: 819_200,
            calls: 300,
        };
        talk.outcome.server = Some(usage);
        assert_eq!(Figure::Cpu.of(&talk), Some(250.0));
        assert_eq!(Figure::CpuPerPost.of(&talk), Some(2_500.0));
        assert_eq!(Figure::Bytes.of(&talk), Some(4_096.0));
        assert_eq!(Figure::Writes.of(&talk), Some(1.5));
    }

    #[test]
    fn who_came_back_is_measured_as_such() {
        let mut storm = trial("storms", "native", 10, 1);
        let coming = |ms| Connect {
            connections: 10,
            cpu_ms_per_connection: Some(ms),
            ..Connect::default()
        };
        storm.outcome.connect = coming(1.0);
        assert_eq!(Figure::Entry.of(&storm), Some(1.0));
        storm.outcome.resume = Some(Resume {
            missed_lines: 9,
            arrival: coming(3.0),
        });
        assert_eq!(Figure::Entry.of(&storm), Some(3.0));
    }
}
