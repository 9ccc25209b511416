//! Running the server until somebody says stop.

use std::fs;
use std::io;
use std::process;
use std::thread;

use crate::Addresses;
use crate::clock::{Clock, SystemClock};
use crate::logs;
use crate::metrics::Metrics;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::environment;
use super::failure::Failure;
use super::options::Options;

/// Runs the server. The first SIGTERM, SIGHUP or ctrl-c asks it to end, the second ends it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let config = environment::load(options)?;
    let filter = environment::log_filter()?;
    let metrics = Metrics::new(SystemClock::new().now());
    let _flush = logs::start(config.log_format, &filter, io::stderr(), &metrics)?;

    let shutdown = signals()?;
    runtime()?.block_on(async {
        let shutdown = async {
            // A sender that is gone means that no signal can come any more.
            if shutdown.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        crate::serve(config, metrics, say_where, shutdown).await
    })?;
    Ok(())
}

/// Says where connections are accepted. That nobody hears it doesn't keep the server from it.
fn say_where(at: &Addresses) {
    let public = at.public.iter();
    let public = public.map(|address| format!("listening on http://{address}\n"));
    let admin = at.admin.iter();
    let admin = admin.map(|address| format!("listening on http://{address} for operators\n"));
    let lines: String = public.chain(admin).collect();
    if let Err(failure) = super::print(&lines) {
        tracing::warn!(%failure, "nobody can be told where connections are accepted");
    }
}

/// A runtime for this thread.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::Failed(format!("can't start: {error}")))
}

/// Hears signals on a thread of its own, so that the second one works whatever the server does.
#[expect(
    clippy::disallowed_methods,
    reason = "the second signal has to work whatever the workers do"
)]
fn signals() -> Result<oneshot::Receiver<()>, Failure> {
    let (tell, told) = oneshot::channel();
    let runtime = runtime()?;
    // Signals are caught from here on, not from when the thread gets to run.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new().map_err(|error| Failure::Failed(format!("can't hear signals: {error}")))?
    };
    let listen = move || {
        runtime.block_on(async {
            signals.next().await;
            tracing::info!("shutting down");
            // Who doesn't listen any more is ending already.
            tell.send(()).unwrap_or_default();
            signals.next().await;
            eprintln!("chat-server: ended by a second signal");
            process::exit(1);
        });
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(listen);
    spawned.map_err(|error| Failure::Failed(format!("can't start a thread: {error}")))?;
    Ok(told)
}

/// SIGTERM, ctrl-c, and SIGHUP for a server that ends with its terminal.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hang_up = ends_with_its_terminal().then(|| signal(SignalKind::hangup()));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: hang_up.transpose()?,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        let hung_up = async {
            match &mut self.hang_up {
                Some(hang_up) => drop(hang_up.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = hung_up => {}
        }
    }
}

/// Whether nobody asked for SIGHUP to be ignored, as `nohup` does: to catch it would undo that. Where
/// the system doesn't tell, the signal does what it does there.
#[cfg(unix)]
fn ends_with_its_terminal() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is the first signal.
    mask.is_some_and(|mask| mask & 1 == 0)
}

/// Ctrl-c alone, where there are no signals.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
