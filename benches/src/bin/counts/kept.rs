//! What was counted once, to compare with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Where it is kept.
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

/// How much more is too much.
const MORE_MAX: f64 = 0.05;

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
        Self::parse(&std::fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
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
            (Some(counted), Some(kept)) => counted > kept * (1.0 + MORE_MAX),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, f64)]) -> Counts {
        let case = |&(name, instructions): &(&str, f64)| Case {
            name: name.to_owned(),
            instructions,
        };
        Counts::of("a compiler".to_owned(), cases.iter().map(case).collect())
    }

    /// The cases that fail.
    fn failures(counted: &[(&str, f64)], kept: &[(&str, f64)]) -> Vec<String> {
        let verdicts = counts(counted).against(&counts(kept));
        let failing = verdicts.into_iter().filter(Verdict::fails);
        failing.map(|it| it.name).collect()
    }

    #[test]
    fn what_takes_a_twentieth_more_than_is_kept_fails() {
        let kept = [("decode", 1_000.0), ("encode", 1_000.0)];
        assert!(failures(&[("decode", 1_049.0), ("encode", 10.0)], &kept).is_empty());
        let failing = failures(&[("decode", 1_051.0), ("encode", 10.0)], &kept);
        assert_eq!(failing, ["decode"]);
    }

    #[test]
    fn a_case_that_is_counted_or_kept_alone_fails() {
        let failing = failures(&[("decode", 1.0)], &[("encode", 1.0)]);
        assert_eq!(failing, ["decode", "encode"]);
    }

    #[test]
    fn a_delivery_is_what_one_member_more_costs() {
        let counts = counts(&[
            ("server: a post alone, rooms, 100 members", 1_500.0),
            ("server: a post alone, rooms, 1000 members", 10_500.0),
        ]);
        let delivery = counts.cases.get("server: a delivery alone, rooms");
        assert_eq!(delivery, Some(&10.0));
    }

    #[test]
    fn what_was_kept_reads_as_it_was() {
        let counts = counts(&[("decode: native, 64 bytes", 8_734.5), ("log", 2.0)]);
        assert_eq!(Counts::parse(&counts.to_string()), counts);
    }
}
