//! Bayesian logistic regression by Laplace's approximation (Chapelle & Li 2011, "An empirical evaluation of Thompson sampling";
//! Bishop 2006, section 4.4): for rewards that come or don't come. Learns from counts that merge exactly.

use crate::bandit::linear::MAX_FEATURE;
use crate::bandit::posterior::logistic;
use crate::bandit::regression::{NormalPosterior, RegressionError};
use crate::bandit::scorer::FeatureVector;
use crate::bandit::triangle::{Triangle, add_scaled, dot};
use crate::sorted::SortedMap;

/// One, in the fixed point of a feature: 2^32.
const ONE: f64 = 4_294_967_296.0;

/// Newton steps at most. Convergence is quadratic: six to ten do for ordinary data.
const MAX_STEPS: u8 = 100;

/// Halvings of a Newton step at most.
const MAX_HALVINGS: u8 = 50;

/// Newton's decrement, about the squared distance from the maximum in standard deviations: from `NEAR` on steps are taken whole,
/// since the target's own rounding would hide what they gain; after a step from `DONE` the rest is about its square.
const NEAR: f64 = 1e-6;
const DONE: f64 = 1e-14;

/// Exposures and rewards by features, for contexts that repeat: switches, closed sets, rounded numbers.
///
/// Logistic regression has no sums of fixed size that are sufficient; equal contexts are counted together. Features are rounded
/// to 2^-32, counts are integers: merging is commutative and associative. Each new context moves what comes after it in a sorted
/// list, so some thousands of different ones are the limit.
/// ```
/// use edgeloom::bandit::logistic::Tally;
/// use edgeloom::bandit::{FeatureVector, NormalPosterior};
///
/// let mut tally = Tally::new(1);
/// tally.add(&FeatureVector::new(&[1.0]), 1_000, 100)?;
/// let posterior = tally.update(&NormalPosterior::new(&[0.0], &[1e-6])?)?;
/// // ln(0.1 / 0.9) = −2.197.
/// assert!((posterior.mean()[0] + 2.197).abs() < 1e-3);
/// # Ok::<(), edgeloom::bandit::RegressionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    n_features: usize,
    rows: SortedMap<Vec<i64>, Row>,
}

/// Counts of one context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Row {
    exposures: u64,
    rewards: u64,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.exposures = self.exposures.saturating_add(other.exposures);
        self.rewards = self.rewards.saturating_add(other.rewards);
    }
}

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(n_features: usize) -> Self {
        Self { n_features, rows: SortedMap::new() }
    }

    /// Number of different contexts.
    #[must_use]
    pub fn n_contexts(&self) -> usize {
        self.rows.len()
    }

    /// Counts exposures of a context and the rewards they had. More rewards than exposures are counted, and not believed, so that
    /// a reward may come before its exposure.
    ///
    /// # Errors
    /// A vector of another length, or a feature beyond ±[`MAX_FEATURE`]; then nothing is counted.
    pub fn add(
        &mut self,
        features: &FeatureVector,
        exposures: u64,
        rewards: u64,
    ) -> Result<(), RegressionError> {
        RegressionError::same_length(features.len(), self.n_features)?;
        let mut key = Vec::with_capacity(features.len());
        for feature in features.as_slice() {
            RegressionError::check("feature", *feature, -MAX_FEATURE, MAX_FEATURE)?;
            key.push(libm::round(feature * ONE) as i64);
        }
        self.rows.or_default(key).add(Row { exposures, rewards });
        Ok(())
    }

    /// Adds what others counted.
    ///
    /// # Errors
    /// Another number of features; then nothing is added.
    pub fn merge(&mut self, other: &Self) -> Result<(), RegressionError> {
        RegressionError::same_length(other.n_features, self.n_features)?;
        for (key, row) in &other.rows {
            self.rows.or_default(key.clone()).add(*row);
        }
        Ok(())
    }

    /// The belief after these counts: the mean is where the posterior density is largest, the precision its curvature there.
    ///
    /// Feeding day after day into the last result is an approximation of its own; counts of all days with the first prior are
    /// better where they are at hand.
    ///
    /// # Errors
    /// A prior for other features, precision that can't be factored.
    pub fn update(&self, prior: &NormalPosterior) -> Result<NormalPosterior, RegressionError> {
        RegressionError::same_length(prior.mean().len(), self.n_features)?;
        let target = Target { prior, rows: self.rows().collect() };
        let mut mean = prior.mean.clone();
        let mut value = target.value(&mean);
        for _ in 0..MAX_STEPS {
            let (gradient, precision) = target.slope(&mean);
            let inverse = precision.factor().ok_or(RegressionError::Singular)?.inverse();
            let step = inverse.transposed_times(&inverse.times(&gradient));
            let decrement = dot(&gradient, &step);
            if decrement <= NEAR {
                add_scaled(&mut mean, -1.0, &step);
                if decrement <= DONE {
                    break;
                }
                value = target.value(&mean);
            } else {
                let Some(lower) = target.descend(&mean, &step, value) else { break };
                (mean, value) = lower;
            }
        }
        let (_, precision) = target.slope(&mean);
        Ok(NormalPosterior { mean, precision })
    }

    fn rows(&self) -> impl Iterator<Item = (Vec<f64>, f64, f64)> {
        self.rows.iter().map(|(key, row)| {
            let x = key.iter().map(|feature| *feature as f64 / ONE).collect();
            (x, row.exposures as f64, row.rewards.min(row.exposures) as f64)
        })
    }
}

/// The negative logarithm of the posterior density, which is convex.
struct Target<'p> {
    prior: &'p NormalPosterior,
    /// Features, exposures, rewards.
    rows: Vec<(Vec<f64>, f64, f64)>,
}

impl Target<'_> {
    /// ½ (β − μ₀)ᵀ Λ₀ (β − μ₀) + Σ n ln(1 + e^t) − s t with t = xᵀβ.
    fn value(&self, mean: &[f64]) -> f64 {
        let moved = self.moved(mean);
        let mut sum = 0.5 * dot(&moved, &self.prior.precision.symmetric_times(&moved));
        for (x, n, s) in &self.rows {
            let t = dot(x, mean);
            sum += n * (t.max(0.0) + libm::log1p(libm::exp(-t.abs()))) - s * t;
        }
        sum
    }

    /// Gradient and Hessian.
    fn slope(&self, mean: &[f64]) -> (Vec<f64>, Triangle) {
        let mut gradient = self.prior.precision.symmetric_times(&self.moved(mean));
        let mut hessian = self.prior.precision.clone();
        for (x, n, s) in &self.rows {
            let p = logistic(dot(x, mean));
            add_scaled(&mut gradient, n * p - s, x);
            hessian.add_outer(n * p * (1.0 - p), x);
        }
        (gradient, hessian)
    }

    /// The point a step or a part of it away where the value is lower, with its value; `None` where rounding leaves none.
    fn descend(&self, mean: &[f64], step: &[f64], value: f64) -> Option<(Vec<f64>, f64)> {
        let mut share = 1.0;
        for _ in 0..MAX_HALVINGS {
            let mut next = mean.to_vec();
            add_scaled(&mut next, -share, step);
            let at = self.value(&next);
            if at < value {
                return Some((next, at));
            }
            share *= 0.5;
        }
        None
    }

    fn moved(&self, mean: &[f64]) -> Vec<f64> {
        let mut moved = mean.to_vec();
        add_scaled(&mut moved, -1.0, &self.prior.mean);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector(x: &[f64]) -> FeatureVector {
        FeatureVector::new(x)
    }

    #[test]
    fn the_reference_approximation_is_met() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/linear_logistic_golden.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: no ../shared");
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let list = |value: &serde_json::Value| serde_json::from_value::<Vec<f64>>(value.clone()).unwrap();
        let table =
            |value: &serde_json::Value| serde_json::from_value::<Vec<Vec<f64>>>(value.clone()).unwrap();
        let (x, expected) = (table(&file["X"]), &file["logistic_laplace"]);
        let n_features = x[0].len();
        let mut tally = Tally::new(n_features);
        for (x, y) in x.iter().zip(list(&file["y_binary"])) {
            tally.add(&vector(x), 1, u64::from(y > 0.5)).unwrap();
        }
        let precision = vec![file["prior_precision"].as_f64().unwrap(); n_features];
        let prior = NormalPosterior::new(&vec![0.0; n_features], &precision).unwrap();
        let posterior = tally.update(&prior).unwrap();
        let scorer = posterior.scorer().unwrap();
        let (mut n, mut worst) = (0, 0.0_f64);
        let mut compare = |ours: f64, expected: f64| {
            n += 1;
            worst = worst.max((ours - expected).abs());
            // Features are kept to 2^-32 = 2.3e-10.
            assert!((ours - expected).abs() < 1e-9, "{ours} instead of {expected}");
        };
        posterior.mean().iter().zip(list(&expected["map"])).for_each(|(ours, theirs)| compare(*ours, theirs));
        for (ours, theirs) in posterior.covariance().unwrap().iter().zip(table(&expected["cov"])) {
            ours.iter().zip(theirs).for_each(|(ours, theirs)| compare(*ours, theirs));
        }
        let scores = list(&expected["pred_logit_mean"]).into_iter().zip(list(&expected["pred_logit_sd"]));
        for (query, (mean, sd)) in table(&file["linear"]["query"]).iter().zip(scores) {
            let score = scorer.score(&vector(query));
            compare(score.mean(), mean);
            compare(score.sd(), sd);
        }
        let target = Target { prior: &prior, rows: tally.rows().collect() };
        compare(target.value(posterior.mean()), expected["neg_log_posterior"].as_f64().unwrap());
        println!("{n} numbers, largest difference {worst:.1e}");
        assert_eq!(n, 4 + 10 + 6 + 1);
    }

    #[test]
    fn data_that_a_line_separates_still_have_a_maximum() {
        let mut tally = Tally::new(2);
        for k in 1..=1_000 {
            let x = f64::from(k) / 100.0;
            tally.add(&vector(&[1.0, x]), 1_000, 1_000).unwrap();
            tally.add(&vector(&[1.0, -x]), 1_000, 0).unwrap();
        }
        let posterior = tally.update(&NormalPosterior::new(&[0.0; 2], &[1e-6; 2]).unwrap()).unwrap();
        assert!(posterior.mean()[0].abs() < 1e-6 && posterior.mean()[1] > 100.0, "{:?}", posterior.mean());
        let (gradient, _) = Target {
            prior: &NormalPosterior::new(&[0.0; 2], &[1e-6; 2]).unwrap(),
            rows: tally.rows().collect(),
        }
        .slope(posterior.mean());
        assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn more_rewards_than_exposures_are_not_believed() {
        let prior = NormalPosterior::new(&[0.0], &[1.0]).unwrap();
        let belief = |rewards| {
            let mut tally = Tally::new(1);
            tally.add(&vector(&[1.0]), 10, rewards).unwrap();
            tally.update(&prior).unwrap()
        };
        assert_eq!(belief(10), belief(99));
    }

    #[test]
    fn what_is_out_of_range_is_not_counted() {
        let mut tally = Tally::new(2);
        assert!(tally.add(&vector(&[1.0]), 1, 0).is_err());
        assert!(tally.add(&vector(&[1.0, 65.0]), 1, 0).is_err());
        assert!(tally.merge(&Tally::new(3)).is_err());
        assert_eq!(tally.n_contexts(), 0);
    }

    fn rows() -> impl Strategy<Value = Vec<([i8; 2], u64, u64)>> {
        prop::collection::vec((prop::array::uniform2(-3..4_i8), 0..9_u64, 0..9_u64), 0..20)
    }

    fn counted(rows: &[([i8; 2], u64, u64)]) -> Tally {
        let mut tally = Tally::new(3);
        for ([a, b], exposures, rewards) in rows {
            let x = vector(&[1.0, f64::from(*a), f64::from(*b)]);
            tally.add(&x, *exposures, *rewards).unwrap();
        }
        tally
    }

    proptest! {
        #[test]
        fn counts_merge_in_any_order(list in rows(), cut in 0_usize..20, turn in 0_usize..20) {
            let cut = cut.min(list.len());
            let mut turned = list.clone();
            turned.rotate_left(turn.min(list.len()));
            let mut merged = counted(&turned[cut..]);
            merged.merge(&counted(&turned[..cut])).unwrap();
            prop_assert_eq!(merged, counted(&list));
        }

        #[test]
        fn the_gradient_vanishes_at_the_mean(list in rows(), mean in prop::array::uniform3(-3.0..3.0_f64)) {
            let prior = NormalPosterior::new(&mean, &[0.1, 1.0, 10.0]).unwrap();
            let tally = counted(&list);
            let posterior = tally.update(&prior).unwrap();
            let (gradient, _) = Target { prior: &prior, rows: tally.rows().collect() }.slope(posterior.mean());
            prop_assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
        }
    }
}
