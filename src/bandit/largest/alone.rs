//! The weight of one arm alone, in units of its own z: what a decision asks for once it has chosen. An even grid where
//! scores are alike; panels, cut where they must be, where they are not.

use super::{Largest, MAX_PANELS, TOLERANCE};
use crate::bandit::quadrature::{NODES, Rule};
use crate::bandit::score::{REACH, Score};
use crate::kernel::normal::{Line, density};

/// Width of the panels to begin with, in standard deviations of the arm.
const WIDTH: f64 = 4.0;

/// What is left of the integral counts as 0 below this, and its square as nothing at all.
const REST: f64 = 1e-13;

/// First step of the trapezoidal rule, in units of the narrowest score.
const STEP: f64 = 0.5;

/// Steps beyond which cutting panels is quicker than an even grid.
const MAX_STEPS: f64 = 160.0;

/// The trapezoidal rule is done when halving its step has changed the result by no more. For normal densities its error is
/// exp(−c/step²): what is left is the fourth power of the change, and no worse than its square for anything analytic.
const CHANGE: f64 = 1e-6;

/// An arm and its rivals, in units of the arm's z.
pub(super) struct Field {
    /// From the arm's own z to theirs.
    rivals: Vec<Line>,
    /// Below this some rival always lies above.
    low: f64,
    /// Whether a point cuts off what lies below `low`.
    cut: bool,
    /// Above this, if it isn't beyond reach, all rivals lie below.
    high: f64,
}

impl Field {
    /// Looks at the other scores from the arm at this position, whose deviation is above 0.
    pub(super) fn new(scores: &[Score], arm: usize, own: &Score) -> Self {
        let others = || scores.iter().enumerate().filter(move |(other, _)| *other != arm).map(|(_, s)| s);
        let scale = 1.0 / own.sd();
        let to_u = |x: f64| (x - own.mean()) * scale;
        let low_of = |any: fn(&Score) -> bool| {
            others().filter(|score| any(score)).fold(-REACH, |low, score| low.max(to_u(score.low())))
        };
        let (low, cut_at) = (low_of(|_| true), low_of(|score| score.sd() == 0.0));
        let mut rivals = Vec::with_capacity(scores.len());
        let mut high = low;
        for score in others() {
            let end = to_u(score.high());
            if score.sd() > 0.0 && end > low {
                high = high.max(end);
                let inverse = 1.0 / score.sd();
                rivals
                    .push(Line { offset: (own.mean() - score.mean()) * inverse, slope: own.sd() * inverse });
            }
        }
        Self { rivals, low, cut: cut_at > -REACH && cut_at == low, high: high.min(REACH) }
    }

    /// Π Φ_b at one point.
    fn all_below(&self, largest: &Largest, u: f64) -> f64 {
        self.rivals.iter().map(|line| largest.table.cdf(line.offset + line.slope * u)).product()
    }

    /// φ Π Φ_b at ascending points.
    fn at(&self, largest: &Largest, points: &[f64; NODES]) -> [f64; NODES] {
        let mut values = points.map(density);
        largest.table.multiply(&mut values, &self.rivals, points, REACH);
        values
    }
}

/// P(the arm's score is the largest), within rounding of [0, 1].
pub(super) fn weight(largest: &Largest, field: &Field) -> f64 {
    if field.rivals.is_empty() && field.low <= -REACH {
        return 1.0;
    }
    if let Some(sum) = even_grid(largest, field) {
        return sum;
    }
    // Where all rivals lie below, any value wins.
    let sure = if field.high < REACH { largest.table.cdf(-field.high) } else { 0.0 };
    sure + if field.low < field.high { by_panels(largest, field) } else { 0.0 }
}

/// ∫ φ Π Φ_b by the trapezoidal rule, where scores are alike enough for it.
///
/// It converges faster than any power of the step, since the integrand is analytic and vanishes at both ends (Trefethen &
/// Weideman 2014, doi:10.1137/130932132); a narrower step keeps what was computed.
fn even_grid(largest: &Largest, field: &Field) -> Option<f64> {
    let steepest = field.rivals.iter().fold(1.0_f64, |most, line| most.max(line.slope));
    let mut step = STEP / steepest;
    let mut n_steps = (REACH - field.low) / step;
    if field.cut || n_steps > MAX_STEPS {
        return None;
    }
    let mut first = field.low;
    let (mut sum, counts) = comb(largest, field, first, step, n_steps);
    // Only the part that counts is looked at more closely.
    let Some((from, to)) = counts else { return Some(step * sum) };
    first += step * (from - 1.0);
    n_steps = to - from + 2.0;
    while n_steps <= MAX_STEPS {
        let (more, _) = comb(largest, field, first + 0.5 * step, step, n_steps);
        let change = 0.5 * step * (more - sum).abs();
        sum += more;
        step *= 0.5;
        n_steps *= 2.0;
        if change <= CHANGE {
            return Some(step * sum);
        }
    }
    None
}

/// Σ φ Π Φ_b over points from `first` on, and the first and the last of them that counts.
fn comb(largest: &Largest, field: &Field, first: f64, step: f64, n_steps: f64) -> (f64, Option<(f64, f64)>) {
    let (mut sum, mut counts) = (0.0, None);
    let mut k = 0.0;
    while k < n_steps {
        let mut points = [0.0; NODES];
        for point in &mut points {
            *point = first + step * k;
            k += 1.0;
        }
        let values = field.at(largest, &points);
        for (value, back) in values.iter().zip((1..=NODES).rev()) {
            if *value > REST * REST {
                let at = k - back as f64;
                counts = Some(counts.map_or((at, at), |(from, _)| (from, at)));
            }
        }
        sum += values.iter().sum::<f64>();
    }
    (sum, counts)
}

/// ∫ φ Π Φ_b over the part where rivals are, from right to left.
fn by_panels(largest: &Largest, field: &Field) -> f64 {
    let width = field.high - field.low;
    let n_panels = libm::ceil(width / WIDTH).max(1.0);
    let cut = |k: f64| field.low + width * (k / n_panels);
    let mut open = Vec::with_capacity(16);
    let mut k = 0.0;
    while k < n_panels {
        open.push((cut(k), cut(k + 1.0)));
        k += 1.0;
    }
    let mut at_right = density(field.high) * field.all_below(largest, field.high);
    let mut sum = 0.0;
    for done in 0..MAX_PANELS {
        let Some((left, right)) = open.pop() else { break };
        let half = 0.5 * (right - left);
        let values = field.at(largest, &largest.rule.nodes.map(|x| left + half + half * x));
        let product = field.all_below(largest, left);
        let at_left = density(left) * product;
        let (left_end, right_end) = largest.rule.at_ends(&values);
        let miss = half * ((left_end - at_left).abs() + (right_end - at_right).abs());
        let fine = miss <= TOLERANCE && largest.rule.resolves(&values, half, TOLERANCE);
        if !fine && done + open.len() < MAX_PANELS && Rule::can_halve(left, right) {
            open.extend([(left, left + half), (left + half, right)]);
            continue;
        }
        sum += largest.rule.integral(&values, half);
        // To the left the product only falls.
        if product < REST {
            break;
        }
        at_right = at_left;
    }
    sum
}
