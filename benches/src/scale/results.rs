//! Figures of many trials: medians, and ratios within a round.

use super::figure::Figure;
use super::question::{Contender, Over, Question};
use super::trial::Trial;
use crate::load::ledger::Faults;
use crate::versus::table::Range;

/// All trials of one question.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// The question.
    pub question: &'a Question,
    trials: &'a [Trial],
}

/// A contender at a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// Who.
    pub contender: &'a Contender,
    /// How many there were of what grows.
    pub size: usize,
}

impl<'a> Results<'a> {
    /// Those of these trials that are of this question.
    #[must_use]
    pub const fn of(trials: &'a [Trial], question: &'a Question) -> Self {
        Self { question, trials }
    }

    /// What there are trials of, contender by contender.
    #[must_use]
    pub fn cases(&self) -> Vec<Case<'a>> {
        let sizes = |contender| {
            let sizes = self.question.sizes.iter().chain(self.question.quick_sizes);
            let mut sizes: Vec<usize> = sizes.copied().collect();
            sizes.sort_unstable();
            sizes.dedup();
            sizes.into_iter().map(move |size| Case { contender, size })
        };
        let cases = self.question.contenders.iter().flat_map(sizes);
        cases
            .filter(|case| self.all(*case).next().is_some())
            .collect()
    }

    /// A figure. Trials in which a promise was broken count for nothing.
    #[must_use]
    pub fn figure(&self, case: Case<'a>, figure: Figure) -> Option<Range> {
        Range::of(self.sound(case).filter_map(|trial| figure.of(trial)))
    }

    /// How often the first figure is that which ratios are to, each time in the same round; nothing
    /// for that one itself.
    #[must_use]
    pub fn ratio(&self, case: Case<'a>) -> Option<Range> {
        let figure = *self.question.figures.first()?;
        let over = self.over(case)?;
        Range::of(self.sound(case).filter_map(|trial| {
            let other = self.sound(over).find(|other| other.round == trial.round)?;
            let other = figure.of(other).filter(|other| *other > 0.0)?;
            Some(figure.of(trial)? / other)
        }))
    }

    fn over(&self, case: Case<'a>) -> Option<Case<'a>> {
        let other = match self.question.over {
            Over::Smallest => {
                let mut cases = self.cases().into_iter();
                cases.find(|other| other.contender == case.contender)?
            }
            Over::First => Case {
                contender: self.question.contenders.first()?,
                ..case
            },
        };
        (other != case).then_some(other)
    }

    /// What went wrong, if anything did.
    #[must_use]
    pub fn faults(&self, case: Case<'a>) -> Option<Faults> {
        let mut faulty = self.all(case).map(|trial| trial.outcome.faults);
        faulty.find(|faults| !faults.none())
    }

    fn sound(&self, case: Case<'a>) -> impl Iterator<Item = &'a Trial> {
        self.all(case).filter(|trial| trial.outcome.faults.none())
    }

    fn all(&self, case: Case<'a>) -> impl Iterator<Item = &'a Trial> {
        let (question, contender, size) = (self.question.name, case.contender.name, case.size);
        self.trials.iter().filter(move |trial| {
            (trial.question, trial.contender, trial.size) == (question, contender, size)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::question::QUESTIONS;
    use super::super::trial::tests::trial;
    use super::*;
    use crate::load::outcome::Usage;
    use crate::load::process::Memory;

    /// A trial in which a million deliveries took so many processor seconds.
    pub(in crate::scale) fn spent(
        contender: &'static str,
        size: usize,
        round: usize,
        cpu_s: f64,
    ) -> Trial {
        let mut trial = trial("members", contender, size, round);
        trial.outcome.deliveries = 1_000_000;
        trial.outcome.deliveries_per_s = 1_000_000.0 / cpu_s;
        let usage = Usage::new(cpu_s, 1_000_000, 1.0, Memory::default());
        trial.outcome.server = Some(usage);
        trial
    }

    #[test]
    fn ratios_are_to_the_smallest_size_of_the_same_round() {
        let mut broken = spent("native", 10, 3, 1.0);
        broken.outcome.faults.lost = 1;
        let trials = [
            spent("native", 10, 1, 2.0),
            spent("native", 100, 1, 1.0),
            spent("native", 10, 2, 8.0),
            spent("native", 100, 2, 2.0),
            broken,
            spent("native", 100, 3, 1.0),
            spent("rooms", 10, 1, 5.0),
        ];
        let [members, ..] = &QUESTIONS;
        let results = Results::of(&trials, members);
        let cases = results.cases();
        let named = cases.iter().map(|case| (case.contender.name, case.size));
        let named: Vec<_> = named.collect();
        assert_eq!(named, [("native", 10), ("native", 100), ("rooms", 10)]);
        let ratio = results.ratio(cases[1]).unwrap();
        assert_eq!(
            (ratio.low, ratio.high),
            (0.25, 0.5),
            "the third has no partner"
        );
        assert_eq!(results.ratio(cases[0]), None);
        assert_eq!(results.faults(cases[0]).map(|faults| faults.lost), Some(1));
        assert_eq!(results.faults(cases[1]), None);
    }

    #[test]
    fn ratios_may_be_to_the_first_contender_at_the_same_size() {
        let posts = |contender, size, per_s| {
            let mut trial = spent(contender, size, 1, 1.0);
            trial.question = "durable";
            trial.outcome.lines_per_s = per_s;
            trial
        };
        let trials = [
            posts("memory", 1, 1_000.0),
            posts("sqlite", 1, 250.0),
            posts("memory", 10, 4_000.0),
            posts("sqlite", 10, 2_000.0),
        ];
        let durable = QUESTIONS.iter().find(|question| question.name == "durable");
        let results = Results::of(&trials, durable.unwrap());
        let ratios = results.cases().into_iter().map(|case| results.ratio(case));
        let ratios: Vec<_> = ratios
            .map(|ratio| ratio.map(|range| range.middle))
            .collect();
        assert_eq!(ratios, [None, None, Some(0.25), Some(0.5)]);
    }
}
