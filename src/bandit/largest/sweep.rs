//! The weights of all arms in one sweep over the scores; the weight of one arm alone is the business of the parent.
//! Since Σ_a f_a Π_{b≠a} F_b is the derivative of Π F_b, what the arms receive of a panel must add up to the growth of that
//! product: this is checked on every panel, and finds what falls between the nodes.

use super::{Largest, MAX_PANELS, TOLERANCE};
use crate::bandit::quadrature::{NODES, Rule};
use crate::bandit::score::Score;
use crate::kernel::normal::density;

/// How far the gains of a panel may be from the growth of the product.
const MISS: f64 = 1e-12;

/// Weights of the scores with a deviation; points have 0 here.
pub(super) fn weights(largest: &Largest, scores: &[Score]) -> Vec<f64> {
    // Below this point some score is never found, so the largest isn't either.
    let low = scores.iter().fold(f64::NEG_INFINITY, |low, score| low.max(score.low()));
    let runs = |score: &Score| score.sd() > 0.0 && score.high() > low;
    let mut columns: Vec<Column> =
        scores.iter().filter(|score| runs(score)).map(|score| Column::new(score, low)).collect();
    sweep(largest, &mut columns);
    let mut found = columns.iter();
    let weight_of = |score: &Score| if runs(score) { found.next().map_or(0.0, |c| c.weight) } else { 0.0 };
    scores.iter().map(weight_of).collect()
}

/// One arm on its way from left to right; x counts from the lowest point.
struct Column {
    /// z = (x − mean) · inverse.
    mean: f64,
    inverse: f64,
    /// Upper end of what counts.
    high: f64,
    /// f and F at the nodes of the panel.
    density: [f64; NODES],
    cdf: [f64; NODES],
    /// First the product of F over the arms before this one, then the integrand of this arm.
    values: [f64; NODES],
    /// What the panel adds to the weight.
    gain: f64,
    weight: f64,
}

impl Column {
    fn new(score: &Score, low: f64) -> Self {
        let zeros = [0.0; NODES];
        Self {
            mean: score.mean() - low,
            inverse: 1.0 / score.sd(),
            high: score.high() - low,
            density: zeros,
            cdf: zeros,
            values: zeros,
            gain: 0.0,
            weight: 0.0,
        }
    }

    /// F at one point.
    fn below(&self, largest: &Largest, x: f64) -> f64 {
        largest.table.cdf((x - self.mean) * self.inverse)
    }
}

/// Walks over all panels from left to right, cutting those that are too wide.
fn sweep(largest: &Largest, columns: &mut [Column]) {
    let high = columns.iter().fold(0.0_f64, |high, column| high.max(column.high));
    let mut open = vec![(0.0, high)];
    for done in 0..MAX_PANELS {
        let Some((left, right)) = open.pop() else { return };
        let fine = share_out(largest, columns, (left, right));
        if !fine && done + open.len() < MAX_PANELS && Rule::can_halve(left, right) {
            let middle = left + 0.5 * (right - left);
            open.extend([(middle, right), (left, middle)]);
            continue;
        }
        for column in columns.iter_mut() {
            column.weight = (column.weight + column.gain).max(0.0);
        }
    }
}

/// Computes what each arm gains on the panel; whether the nodes were dense enough.
fn share_out(largest: &Largest, columns: &mut [Column], (left, right): (f64, f64)) -> bool {
    let half = 0.5 * (right - left);
    let nodes = largest.rule.nodes.map(|x| left + half + half * x);
    let mut before = [1.0; NODES];
    let (mut at_left, mut at_right) = (1.0, 1.0);
    for column in columns.iter_mut() {
        at_left *= column.below(largest, left);
        at_right *= column.below(largest, right);
        column.values = before;
        if column.high <= left {
            (column.density, column.cdf) = ([0.0; NODES], [1.0; NODES]);
            continue;
        }
        let z = nodes.map(|x| (x - column.mean) * column.inverse);
        column.density = z.map(|z| density(z) * column.inverse);
        column.cdf = z.map(|z| largest.table.cdf(z));
        for (product, cdf) in before.iter_mut().zip(&column.cdf) {
            *product *= cdf;
        }
    }
    let mut after = [1.0; NODES];
    let (mut sum, mut fine) = (0.0, true);
    for column in columns.iter_mut().rev() {
        for ((value, density), (after, cdf)) in
            column.values.iter_mut().zip(&column.density).zip(after.iter_mut().zip(&column.cdf))
        {
            *value *= density * *after;
            *after *= cdf;
        }
        column.gain = largest.rule.integral(&column.values, half);
        fine &= largest.rule.resolves(&column.values, half, TOLERANCE);
        sum += column.gain;
    }
    fine && (sum - (at_right - at_left)).abs() <= MISS * columns.len() as f64
}
