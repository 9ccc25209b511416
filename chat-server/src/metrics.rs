//! What the server counts, for Prometheus.
//!
//! Every handle is an atomic that is counted up without order or lock; cloning [`Metrics`] clones
//! handles. Labels hold nothing but names out of this program, so their number is bounded.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use chat_core::Timestamp;
use chat_protocol::{Class, Dialect};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Everything that is counted. Clones count the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Sessions that have said who they are.
    pub(crate) sessions: Gauge,
    /// Frames that clients sent.
    pub(crate) frames_in: Counter,
    /// Frames that were put into a session's outbox: an event for a hundred members counts a
    /// hundred times.
    pub(crate) deliveries: Counter,
    /// Bytes that were written to sockets.
    pub(crate) bytes_out: Counter,
    /// Bytes that wait in the outboxes of all sessions.
    pub(crate) outbox_bytes: Gauge,
    /// Sessions that were closed because they didn't keep up.
    pub(crate) sessions_lagging: Counter,
    /// Signals that were dropped because somebody didn't keep up.
    pub(crate) signals_dropped: Counter,
    /// Batches that the store didn't take.
    pub(crate) append_failures: Counter,
    /// Rooms in memory.
    pub(crate) rooms_loaded: Gauge,
    /// Reads of the store for clients that catch up.
    pub(crate) catch_up_reads: Counter,
    /// Times that sessions missed records of a room and read them from the store.
    pub(crate) gaps: Counter,
    /// Connections and silent sockets for which there was no place.
    pub(crate) connections_refused: Counter,
    /// Times that the system gave no connection, such as for want of descriptors.
    pub(crate) accepts_failed: Counter,
    /// Connections that should have begun with TLS, and didn't.
    #[cfg(feature = "tls")]
    pub(crate) handshakes_failed: Counter,
    /// Requests that wait for their rooms' workers.
    pub(crate) requests_waiting: Gauge,
    /// Ids of commands in memory by which a repeat is told.
    pub(crate) cids_held: Gauge,
    /// Log lines that were dropped because the sink didn't take them.
    pub(crate) log_lines_dropped: Counter,
    /// Whether what connects this node with others is cut.
    pub(crate) bus_cut: Gauge,
    /// Hints for other nodes, or from them, that there was no room or no way for.
    pub(crate) bus_hints_lost: Counter,
    /// What came by the bus and can't be read.
    pub(crate) bus_unreadable: Counter,
    requests_decided: Counter,
    append_batches: Counter,
    records_appended: Counter,
    append_seconds: Histogram,
    connections: Family<Spoken, Gauge>,
    requests_refused: Family<Refused, Counter>,
    resident_bytes: Gauge,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Counts from zero, for a process that started at this moment.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        let mut metrics = Self {
            sessions: Gauge::default(),
            frames_in: Counter::default(),
            deliveries: Counter::default(),
            bytes_out: Counter::default(),
            outbox_bytes: Gauge::default(),
            sessions_lagging: Counter::default(),
            signals_dropped: Counter::default(),
            requests_decided: Counter::default(),
            append_batches: Counter::default(),
            records_appended: Counter::default(),
            // From a tenth of a millisecond to half a minute.
            append_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 19)),
            append_failures: Counter::default(),
            rooms_loaded: Gauge::default(),
            catch_up_reads: Counter::default(),
            gaps: Counter::default(),
            connections_refused: Counter::default(),
            accepts_failed: Counter::default(),
            #[cfg(feature = "tls")]
            handshakes_failed: Counter::default(),
            requests_waiting: Gauge::default(),
            cids_held: Gauge::default(),
            log_lines_dropped: Counter::default(),
            bus_cut: Gauge::default(),
            bus_hints_lost: Counter::default(),
            bus_unreadable: Counter::default(),
            connections: Family::default(),
            requests_refused: Family::default(),
            resident_bytes: Gauge::default(),
            registry: Arc::default(),
        };
        metrics.registry = Arc::new(metrics.register(started_at));
        metrics
    }

    /// Open connections that speak a dialect. Whoever counts one keeps the handle, and counts it
    /// down in the end.
    #[must_use]
    pub(crate) fn connections(&self, dialect: Dialect) -> Gauge {
        let spoken = Spoken {
            dialect: dialect.name(),
        };
        self.connections.get_or_create(&spoken).clone()
    }

    /// Counts requests that were decided in one turn, whatever the answer.
    pub(crate) fn requests_decided(&self, requests: usize) {
        self.requests_decided.inc_by(whole(requests));
    }

    /// Counts a refused request by what its sender may do about it.
    pub(crate) fn refused(&self, class: Class) {
        let refused = Refused {
            class: label(class),
        };
        self.requests_refused.get_or_create(&refused).inc();
    }

    /// Counts a batch of records that the store has answered for, and how long that took.
    pub(crate) fn appended(&self, records: usize, took: Duration) {
        self.append_batches.inc();
        self.records_appended.inc_by(whole(records));
        self.append_seconds.observe(took.as_secs_f64());
    }

    /// Sessions that have said who they are.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        u64::try_from(self.sessions.get()).unwrap_or_default()
    }

    /// Sessions so far that were closed because they didn't keep up.
    #[must_use]
    pub fn sessions_lagging(&self) -> u64 {
        self.sessions_lagging.get()
    }

    /// Reads of the store so far for clients that catch up.
    #[must_use]
    pub fn catch_up_reads(&self) -> u64 {
        self.catch_up_reads.get()
    }

    /// Connections and silent sockets so far for which there was no place.
    #[must_use]
    pub fn connections_refused(&self) -> u64 {
        self.connections_refused.get()
    }

    /// Connections so far that should have begun with TLS, and didn't.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.get()
    }

    /// Everything in the text format of OpenMetrics.
    #[must_use]
    pub fn encode(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.resident_bytes.set(bytes);
        }
        let mut text = String::new();
        // Writing into a string can't fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }

    fn register(&self, started_at: Timestamp) -> Registry {
        let mut registry = Registry::with_prefix("chat");
        self.register_sessions(&mut registry);
        self.register_requests(&mut registry);
        self.register_bus(&mut registry);
        self.register_process(&mut registry, started_at);
        registry
    }

    fn register_sessions(&self, registry: &mut Registry) {
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "sessions",
            "Sessions that said who they are",
            self.sessions.clone(),
        );
        registry.register(
            "frames_in",
            "Frames that clients sent",
            self.frames_in.clone(),
        );
        registry.register(
            "deliveries",
            "Frames put into outboxes",
            self.deliveries.clone(),
        );
        registry.register(
            "out_bytes",
            "Bytes written to sockets",
            self.bytes_out.clone(),
        );
        registry.register(
            "outbox_bytes",
            "Bytes waiting in outboxes",
            self.outbox_bytes.clone(),
        );
        registry.register(
            "sessions_lagging",
            "Sessions closed because they did not keep up",
            self.sessions_lagging.clone(),
        );
        registry.register(
            "signals_dropped",
            "Signals dropped because somebody did not keep up",
            self.signals_dropped.clone(),
        );
        let help = "Reads of the store for clients that catch up";
        registry.register("catch_up_reads", help, self.catch_up_reads.clone());
        let help = "Times that sessions missed records and read them from the store";
        registry.register("gaps", help, self.gaps.clone());
        let help = "Connections for which there was no place";
        registry.register(
            "connections_refused",
            help,
            self.connections_refused.clone(),
        );
        let help = "Times that the system gave no connection";
        registry.register("accepts_failed", help, self.accepts_failed.clone());
        #[cfg(feature = "tls")]
        {
            let help = "Connections that should have begun with TLS, and did not";
            registry.register(
                "tls_handshakes_failed",
                help,
                self.handshakes_failed.clone(),
            );
        }
    }

    fn register_requests(&self, registry: &mut Registry) {
        let decided = self.requests_decided.clone();
        registry.register(
            "requests_decided",
            "Requests decided, whatever the answer",
            decided,
        );
        registry.register(
            "requests_refused",
            "Refusals by class",
            self.requests_refused.clone(),
        );
        let batches = self.append_batches.clone();
        registry.register(
            "append_batches",
            "Transactions that appended records",
            batches,
        );
        registry.register(
            "records_appended",
            "Records appended",
            self.records_appended.clone(),
        );
        let failures = self.append_failures.clone();
        registry.register(
            "append_failures",
            "Batches that the store did not take",
            failures,
        );
        registry.register_with_unit(
            "append",
            "How long appending a batch took",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        registry.register("rooms_loaded", "Rooms in memory", self.rooms_loaded.clone());
        let help = "Requests that wait for their rooms' workers";
        registry.register("requests_waiting", help, self.requests_waiting.clone());
        let help = "Ids of commands in memory by which a repeat is told";
        registry.register("cids_held", help, self.cids_held.clone());
    }

    fn register_bus(&self, registry: &mut Registry) {
        let help = "Whether what connects this node with others is cut";
        registry.register("bus_cut", help, self.bus_cut.clone());
        let help = "Hints for or from other nodes that were lost";
        registry.register("bus_hints_lost", help, self.bus_hints_lost.clone());
        let help = "What came by the bus and could not be read, or not for the first time";
        registry.register("bus_unreadable", help, self.bus_unreadable.clone());
    }

    fn register_process(&self, registry: &mut Registry, started_at: Timestamp) {
        let dropped = self.log_lines_dropped.clone();
        registry.register(
            "log_lines_dropped",
            "Log lines that the sink did not take",
            dropped,
        );
        let resident = self.resident_bytes.clone();
        registry.register("resident_bytes", "Resident memory", resident);
        let started: Gauge = Gauge::default();
        started.set(i64::try_from(started_at.number() / 1000).unwrap_or(i64::MAX));
        let help = "When the process started, in Unix seconds";
        registry.register("process_start_time_seconds", help, started);
    }
}

/// A label of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Spoken {
    dialect: &'static str,
}

/// A label of refusals.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    class: &'static str,
}

/// A class as clients read it.
const fn label(class: Class) -> &'static str {
    match class {
        Class::Invalid => "invalid",
        Class::Auth => "auth",
        Class::Forbidden => "forbidden",
        Class::NotFound => "not_found",
        Class::Conflict => "conflict",
        Class::Limit => "limit",
        Class::Position => "position",
        Class::Server => "server",
    }
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Resident memory in bytes, where the system tells it. `status` says it in kilobytes; `statm`
/// would in pages, whose size it doesn't say.
fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a metric in the text, by its full name and labels.
    fn value(text: &str, name: &str) -> Option<f64> {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    #[test]
    fn what_is_counted_through_any_clone_is_shown() {
        let metrics = Metrics::new(Timestamp::new(1_730_000_000_000));
        metrics.clone().frames_in.inc_by(3);
        metrics.connections(Dialect::Rooms).inc();
        metrics.refused(Class::Limit);
        metrics.appended(7, Duration::from_millis(2));
        let text = metrics.encode();
        assert_eq!(value(&text, "chat_frames_in_total"), Some(3.0));
        assert_eq!(
            value(&text, "chat_connections{dialect=\"rooms\"}"),
            Some(1.0)
        );
        assert_eq!(
            value(&text, "chat_requests_refused_total{class=\"limit\"}"),
            Some(1.0)
        );
        assert_eq!(value(&text, "chat_append_seconds_count"), Some(1.0));
        assert_eq!(value(&text, "chat_records_appended_total"), Some(7.0));
        assert_eq!(
            value(&text, "chat_process_start_time_seconds"),
            Some(1_730_000_000.0)
        );
    }

    #[test]
    fn every_metric_bears_the_prefix_and_a_word_of_help() {
        let text = Metrics::new(Timestamp::new(0)).encode();
        let helps = text
            .lines()
            .filter(|line| line.starts_with("# HELP chat_"))
            .count();
        assert!(helps > 15, "{text}");
        let strange = |line: &&str| !line.starts_with('#') && !line.starts_with("chat_");
        assert_eq!(text.lines().find(strange), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_the_process_is_read_when_it_is_asked_for() {
        let text = Metrics::new(Timestamp::new(0)).encode();
        assert!(value(&text, "chat_resident_bytes").unwrap() > 100_000.0);
    }
}
