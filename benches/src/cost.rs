//! What a piece of work costs: time on the wall, and time of processors.

use std::fmt;
use std::fs;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// The cost of some work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Until it was done.
    pub wall: Duration,
    /// What processors spent on it in all threads, the system's part included. It leaves out the
    /// disk and those who compute beside us. Zero where the system doesn't tell.
    pub cpu: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// Does a piece of work and measures it.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement asks the time, and no clock is injected here"
)]
pub fn measure(work: impl FnOnce()) -> Cost {
    let (cpu, start) = (cpu(), Instant::now());
    work();
    Cost {
        wall: start.elapsed(),
        cpu: self::cpu().saturating_sub(cpu),
    }
}

/// The processor time of all threads of this process, to the nanosecond: the first number of Linux's
/// `schedstat`.
fn cpu() -> Duration {
    // The system settles a thread's account when it gives way.
    std::thread::yield_now();
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse().ok())
        .map(Duration::from_nanos)
        .sum()
}

/// The middle of some values, and where the lowest and the highest tenth begin.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The lowest tenth ends here.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// The highest tenth begins here.
    pub high: f64,
}

impl Spread {
    /// The spread of these values; of none it is zero.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |tenths: usize| values.get(last * tenths / 10).copied().unwrap_or_default();
        Self {
            low: at(1),
            middle: at(5),
            high: at(9),
        }
    }
}

impl fmt::Display for Spread {
    /// The middle, and in brackets how far the values go: each with the precision that is asked
    /// for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Self { low, middle, high } = self;
        write!(f, "{middle:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_not_moved_by_one_wild_value() {
        let spread = Spread::of((1..=10).map(f64::from).chain([1_000.0]));
        assert_eq!((spread.low, spread.middle, spread.high), (2.0, 6.0, 10.0));
    }
}
