//! How far a run has come, for whoever watches.

use std::io::{self, IsTerminal, Write};

/// One line of a terminal, written over and over; nothing where there is no terminal.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    last_ns: u64,
}

impl Progress {
    /// A line on standard error.
    #[must_use]
    pub fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            last_ns: 0,
        }
    }

    /// Shows a bar and words, a few times a second.
    pub fn show(&mut self, now_ns: u64, part: f64, words: impl FnOnce() -> String) {
        if !self.terminal || now_ns < self.last_ns + EVERY_NS {
            return;
        }
        self.last_ns = now_ns;
        let bar: String = (0..WIDTH)
            .map(|at| {
                if f64::from(at) < part * f64::from(WIDTH) {
                    '━'
                } else {
                    '─'
                }
            })
            .collect();
        // Whoever can't be shown anything misses nothing else.
        drop(write!(io::stderr(), "\r{bar} {}\x1b[K", words()));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

const EVERY_NS: u64 = 200_000_000;

const WIDTH: u32 = 24;
