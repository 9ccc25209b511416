//! A program under test: what is typed into it, and what it prints.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long a line may take: far longer than it ever does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it has printed so far, to be shown when a test fails.
    pub(crate) printed: Vec<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (said, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                // A test that has ended listens no more.
                if line.is_ok_and(|line| said.send(line).is_ok()) {
                    continue;
                }
                break;
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            printed: Vec::new(),
        }
    }

    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for a line that holds this; gives it.
    pub(crate) fn prints(&mut self, part: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let mut printed = String::new();
                self.printed
                    .iter()
                    .for_each(|line| writeln!(printed, "  {line}").unwrap());
                panic!("nothing with {part:?} in what it printed:\n{printed}");
            };
            self.printed.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Ends its input, and gives everything that it printed until it ended.
    pub(crate) fn ends(mut self) -> Vec<String> {
        self.stdin = None;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.printed.push(line);
        }
        assert!(self.child.wait().unwrap().success(), "{:#?}", self.printed);
        std::mem::take(&mut self.printed)
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
