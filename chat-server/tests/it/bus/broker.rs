//! A NATS server of a test's own.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use chat_server::config::{BusUrl, NatsUrl};

use crate::require;

/// A NATS server on a port of the loopback address. It lives no longer than this, however the test ends.
pub(crate) struct Broker {
    program: PathBuf,
    options: Vec<String>,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

impl Broker {
    /// Starts one, if a test named `what` can have it.
    pub(crate) fn start(what: &str) -> Option<Self> {
        Self::with(what, &[])
    }

    /// The same, with options.
    pub(crate) fn with(what: &str, options: &[&str]) -> Option<Self> {
        let program = require::nats_server(what)?;
        let mut broker = Self {
            program,
            options: options.iter().map(ToString::to_string).collect(),
            port: 0,
            running: None,
        };
        broker.start_again();
        Some(broker)
    }

    /// Starts it again, at the same address.
    pub(crate) fn start_again(&mut self) {
        // Whoever started the shell need only go: it ends the server then.
        let script = r#""$0" "$@" </dev/null & exec 2>/dev/null; read _; kill -9 $!; wait"#;
        let port = match self.port {
            0 => "-1".to_owned(),
            port => port.to_string(),
        };
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(&self.program)
            .args(["-a", "127.0.0.1", "-p", &port])
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(shell.stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let begins = said.len();
            let read = log.read_line(&mut said).unwrap();
            assert_ne!(read, 0, "the NATS server has ended: {said}");
            let line = said[begins..].trim_end();
            if let Some((_, address)) = line.split_once("client connections on 127.0.0.1:") {
                self.port = address.parse().unwrap();
            }
            if line.ends_with("Server is ready") {
                break;
            }
        }
        // It would wait for whoever reads what it says.
        thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        let lives = shell.stdin.take().unwrap();
        self.running = Some((shell, lives));
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some((mut shell, lives)) = self.running.take() {
            drop(lives);
            shell.wait().unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> BusUrl {
        format!("nats://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// Its address, with this log-in.
    pub(crate) fn url_for(&self, login: &str) -> NatsUrl {
        let port = self.port;
        format!("nats://{login}127.0.0.1:{port}").parse().unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
