//! The program as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program. It dies with the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// How a program ended that couldn't run, and what it said.
pub(super) type Refused = (Option<i32>, String);

impl Program {
    pub(super) fn command(folder: &Path) -> Command {
        Self::command_on(folder, "sqlite:chat.db")
    }

    /// The same, on another store.
    pub(super) fn command_on(folder: &Path, store: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command
            .current_dir(folder)
            .env_clear()
            .args(["--listen", "127.0.0.1:0", "--rate-limits", "off"])
            .args(["--workers", "2", "--store", store])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A planted bug is for the program, too.
        if let Some(bug) = std::env::var_os("SABOTAGE") {
            command.env("SABOTAGE", bug);
        }
        command
    }

    /// Starts it, and waits until it accepts connections.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::run(Self::command(folder))
    }

    /// The same, with whatever else the command says.
    pub(super) fn run(command: Command) -> Self {
        match Self::try_run(command) {
            Ok(program) => program,
            Err((code, said)) => panic!("ended with {code:?}: {said}"),
        }
    }

    /// Starts it where it may not be able to run.
    pub(super) fn try_run(mut command: Command) -> Result<Self, Refused> {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        if let Some(address) = line.trim().strip_prefix("listening on http://") {
            let address = address.parse().unwrap();
            return Ok(Self { child, address });
        }
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        Err((child.wait().unwrap().code(), said))
    }

    /// Starts the program where it can't run.
    pub(super) fn refused(folder: &Path, more: &[&str]) -> Refused {
        let mut command = Self::command(folder);
        command.args(more);
        match Self::try_run(command) {
            Ok(_) => panic!("it runs"),
            Err(refused) => refused,
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop by a signal; gives its code and how long it took.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal();
        (self.ended(), began.elapsed())
    }

    /// Waits until it has ended; gives its code.
    pub(super) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(super) fn signal(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
