//! Bayesian linear regression from sums that merge exactly, as for one arm each in linear Thompson sampling (Agrawal & Goyal
//! 2013, arXiv:1209.3352). Features are the business of `features`, choosing that of `contextual`.

use crate::bandit::regression::{NormalPosterior, RegressionError};
use crate::bandit::scorer::FeatureVector;
use crate::bandit::triangle::{Triangle, add_scaled, dot};

/// Largest feature, by amount: far beyond anything standardised.
pub const MAX_FEATURE: f64 = 64.0;

/// Largest reward, by amount, in the unit that the regression is done in.
pub const MAX_REWARD: f64 = 1_048_576.0;

/// Largest weight of an observation.
pub const MAX_WEIGHT: f64 = 256.0;

/// One, in the fixed point of a feature: 2^32.
const FEATURE_ONE: f64 = 4_294_967_296.0;

/// One, in the fixed point of a weight: 2^16.
const WEIGHT_ONE: f64 = 65_536.0;

/// One, in the fixed point of Σ w x xᵀ: 2^80.
const SQUARE_ONE: f64 = FEATURE_ONE * FEATURE_ONE * WEIGHT_ONE;

/// One, in the fixed point of Σ w r x and Σ w r²: 2^40.
const REWARD_ONE: f64 = 1_099_511_627_776.0;

/// Sums over observations (x, r) with weights w: n, Σ w, A = Σ w x xᵀ, b = Σ w r x and Σ w r².
///
/// They are integers, so merging is commutative and associative to the last bit. Features are rounded to 2^-32 and weights to
/// 2^-16 before they are multiplied: A is the exact sum for these, so it is never indefinite. Terms of b and Σ w r² are rounded
/// to 2^-40. No sum overflows before 2^27 = 134 million observations of the largest features and weight (2^76 · 2^24 of
/// 2^127), or 10^23 ordinary ones; from there it stays at its end.
/// ```
/// use edgeloom::bandit::linear::{Moments, Noise};
/// use edgeloom::bandit::{FeatureVector, NormalPosterior};
///
/// let (mut one, mut other) = (Moments::new(2), Moments::new(2));
/// one.add(&FeatureVector::new(&[1.0, 0.5]), 3.0, 1.0)?;
/// other.add(&FeatureVector::new(&[1.0, -0.5]), 1.0, 1.0)?;
/// one.merge(&other)?;
/// let prior = NormalPosterior::new(&[0.0; 2], &[1e-6; 2])?;
/// let posterior = one.update(&prior, Noise::Known { variance: 0.1 })?;
/// // Two points make the line r = 2 + 2 x.
/// assert!(posterior.mean().iter().all(|coefficient| (coefficient - 2.0).abs() < 1e-5));
/// # Ok::<(), edgeloom::bandit::RegressionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moments {
    n: u64,
    weight: i128,
    /// Lower half of A, row by row.
    squares: Vec<i128>,
    /// b.
    products: Vec<i128>,
    rewards: i128,
}

/// Variance of a reward around its expectation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// Known beforehand, in [1e-12, 1e12]; p·(1 − p) for a rate p.
    Known {
        /// The variance.
        variance: f64,
    },
    /// Learned along: inverse gamma before the data, with `shape` in [1.01, 1e12] and `scale` in [1e-12, 1e12].
    ///
    /// Its mean is scale / (shape − 1). Prior precisions keep their meaning at that mean. Afterwards, too, the mean of the variance
    /// stands for it: coefficients have Student's distribution then, and a normal one of the same covariance is used.
    Learned {
        /// Half the number of observations that the belief is worth.
        shape: f64,
        /// Half the sum of squares in them.
        scale: f64,
    },
}

impl Moments {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(n_features: usize) -> Self {
        let n_squares = n_features * (n_features + 1) / 2;
        Self { n: 0, weight: 0, squares: vec![0; n_squares], products: vec![0; n_features], rewards: 0 }
    }

    /// Sums that were counted elsewhere: `n` observations of weight 1, the lower half of Σ x xᵀ row by row, Σ r x and Σ r². Each is
    /// rounded as its kind is.
    #[must_use]
    pub fn of_sums(n: u64, squares: &[f64], products: &[f64], rewards: f64) -> Self {
        let fixed = |sums: &[f64], one: f64| sums.iter().map(|sum| libm::round(sum * one) as i128).collect();
        Self {
            n,
            weight: i128::from(n) * (WEIGHT_ONE as i128),
            squares: fixed(squares, SQUARE_ONE),
            products: fixed(products, REWARD_ONE),
            rewards: libm::round(rewards * REWARD_ONE) as i128,
        }
    }

    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Number of features, the intercept included.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.products.len()
    }

    /// Counts one observation: `reward` in ±[`MAX_REWARD`], `weight` in [0, [`MAX_WEIGHT`]], 1 where all are alike.
    ///
    /// # Errors
    /// A vector of another length, or the first number outside of its range; then nothing is counted.
    pub fn add(&mut self, features: &FeatureVector, reward: f64, weight: f64) -> Result<(), RegressionError> {
        RegressionError::same_length(features.len(), self.n_features())?;
        RegressionError::check("reward", reward, -MAX_REWARD, MAX_REWARD)?;
        RegressionError::check("weight", weight, 0.0, MAX_WEIGHT)?;
        let mut x = Vec::with_capacity(features.len());
        for feature in features.as_slice() {
            RegressionError::check("feature", *feature, -MAX_FEATURE, MAX_FEATURE)?;
            x.push(libm::round(feature * FEATURE_ONE) as i128);
        }
        let w = libm::round(weight * WEIGHT_ONE) as i128;
        self.n = self.n.saturating_add(1);
        self.weight = self.weight.saturating_add(w);
        let mut squares = self.squares.iter_mut();
        for (row, a) in (1..).zip(&x) {
            for (sum, b) in squares.by_ref().take(row).zip(&x) {
                *sum = sum.saturating_add(w * a * b);
            }
        }
        for (sum, feature) in self.products.iter_mut().zip(features.as_slice()) {
            *sum = sum.saturating_add(libm::round(weight * reward * feature * REWARD_ONE) as i128);
        }
        self.rewards =
            self.rewards.saturating_add(libm::round(weight * reward * reward * REWARD_ONE) as i128);
        Ok(())
    }

    /// Adds what others counted.
    ///
    /// # Errors
    /// Another number of features; then nothing is added.
    pub fn merge(&mut self, other: &Self) -> Result<(), RegressionError> {
        RegressionError::same_length(other.n_features(), self.n_features())?;
        self.n = self.n.saturating_add(other.n);
        self.weight = self.weight.saturating_add(other.weight);
        for (sum, more) in self.squares.iter_mut().zip(&other.squares) {
            *sum = sum.saturating_add(*more);
        }
        for (sum, more) in self.products.iter_mut().zip(&other.products) {
            *sum = sum.saturating_add(*more);
        }
        self.rewards = self.rewards.saturating_add(other.rewards);
        Ok(())
    }

    /// The same observations with a weight between 0 and 1 each, as where old ones count less; what is no such number counts as 0.
    #[must_use]
    pub fn weighed(&self, weight: f64) -> Self {
        let weight = if weight > 0.0 { weight.min(1.0) } else { 0.0 };
        let times = |sum: &i128| libm::round(*sum as f64 * weight) as i128;
        Self {
            n: libm::round(self.n as f64 * weight) as u64,
            weight: times(&self.weight),
            squares: self.squares.iter().map(times).collect(),
            products: self.products.iter().map(times).collect(),
            rewards: times(&self.rewards),
        }
    }

    /// The belief after these observations.
    ///
    /// With the noise σ² known: Λ = Λ₀ + A/σ² and Λ μ = Λ₀ μ₀ + b/σ². With the noise learned, the conjugate update of
    /// Normal-inverse-gamma (Murphy 2007, "Conjugate Bayesian analysis of the Gaussian distribution").
    ///
    /// # Errors
    /// A prior for other features, noise outside of its range, precision that can't be factored.
    pub fn update(&self, prior: &NormalPosterior, noise: Noise) -> Result<NormalPosterior, RegressionError> {
        RegressionError::same_length(prior.mean().len(), self.n_features())?;
        match noise {
            Noise::Known { variance } => {
                RegressionError::check("variance", variance, 1e-12, 1e12)?;
                self.conjugate(prior, variance)
            }
            Noise::Learned { shape, scale } => {
                RegressionError::check("shape", shape, 1.01, 1e12)?;
                RegressionError::check("scale", scale, 1e-12, 1e12)?;
                let expected = scale / (shape - 1.0);
                let posterior = self.conjugate(prior, expected)?;
                let squares = 0.5 * self.rest(prior, &posterior, expected);
                let half_n = 0.5 * self.weight as f64 / WEIGHT_ONE;
                let learned = (scale + squares) / (shape + half_n - 1.0);
                // The covariance grows and shrinks with the noise; the mean does not depend on it.
                let precision = posterior.precision.scaled(expected / learned);
                Ok(NormalPosterior { mean: posterior.mean, precision })
            }
        }
    }

    fn conjugate(&self, prior: &NormalPosterior, variance: f64) -> Result<NormalPosterior, RegressionError> {
        let mut precision = prior.precision.clone();
        precision.add(self.squares.iter().map(|sum| *sum as f64 / SQUARE_ONE / variance));
        let mut moment = prior.precision.symmetric_times(&prior.mean);
        add_scaled(&mut moment, 1.0 / variance, &self.products());
        let inverse = precision.factor().ok_or(RegressionError::Singular)?.inverse();
        Ok(NormalPosterior { mean: inverse.transposed_times(&inverse.times(&moment)), precision })
    }

    /// Σ w (r − xᵀμ)² and the squared distance from the prior, in units of the noise that is `expected`.
    fn rest(&self, prior: &NormalPosterior, posterior: &NormalPosterior, expected: f64) -> f64 {
        let mut squares = Triangle::diagonal(&vec![0.0; self.n_features()]);
        squares.add(self.squares.iter().map(|sum| *sum as f64 / SQUARE_ONE));
        let mean = &posterior.mean;
        let residual = self.rewards as f64 / REWARD_ONE - 2.0 * dot(mean, &self.products())
            + dot(mean, &squares.symmetric_times(mean));
        let mut moved = mean.clone();
        add_scaled(&mut moved, -1.0, &prior.mean);
        // Rounding can leave a perfect fit at −1e-12.
        (residual + expected * dot(&moved, &prior.precision.symmetric_times(&moved))).max(0.0)
    }

    fn products(&self) -> Vec<f64> {
        self.products.iter().map(|sum| *sum as f64 / REWARD_ONE).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::sampler::normals;
    use crate::seed::Generator;
    use proptest::prelude::*;

    fn vector(x: &[f64]) -> FeatureVector {
        FeatureVector::new(x)
    }

    #[test]
    fn the_reference_posterior_is_met() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/linear_logistic_golden.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: no ../shared");
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let list = |value: &serde_json::Value| serde_json::from_value::<Vec<f64>>(value.clone()).unwrap();
        let table =
            |value: &serde_json::Value| serde_json::from_value::<Vec<Vec<f64>>>(value.clone()).unwrap();
        let (x, linear) = (table(&file["X"]), &file["linear"]);
        let n_features = x[0].len();
        let mut moments = Moments::new(n_features);
        for (x, y) in x.iter().zip(list(&file["y_linear"])) {
            moments.add(&vector(x), y, 1.0).unwrap();
        }
        let precision = vec![file["prior_precision"].as_f64().unwrap(); n_features];
        let prior = NormalPosterior::new(&vec![0.0; n_features], &precision).unwrap();
        let noise = Noise::Known { variance: file["noise_variance"].as_f64().unwrap() };
        let posterior = moments.update(&prior, noise).unwrap();
        let scorer = posterior.scorer().unwrap();
        let (mut n, mut worst) = (0, 0.0_f64);
        let mut compare = |ours: f64, expected: f64| {
            n += 1;
            worst = worst.max((ours - expected).abs());
            // Features are kept to 2^-32 = 2.3e-10.
            assert!((ours - expected).abs() < 1e-9, "{ours} instead of {expected}");
        };
        posterior.mean().iter().zip(list(&linear["mean"])).for_each(|(ours, theirs)| compare(*ours, theirs));
        for (ours, theirs) in posterior.covariance().unwrap().iter().zip(table(&linear["cov"])) {
            ours.iter().zip(theirs).for_each(|(ours, theirs)| compare(*ours, theirs));
        }
        let expected = list(&linear["pred_mean"]).into_iter().zip(list(&linear["pred_sd"]));
        for (query, (mean, sd)) in table(&linear["query"]).iter().zip(expected) {
            let score = scorer.score(&vector(query));
            compare(score.mean(), mean);
            compare(score.sd(), sd);
        }
        println!("{n} numbers, largest difference {worst:.1e}");
        assert_eq!(n, 4 + 10 + 6);
    }

    #[test]
    fn a_weight_counts_as_that_many_observations() {
        let (mut once, mut thrice) = (Moments::new(2), Moments::new(2));
        once.add(&vector(&[1.0, 0.3]), 0.7, 3.0).unwrap();
        for _ in 0..3 {
            thrice.add(&vector(&[1.0, 0.3]), 0.7, 1.0).unwrap();
        }
        assert_eq!((once.weight, &once.squares), (thrice.weight, &thrice.squares));
        assert!((once.rewards - thrice.rewards).abs() <= 2);
        assert_eq!((once.n(), thrice.n()), (1, 3));
    }

    #[test]
    fn what_is_out_of_range_is_not_counted() {
        let mut moments = Moments::new(2);
        let x = vector(&[1.0, 2.0]);
        for (x, reward, weight) in [
            (vector(&[1.0]), 1.0, 1.0),
            (vector(&[1.0, 65.0]), 1.0, 1.0),
            (x.clone(), f64::NAN, 1.0),
            (x.clone(), 2e6, 1.0),
            (x.clone(), 1.0, -1.0),
            (x, 1.0, 257.0),
        ] {
            assert!(moments.add(&x, reward, weight).is_err());
        }
        assert!(moments.merge(&Moments::new(3)).is_err());
        assert_eq!(moments, Moments::new(2));
    }

    #[test]
    fn the_learned_noise_is_that_of_the_data() {
        let (mut moments, mut generator) = (Moments::new(2), Generator::new(4));
        let (n, noise) = (20_000.0_f64, 0.25);
        for _ in 0..20_000 {
            let (x, z) = normals(&mut generator);
            moments.add(&vector(&[1.0, x]), 2.0 - 0.5 * x + 0.5 * z, 1.0).unwrap();
        }
        let prior = NormalPosterior::new(&[0.0; 2], &[1.0; 2]).unwrap();
        let learned = moments.update(&prior, Noise::Learned { shape: 2.0, scale: 1.0 }).unwrap();
        for (coefficient, truth) in learned.mean().iter().zip([2.0, -0.5]) {
            // Four standard deviations each; with the variance below a false alarm in 1 of 5,000 seeds.
            assert!((coefficient - truth).abs() < 4.0 * (noise / n).sqrt());
        }
        // Cov = σ² A⁻¹, A ≈ n · 1: its scale shows σ² to √(2/n) each for the noise and for A.
        let variance = learned.covariance().unwrap()[0][0] * n;
        assert!((variance / noise - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{variance}");
    }

    #[test]
    fn without_data_the_prior_stays() {
        let prior = NormalPosterior::new(&[0.3, -1.0], &[4.0, 25.0]).unwrap();
        for noise in [Noise::Known { variance: 0.3 }, Noise::Learned { shape: 3.0, scale: 0.4 }] {
            let posterior = Moments::new(2).update(&prior, noise).unwrap();
            for (ours, theirs) in posterior.mean().iter().zip(prior.mean()) {
                assert!((ours - theirs).abs() < 1e-15);
            }
            let covariance = posterior.covariance().unwrap();
            assert!((covariance[0][0] - 0.25).abs() < 1e-15 && (covariance[1][1] - 0.04).abs() < 1e-15);
        }
    }

    fn observations() -> impl Strategy<Value = Vec<([f64; 3], f64, f64)>> {
        prop::collection::vec((prop::array::uniform3(-9.0..9.0_f64), -1e3..1e3_f64, 0.0..9.0_f64), 0..20)
    }

    fn counted(observations: &[([f64; 3], f64, f64)]) -> Moments {
        let mut moments = Moments::new(3);
        for (x, reward, weight) in observations {
            moments.add(&vector(x), *reward, *weight).unwrap();
        }
        moments
    }

    proptest! {
        #[test]
        fn sums_merge_to_the_bit_in_any_order(list in observations(), cut in 0_usize..20, turn in 0_usize..20) {
            let cut = cut.min(list.len());
            let mut turned = list.clone();
            turned.rotate_left(turn.min(list.len()));
            let mut merged = counted(&turned[cut..]);
            merged.merge(&counted(&turned[..cut])).unwrap();
            prop_assert_eq!(merged, counted(&list));
        }

        #[test]
        fn yesterdays_posterior_is_todays_prior(list in observations(), cut in 0_usize..20) {
            let prior = NormalPosterior::new(&[0.0; 3], &[0.5; 3]).unwrap();
            let (noise, cut) = (Noise::Known { variance: 0.7 }, cut.min(list.len()));
            let at_once = counted(&list).update(&prior, noise).unwrap();
            let first = counted(&list[..cut]).update(&prior, noise).unwrap();
            let then = counted(&list[cut..]).update(&first, noise).unwrap();
            for (a, b) in at_once.mean().iter().zip(then.mean()) {
                prop_assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{a} {b}");
            }
        }
    }
}
