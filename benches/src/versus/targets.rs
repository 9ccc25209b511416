//! What the figures ought to be, as ratios of one run.

use super::contender::{FLOOR_MANY, FLOOR_ONE};
use super::shape::Shape;
use super::table::{Figure, Results};
use super::trial::Trial;

/// A bound on the figure of a contender.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    shapes: &'static [&'static str],
    contender: &'static str,
    figure: Figure,
    /// Against whom; without it the figure itself is bounded.
    over: Option<&'static str>,
    at_most: f64,
}

/// Shapes in which lines wait for each other.
const CROWDS: &[&str] = &["100x1", "1000x10", "1000x1"];

/// The targets, as the table shows them.
pub const TARGETS: [Target; 15] = [
    cpu(CROWDS, "chat-native", FLOOR_MANY, 1.25),
    cpu(CROWDS, "chat-rooms", FLOOR_MANY, 1.25),
    cpu(CROWDS, "chat-native-sqlite", "chat-native", 1.25),
    cpu(CROWDS, "chat-rooms-sqlite", "chat-rooms", 1.25),
    cpu(CROWDS, "chat-socketio", "chat-rooms", 1.3),
    cpu(CROWDS, "chat-socketio", "socketioxide", 1.0 / 5.0),
    cpu(CROWDS, "chat-rooms", "socketioxide", 1.0 / 10.0),
    cpu(CROWDS, "chat-rooms", "socketio-node", 1.0 / 30.0),
    cpu(&["line"], "chat-native", FLOOR_ONE, 1.25),
    cpu(&["line"], "chat-rooms", FLOOR_ONE, 1.25),
    cpu(&["line"], "chat-socketio", "chat-rooms", 1.3),
    cpu(&["line"], "chat-socketio", "socketioxide", 1.0),
    idle("chat-native", Figure::Bytes, 4_096.0),
    idle("chat-rooms", Figure::Bytes, 4_096.0),
    idle("chat-native", Figure::Connecting, 0.1),
];

const fn cpu(
    shapes: &'static [&'static str],
    contender: &'static str,
    over: &'static str,
    at_most: f64,
) -> Target {
    Target {
        shapes,
        contender,
        figure: Figure::Cpu,
        over: Some(over),
        at_most,
    }
}

const fn idle(contender: &'static str, figure: Figure, at_most: f64) -> Target {
    Target {
        shapes: &["idle"],
        contender,
        figure,
        over: None,
        at_most,
    }
}

/// The table of all targets about which these trials say something, as Markdown.
#[must_use]
pub fn table(trials: &[Trial], shapes: &[Shape]) -> String {
    let mut table =
        "### Targets\n\n| shape | what | median (from to) | at most | |\n|---|---|---|---|---|\n"
            .to_owned();
    for target in TARGETS {
        let shapes = shapes
            .iter()
            .filter(|shape| target.shapes.contains(&shape.name));
        for row in shapes.filter_map(|shape| target.row(trials, *shape)) {
            table += &row;
        }
    }
    table
}

impl Target {
    fn row(&self, trials: &[Trial], shape: Shape) -> Option<String> {
        let results = Results::of(trials, shape);
        let (what, range) = match (self.over, self.figure) {
            (Some(over), figure) => (
                format!("{} over {over}", self.contender),
                results.ratio(self.contender, over, figure)?,
            ),
            (None, figure) => (
                format!("{}, {}", self.contender, figure.title()),
                results.figure(self.contender, figure)?,
            ),
        };
        let met = if range.middle <= self.at_most {
            "met"
        } else {
            "**missed**"
        };
        let digits = if self.at_most < 1_000.0 { 3 } else { 0 };
        Some(format!(
            "| {} | {what} | {range:.digits$} | {:.digits$} | {met} |\n",
            shape.name, self.at_most
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versus::contender::CONTENDERS;
    use crate::versus::outcome::{Outcome, Spent};
    use crate::versus::shape::SHAPES;

    #[test]
    fn targets_are_about_shapes_and_contenders_that_there_are() {
        let shapes = SHAPES.map(|shape| shape.name);
        let contenders = CONTENDERS.map(|contender| contender.name);
        for target in TARGETS {
            assert!(target.shapes.iter().all(|shape| shapes.contains(shape)));
            assert!(
                contenders.contains(&target.contender),
                "{}",
                target.contender
            );
            assert!(target.over.is_none_or(|over| contenders.contains(&over)));
        }
    }

    #[test]
    fn a_target_is_met_or_missed_and_left_out_where_nothing_was_measured() {
        let trial = |contender, cpu| {
            let server = Spent {
                cpu_s_per_million: Some(cpu),
            };
            Trial {
                shape: "line",
                contender,
                round: 1,
                load: serde_json::Value::Null,
                outcome: Outcome {
                    server: Some(server),
                    ..Outcome::default()
                },
            }
        };
        let trials = [
            trial("chat-native", 1.25),
            trial("chat-rooms", 1.26),
            trial("floor-1", 1.0),
        ];
        let table = table(&trials, &SHAPES);
        let rows: Vec<&str> = table.lines().skip(4).collect();
        assert_eq!(
            rows,
            [
                "| line | chat-native over floor-1 | 1.250 | 1.250 | met |",
                "| line | chat-rooms over floor-1 | 1.260 | 1.250 | **missed** |",
            ]
        );
    }
}
