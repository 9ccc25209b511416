//! Results as one page that needs nothing else: no script, no font, no other file.

mod figures;
pub(crate) mod plot;

use std::fmt::Arguments;

use self::figures::{Figure, count, latency, ratio};
use self::plot::{Axis, Bar, Plot, Series, bars};
use super::outcome::Outcome;

/// A page of one result, or of several side by side.
#[must_use]
pub fn page(outcomes: &[Outcome]) -> String {
    let names: Vec<_> = outcomes
        .iter()
        .map(|outcome| escape(&outcome.label))
        .collect();
    let mut body = format!("<h1>{}</h1>\n", names.join(", "));
    body += &legend(outcomes);
    body += &table(outcomes);
    if outcomes.len() > 1 {
        body += &comparisons(outcomes);
    }
    if outcomes.iter().any(|outcome| outcome.deliveries > 0) {
        body += &section(
            "Latency",
            "From the moment a line was due until a member heard it, by how many deliveries were \
             no slower. Both axes are logarithmic.",
            &latencies(outcomes).svg(),
        );
        body += &section(
            "Deliveries over time",
            "In thousands a second, over the measured span.",
            &timelines(outcomes).svg(),
        );
    }
    body += &said(outcomes);
    document(&format!("chat-load: {}", names.join(", ")), &body)
}

/// A page with this title, which is HTML already, and this body.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n{body}\
         </main>\n</body>\n</html>\n"
    )
}

const CSS: &str = include_str!("report/page.css");

/// Who is which colour, and what each run was.
fn legend(outcomes: &[Outcome]) -> String {
    let mut text = String::from("<ul class=\"legend\">\n");
    for (index, outcome) in outcomes.iter().enumerate() {
        let label = escape(&outcome.label);
        let (colour, setup) = (index % plot::COLOURS, escape(&setup(outcome)));
        line(
            &mut text,
            format_args!("<li><i class=\"c{colour}\"></i><b>{label}</b> {setup}</li>"),
        );
    }
    text + "</ul>\n"
}

/// A run in words.
fn setup(outcome: &Outcome) -> String {
    let setup = &outcome.setup;
    let said = match (outcome.mode.as_str(), setup.rate, setup.in_flight) {
        ("talk", Some(rate), _) => format!(", {} lines a second", count(rate)),
        ("talk", None, Some(lines)) => format!(", {lines} of each under way"),
        (mode, _, _) => format!(", {mode}"),
    };
    let rooms = if setup.rooms == 1 { "room" } else { "rooms" };
    let stalled = match setup.stalled {
        0 => String::new(),
        stalled => format!(", {stalled} more who never read"),
    };
    let quiet = match setup.quiet_rooms {
        0 => String::new(),
        quiet => format!(", {quiet} quiet rooms beside"),
    };
    let driver = if outcome.driver == outcome.label {
        String::new()
    } else {
        format!("({}) ", outcome.driver)
    };
    format!(
        "{driver}{} members in {} {rooms}, {} talking in each, {} bytes a line{said}{stalled}{quiet}, {:.0} s",
        setup.connections, setup.rooms, setup.senders, setup.body_bytes, outcome.span_s
    )
}

/// All figures as numbers.
fn table(outcomes: &[Outcome]) -> String {
    let told = |figure: &Figure| outcomes.iter().any(|outcome| figure.of(outcome).is_some());
    let figures: Vec<_> = Figure::ALL.into_iter().filter(told).collect();
    let mut text = String::from("<div class=\"wide\"><table>\n<tr><th></th>");
    for figure in &figures {
        line(&mut text, format_args!("<th>{}</th>", figure.title()));
    }
    text += "<th>p50</th><th>p99.9</th><th>longest</th><th>faults</th></tr>\n";
    for outcome in outcomes {
        line(
            &mut text,
            format_args!("<tr><th>{}</th>", escape(&outcome.label)),
        );
        for figure in &figures {
            let shown = figure
                .of(outcome)
                .map_or_else(|| "–".to_owned(), |value| figure.show(value));
            line(&mut text, format_args!("<td>{shown}</td>"));
        }
        let all = &outcome.latency_us;
        for us in [all.p50, all.p999, all.max] {
            let shown = if all.count > 0 {
                latency(us)
            } else {
                "–".to_owned()
            };
            line(&mut text, format_args!("<td>{shown}</td>"));
        }
        line(&mut text, format_args!("{}</tr>", faults(outcome)));
    }
    text + "</table></div>\n"
}

fn faults(outcome: &Outcome) -> String {
    let all = &outcome.faults;
    let named = [
        (all.lost, "lost"),
        (all.duplicated, "duplicated"),
        (all.disordered, "disordered"),
        (all.leaked, "leaked"),
        (all.refused, "refused"),
        (all.closed, "closed"),
    ];
    let some = named.iter().filter(|(number, _)| *number > 0);
    let some: Vec<_> = some
        .map(|(number, name)| format!("{number} {name}"))
        .collect();
    if some.is_empty() {
        "<td class=\"good\">none</td>".to_owned()
    } else {
        format!("<td class=\"bad\">{}</td>", some.join(", "))
    }
}

/// Each figure that at least two runs have, as bars.
fn comparisons(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for figure in Figure::ALL {
        let told: Vec<_> = outcomes
            .iter()
            .enumerate()
            .filter_map(|(index, outcome)| Some((index, outcome, figure.of(outcome)?)))
            .collect();
        let values = || told.iter().map(|(_, _, value)| *value);
        if told.len() < 2 {
            continue;
        }
        let best = if figure.more_is_better() {
            values().fold(0.0, f64::max)
        } else {
            values().fold(f64::INFINITY, f64::min)
        };
        let bars_of = told.iter().map(|(index, outcome, value)| Bar {
            colour: index % plot::COLOURS,
            label: escape(&outcome.label),
            value: *value,
            shown: figure.show(*value) + &ratio(*value, best),
        });
        let drawn = bars(figure.title(), &bars_of.collect::<Vec<_>>());
        text += &section(figure.title(), figure.meaning(), &drawn);
    }
    text
}

/// How many deliveries were how slow.
fn latencies(outcomes: &[Outcome]) -> Plot {
    let curve = |outcome: &Outcome| {
        let all = outcome.latency_us.count.max(1) as f64;
        let mut seen = 0;
        let points = outcome.latency_buckets.iter().map(|(us, count)| {
            // Where the slowest of all stand is as far as so many deliveries can tell.
            let slower = (all - seen as f64) / all;
            seen += count;
            (-slower.log10(), us.max(1.0).log10())
        });
        points.collect()
    };
    let series: Vec<_> = series(outcomes, curve);
    let most = plot::most(&series);
    let quickest = series.iter().filter_map(|series| series.points.first());
    let least = quickest.fold(most.1, |least, point| least.min(point.1));
    Plot {
        title: "latency by quantile".to_owned(),
        x: Axis::named(
            0.0,
            most.0.clamp(1.0, 6.0),
            &[
                "0 %",
                "90 %",
                "99 %",
                "99.9 %",
                "99.99 %",
                "99.999 %",
                "99.9999 %",
            ],
        ),
        y: Axis::named(
            least.floor(),
            most.1.ceil().max(1.0),
            &[
                "1 µs", "10 µs", "0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s",
            ],
        ),
        series,
    }
}

fn timelines(outcomes: &[Outcome]) -> Plot {
    let curve = |outcome: &Outcome| {
        let step = outcome.timeline_step_s;
        // The last step isn't whole.
        let whole = outcome.timeline.len().saturating_sub(1);
        let steps = outcome.timeline.iter().take(whole).enumerate();
        let point = |(at, count): (usize, &u64)| (at as f64 * step, *count as f64 / step / 1e3);
        steps.map(point).collect()
    };
    let series: Vec<_> = series(outcomes, curve);
    let most = plot::most(&series);
    Plot {
        title: "deliveries over time".to_owned(),
        x: Axis::counted(most.0, " s"),
        y: Axis::counted(most.1, " k/s"),
        series,
    }
}

fn series(outcomes: &[Outcome], curve: impl Fn(&Outcome) -> Vec<(f64, f64)>) -> Vec<Series> {
    let runs = outcomes.iter().enumerate();
    runs.map(|(index, outcome)| Series {
        colour: index % plot::COLOURS,
        points: curve(outcome),
    })
    .collect()
}

/// What servers said when something went wrong.
fn said(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.said.is_empty()) {
        let title = format!("What {} said", escape(&outcome.label));
        let words: Vec<_> = outcome.said.iter().map(|words| escape(words)).collect();
        text += &section(&title, "", &format!("<pre>{}</pre>\n", words.join("\n")));
    }
    text
}

/// A part of a page.
pub(crate) fn section(title: &str, meaning: &str, content: &str) -> String {
    format!("<section>\n<h2>{title}</h2>\n<p>{meaning}</p>\n{content}</section>\n")
}

/// Adds a line to a text.
fn line(text: &mut String, words: Arguments<'_>) {
    *text += &format!("{words}\n");
}

/// Text that stands for itself in HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::options::{Cli, Options};
    use super::super::plan::Plan;
    use super::*;
    use clap::Parser;

    fn outcome(label: &str) -> Outcome {
        let options = ["chat-load", "--url", "ws://127.0.0.1:1", "--label", label];
        let options: Options = Cli::parse_from(options).options.unwrap();
        let plan = Plan::new(&options, 0).unwrap();
        let mut outcome = Outcome::new(&options, &plan, 0);
        outcome.deliveries = 10;
        outcome.deliveries_per_s = 20.0;
        outcome.latency_us.count = 10;
        outcome.latency_buckets = vec![(100.0, 9), (2_000.0, 1)];
        outcome.timeline_step_s = 0.25;
        outcome.timeline = vec![3, 4, 3];
        outcome
    }

    #[test]
    fn a_page_needs_nothing_else_and_runs_nothing() {
        let mut bad = outcome("<script>alert(1)</script>");
        bad.faults.lost = 7;
        bad.said.push("<u>&".to_owned());
        let page = page(&[outcome("good"), bad]);
        for outside in ["<script", "http", "url(", "@import", "src=", "<u>&"] {
            assert!(!page.contains(outside), "{outside}: {page}");
        }
        assert!(page.contains("7 lost") && page.contains("&lt;u&gt;&amp;"));
        assert!(page.contains("<td class=\"good\">none</td>"));
    }

    #[test]
    fn runs_are_compared_where_both_have_a_figure() {
        let mut fast = outcome("fast");
        fast.deliveries_per_s = 40.0;
        assert!(!page(&[outcome("slow")]).contains("<rect"));
        let page = page(&[outcome("slow"), fast]);
        assert!(page.contains("20.0 (2.00×)"), "{page}");
        assert!(!page.contains("<h2>Memory"));
    }
}
