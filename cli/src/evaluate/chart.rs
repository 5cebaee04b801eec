//! Charts as SVG inside a page: no colours of their own, so that they follow the page's. They draw numbers that others made.

use super::html::escaped;
use super::part::{figure, percent, points};
use crate::table::day;

/// Width in units of the drawing; narrow enough for its letters to be read on a phone.
const WIDTH: f64 = 480.0;
/// Height of a plot.
const HEIGHT: f64 = 260.0;
/// Where a plot begins and ends within the width, and within the height.
const SIDES: (f64, f64) = (56.0, 462.0);
const ENDS: (f64, f64) = (14.0, HEIGHT - 30.0);
/// Most periods whose own differences make room for themselves.
const MOST_WHOLE: usize = 40;
/// Most bars that are drawn.
const MOST_BARS: usize = 30;

/// A difference at the end of a period.
#[derive(Debug, Clone, Copy)]
pub struct Over {
    /// Its beginning, milliseconds since the epoch.
    pub millis: u64,
    /// Low, estimate, high of everything so far.
    pub so_far: [f64; 3],
    /// Of this period alone.
    pub alone: Option<f64>,
}

/// An estimate with a name.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Low, estimate, high; shares.
    pub ends: [f64; 3],
}

/// Two axes.
struct Axes {
    x: [f64; 2],
    y: [f64; 2],
}

impl Axes {
    fn x(&self, at: f64) -> f64 {
        let [low, high] = self.x;
        SIDES.0 + (SIDES.1 - SIDES.0) * ((at - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn y(&self, at: f64) -> f64 {
        let [low, high] = self.y;
        ENDS.1 - (ENDS.1 - ENDS.0) * ((at - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn point(&self, x: f64, y: f64) -> String {
        format!("{:.1},{:.1}", self.x(x), self.y(y))
    }

    fn line(&self, class: &str, points: impl Iterator<Item = (f64, f64)>) -> String {
        let points: Vec<String> = points.map(|(x, y)| self.point(x, y)).collect();
        format!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "))
    }

    fn dot(&self, x: f64, y: f64, r: f64) -> String {
        format!("<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{r}\"/>", self.x(x), self.y(y))
    }

    /// Lines and numbers at round heights.
    fn heights(&self, steps: &[f64]) -> String {
        let (left, right) = SIDES;
        let step = |step: &f64| {
            let (at, class) = (self.y(*step), if *step == 0.0 { "zero" } else { "grid" });
            format!(
                "<line class=\"{class}\" x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                at + 4.5,
                tick(*step)
            )
        };
        steps.iter().map(step).collect()
    }
}

fn below(x: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>", HEIGHT - 8.0, escaped(text))
}

/// The difference so far with its interval as a band, and each period's own as a dot; nothing for a single period.
pub fn over_time(periods: &[Over]) -> Option<String> {
    let (first, last) = (periods.first()?, periods.last()?);
    if first.millis == last.millis {
        return None;
    }
    // The first intervals are as wide as the sky: what comes later says what is worth seeing.
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for [from, _, to] in periods.iter().skip(periods.len() / 4).map(|period| period.so_far) {
        (low, high) = (low.min(from), high.max(to));
    }
    // A hundred small periods are noise, and only the band is to be read; a few are worth seeing whole.
    if periods.len() <= MOST_WHOLE {
        for own in periods.iter().filter_map(|period| period.alone) {
            (low, high) = (low.min(own), high.max(own));
        }
    }
    let steps = ticks(100.0 * low, 100.0 * high);
    let axes = Axes { x: [first.millis as f64, last.millis as f64], y: [*steps.first()?, *steps.last()?] };
    let at = |period: &Over, place: usize| {
        (period.millis as f64, 100.0 * period.so_far.get(place).copied().unwrap_or(0.0))
    };
    let upper = periods.iter().map(|period| at(period, 2));
    let lower = periods.iter().rev().map(|period| at(period, 0));
    let band: Vec<String> = upper.chain(lower).map(|(x, y)| axes.point(x, y)).collect();
    let mut out = svg(HEIGHT, "difference so far, in points, with its interval") + &axes.heights(&steps);
    out += &format!("<polygon class=\"band\" points=\"{}\"/>", band.join(" "));
    out += &axes.line("line", periods.iter().map(|period| at(period, 1)));
    let dots = periods.iter().filter_map(|period| Some((period.millis as f64, 100.0 * period.alone?)));
    let [bottom, top] = axes.y;
    out += &dots
        .filter(|(_, y)| (bottom..=top).contains(y))
        .map(|(x, y)| axes.dot(x, y, 3.0))
        .collect::<String>();
    out += &(below(SIDES.0, "start", &day(first.millis)) + &below(SIDES.1, "end", &day(last.millis)));
    Some(out + "</svg>")
}

/// Predicted against observed rates with their intervals, and the line on which they are the same.
pub fn reliability(points: &[(f64, [f64; 3])]) -> Option<String> {
    let high = points.iter().map(|(x, [_, y, top])| x.max(*y).max(*top)).fold(0.0_f64, f64::max);
    let steps = ticks(0.0, 100.0 * high);
    let top = *steps.last().filter(|_| high > 0.0)?;
    let axes = Axes { x: [0.0, top], y: [0.0, top] };
    let mut out = svg(HEIGHT, "predicted and observed rates, per cent") + &axes.heights(&steps);
    out += &axes.line("ideal", [(0.0, 0.0), (top, top)].into_iter());
    for (x, [low, middle, high]) in points {
        let x = 100.0 * x;
        out += &axes.line("bar", [(x, 100.0 * low), (x, 100.0 * high)].into_iter());
        out += &axes.dot(x, 100.0 * middle, 4.0);
    }
    out += &steps.iter().skip(1).map(|step| below(axes.x(*step), "middle", &tick(*step))).collect::<String>();
    Some(out + "</svg>")
}

/// A curve over the share of visitors, and the straight line to its end.
pub fn curve(points: &[(f64, f64)]) -> Option<String> {
    let end = *points.last()?;
    let heights = || points.iter().map(|(_, y)| *y);
    let steps = ticks(heights().fold(0.0, f64::min), heights().fold(0.0, f64::max));
    let axes = Axes { x: [0.0, 1.0], y: [*steps.first()?, *steps.last()?] };
    let mut out = svg(HEIGHT, "gain over the share of visitors addressed") + &axes.heights(&steps);
    out += &axes.line("ideal", [(0.0, 0.0), (1.0, end.1)].into_iter());
    out += &axes.line("line", points.iter().copied());
    for (at, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        out += &below(axes.x(at), anchor, &percent(at));
    }
    Some(out + "</svg>")
}

/// Shares with their intervals, each under its name; nothing without any.
pub fn bars(bars: &[Bar]) -> Option<String> {
    let bars = bars.get(..bars.len().min(MOST_BARS)).filter(|bars| !bars.is_empty())?;
    let ends = |place: usize| bars.iter().filter_map(move |bar| bar.ends.get(place).copied());
    let steps = ticks(100.0 * ends(0).fold(0.0, f64::min), 100.0 * ends(2).fold(0.0, f64::max));
    let (low, high) = (*steps.first()?, *steps.last()?);
    let height = 42.0 * bars.len() as f64 + 30.0;
    let x = |share: f64| 16.0 + (SIDES.1 - 16.0) * ((100.0 * share - low) / (high - low)).clamp(0.0, 1.0);
    let mut out = svg(height, "estimates with their intervals");
    for step in &steps {
        let (at, class) = (x(step / 100.0), if *step == 0.0 { "zero" } else { "grid" });
        out += &format!(
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"4\" y2=\"{}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            height - 26.0,
            height - 8.0,
            tick(*step)
        );
    }
    for (place, Bar { name, ends: [low, middle, high] }) in bars.iter().enumerate() {
        let row = 42.0 * place as f64;
        let name: String = name.chars().take(40).collect();
        let value = if steps.iter().any(|step| *step < 0.0) { points(*middle) } else { percent(*middle) };
        let (low, middle, high, y) = (x(*low), x(*middle), x(*high), row + 30.0);
        out += &format!(
            "<text class=\"name\" x=\"20\" y=\"{}\">{}</text><line class=\"bar\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y}\" y2=\"{y}\"/><circle class=\"dot\" cx=\"{middle:.1}\" cy=\"{y}\" r=\"5\"/>",
            row + 18.0,
            escaped(&format!("{name}  {value}"))
        );
    }
    Some(out + "</svg>")
}

fn svg(height: f64, what: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{what}\">")
}

/// Round numbers from below the first to above the last, with 0 where it is between them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let range = (high - low).max(1e-9);
    // A power of ten, doubled and halved until there are three to six steps.
    let mut step = 1e-9;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
        if range / step <= 5.0 {
            break;
        }
        step *= factor;
    }
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last.max(first + 1)).map(|k| k as f64 * step).collect()
}

fn tick(step: f64) -> String {
    let text = figure(step);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_hold_the_range() {
        for (low, high) in [(-2.0, 5.7), (0.0, 11.3), (0.0, 0.0042), (-300.0, 0.0), (0.0, 0.0)] {
            let steps = ticks(low, high);
            assert!((2..=8).contains(&steps.len()), "{steps:?}");
            assert!(steps[0] <= low && steps[steps.len() - 1] >= high, "{low} {high} {steps:?}");
        }
        assert_eq!(["6", "0", "-2", "2.5"], [6.0, 0.0, -2.0, 2.5].map(tick).each_ref().map(String::as_str));
    }

    #[test]
    fn names_of_a_log_become_no_markup_and_nothing_draws_nothing() {
        let drawn = bars(&[Bar { name: "<script>".into(), ends: [0.01, 0.02, 0.03] }]).unwrap();
        assert!(drawn.contains("&lt;script&gt;") && !drawn.contains("<script"));
        assert!(bars(&[]).is_none() && reliability(&[]).is_none() && curve(&[]).is_none());
        let one = Over { millis: 5, so_far: [0.0, 0.1, 0.2], alone: None };
        assert!(over_time(&[one]).is_none());
    }
}
