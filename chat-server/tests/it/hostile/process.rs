//! The program as a process of its own, whose memory, time and descriptors can be looked at.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::world::http;

use super::shown;

/// A server process. It dies with the test.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it has written to its log, if that is read.
    log: Option<(Arc<Mutex<String>>, JoinHandle<()>)>,
}

/// How a process is set up.
pub(crate) struct Setup<'a> {
    pub(crate) folder: &'a Path,
    /// The file `chat.toml`.
    pub(crate) config: &'a str,
    /// Descriptors that it may have.
    pub(crate) descriptors: Option<u32>,
    /// What the variable `CHAT_LOG` says.
    pub(crate) log: &'a str,
    /// Whether anybody reads its log.
    pub(crate) log_is_read: bool,
}

impl<'a> Setup<'a> {
    pub(crate) const fn in_folder(folder: &'a Path) -> Self {
        Self {
            folder,
            config: "",
            descriptors: None,
            log: "info",
            log_is_read: true,
        }
    }

    /// Starts it, and waits until it accepts connections.
    pub(crate) fn start(&self) -> Process {
        fs::write(self.folder.join("chat.toml"), self.config).unwrap();
        let program = env!("CARGO_BIN_EXE_chat-server");
        let limit = self
            .descriptors
            .map_or(String::new(), |most| format!("ulimit -n {most} && "));
        let script = format!(
            "{limit}exec {program} --listen 127.0.0.1:0 --workers 2 --store sqlite:chat.db"
        );
        let mut child = Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir(self.folder)
            .env_clear()
            .env("CHAT_LOG", self.log)
            // A planted bug is for the program, too.
            .envs(std::env::vars().filter(|(name, _)| name == "SABOTAGE"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http");
        let address = address.and_then(|rest| rest.trim_start_matches('s').strip_prefix("://"));
        let address = address.unwrap_or_else(|| panic!("{line:?}"));
        let address = address.parse().unwrap();
        let mut process = Process {
            child,
            address,
            log: None,
        };
        if self.log_is_read {
            process.read_log();
        }
        process
    }
}

impl Process {
    /// The processor time that it has had, in clock ticks: a hundredth of a second each.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name in parentheses may hold anything; the fields after it are counted (proc(5)).
        let fields: Vec<_> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        kilobytes * 1024
    }

    /// A number that it shows.
    pub(crate) async fn shows(&self, name: &str) -> i64 {
        shown(
            &http(self.address, "GET", "/metrics", &[], b"").await.body,
            name,
        )
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        self.log
            .as_ref()
            .map_or_else(String::new, |(kept, _)| kept.lock().unwrap().clone())
    }

    /// Reads its log from here on until it ends, and what nobody has read of it so far.
    pub(crate) fn read_log(&mut self) {
        let mut pipe = self.child.stderr.take().unwrap();
        let kept = Arc::new(Mutex::new(String::new()));
        let keeps = kept.clone();
        let reads = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                keeps
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        self.log = Some((kept, reads));
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop; gives its code, and all it has written.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let code = self.child.wait().unwrap().code();
        let written = self.log.take().map(|(kept, reads)| {
            reads.join().unwrap();
            kept.lock().unwrap().clone()
        });
        (code, written.unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
