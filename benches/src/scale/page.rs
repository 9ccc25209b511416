//! All answers as one page that needs nothing else.

use super::figure::Figure;
use super::question::Question;
use super::results::Results;
use super::table::Table;
use super::trial::Trial;
use crate::load::report::plot::{Axis, Plot, Series, most};
use crate::load::report::{document, escape, section};

/// The page of these questions; the introduction says where and how.
#[must_use]
pub fn page(introduction: &str, questions: &[Question], trials: &[Trial]) -> String {
    let mut body = format!("<h1>How it scales</h1>\n<p>{}</p>\n", escape(introduction));
    for question in questions {
        let results = Results::of(trials, question);
        if results.cases().is_empty() {
            continue;
        }
        let content = legend(question) + &table(&Table::of(&results)) + &plots(&results);
        body += &section(&escape(question.title), "", &content);
    }
    document("How it scales", &body)
}

fn legend(question: &Question) -> String {
    let contenders = question.contenders.iter().enumerate();
    let entries = contenders.map(|(colour, contender)| {
        let name = escape(contender.name);
        format!("<li><i class=\"c{colour}\"></i><b>{name}</b></li>\n")
    });
    format!(
        "<ul class=\"legend\">\n{}</ul>\n",
        entries.collect::<String>()
    )
}

fn table(table: &Table) -> String {
    let row = |tag: &str, cells: &[String]| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows = table.rows.iter().map(|cells| row("td", cells));
    format!(
        "<div class=\"wide\"><table>\n{}{}</table></div>\n",
        row("th", &table.headings),
        rows.collect::<String>()
    )
}

/// A plot of each figure over what grows.
fn plots(results: &Results<'_>) -> String {
    let cases = results.cases();
    let mut sizes: Vec<usize> = cases.iter().map(|case| case.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() < 2 {
        return String::new();
    }
    let contenders = || results.question.contenders.iter().enumerate();
    let curve = |figure: Figure, name: &str| {
        let own = cases.iter().filter(|case| case.contender.name == name);
        let point = own.filter_map(|case| {
            let value = results.figure(*case, figure)?.middle;
            Some(((case.size as f64).log10(), value))
        });
        point.collect()
    };
    let plot = |figure: &Figure| {
        let series = contenders().map(|(colour, contender)| Series {
            colour,
            points: curve(*figure, contender.name),
        });
        let series: Vec<Series> = series.collect();
        let plot = Plot {
            title: format!("{} by {}", figure.title(), results.question.grows),
            x: Axis::logarithmic(&sizes),
            y: Axis::counted(most(&series).1, ""),
            series,
        };
        format!("<h3>{}</h3>\n{}", plot.title, plot.svg())
    };
    results.question.figures.iter().map(plot).collect()
}

#[cfg(test)]
mod tests {
    use super::super::question::QUESTIONS;
    use super::super::results::tests::spent;
    use super::*;

    #[test]
    fn a_page_draws_what_was_asked_and_needs_nothing_else() {
        let trials = [spent("native", 10, 1, 2.0), spent("native", 100, 1, 1.0)];
        let page = page("<here>", &QUESTIONS, &trials);
        for outside in ["<script", "http", "url(", "@import", "src=", "<here>"] {
            assert!(!page.contains(outside), "{outside}: {page}");
        }
        assert_eq!(page.matches("<svg").count(), 3, "one for each figure");
        // From the left end at the top of the axis to the right end at half of it.
        assert!(page.contains("points=\"64.0,12.0 690.0,141.0\""), "{page}");
    }

    #[test]
    fn of_one_size_there_is_a_table_and_no_curve() {
        let page = page("", &QUESTIONS, &[spent("native", 10, 1, 2.0)]);
        assert!(
            page.contains("<td>2.00</td>") && !page.contains("<svg"),
            "{page}"
        );
    }
}
