//! Curves and bars as SVG, coloured by the page.

use super::figures::count;
use super::line;

/// Colours that the page has.
pub(crate) const COLOURS: usize = 8;

/// Curves over two axes.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// From where to where, and what is written beside it.
#[derive(Debug)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

/// One curve.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) colour: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One bar.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) colour: usize,
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) shown: String,
}

impl Axis {
    /// An axis on which whole numbers have these names.
    pub(crate) fn named(from: f64, to: f64, names: &[&str]) -> Self {
        let ticks = names.iter().enumerate();
        let ticks = ticks.map(|(at, name)| (at as f64, (*name).to_owned()));
        Self {
            from,
            to,
            ticks: ticks.filter(|(at, _)| (from..=to).contains(at)).collect(),
        }
    }

    /// A logarithmic axis on which these numbers stand; where one of them lies is its logarithm.
    pub(crate) fn logarithmic(numbers: &[usize]) -> Self {
        let places = || numbers.iter().map(|number| (*number as f64).log10());
        let names = numbers.iter().map(|number| count(*number as f64));
        Self {
            from: places().fold(f64::INFINITY, f64::min),
            to: places().fold(f64::NEG_INFINITY, f64::max),
            ticks: places().zip(names).collect(),
        }
    }

    /// An axis from 0 to something round above this, with some round numbers on it.
    pub(crate) fn counted(most: f64, unit: &str) -> Self {
        let least = (most / 5.0).max(1e-6);
        let power = 10_f64.powf(least.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= least)
            .unwrap_or(power);
        let count = (most / step).ceil().max(1.0);
        let ticks = (0..=TICKS_MAX).map(f64::from).take_while(|at| *at <= count);
        Self {
            from: 0.0,
            to: count * step,
            ticks: ticks
                .map(|at| (at * step, format!("{}{unit}", round(at * step))))
                .collect(),
        }
    }

    /// Where a value lies, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        // Where there is one place only, everything is there.
        let length = (self.to - self.from).max(f64::MIN_POSITIVE);
        ((value - self.from) / length).clamp(0.0, 1.0)
    }
}

/// Without what is beyond the precision of a sum.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The largest values of all curves.
pub(crate) fn most(series: &[Series]) -> (f64, f64) {
    let points = series.iter().flat_map(|series| &series.points);
    points.fold((0.0, 0.0), |most, point| {
        (most.0.max(point.0), most.1.max(point.1))
    })
}

impl Plot {
    /// The plot as it is drawn.
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            self.title
        );
        for (at, name) in &self.x.ticks {
            let x = self.x_of(*at);
            line(
                &mut svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>"
                ),
            );
            let y = BOTTOM + 18.0;
            line(
                &mut svg,
                format_args!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{name}</text>"),
            );
        }
        for (at, name) in &self.y.ticks {
            let y = self.y_of(*at);
            line(
                &mut svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
                ),
            );
            let (x, y) = (LEFT - 8.0, y + 4.0);
            line(
                &mut svg,
                format_args!("<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{name}</text>"),
            );
        }
        for series in &self.series {
            let mut points = String::new();
            for (x, y) in &series.points {
                line(
                    &mut points,
                    format_args!("{:.1},{:.1}", self.x_of(*x), self.y_of(*y)),
                );
            }
            let (colour, points) = (series.colour, points.trim().replace('\n', " "));
            line(
                &mut svg,
                format_args!("<polyline class=\"c{colour}\" points=\"{points}\"/>"),
            );
        }
        svg + "</svg>\n"
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.part(value) * (RIGHT - LEFT)
    }

    fn y_of(&self, value: f64) -> f64 {
        BOTTOM - self.y.part(value) * (BOTTOM - TOP)
    }
}

/// Bars from 0, one below the other.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let height = bars.len() as f64 * BAR;
    let most = bars
        .iter()
        .fold(f64::MIN_POSITIVE, |most, bar| most.max(bar.value));
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n");
    for (index, bar) in bars.iter().enumerate() {
        let top = index as f64 * BAR;
        let (text_y, thick) = (top + BAR * 0.6, BAR * 0.7);
        let long = (bar.value.max(0.0) / most * BAR_LONGEST).max(1.0);
        let (label, shown, colour) = (&bar.label, &bar.shown, bar.colour);
        line(
            &mut svg,
            format_args!(
                "<text x=\"{}\" y=\"{text_y:.1}\" text-anchor=\"end\">{label}</text>",
                BARS_LEFT - 8.0
            ),
        );
        let y = top + BAR * 0.1;
        line(
            &mut svg,
            format_args!(
                "<rect class=\"c{colour}\" x=\"{BARS_LEFT}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{thick:.1}\" rx=\"2\"/>"
            ),
        );
        line(
            &mut svg,
            format_args!(
                "<text class=\"value\" x=\"{:.1}\" y=\"{text_y:.1}\">{shown}</text>",
                BARS_LEFT + long + 8.0
            ),
        );
    }
    svg + "</svg>\n"
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 270.0;

/// Where bars begin, behind their names.
const BARS_LEFT: f64 = 180.0;
/// What is left of the width for a bar, with its number behind it.
const BAR_LONGEST: f64 = 390.0;
const BAR: f64 = 26.0;

const TICKS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_something_round() {
        for (most, to, second) in [
            (97.0, 100.0, "20 s"),
            (3.2, 4.0, "1 s"),
            (0.25, 0.25, "0.05 s"),
        ] {
            let axis = Axis::counted(most, " s");
            assert!((axis.to - to).abs() < 1e-9, "{axis:?}");
            assert_eq!(axis.ticks[1].1, second);
            assert!(
                axis.ticks.iter().all(|(_, name)| name.len() < 8),
                "{axis:?}"
            );
        }
    }

    #[test]
    fn numbers_on_a_logarithmic_axis_are_as_far_apart_as_they_are_times_each_other() {
        let axis = Axis::logarithmic(&[10, 100, 1_000]);
        let parts = [10.0_f64, 100.0, 1_000.0].map(|number| axis.part(number.log10()));
        assert!(
            parts[0].abs() < 1e-9 && (parts[1] - 0.5).abs() < 1e-9,
            "{parts:?}"
        );
        assert_eq!(axis.ticks[2].1, "1.00 k");
        assert!(Axis::logarithmic(&[7]).part(0.8).is_finite());
    }

    #[test]
    fn a_curve_stays_inside_its_axes() {
        let plot = Plot {
            title: "x".to_owned(),
            x: Axis::named(0.0, 1.0, &["a", "b", "c"]),
            y: Axis::counted(10.0, ""),
            series: vec![Series {
                colour: 0,
                points: vec![(0.0, 0.0), (2.0, 1e9)],
            }],
        };
        let points = "points=\"64.0,270.0 690.0,12.0\"";
        assert!(plot.svg().contains(points), "{}", plot.svg());
        assert!(!plot.svg().contains(">c<"));
    }
}
