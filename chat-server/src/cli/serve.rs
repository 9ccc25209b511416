//! Running the server until somebody says stop, and reading its certificates again when somebody says
//! so.

use std::fs;
use std::io;
use std::process;
use std::thread;

use crate::clock::{Clock, SystemClock};
use crate::logs;
use crate::metrics::Metrics;
use crate::server;
use crate::{Addresses, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::environment;
use super::failure::Failure;
use super::options::Options;

/// Runs the server. The first SIGTERM or ctrl-c asks it to end, the second ends it. If it speaks TLS,
/// SIGHUP has its certificates read again; else that asks it to end, too.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let config = environment::load(options)?;
    let filter = environment::log_filter()?;
    let metrics = Metrics::new(SystemClock::new().now());
    let _flush = logs::start(config.log_format, &filter, io::stderr(), &metrics)?;

    let asked = signals(config.tls_cert.is_some())?;
    let serving = server::serve_while(config, metrics, say_where, async |server| {
        obey(asked, server).await;
    });
    runtime()?.block_on(serving)?;
    Ok(())
}

/// Does what signals ask for until one says stop.
async fn obey(mut asked: Asked, server: &Server) {
    loop {
        tokio::select! {
            biased;
            stop = &mut asked.stop => {
                if stop.is_ok() {
                    return;
                }
                // A sender that is gone means that no signal can come any more.
                std::future::pending::<()>().await;
            }
            Some(()) = asked.reloads.recv() => match server.reload_tls() {
                Ok(()) => tracing::info!("the certificates were read again"),
                Err(error) => tracing::error!(%error, "the certificates stay as they were"),
            },
        }
    }
}

/// Says where connections are accepted. That nobody hears it doesn't keep the server from it.
fn say_where(at: &Addresses) {
    let public = at.public.iter();
    let scheme = if at.secure { "https" } else { "http" };
    let public = public.map(|address| format!("listening on {scheme}://{address}\n"));
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
fn signals(reloads: bool) -> Result<Asked, Failure> {
    let (tell, stop) = oneshot::channel();
    // Who asks again before the first is done asks for the same.
    let (reload, told) = mpsc::channel(1);
    let runtime = runtime()?;
    // Signals are caught from here on, not from when the thread gets to run.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new(reloads)
            .map_err(|error| Failure::Failed(format!("can't hear signals: {error}")))?
    };
    let listen = move || {
        runtime.block_on(async {
            while signals.next().await == Signal::Reload {
                reload.try_send(()).unwrap_or_default();
            }
            tracing::info!("shutting down");
            // Who doesn't listen any more is ending already.
            tell.send(()).unwrap_or_default();
            while signals.next().await == Signal::Reload {}
            eprintln!("chat-server: ended by a second signal");
            process::exit(1);
        });
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(listen);
    spawned.map_err(|error| Failure::Failed(format!("can't start a thread: {error}")))?;
    Ok(Asked {
        stop,
        reloads: told,
    })
}

/// What signals ask for.
struct Asked {
    stop: oneshot::Receiver<()>,
    reloads: mpsc::Receiver<()>,
}

#[derive(PartialEq, Eq)]
enum Signal {
    Stop,
    Reload,
}

/// SIGTERM, ctrl-c, and SIGHUP where there is something to read again, or for a server that ends with
/// its terminal.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
    reloads: bool,
}

#[cfg(unix)]
impl Signals {
    fn new(reloads: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = reloads || ends_with_its_terminal();
        let hangup = hangup.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
            reloads,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = hangup => match self.reloads {
                true => Signal::Reload,
                false => Signal::Stop,
            },
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
    fn new(_reloads: bool) -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop
    }
}
