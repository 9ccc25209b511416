//! The table of a question.

use std::fmt::Display;

use super::figure::Figure;
use super::question::Over;
use super::results::{Case, Results};

/// What stands in a table: a heading for each column, and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the columns are called.
    pub headings: Vec<String>,
    /// What stands below.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// All figures of a question.
    #[must_use]
    pub fn of(results: &Results<'_>) -> Self {
        let question = results.question;
        let over = match question.over {
            Over::Smallest => "ratio to the first".to_owned(),
            Over::First => {
                let first = question.contenders.first();
                format!("ratio to {}", first.map_or("", |first| first.name))
            }
        };
        let figures = question.figures.iter();
        let mut headings = vec![String::new(), question.grows.to_owned(), over];
        headings.extend(figures.map(|figure| figure.title().to_owned()));
        let cases = results.cases().into_iter();
        Self {
            headings,
            rows: cases.map(|case| row(results, case)).collect(),
        }
    }

    /// The table as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = "|---".repeat(self.headings.len());
        let rows = self.rows.iter().map(|row| line(row));
        format!(
            "{}{rule}|\n{}",
            line(&self.headings),
            rows.collect::<String>()
        )
    }
}

fn row<'a>(results: &Results<'a>, case: Case<'a>) -> Vec<String> {
    let mut name = case.contender.name.to_owned();
    if let Some(faults) = results.faults(case) {
        name += &format!(" **{faults:?}**");
    }
    let ratio = results.ratio(case).map(|ratio| format!("{ratio:.2}"));
    let figure = |figure: &Figure| {
        let digits = figure.digits();
        shown(
            results
                .figure(case, *figure)
                .map(|range| format!("{range:.digits$}")),
        )
    };
    let mut row = vec![name, case.size.to_string(), shown(ratio)];
    row.extend(results.question.figures.iter().map(figure));
    row
}

fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::question::QUESTIONS;
    use super::super::results::tests::spent;
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_size_and_names_what_went_wrong() {
        let mut broken = spent("rooms", 10, 1, 1.0);
        broken.outcome.faults.leaked = 3;
        let trials = [
            spent("native", 10, 1, 2.0),
            spent("native", 100, 1, 1.0),
            broken,
        ];
        let [members, ..] = &QUESTIONS;
        let table = Table::of(&Results::of(&trials, members)).markdown();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        assert!(lines[0].starts_with("|  | members | ratio to the first | CPU-s per million"));
        assert!(
            lines[2].starts_with("| native | 10 | – | 2.00 |"),
            "{table}"
        );
        assert!(
            lines[3].starts_with("| native | 100 | 0.50 | 1.00 |"),
            "{table}"
        );
        assert!(
            lines[4].contains("leaked: 3") && lines[4].contains("| – |"),
            "{table}"
        );
    }
}
