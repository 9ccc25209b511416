//! Figures of many trials: medians, ratios, and the tables that show them.

use std::fmt;

use super::contender::{Contender, FLOOR_MANY, FLOOR_ONE};
use super::outcome::Outcome;
use super::shape::Shape;
use super::trial::Trial;
use crate::load::ledger::Faults;

/// The median of some values, and between which they lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The lowest.
    pub low: f64,
    /// The median: of an even number of values the mean of the two in the middle.
    pub middle: f64,
    /// The highest.
    pub high: f64,
}

impl Range {
    /// The range of these values, unless there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let lower = values.get(values.len().saturating_sub(1) / 2)?;
        let upper = values.get(values.len() / 2)?;
        Some(Self {
            low: *values.first()?,
            middle: f64::midpoint(*lower, *upper),
            high: *values.last()?,
        })
    }
}

impl fmt::Display for Range {
    /// The median, and in brackets from where to where if there were several values, with the
    /// precision that is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { low, middle, high } = self;
        write!(f, "{middle:.digits$}")?;
        if low < high {
            write!(f, " ({low:.digits$} to {high:.digits$})")?;
        }
        Ok(())
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Processor seconds of the server per million deliveries.
    Cpu,
    /// Lines on members' sockets in a second.
    Deliveries,
    /// Milliseconds in which all but one in a hundred lines were heard.
    Late,
    /// Bytes of the server's own memory per idle connection.
    Bytes,
    /// Processor milliseconds of the server to let somebody in.
    Connecting,
}

impl Figure {
    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU-s per million deliveries",
            Self::Deliveries => "deliveries/s",
            Self::Late => "p99 ms",
            Self::Bytes => "bytes per idle connection",
            Self::Connecting => "CPU-ms to connect and join",
        }
    }

    fn of(self, outcome: &Outcome) -> Option<f64> {
        match self {
            Self::Cpu => outcome.server?.cpu_s_per_million,
            Self::Deliveries => Some(outcome.deliveries_per_s),
            Self::Late => outcome.latency_us?.p99.map(|us| us / 1_000.0),
            Self::Bytes => outcome.memory?.per_connection_bytes,
            Self::Connecting => outcome.connect?.cpu_ms_per_connection,
        }
    }
}

/// All trials of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    trials: &'a [Trial],
    shape: Shape,
}

impl<'a> Results<'a> {
    /// Those of these trials that are of this shape.
    #[must_use]
    pub fn of(trials: &'a [Trial], shape: Shape) -> Self {
        Self { trials, shape }
    }

    /// A contender's figure. Trials in which it broke a promise count for nothing.
    #[must_use]
    pub fn figure(&self, contender: &str, figure: Figure) -> Option<Range> {
        let sound = self.sound(contender);
        Range::of(sound.filter_map(|trial| figure.of(&trial.outcome)))
    }

    /// How often a contender's figure is another's, each time in the same round.
    #[must_use]
    pub fn ratio(&self, contender: &str, over: &str, figure: Figure) -> Option<Range> {
        let ratios = self.sound(contender).filter_map(|trial| {
            let other = self.sound(over).find(|other| other.round == trial.round)?;
            let other = figure.of(&other.outcome).filter(|other| *other > 0.0)?;
            Some(figure.of(&trial.outcome)? / other)
        });
        Range::of(ratios)
    }

    /// The trials in which a contender kept all promises.
    fn sound(&self, contender: &str) -> impl Iterator<Item = &'a Trial> {
        let sound = |trial: &&Trial| trial.outcome.faults.none();
        self.all(contender).filter(sound)
    }

    fn all(&self, contender: &str) -> impl Iterator<Item = &'a Trial> {
        let shape = self.shape.name;
        let trials = self.trials.iter();
        trials.filter(move |trial| trial.shape == shape && trial.contender == contender)
    }

    /// What went wrong, and in bold if anything did.
    fn faults(&self, contender: &str) -> String {
        let trials = self.all(contender).count();
        let faulty = trials - self.sound(contender).count();
        let mut faults = Faults::default();
        for trial in self.all(contender) {
            faults += trial.outcome.faults;
        }
        match (trials, faulty) {
            (0, _) => "didn't run".to_owned(),
            (_, 0) => faults.to_string(),
            _ => format!("**{faults}** (in {faulty} of {trials} runs)"),
        }
    }

    /// The table of this shape, as Markdown.
    #[must_use]
    pub fn table(&self, contenders: &[Contender]) -> String {
        let columns = columns(self.shape);
        let heads = columns.iter().map(Column::head);
        let faults = "lost / doubled / disordered / leaked".to_owned();
        let heads: Vec<String> = heads.chain([faults]).collect();
        let mut table = format!(
            "### {}: {}\n\n| server | {} |\n|---|{}\n",
            self.shape.name,
            self.shape.title,
            heads.join(" | "),
            "---|".repeat(heads.len())
        );
        for contender in contenders {
            let cells = columns
                .iter()
                .map(|column| column.cell(self, contender.name));
            let cells: Vec<String> = cells.chain([self.faults(contender.name)]).collect();
            table += &format!("| {} | {} |\n", contender.name, cells.join(" | "));
        }
        table
    }
}

struct Column {
    figure: Figure,
    over: Option<&'static str>,
    digits: usize,
}

impl Column {
    fn head(&self) -> String {
        let title = || self.figure.title().to_owned();
        self.over.map_or_else(title, |over| format!("x {over}"))
    }

    fn cell(&self, results: &Results<'_>, contender: &str) -> String {
        let range = match self.over {
            Some(over) => results.ratio(contender, over, self.figure),
            None => results.figure(contender, self.figure),
        };
        range.map_or_else(
            || "-".to_owned(),
            |range| format!("{range:.*}", self.digits),
        )
    }
}

/// The columns of a shape's table.
fn columns(shape: Shape) -> Vec<Column> {
    let column = |figure, over, digits| Column {
        figure,
        over,
        digits,
    };
    if shape.is_idle() {
        return vec![
            column(Figure::Bytes, None, 0),
            column(Figure::Connecting, None, 3),
        ];
    }
    vec![
        column(Figure::Cpu, None, 2),
        column(Figure::Cpu, Some(FLOOR_MANY), 2),
        column(Figure::Cpu, Some(FLOOR_ONE), 2),
        column(Figure::Deliveries, None, 0),
        column(Figure::Late, None, 1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versus::contender::CONTENDERS;
    use crate::versus::outcome::Spent;
    use serde_json::Value;

    fn trial(contender: &'static str, round: usize, cpu: f64) -> Trial {
        let server = Spent {
            cpu_s_per_million: Some(cpu),
        };
        Trial {
            shape: "line",
            contender,
            round,
            load: Value::Null,
            outcome: Outcome {
                deliveries_per_s: 1_000.0,
                server: Some(server),
                ..Outcome::default()
            },
        }
    }

    fn losing(lost: u64, trial: Trial) -> Trial {
        let mut losing = trial;
        losing.outcome.faults.lost = lost;
        losing
    }

    fn line() -> Shape {
        Shape::named("line").unwrap()
    }

    fn row(trials: &[Trial], contender: &str) -> String {
        let table = Results::of(trials, line()).table(&CONTENDERS);
        let start = format!("| {contender} |");
        let row = table.lines().find(|row| row.starts_with(&start));
        row.unwrap().to_owned()
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let range = |values: &[f64]| Range::of(values.iter().copied());
        assert_eq!(range(&[]), None);
        assert_eq!(range(&[3.0]).unwrap().to_string(), "3.00");
        assert_eq!(
            range(&[9.0, 1.0, 2.0]).unwrap().to_string(),
            "2.00 (1.00 to 9.00)"
        );
        assert_eq!(range(&[4.0, 1.0, 2.0, 9.0]).unwrap().middle, 3.0);
    }

    #[test]
    fn a_ratio_is_that_of_one_round_and_the_median_is_taken_of_ratios() {
        // The second round was slow for both, the third for one.
        let trials = [
            trial("chat-native", 1, 3.0),
            trial("floor-1", 1, 2.0),
            trial("chat-native", 2, 30.0),
            trial("floor-1", 2, 20.0),
            trial("chat-native", 3, 8.0),
            trial("floor-1", 3, 2.0),
        ];
        let ratio = Results::of(&trials, line()).ratio("chat-native", "floor-1", Figure::Cpu);
        assert_eq!(ratio.unwrap().to_string(), "1.50 (1.50 to 4.00)");
        assert_eq!(
            row(&trials, "chat-native"),
            "| chat-native | 8.00 (3.00 to 30.00) | - | 1.50 (1.50 to 4.00) \
             | 1000 | - | 0 / 0 / 0 / 0 |"
        );
    }

    #[test]
    fn who_loses_lines_is_shown_to_lose_and_has_no_figures_of_that_run() {
        let mut trials = vec![
            losing(7, trial("axum", 1, 0.1)),
            trial("axum", 2, 3.0),
            trial("floor-1", 1, 1.0),
            trial("floor-1", 2, 1.0),
        ];
        assert_eq!(
            row(&trials, "axum"),
            "| axum | 3.00 | - | 3.00 | 1000 | - \
             | **7 / 0 / 0 / 0** (in 1 of 2 runs) |"
        );
        trials[1].outcome.faults.closed = 2;
        assert_eq!(
            row(&trials, "axum"),
            "| axum | - | - | - | - | - | **7 / 0 / 0 / 0, 2 closed** (in 2 of 2 runs) |"
        );
        assert_eq!(
            row(&trials, "ws-node"),
            "| ws-node | - | - | - | - | - | didn't run |"
        );
    }

    #[test]
    fn a_floor_that_loses_is_nobodys_floor() {
        let trials = [trial("axum", 1, 3.0), losing(1, trial("floor-1", 1, 1.0))];
        let ratio = Results::of(&trials, line()).ratio("axum", "floor-1", Figure::Cpu);
        assert_eq!(ratio, None);
    }
}
