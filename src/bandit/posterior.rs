//! The belief about a rate: a Beta posterior with its mean, distribution function and credible interval;
//! drawing from it is the business of `sampler`, comparing several that of `propensity`.

use crate::bandit::logit::LogitBeta;
use crate::bandit::quadrature::Rule;
use crate::json::number::Decimal;
use std::fmt;

/// Smallest shape parameter. Below it the logarithm of a draw leaves the range of exact arithmetic.
pub const MIN_SHAPE: f64 = 1e-12;

/// Largest shape parameter: a trillion observations. Beyond it the posterior is narrower than about a
/// millionth and rounding of the rate itself starts to show.
pub const MAX_SHAPE: f64 = 1e12;

/// A belief that can't be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PosteriorError {
    /// `alpha` is not a number in [[`MIN_SHAPE`], [`MAX_SHAPE`]].
    Alpha {
        /// The number found.
        found: f64,
    },
    /// `beta` is not a number in [[`MIN_SHAPE`], [`MAX_SHAPE`]].
    Beta {
        /// The number found.
        found: f64,
    },
}

impl fmt::Display for PosteriorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, found) = match self {
            Self::Alpha { found } => ("alpha", found),
            Self::Beta { found } => ("beta", found),
        };
        write!(f, "{name} is {}; hint: use a number from 1e-12 to 1e12, e.g. 1", Decimal(*found))
    }
}

impl std::error::Error for PosteriorError {}

/// What is believed about the reward rate of an arm: Beta(α, β), α − prior = successes, β − prior = failures.
///
/// ```
/// use edgeloom::bandit::BetaPosterior;
/// let belief = BetaPosterior::UNTOUCHED.after(1_000, 50);
/// assert_eq!((belief.alpha(), belief.beta()), (51.0, 951.0));
/// let (low, high) = belief.interval(0.95);
/// assert!(0.037 < low && low < belief.mean() && belief.mean() < high && high < 0.066);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPosterior {
    alpha: f64,
    beta: f64,
}

impl BetaPosterior {
    /// Nothing seen yet and every rate equally likely: Beta(1, 1).
    pub const UNTOUCHED: Self = Self { alpha: 1.0, beta: 1.0 };

    /// A belief with the given shape, both in [[`MIN_SHAPE`], [`MAX_SHAPE`]].
    ///
    /// # Errors
    /// A parameter that is not a number or outside of the range.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, PosteriorError> {
        let range = MIN_SHAPE..=MAX_SHAPE;
        if !range.contains(&alpha) {
            return Err(PosteriorError::Alpha { found: alpha });
        }
        if !range.contains(&beta) {
            return Err(PosteriorError::Beta { found: beta });
        }
        Ok(Self { alpha, beta })
    }

    /// Prior successes plus successes.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Prior failures plus failures.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The belief after more has been seen. Rewards beyond the exposures are not counted, since a rate is at
    /// most 1; the parameters stop at [`MAX_SHAPE`].
    #[must_use]
    pub fn after(&self, exposures: u64, rewards: u64) -> Self {
        let rewards = rewards.min(exposures);
        Self {
            alpha: (self.alpha + rewards as f64).min(MAX_SHAPE),
            beta: (self.beta + (exposures - rewards) as f64).min(MAX_SHAPE),
        }
    }

    /// The belief after what counts with weights, as where old observations fade: sums of weights ≥ 0. Rewards beyond the
    /// exposures are not counted; the parameters stop at [`MAX_SHAPE`].
    #[must_use]
    pub fn after_weighed(&self, exposures: f64, rewards: f64) -> Self {
        let held = |sum: f64| if sum > 0.0 { sum } else { 0.0 };
        let exposures = held(exposures);
        let rewards = held(rewards).min(exposures);
        Self {
            alpha: (self.alpha + rewards).min(MAX_SHAPE),
            beta: (self.beta + (exposures - rewards)).min(MAX_SHAPE),
        }
    }

    /// Variance of the rate: mean · (1 − mean) / (α + β + 1).
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.mean() * (1.0 - self.mean()) / (self.alpha + self.beta + 1.0)
    }

    /// Expected rate, in (0, 1).
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// P(rate ≤ `rate`): the regularised incomplete beta function, absolute error below 1e-10 (below 1e-8
    /// for parameters above 1e9). Costs microseconds. Not a number counts as below every rate.
    #[must_use]
    pub fn cdf(&self, rate: f64) -> f64 {
        if rate >= 1.0 {
            return 1.0;
        }
        if rate > 0.0 {
            return LogitBeta::new(self).cdf(&Rule::new(), libm::log(rate) - libm::log1p(-rate));
        }
        0.0
    }

    /// The rate below which the true one lies with probability `share`; `share` is held to [0, 1].
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        if share <= 0.0 {
            return 0.0;
        }
        if share >= 1.0 {
            return 1.0;
        }
        logistic(LogitBeta::new(self).quantile(&Rule::new(), share))
    }

    /// The credible interval that holds the true rate with probability `mass`, with the same probability left
    /// on either side: (low, high), both in [0, 1]. `mass` is held to [0, 1].
    #[must_use]
    pub fn interval(&self, mass: f64) -> (f64, f64) {
        let outside = 0.5 * (1.0 - mass.clamp(0.0, 1.0));
        (self.quantile(outside), self.quantile(1.0 - outside))
    }
}

/// The rate whose logit is `t`.
pub(super) fn logistic(t: f64) -> f64 {
    if t < 0.0 {
        let odds = libm::exp(t);
        return odds / (1.0 + odds);
    }
    1.0 / (1.0 + libm::exp(-t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn beta(a: f64, b: f64) -> BetaPosterior {
        BetaPosterior::new(a, b).unwrap()
    }

    #[test]
    fn impossible_shapes_are_refused_by_name() {
        assert_eq!(BetaPosterior::new(0.0, 1.0), Err(PosteriorError::Alpha { found: 0.0 }));
        assert_eq!(BetaPosterior::new(1.0, 1e13), Err(PosteriorError::Beta { found: 1e13 }));
        assert!(BetaPosterior::new(f64::NAN, 1.0).is_err());
        assert!(BetaPosterior::new(1.0, f64::INFINITY).is_err());
        assert!(BetaPosterior::new(-1.0, 1.0).unwrap_err().to_string().starts_with("alpha is -1;"));
    }

    #[test]
    fn more_rewards_than_exposures_are_not_believed() {
        assert_eq!(BetaPosterior::UNTOUCHED.after(10, 25), beta(11.0, 1.0));
        assert_eq!(BetaPosterior::UNTOUCHED.after(u64::MAX, u64::MAX), beta(MAX_SHAPE, 1.0));
        assert_eq!(BetaPosterior::UNTOUCHED.after(u64::MAX, 0), beta(1.0, MAX_SHAPE));
    }

    fn of_exponents(a: f64, b: f64) -> BetaPosterior {
        let shape = |x| libm::exp10(x).clamp(MIN_SHAPE, MAX_SHAPE);
        beta(shape(a), shape(b))
    }

    /// For whole parameters: F(x) = Σ_{j ≥ a} C(n, j) x^j (1 − x)^(n − j), n = a + b − 1.
    fn finite_sum(a: u32, b: u32, x: f64) -> f64 {
        let n = a + b - 1;
        let mut term = 1.0;
        for _ in 0..n {
            term *= 1.0 - x;
        }
        let mut sum = 0.0;
        for j in 0..=n {
            if j >= a {
                sum += term;
            }
            term *= f64::from(n - j) / f64::from(j + 1) * x / (1.0 - x);
        }
        sum
    }

    #[test]
    fn the_distribution_function_agrees_with_finite_sums() {
        for (a, b) in [(1, 1), (2, 3), (7, 1), (1, 40), (12, 88), (51, 151)] {
            for x in [0.001, 0.03, 0.1, 0.25, 0.5, 0.77, 0.95] {
                let (ours, exact) = (beta(f64::from(a), f64::from(b)).cdf(x), finite_sum(a, b, x));
                assert!((ours - exact).abs() < 1e-12, "{a} {b} {x}: {ours} {exact}");
            }
        }
    }

    #[test]
    fn one_sided_shapes_agree_with_their_closed_form() {
        // Beta(a, 1): x^a. Beta(1, b): 1 − (1 − x)^b.
        for shape in [1e-12, 1e-6, 1e-3, 0.3, 1.0, 17.5, 4e3, 1e6, 1e9] {
            for x in [1e-300, 1e-12, 1e-6, 0.01, 0.5, 0.999, 1.0 - 1e-9] {
                let power = libm::exp(shape * libm::log(x));
                assert!((beta(shape, 1.0).cdf(x) - power).abs() < 1e-11, "{shape} {x}");
                let rest = -libm::expm1(shape * libm::log1p(-x));
                assert!((beta(1.0, shape).cdf(x) - rest).abs() < 1e-11, "{shape} {x}");
            }
        }
    }

    #[test]
    fn the_interval_of_a_large_sample_is_that_of_the_normal_distribution() {
        let belief = beta(500_000.0, 500_000.0);
        let (low, high) = belief.interval(0.95);
        let half = 1.959_963_984_540_054 * 0.5 / 1000.0;
        assert!((0.5 - low - half).abs() < 1e-8 && (high - 0.5 - half).abs() < 1e-8, "{low} {high}");
    }

    #[test]
    fn an_interval_of_everything_or_nothing_has_an_answer() {
        assert!(!BetaPosterior::UNTOUCHED.interval(f64::NAN).0.is_nan());
        assert_eq!(BetaPosterior::UNTOUCHED.interval(1.0), (0.0, 1.0));
        let (low, high) = beta(3.0, 9.0).interval(0.0);
        assert!((low - high).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_quantile_is_the_inverse_of_the_distribution(
            a in -12.0..12.0_f64, b in -12.0..12.0_f64, share in 0.001..0.999_f64
        ) {
            let belief = of_exponents(a, b);
            let x = belief.quantile(share);
            prop_assert!((0.0..=1.0).contains(&x));
            // Near 0 and 1 the rate itself has too few digits: the step to its neighbour is what can be asked.
            let (below, above) = (belief.cdf(x * (1.0 - 1e-9) - 1e-300), belief.cdf(x * (1.0 + 1e-9) + 1e-300));
            prop_assert!(below - 1e-8 <= share && share <= above + 1e-8, "{belief:?} {share} {x} {below} {above}");
        }

        #[test]
        fn the_distribution_function_never_falls(
            a in -12.0..12.0_f64, b in -12.0..12.0_f64, x in 0.0..1.0_f64, y in 0.0..1.0_f64
        ) {
            let belief = of_exponents(a, b);
            let (low, high) = (belief.cdf(x.min(y)), belief.cdf(x.max(y)));
            prop_assert!((0.0..=1.0).contains(&low) && low <= high + 1e-9 && high <= 1.0);
        }
    }
}
