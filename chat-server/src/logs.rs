//! Log lines on their way out: a bounded queue and a thread, so that a sink that doesn't take them
//! never holds up the server.
//!
//! When the queue is full a line is dropped and counted, and the log says so when it takes lines
//! again. What strangers put into a line can't
//! begin another one: control characters are written as escapes.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

use chat_protocol::time::rfc3339_ms;

use crate::clock::{Clock, SystemClock};
use crate::config::LogFormat;
use crate::metrics::Metrics;

/// Sends the log of this process to a sink, from the first call on.
///
/// The filter is in the language of `tracing-subscriber`: `info`, `chat_server=debug,warn`. Lines
/// that had to be dropped are counted. What still waits when [`Flush`] is dropped is
/// written if the sink takes it within a second.
///
/// # Errors
///
/// A malformed filter, or a process that logs already.
pub(crate) fn start(
    format: LogFormat,
    filter: &str,
    sink: impl Write + Send + 'static,
    metrics: &Metrics,
) -> Result<Flush, LogError> {
    let filter = parsed(filter)?;
    let dropped = metrics.log_lines_dropped.clone();
    let (lines, flush) = lines(format, sink, dropped)?;
    let started = tracing::subscriber::set_global_default(subscriber(format, filter, lines));
    started.map_err(|_| LogError::Started)?;
    Ok(flush)
}

/// What turns events into lines.
fn subscriber(
    format: LogFormat,
    filter: EnvFilter,
    lines: Lines,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(false);
    match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

/// Says whether a filter can be understood.
///
/// # Errors
///
/// A malformed filter.
pub(crate) fn check_filter(filter: &str) -> Result<(), LogError> {
    parsed(filter).map(drop)
}

fn parsed(filter: &str) -> Result<EnvFilter, LogError> {
    let parsed = EnvFilter::builder().parse(filter);
    let parsed = parsed.map_err(|error| LogError::Filter(error.to_string()))?;
    // It tells what people say, at its lowest level; of its connection the bus tells by itself, and once.
    let silent = "async_nats=off".parse();
    let silent = silent.map_err(|error: ParseError| LogError::Filter(error.to_string()))?;
    Ok(parsed.add_directive(silent))
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The filter is malformed.
    #[error("{0}")]
    Filter(String),
    /// The process has a log already.
    #[error("the process has a log already")]
    Started,
    /// The thread that writes could not be started.
    #[error("no thread for the log: {0}")]
    Thread(#[from] io::Error),
}

/// Starts the thread that writes to a sink, and returns the two ends of its queue.
#[expect(clippy::disallowed_methods, reason = "a sink may block")]
fn lines(
    format: LogFormat,
    sink: impl Write + Send + 'static,
    dropped: Counter,
) -> io::Result<(Lines, Flush)> {
    let (sender, receiver) = mpsc::sync_channel(LINES_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&waiting);
    let missing = Missing {
        format,
        dropped: dropped.clone(),
        told: 0,
    };
    thread::Builder::new()
        .name("log".into())
        .spawn(move || write_all(&receiver, sink, &taken, missing))?;
    let flush = Flush {
        sender: sender.clone(),
    };
    Ok((
        Lines {
            sender,
            waiting,
            dropped,
        },
        flush,
    ))
}

/// Something for the thread that writes.
enum Job {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Writes what comes until nobody is left who could send anything.
fn write_all(
    jobs: &Receiver<Job>,
    mut sink: impl Write,
    waiting: &AtomicUsize,
    mut missing: Missing,
) {
    for job in jobs {
        match job {
            Job::Line(line) => {
                // A sink that fails is like one that is full: there is nowhere to say so.
                drop(sink.write_all(&line));
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if let Some(line) = missing.line() {
                    drop(sink.write_all(line.as_bytes()));
                }
            }
            Job::Flush(done) => {
                drop(sink.flush());
                drop(done);
            }
        }
    }
}

/// What tells the log itself that lines are missing in it, as soon as it takes some again.
struct Missing {
    format: LogFormat,
    dropped: Counter,
    told: u64,
}

impl Missing {
    /// The line that says how many were dropped since that was said last.
    fn line(&mut self) -> Option<String> {
        let dropped = self.dropped.get();
        let count = dropped.saturating_sub(self.told);
        if count == 0 {
            return None;
        }
        self.told = dropped;
        let at = rfc3339_ms(SystemClock::new().now());
        Some(match self.format {
            LogFormat::Text => {
                format!("{at}  WARN {TARGET}: log lines were dropped lines={count}\n")
            }
            LogFormat::Json => format!(
                "{{\"timestamp\":\"{at}\",\"level\":\"WARN\",\"message\":\"log lines were dropped\",\
                 \"lines\":{count},\"target\":\"{TARGET}\"}}\n"
            ),
        })
    }
}

/// What the lines about lines are said by.
const TARGET: &str = "chat_server::logs";

/// The near end of the queue: takes lines and never waits.
#[derive(Clone)]
struct Lines {
    sender: SyncSender<Job>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    dropped: Counter,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let escaped = escape(line);
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("log_waits_for_its_sink") {
            drop(self.sender.send(Job::Line(escaped)));
            return Ok(line.len());
        }
        let bytes = escaped.len();
        let fits = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES_MAX;
        if !fits || self.sender.try_send(Job::Line(escaped)).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Writes what still waits when it is dropped, if the sink takes it within a second.
#[must_use = "the last lines are lost when it is dropped at once"]
pub(crate) struct Flush {
    sender: SyncSender<Job>,
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, heard) = mpsc::sync_channel(1);
        if self.sender.try_send(Job::Flush(done)).is_ok() {
            // The far end hangs up when it has flushed; a sink that hangs is not waited for.
            heard.recv_timeout(FLUSH_MAX).unwrap_or_default();
        }
    }
}

/// One line as it is written: every control character but the newline at its end, and every
/// character that turns the direction of text, becomes an escape that JSON knows as well.
fn escape(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let mut escaped = String::with_capacity(text.len());
    for char in text.strip_suffix('\n').unwrap_or(&text).chars() {
        match char {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            char if char.is_control() || turns_text(char) => {
                write!(escaped, "\\u{:04x}", u32::from(char)).unwrap_or_default();
            }
            char => escaped.push(char),
        }
    }
    escaped.push('\n');
    escaped.into_bytes()
}

/// Whether a character breaks lines or turns their direction without being a control character.
fn turns_text(char: char) -> bool {
    matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines that wait at most.
const LINES_MAX: usize = 8_192;

/// Bytes that wait at most.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// How long the last lines may take at the end.
const FLUSH_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A sink that takes nothing until it is opened.
    #[derive(Clone, Default)]
    struct Gate {
        closed: Arc<Mutex<()>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.closed.lock());
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_sink_costs_lines_and_never_blocks() {
        let gate = Gate::default();
        let dropped = Counter::default();
        let (mut lines, flush) = lines(LogFormat::Text, gate.clone(), dropped.clone()).unwrap();

        let closed = gate.closed.lock().unwrap();
        let mut line = [b'x'; 1024];
        line[1023] = b'\n';
        for _ in 0..3 * QUEUE_BYTES_MAX / 1024 {
            lines.write_all(&line).unwrap();
        }
        drop(closed);
        drop(flush);

        // The line in the sink's hands counts as waiting, so exactly the bound was kept.
        let taken = String::from_utf8(gate.taken.lock().unwrap().clone()).unwrap();
        let (kept, told): (Vec<_>, Vec<_>) = taken.lines().partition(|it| it.starts_with('x'));
        assert_eq!(kept.len() * 1024, QUEUE_BYTES_MAX);
        assert!(
            told.iter().all(|it| it.contains("log lines were dropped")),
            "{told:?}"
        );
        let count = |line: &&str| line.rsplit_once('=').map_or(0, |it| it.1.parse().unwrap());
        assert_eq!(told.iter().map(count).sum::<u64>(), 2 * 1024);
        assert_eq!(dropped.get(), 2 * 1024);
        assert_eq!(lines.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn short_lines_are_bounded_in_number() {
        let gate = Gate::default();
        let dropped = Counter::default();
        let (mut lines, _flush) = lines(LogFormat::Text, gate.clone(), dropped.clone()).unwrap();
        let closed = gate.closed.lock().unwrap();
        for _ in 0..LINES_MAX + 100 {
            lines.write_all(b"x\n").unwrap();
        }
        assert!(dropped.get() >= 99, "{} lines were dropped", dropped.get());
        drop(closed);
    }

    #[test]
    fn nobody_waits_for_a_sink_that_hangs_at_the_end() {
        let gate = Gate::default();
        let (mut lines, flush) = lines(LogFormat::Text, gate.clone(), Counter::default()).unwrap();
        let closed = gate.closed.lock().unwrap();
        lines.write_all(b"never\n").unwrap();
        drop(flush);
        assert!(gate.taken.lock().unwrap().is_empty());
        drop(closed);
    }

    #[test]
    fn a_line_cannot_begin_another_one() {
        let forged = "name=ann\n2026 INFO all is well\r\u{1b}[2J\u{85}\u{202e}\n";
        let escaped = String::from_utf8(escape(forged.as_bytes())).unwrap();
        let expected = "name=ann\\n2026 INFO all is well\\r\\u001b[2J\\u0085\\u202e\n";
        assert_eq!(escaped, expected);
    }

    /// What is written of one event whose name comes from a stranger, at level `info`.
    fn logged(format: LogFormat, name: &str) -> String {
        let gate = Gate::default();
        let (lines, flush) = lines(LogFormat::Text, gate.clone(), Counter::default()).unwrap();
        let subscriber = subscriber(format, parsed("info").unwrap(), lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(%name, "a guest came in");
            tracing::debug!("nobody asked for this");
        });
        drop(flush);
        let taken = gate.taken.lock().unwrap().clone();
        String::from_utf8(taken).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_strangers_put_into_it() {
        let name = "ann\r\n\u{1b}[31m INFO root logged in\u{85}\u{2028}";
        let text = logged(LogFormat::Text, name);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("INFO") && text.contains("a guest came in"),
            "{text}"
        );
        assert!(!text.trim_end().contains(char::is_control), "{text}");

        let json = logged(LogFormat::Json, name);
        assert_eq!(json.lines().count(), 1, "{json}");
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&line["level"], &line["name"]),
            (&"INFO".into(), &name.into())
        );
    }

    #[test]
    fn what_passes_through_the_bus_is_logged_at_no_level() {
        let gate = Gate::default();
        let (lines, flush) = lines(LogFormat::Text, gate.clone(), Counter::default()).unwrap();
        for filter in ["trace", "async_nats=trace,trace"] {
            let filter = parsed(filter).unwrap();
            let subscriber = subscriber(LogFormat::Text, filter, lines.clone());
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(target: "async_nats::connection", "what ann said");
                tracing::trace!("what the server says");
            });
        }
        drop(flush);
        let text = String::from_utf8(gate.taken.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("what the server says").count(), 2, "{text}");
        assert!(!text.contains("ann"), "{text}");
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        assert_eq!(
            escape("grüße 🙂 \"x\"\n".as_bytes()),
            "grüße 🙂 \"x\"\n".as_bytes()
        );
    }
}
