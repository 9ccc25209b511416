//! What went wrong, by kind: a run in which something never did proves nothing about it.

use std::collections::BTreeMap;
use std::fmt;

/// How often each fault, and each way out of one, was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(BTreeMap<&'static str, u64>);

/// What has to be reached by many seeds.
const ALL: [&str; 21] = [
    "append conflicted",
    "append failed",
    "answer to append lost",
    "behind at rest, found by the poll",
    "group behind at rest, found by the poll",
    "fact out of date",
    "gap read",
    "gap read failed",
    "heads compared",
    "hint cut off",
    "hint doubled",
    "hint heard again",
    "hint in mid-append",
    "hint lost",
    "hint of a gap",
    "hint of a room that isn't loaded",
    "hint out of order",
    "key taken",
    "partition",
    "partition healed",
    "presence known wrong, asked again",
];

impl Faults {
    pub(super) fn note(&mut self, fault: &'static str) {
        assert!(ALL.contains(&fault), "{fault} is in no list");
        *self.0.entry(fault).or_default() += 1;
    }

    pub(super) fn add(&mut self, more: &Self) {
        for (fault, count) in &more.0 {
            *self.0.entry(fault).or_default() += count;
        }
    }

    /// What was never reached.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let reached = |fault: &&str| !self.0.contains_key(fault);
        ALL.into_iter().filter(reached).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self
            .0
            .iter()
            .map(|(fault, count)| format!("{fault} {count}"));
        f.write_str(&counts.collect::<Vec<_>>().join(", "))
    }
}
