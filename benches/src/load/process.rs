//! What a process has used, as Linux tells it.

use std::fs;

use serde::{Deserialize, Serialize};

/// Processes that are watched; a server may be several.
#[derive(Clone, Debug, Default)]
pub struct Processes(Vec<u32>);

/// Memory of processes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What is resident, shared libraries included.
    pub rss_bytes: u64,
    /// What is resident and no other process's.
    pub private_bytes: u64,
}

/// What processes wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    /// Calls of `write` and its kin, to files, sockets and whatever else.
    #[serde(rename = "write_calls")]
    pub calls: u64,
    /// Bytes that were handed to them. What the system says of the disk itself (`write_bytes`) counts
    /// whole folios, which may have a megabyte, for each page that is written in one.
    #[serde(rename = "written_bytes")]
    pub bytes: u64,
}

impl Written {
    /// What was written since an earlier look.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(earlier.bytes),
            calls: self.calls.saturating_sub(earlier.calls),
        }
    }
}

impl Processes {
    /// These processes.
    ///
    /// # Errors
    ///
    /// If one of them can't be looked at.
    pub fn watch(pids: &[u32]) -> Result<Self, String> {
        let processes = Self(pids.to_vec());
        for pid in pids {
            ticks(*pid).ok_or_else(|| format!("process {pid} can't be looked at in /proc"))?;
        }
        Ok(processes)
    }

    /// Whether there are any.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Processor time of all their threads, in seconds.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        let ticks: u64 = self.0.iter().filter_map(|pid| ticks(*pid)).sum();
        ticks as f64 / TICKS_A_SECOND
    }

    /// What they wrote so far; nothing where the system doesn't tell.
    #[must_use]
    pub fn written(&self) -> Written {
        let sum = |key| self.0.iter().map(|pid| io(*pid, key)).sum();
        Written {
            bytes: sum("wchar"),
            calls: sum("syscw"),
        }
    }

    /// What they hold in memory.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let sum = |file: &str, keys: &[&str]| {
            let of = |pid: &u32| kibibytes(&format!("/proc/{pid}/{file}"), keys);
            self.0.iter().map(of).sum::<u64>() * 1_024
        };
        Memory {
            rss_bytes: sum("status", &["VmRSS:"]),
            private_bytes: sum("smaps_rollup", &["Private_Clean:", "Private_Dirty:"]),
        }
    }
}

/// Processor time of this very process, in seconds.
#[must_use]
pub fn own_cpu_s() -> f64 {
    Processes(vec![std::process::id()]).cpu_s()
}

/// The unit of `/proc/PID/stat`, the same on all machines.
const TICKS_A_SECOND: f64 = 100.0;

/// Time in user and in system mode: fields 14 and 15, counted from the end of the name, which may
/// hold anything.
fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// A number of `/proc/PID/io`.
fn io(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    let line = lines.find(|(name, _)| *name == key);
    line.and_then(|(_, number)| number.parse().ok())
        .unwrap_or(0)
}

fn kibibytes(path: &str, keys: &[&str]) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    lines
        .filter(|(key, _)| keys.contains(key))
        .filter_map(|(_, value)| value.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_process_is_told_what_it_uses() {
        let own = Processes::watch(&[std::process::id()]).unwrap();
        let memory = own.memory();
        assert!(memory.rss_bytes > 100_000, "{memory:?}");
        assert!(memory.private_bytes > 100_000, "{memory:?}");
        assert!(own.cpu_s() <= own_cpu_s());
        assert!(Processes::watch(&[u32::MAX]).is_err());
    }

    #[test]
    fn what_a_process_writes_is_counted() {
        let own = Processes::watch(&[std::process::id()]).unwrap();
        let before = own.written();
        let mut file = tempfile::tempfile().unwrap();
        for _ in 0..10 {
            file.write_all(b"x").unwrap();
        }
        let written = own.written().since(before);
        assert!(written.calls >= 10 && written.bytes >= 10, "{written:?}");
        assert_eq!(Processes::default().written(), Written::default());
    }
}
