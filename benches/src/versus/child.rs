//! Programs that run beside us, each bound to a processor and to a time.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// Where programs run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What is put before a command.
    prefix: Vec<String>,
}

impl Place {
    /// These processors, written as `taskset` reads them. A program that runs there ends with us, if
    /// the system can promise that. Without `taskset` it is anywhere.
    #[must_use]
    pub fn on(processors: &str) -> Self {
        let pinned = ["taskset", "-c", processors];
        let leashed = [["setpriv", "--pdeathsig", "KILL"], pinned].concat();
        let mut places = [Self::behind(&leashed), Self::behind(&pinned)].into_iter();
        places.find(Self::works).unwrap_or_default()
    }

    /// Wherever the program leads that these words start.
    #[must_use]
    pub fn behind(words: &[&str]) -> Self {
        let prefix = words.iter().map(ToString::to_string).collect();
        Self { prefix }
    }

    /// Whether programs are bound to processors there.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// A command that runs a program here, with nothing of our environment but the search path.
    #[must_use]
    pub fn command(&self, program: &OsStr) -> Command {
        let mut words = self.prefix.iter().map(OsStr::new).chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command.args(words).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    fn works(&self) -> bool {
        let mut command = self.command(OsStr::new("true"));
        command.stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<ChildStdout>,
    complaints: PathBuf,
}

impl Running {
    /// Starts a program, whose complaints go to a file of this name.
    ///
    /// # Errors
    ///
    /// Why it can't be started.
    pub fn start(mut command: Command, complaints: &Path) -> Result<Self, String> {
        let program = command.get_program().to_owned();
        let refused = |error| format!("can't run {}: {error}", program.display());
        let log = File::create(complaints).map_err(refused)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().map_err(refused)?;
        Ok(Self {
            stdout: child.stdout.take(),
            child,
            complaints: complaints.to_owned(),
        })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that it says it listens on.
    ///
    /// # Errors
    ///
    /// That it says no such thing in this time.
    pub fn port(&mut self, patience: Duration) -> Result<u16, String> {
        let said = self.hear(patience, |stdout, told| {
            // It is read to its end: a server whose words nobody takes might stumble over that.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("listening ") {
                    drop(told.send(line));
                }
            }
        })?;
        let digits = said.rsplit(|c: char| !c.is_ascii_digit()).next();
        let port = digits.and_then(|digits| digits.parse().ok());
        port.ok_or_else(|| format!("{said:?} names no port"))
    }

    /// All that it says until it ends.
    ///
    /// # Errors
    ///
    /// That it doesn't end in this time.
    pub fn output(&mut self, patience: Duration) -> Result<String, String> {
        self.hear(patience, |mut stdout, told| {
            let mut output = String::new();
            if stdout.read_to_string(&mut output).is_ok() {
                drop(told.send(output));
            }
        })
    }

    /// The last thing it complained of.
    #[must_use]
    pub fn complaint(&self) -> String {
        let log = fs::read_to_string(&self.complaints).unwrap_or_default();
        let last = log.lines().rfind(|line| !line.trim().is_empty());
        last.unwrap_or("it says nothing").to_owned()
    }

    /// The first thing that a listener of its output tells, if it does in this time. It can be asked
    /// once.
    fn hear(
        &mut self,
        patience: Duration,
        listen: impl FnOnce(ChildStdout, Sender<String>) + Send + 'static,
    ) -> Result<String, String> {
        let stdout = self.stdout.take().ok_or("it was heard already")?;
        let (told, said) = mpsc::channel();
        // It ends with the program, at the latest when that is killed.
        std::thread::spawn(move || listen(stdout, told));
        said.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => format!("it ended: {}", self.complaint()),
            RecvTimeoutError::Timeout => {
                format!("silent for {} s: {}", patience.as_secs(), self.complaint())
            }
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &tempfile::TempDir) -> Running {
        let mut command = Place::default().command(OsStr::new("sh"));
        command.args(["-c", script]);
        Running::start(command, &dir.path().join("log")).unwrap()
    }

    #[test]
    fn a_server_says_its_port_and_is_killed_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut server = shell(
            "echo hi; echo listening on http://[::1]:8123; exec sleep 600",
            &dir,
        );
        assert_eq!(server.port(Duration::from_secs(60)), Ok(8123));
        let alive = PathBuf::from(format!("/proc/{}", server.pid()));
        assert!(alive.exists());
        drop(server);
        assert!(!alive.exists());
    }

    #[test]
    fn a_server_that_fails_is_quoted_and_a_silent_one_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let failed = shell("echo port taken >&2; echo >&2", &dir).port(Duration::from_secs(60));
        assert_eq!(failed.unwrap_err(), "it ended: port taken");
        let silent = shell("exec sleep 600", &dir).output(Duration::from_millis(1));
        assert_eq!(silent.unwrap_err(), "silent for 0 s: it says nothing");
    }
}
