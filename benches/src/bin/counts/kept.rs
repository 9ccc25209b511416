//! What was counted once, to compare with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Where it is kept.
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

/// How much more is too much.
const MORE_MAX: f64 = 0.05;

/// What nobody would notice: a function that is compiled in or not.
const SLACK: f64 = 15.0;

/// What one case takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) instructions: f64,
}

/// What all cases take, and what they were counted with.
#[derive(Debug, PartialEq)]
pub(crate) struct Counts {
    pub(crate) made_with: String,
    cases: BTreeMap<String, f64>,
}

impl Counts {
    /// What was counted, and what follows from it.
    pub(crate) fn of(made_with: String, cases: Vec<Case>) -> Self {
        let named = cases.into_iter().map(|it| (it.name, it.instructions));
        let mut cases: BTreeMap<_, _> = named.collect();
        let deliveries: Vec<_> = cases
            .iter()
            .filter_map(|(name, few)| {
                let way = name
                    .strip_suffix(", 100 members")?
                    .strip_prefix("server: a post ")?;
                let many = cases.get(&format!("server: a post {way}, 1000 members"))?;
                Some((format!("server: a delivery {way}"), (many - few) / 900.0))
            })
            .collect();
        cases.extend(deliveries);
        Self { made_with, cases }
    }

    /// What is kept in a file; nothing if it isn't there.
    pub(crate) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let made_with = lines.next().unwrap_or("nothing").to_owned();
        let cases = lines.map(|line| {
            let case = line.trim().split_once("  ");
            let (instructions, name) = case.expect("a line is a count and a name");
            (name.to_owned(), instructions.parse().expect("a count"))
        });
        let cases = cases.collect();
        Self { made_with, cases }
    }

    /// Compares with what is kept, case by case.
    pub(crate) fn against(&self, kept: &Self) -> Vec<Verdict> {
        let lost = kept
            .cases
            .iter()
            .filter(|(name, _)| !self.cases.contains_key(*name));
        let lost = lost.map(|(name, count)| (name, None, Some(*count)));
        let counted = self.cases.iter();
        counted
            .map(|(name, count)| (name, Some(*count), kept.cases.get(name).copied()))
            .chain(lost)
            .map(|(name, counted, kept)| Verdict {
                name: name.clone(),
                counted,
                kept,
            })
            .collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions that each takes; `bash .ci/counts --keep` wrote it."
        )?;
        writeln!(f, "{}\n", self.made_with)?;
        for (name, count) in &self.cases {
            writeln!(f, "{count:10.1}  {name}")?;
        }
        Ok(())
    }
}

/// How a case compares.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    name: String,
    counted: Option<f64>,
    kept: Option<f64>,
}

impl Verdict {
    /// Whether it takes too much more, or is counted or kept alone.
    pub(crate) fn fails(&self) -> bool {
        match (self.counted, self.kept) {
            (Some(counted), Some(kept)) => {
                counted > kept * (1.0 + MORE_MAX) && counted > kept + SLACK.min(kept / 4.0)
            }
            (_, None) | (None, _) => true,
        }
    }

    /// Whether it takes less by as much as would be too much.
    pub(crate) fn is_news(&self) -> bool {
        let (counted, kept) = (self.counted, self.kept);
        counted
            .zip(kept)
            .is_some_and(|(counted, kept)| counted < kept * (1.0 - MORE_MAX))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.fails() { "MORE" } else { "" };
        match (self.counted, self.kept) {
            (Some(counted), Some(kept)) => {
                let change = 100.0 * (counted / kept - 1.0);
                write!(f, "{mark:4} {counted:10.1} {change:+6.1} %  {}", self.name)
            }
            (Some(counted), None) => write!(f, "NEW  {counted:10.1}           {}", self.name),
            (None, _) => write!(f, "LOST                      {}", self.name),
        }
    }
}
