//! The exact probability that each arm is the best one: Thompson sampling's weights by quadrature, not by
//! simulation, because a reward is divided by them.
//! A simulation with 10,000 draws knows a weight of 0.01 to 10 % (one standard deviation), and an estimate that divides by it
//! is off by as much.

use crate::bandit::logit::LogitBeta;
use crate::bandit::posterior::BetaPosterior;
use crate::bandit::quadrature::{NODES, Rule};
use crate::sorted::sort_by;

/// A panel is cut again while the sum over the arms misses what it must add up to by more than this.
const TOLERANCE: f64 = 1e-12;

/// Panels at most, so that no input takes for ever: a hundred ordinary arms need less than a hundred.
const MAX_PANELS: usize = 100_000;

/// w_a = P(θ_a is the largest) for independent rates θ_a ~ Beta(α_a, β_a).
///
/// Absolute error below 1e-10 for parameters up to 1e6 and below 1e-8 up to 1e9; all weights are in [0, 1] and
/// add up to 1 within rounding. Total: no arms give an empty list. Weights below about 1e-17 come out as 0.
/// Costs some tens of microseconds for four arms, some milliseconds for a hundred.
///
/// The integral ∫ f_a Π_{b≠a} F_b is taken over t = logit(θ) (Thompson 1933, doi:10.1093/biomet/25.3-4.285,
/// states it for two arms). Panels are cut until each density is resolved; F is the running integral of f on
/// the same nodes, so no incomplete beta function is needed. Since Σ_a f_a Π_{b≠a} F_b is the derivative of Π
/// F_b, what the arms receive of a panel must add up to the growth of that product: this is checked on every
/// panel.
/// ```
/// use edgeloom::bandit::{BetaPosterior, p_best};
///
/// // For two arms with integer parameters there is a closed form: P(Beta(2, 1) > Beta(1, 2)) = 5/6.
/// let weights = p_best(&[BetaPosterior::new(2.0, 1.0)?, BetaPosterior::new(1.0, 2.0)?]);
/// assert!((weights[0] - 5.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), edgeloom::bandit::PosteriorError>(())
/// ```
#[must_use]
pub fn p_best(arms: &[BetaPosterior]) -> Vec<f64> {
    // Rounding can leave a hopeless arm at −1e-31.
    let mut weights: Vec<f64> = integrate(arms).into_iter().map(|weight| weight.max(0.0)).collect();
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

/// The weights before the sum is set to exactly 1.
fn integrate(arms: &[BetaPosterior]) -> Vec<f64> {
    if arms.len() < 2 {
        return vec![1.0; arms.len()];
    }
    let humps: Vec<LogitBeta> = arms.iter().map(LogitBeta::new).collect();
    // Below this point some arm is never found, so the largest isn't either.
    let least = humps.iter().fold(f64::NEG_INFINITY, |most, hump| most.max(hump.low));
    let mut columns: Vec<Column> =
        humps.iter().filter(|hump| hump.high > least).copied().map(Column::new).collect();
    sweep(&mut columns, least);
    let mut found = columns.iter();
    let weight_of = |hump: &LogitBeta| {
        let column = if hump.high > least { found.next() } else { None };
        column.map_or(0.0, |column| column.weight)
    };
    humps.iter().map(weight_of).collect()
}

/// One arm on its way from left to right.
struct Column {
    hump: LogitBeta,
    /// F at the left end of the panel.
    below: f64,
    /// f and F at the nodes of the panel, and the product of F over the arms before this one.
    density: [f64; NODES],
    cdf: [f64; NODES],
    product_before: [f64; NODES],
    /// What the panel adds to F and to the weight.
    mass: f64,
    gain: f64,
    /// P(best), as far as it has been summed.
    weight: f64,
}

impl Column {
    /// At the left end of everything: nothing summed yet.
    fn new(hump: LogitBeta) -> Self {
        let zeros = [0.0; NODES];
        Self {
            hump,
            below: 0.0,
            density: zeros,
            cdf: zeros,
            product_before: zeros,
            mass: 0.0,
            gain: 0.0,
            weight: 0.0,
        }
    }

    /// Fills in f and F for a panel; whether the nodes were dense enough.
    fn fill(&mut self, rule: &Rule, left: f64, right: f64) -> bool {
        let half = 0.5 * (right - left);
        if !self.hump.meets(left, right) {
            (self.density, self.cdf, self.mass) = ([0.0; NODES], [self.below; NODES], 0.0);
            return true;
        }
        self.density = self.hump.at_nodes(rule, left + half, half);
        self.mass = rule.integral(&self.density, half);
        self.cdf = rule.up_to_nodes(&self.density, half).map(|sum| self.below + sum);
        rule.resolves(&self.density, half, self.hump.noise)
    }
}

/// Walks over all panels from left to right, cutting those that are too wide.
fn sweep(columns: &mut [Column], least: f64) {
    let rule = Rule::new();
    let noise = columns.iter().map(|column| column.hump.noise).sum::<f64>();
    let mut open = first_panels(columns);
    for _ in 0..MAX_PANELS {
        let Some((left, right)) = open.pop() else { return };
        let mut fine = true;
        for column in columns.iter_mut() {
            fine &= column.fill(&rule, left, right);
        }
        // Up to `least` the product is 0 and only the running integrals matter.
        if fine && right > least {
            let miss = share_out(columns, &rule, 0.5 * (right - left));
            fine = miss.abs() <= TOLERANCE.max(noise);
        }
        if !fine && Rule::can_halve(left, right) {
            let middle = left + 0.5 * (right - left);
            open.extend([(middle, right), (left, middle)]);
            continue;
        }
        for column in columns.iter_mut() {
            column.below += column.mass;
            column.weight += if right > least { column.gain } else { 0.0 };
        }
    }
}

/// Computes what each arm gains on the panel; returns by how much the sum misses the growth of Π F.
fn share_out(columns: &mut [Column], rule: &Rule, half: f64) -> f64 {
    let mut before = [1.0; NODES];
    let (mut at_left, mut at_right) = (1.0, 1.0);
    for column in columns.iter_mut() {
        column.product_before = before;
        for (product, cdf) in before.iter_mut().zip(&column.cdf) {
            *product *= cdf;
        }
        at_left *= column.below;
        at_right *= column.below + column.mass;
    }
    let mut after = rule.weights.map(|weight| half * weight);
    let mut sum = 0.0;
    for column in columns.iter_mut().rev() {
        let others = after.iter().zip(&column.product_before);
        column.gain = column.density.iter().zip(others).map(|(f, (after, before))| f * after * before).sum();
        sum += column.gain;
        for (product, cdf) in after.iter_mut().zip(&column.cdf) {
            *product *= cdf;
        }
    }
    sum - (at_right - at_left)
}

/// The panels to begin with, last first: each arm's hump in pieces, without cuts that are too close to another.
fn first_panels(columns: &[Column]) -> Vec<(f64, f64)> {
    let mut cuts: Vec<(f64, f64)> = columns.iter().flat_map(|column| column.hump.cuts()).collect();
    sort_by(&mut cuts, |a, b| a.0.total_cmp(&b.0));
    let end = cuts.last().map_or(0.0, |&(t, _)| t);
    let mut panels = Vec::with_capacity(cuts.len());
    let mut cuts = cuts.into_iter();
    let mut left = cuts.next().map_or(0.0, |(t, _)| t);
    for (t, width) in cuts {
        // A narrow hump keeps its cuts; a wide one leaves out those that a neighbour has made already.
        if t - left >= 0.5 * width && t < end {
            panels.push((left, t));
            left = t;
        }
    }
    panels.push((left, end));
    panels.reverse();
    panels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arms(shapes: &[(f64, f64)]) -> Vec<BetaPosterior> {
        shapes.iter().map(|&(a, b)| BetaPosterior::new(a, b).unwrap()).collect()
    }

    #[test]
    fn no_arm_and_one_arm_have_an_answer() {
        assert_eq!(p_best(&[]), Vec::<f64>::new());
        assert_eq!(p_best(&arms(&[(2.0, 3.0)])), [1.0]);
    }

    #[test]
    fn all_reference_sets_agree() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/pbest.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: no ../shared");
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (mut n_sets, mut worst) = (0, 0.0_f64);
        for (name, set) in file["sets"].as_object().unwrap() {
            let shapes: Vec<(f64, f64)> = serde_json::from_value(set["arms"].clone()).unwrap();
            let expected: Vec<f64> = serde_json::from_value(set["p_best"].clone()).unwrap();
            let ours = p_best(&arms(&shapes));
            assert_eq!(ours.len(), expected.len());
            for (ours, expected) in ours.iter().zip(&expected) {
                let error = (ours - expected).abs();
                assert!(error < 1e-10, "{name}: {ours} instead of {expected}");
                worst = worst.max(error);
            }
            n_sets += 1;
        }
        assert_eq!(n_sets, 12);
        println!("{n_sets} reference sets, largest difference {worst:.1e}");
    }

    #[test]
    fn a_fresh_arm_wins_as_often_as_the_other_is_expected_to_fail() {
        // P(U > A) = 1 − E[A] for U ~ Beta(1, 1): exact at any scale.
        for (a, b) in [(1e-12, 1.0), (0.001, 5.0), (3.0, 9.0), (2e4, 3.8e5), (5e8, 5e8), (1e12, 1.0)] {
            let weights = p_best(&arms(&[(1.0, 1.0), (a, b)]));
            assert!((weights[0] - b / (a + b)).abs() < 1e-11, "{a} {b}: {weights:?}");
        }
    }

    #[test]
    fn rounding_leaves_no_weight_below_zero() {
        let found = arms(&[
            (0.008_020_784_518_417_92, 76.233_890_735_954_22),
            (56.718_054_354_299_91, 0.555_495_584_640_578_8),
            (0.003_459_113_052_795_942, 87.823_314_870_831_6),
        ]);
        assert!(integrate(&found).iter().any(|weight| *weight < 0.0), "no longer a case of it");
        assert!(p_best(&found).iter().all(|weight| *weight >= 0.0));
    }

    #[test]
    fn thousand_arms_add_up() {
        let shapes: Vec<_> =
            (0..1000).map(|k| (10.0 + f64::from(k % 37), 490.0 - f64::from(k % 11))).collect();
        let raw = integrate(&arms(&shapes));
        assert!((raw.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(raw.iter().all(|w| (0.0..=1.0).contains(w)));
    }

    #[test]
    fn equal_arms_share_equally_at_any_scale() {
        for shape in [1e-12, 1e-3, 1.0, 1e6, 1e12] {
            for weight in p_best(&arms(&[(shape, shape); 5])) {
                assert!((weight - 0.2).abs() < 1e-10, "{shape}: {weight}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_arms_give_a_distribution(
            exponents in prop::collection::vec((-12.0..12.0_f64, -12.0..12.0_f64), 2..9)
        ) {
            let shapes: Vec<_> = exponents
                .iter()
                .map(|&(a, b)| (libm::exp10(a).clamp(1e-12, 1e12), libm::exp10(b).clamp(1e-12, 1e12)))
                .collect();
            let raw = integrate(&arms(&shapes));
            let sum: f64 = raw.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{shapes:?}: {raw:?} {sum}");
            let weights = p_best(&arms(&shapes));
            prop_assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)), "{shapes:?}: {weights:?}");
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn the_order_of_the_arms_does_not_matter(
            shapes in prop::collection::vec((0.5..300.0_f64, 0.5..3000.0_f64), 2..7)
        ) {
            let ahead = p_best(&arms(&shapes));
            let mut turned = p_best(&arms(&shapes.iter().rev().copied().collect::<Vec<_>>()));
            turned.reverse();
            for (a, b) in ahead.iter().zip(&turned) {
                prop_assert!((a - b).abs() < 1e-11);
            }
        }

        #[test]
        fn a_reward_never_makes_an_arm_less_likely_to_be_best(
            shapes in prop::collection::vec((0.5..50.0_f64, 0.5..500.0_f64), 2..6)
        ) {
            let before = p_best(&arms(&shapes));
            let mut better = shapes.clone();
            better[0].0 += 1.0;
            prop_assert!(p_best(&arms(&better))[0] >= before[0] - 1e-11);
        }
    }
}
