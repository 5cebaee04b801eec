//! The belief about a reward that is a number: Normal-inverse-gamma, and for values with many zeros a rate times a log-normal
//! amount. Comparing several arms is the business of `largest`.

use crate::bandit::posterior::BetaPosterior;
use crate::bandit::sampler::{Gamma, Sampler, normals};
use crate::bandit::score::Score;
use crate::json::number::Decimal;
use crate::seed::Generator;
use std::fmt;

/// Largest value, by amount.
pub const MAX_VALUE: f64 = 1e9;

/// A number that can't be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumericError {
    /// What it is.
    pub name: &'static str,
    /// The number found.
    pub found: f64,
    /// Least allowed.
    pub least: f64,
    /// Most allowed.
    pub most: f64,
}

impl fmt::Display for NumericError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [found, least, most] = [self.found, self.least, self.most].map(Decimal);
        write!(f, "{} is {found}; hint: use a number from {least} to {most}", self.name)
    }
}

impl std::error::Error for NumericError {}

/// `found`, if it is in its range.
fn check(name: &'static str, found: f64, least: f64, most: f64) -> Result<f64, NumericError> {
    if (least..=most).contains(&found) { Ok(found) } else { Err(NumericError { name, found, least, most }) }
}

/// Belief about mean and variance of a reward: σ² ~ inverse gamma(`shape`, `scale`), mean given σ² ~ N(`mean`, σ²/`strength`).
///
/// The mean alone has Student's distribution with 2·shape degrees of freedom (Murphy 2007, "Conjugate Bayesian analysis of the
/// Gaussian distribution").
/// ```
/// use edgeloom::bandit::numeric::NumericPosterior;
///
/// let values = [19.9, 24.5, 21.0, 22.6];
/// let (sum, squares) = values.iter().fold((0.0, 0.0), |(sum, squares), r| (sum + r, squares + r * r));
/// let belief = NumericPosterior::new((20.0, 1.0), (1.0, 4.0))?.after_weighed(4.0, sum, squares);
/// assert!((belief.mean() - (20.0 + 88.0) / 5.0).abs() < 1e-12);
/// let (low, high) = belief.interval(0.95);
/// assert!(low < 20.5 && 22.5 < high);
/// # Ok::<(), edgeloom::bandit::numeric::NumericError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumericPosterior {
    mean: f64,
    strength: f64,
    shape: f64,
    scale: f64,
}

impl NumericPosterior {
    /// A belief: `mean` in ±1e9 is worth `strength` observations, in [1e-6, 1e12]; the variance, around `scale` / `shape`, is worth
    /// 2·`shape` observations; `shape` in [0.5, 1e11], `scale` in [1e-12, 1e30].
    ///
    /// # Errors
    /// The first number outside of its range.
    pub fn new((mean, strength): (f64, f64), (shape, scale): (f64, f64)) -> Result<Self, NumericError> {
        Ok(Self {
            mean: check("mean", mean, -MAX_VALUE, MAX_VALUE)?,
            strength: check("strength", strength, 1e-6, 1e12)?,
            shape: check("shape", shape, 0.5, 1e11)?,
            scale: check("scale", scale, 1e-12, 1e30)?,
        })
    }

    /// The belief after what has been seen, each with its weight: Σ w ≥ 0, Σ w r and Σ w r².
    #[must_use]
    pub fn after_weighed(&self, n: f64, sum: f64, squares: f64) -> Self {
        if n.is_nan() || n <= 0.0 {
            return *self;
        }
        let mean = sum / n;
        let spread = (squares - sum * mean).max(0.0);
        let strength = self.strength + n;
        let distance = mean - self.mean;
        Self {
            mean: self.mean + distance * n / strength,
            strength,
            shape: (self.shape + 0.5 * n).min(1e11),
            scale: self.scale + 0.5 * (spread + distance * distance * n * self.strength / strength),
        }
    }

    /// Expected reward.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Expected variance of a reward; `None` where it is infinite, for shapes up to 1.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.shape > 1.0).then(|| self.scale / (self.shape - 1.0))
    }

    /// The mean's belief as a normal score of the same mean and variance; `None` for shapes up to 1.
    #[must_use]
    pub fn score(&self) -> Option<Score> {
        self.variance().map(|variance| Score::new(self.mean, (variance / self.strength).sqrt()))
    }

    /// P(expected reward ≤ `value`), absolute error below 1e-9 (below 1e-8 for shapes above 1e9). Not a number counts as below every value.
    ///
    /// For T with ν degrees of freedom T²/(ν + T²) ~ Beta(1/2, ν/2) (Abramowitz & Stegun 1964, 26.5.27).
    #[must_use]
    pub fn cdf(&self, value: f64) -> f64 {
        if value.is_nan() {
            return 0.0;
        }
        let t = (value - self.mean) / self.width();
        let nu = 2.0 * self.shape;
        let square = t * t / nu;
        // 1 where the square has no reciprocal.
        let within = if square > 1.0 { 1.0 / (1.0 + 1.0 / square) } else { square / (1.0 + square) };
        let inside = self.beta().map_or(0.0, |beta| beta.cdf(within));
        0.5 + 0.5 * inside.copysign(t)
    }

    /// The value below which the expected reward lies with probability `share`, held to [0, 1].
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        if share.is_nan() || share <= 0.0 {
            return f64::NEG_INFINITY;
        }
        if share >= 1.0 {
            return f64::INFINITY;
        }
        let inside = (2.0 * share - 1.0).abs();
        let within = self.beta().map_or(0.0, |beta| beta.quantile(inside));
        let t = (2.0 * self.shape * within / (1.0 - within)).sqrt();
        self.mean + self.width() * t.copysign(share - 0.5)
    }

    /// The interval that holds the expected reward with probability `mass`, with the same probability left on either side: (low,
    /// high). `mass` is held to [0, 1].
    #[must_use]
    pub fn interval(&self, mass: f64) -> (f64, f64) {
        let outside = 0.5 * (1.0 - mass.clamp(0.0, 1.0));
        (self.quantile(outside), self.quantile(1.0 - outside))
    }

    /// One draw of the expected reward.
    #[must_use]
    pub fn draw(&self, generator: &mut Generator) -> f64 {
        self.draw_both(generator).0
    }

    /// One draw of the expected reward and the variance around it.
    fn draw_both(&self, generator: &mut Generator) -> (f64, f64) {
        let (z, first) = normals(generator);
        let gamma = Gamma::new(self.shape);
        let precision = gamma.draw(first, generator) * libm::exp(gamma.ln_boost(generator));
        let variance = self.scale / precision;
        (self.mean + z * (variance / self.strength).sqrt(), variance)
    }

    /// Scale of Student's distribution.
    fn width(&self) -> f64 {
        (self.scale / (self.shape * self.strength)).sqrt()
    }

    fn beta(&self) -> Option<BetaPosterior> {
        BetaPosterior::new(0.5, self.shape).ok()
    }
}

/// Logarithms of values are held to this in sums that would overflow: e^±230 = 10^±100.
const MOST_LN: f64 = 230.0;

/// Belief about a value that is often zero: a rate of "any", times an amount whose logarithm is normal.
///
/// Feed `amount` with the logarithms of what was above zero. The expectation over all uncertainty of a log-normal with unknown
/// variance is infinite, since Student's tails are heavier than the logarithm is light; so the expected value is taken at the
/// expected parameters, while draws vary all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZeroInflated {
    /// How often there is a value at all.
    pub any: BetaPosterior,
    /// Logarithm of a value above zero.
    pub amount: NumericPosterior,
}

impl ZeroInflated {
    /// Rate · e^(μ + σ²/2) at the expected rate, μ and σ²; `None` for shapes up to 1, where σ² has no expectation.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let variance = self.amount.variance()?;
        Some(self.any.mean() * libm::exp((self.amount.mean() + 0.5 * variance).min(MOST_LN)))
    }

    /// One draw of the expected value, in [0, 1e100].
    #[must_use]
    pub fn draw(&self, generator: &mut Generator) -> f64 {
        let rate = Sampler::new(&self.any).draw(generator);
        let (mean, variance) = self.amount.draw_both(generator);
        rate * libm::exp((mean + 0.5 * variance).min(MOST_LN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn belief(location: (f64, f64), noise: (f64, f64)) -> NumericPosterior {
        NumericPosterior::new(location, noise).unwrap()
    }

    /// The belief after some values, each with the weight 1.
    fn after(prior: &NumericPosterior, values: &[f64]) -> NumericPosterior {
        let squares = values.iter().map(|value| value * value).sum();
        prior.after_weighed(values.len() as f64, values.iter().sum(), squares)
    }

    #[test]
    fn a_number_out_of_its_range_is_refused() {
        let error = NumericPosterior::new((0.0, 0.0), (1.0, 1.0)).unwrap_err();
        assert!(error.to_string().starts_with("strength is 0;"));
    }

    #[test]
    fn half_the_weight_is_half_the_evidence() {
        let prior = belief((1.0, 1.0), (1.5, 0.5));
        let twice = after(&prior, &[3.0, 5.0, 3.0, 5.0]);
        assert_eq!(after(&prior, &[3.0, 5.0]), prior.after_weighed(0.5 * 4.0, 0.5 * 16.0, 0.5 * 68.0));
        assert!(twice.strength > after(&prior, &[3.0, 5.0]).strength);
        assert_eq!(prior.after_weighed(0.0, 7.0, 49.0), prior);
    }

    #[test]
    fn the_update_is_that_of_the_textbook() {
        // μ₀ = 1, κ₀ = 2, a = 3, b = 4 and r = 2, 4: mean 3, spread 2.
        let found = after(&belief((1.0, 2.0), (3.0, 4.0)), &[2.0, 4.0]);
        // b = 4 + 1/2 · (2 + 2·2·(3 − 1)²/4) = 7.
        assert_eq!(found, belief((2.0, 4.0), (4.0, 7.0)));
    }

    #[test]
    fn one_and_two_degrees_of_freedom_have_their_closed_forms() {
        let cauchy = |t: f64| 0.5 + libm::atan(t) / std::f64::consts::PI;
        let two = |t: f64| 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
        for t in [-1e9, -30.0, -2.0, -0.7, -1e-6, 0.0, 1e-9, 0.3, 1.0, 5.0, 1e4] {
            // Width √(b / (a κ)) = 1 for b = a, κ = 1; around 3.
            let (one, both) = (belief((3.0, 1.0), (0.5, 0.5)), belief((3.0, 1.0), (1.0, 1.0)));
            assert!((one.cdf(3.0 + t) - cauchy(t)).abs() < 1e-9, "{t}");
            assert!((both.cdf(3.0 + t) - two(t)).abs() < 1e-9, "{t}");
        }
        assert_eq!(belief((3.0, 1.0), (1.0, 1.0)).cdf(f64::INFINITY), 1.0);
        assert_eq!(belief((3.0, 1.0), (1.0, 1.0)).cdf(f64::NAN), 0.0);
    }

    #[test]
    fn the_interval_with_ten_degrees_of_freedom_is_that_of_the_tables() {
        // Student (1908) as in Abramowitz & Stegun 1964, table 26.10: t(10) at 97.5 % is 2.228.
        let (low, high) = belief((0.0, 1.0), (5.0, 5.0)).interval(0.95);
        assert!((high - 2.228_138_852).abs() < 1e-8 && (low + high).abs() < 1e-12, "{low} {high}");
        assert_eq!(belief((0.0, 1.0), (5.0, 5.0)).interval(1.0), (f64::NEG_INFINITY, f64::INFINITY));
    }

    /// Kolmogorov and Smirnov's √n · D of a sample against a distribution function.
    fn distance(mut draws: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        draws.sort_by(f64::total_cmp);
        let n = draws.len() as f64;
        let mut most = 0.0_f64;
        for (k, draw) in draws.iter().enumerate() {
            let expected = cdf(*draw);
            most = most.max((expected - k as f64 / n).abs()).max((expected - (k + 1) as f64 / n).abs());
        }
        most * n.sqrt()
    }

    #[test]
    fn draws_have_students_distribution() {
        for (k, shape) in [0.5, 0.8, 1.0, 3.0, 40.0, 1e6].into_iter().enumerate() {
            let belief = belief((2.0, 7.0), (shape, 3.0));
            let mut generator = Generator::new(k as u64);
            let draws = (0..500).map(|_| belief.draw(&mut generator)).collect();
            let found = distance(draws, |value| belief.cdf(value));
            // P(√n D > 2.3) < 2 e^(−2 · 2.3²) = 5.1e-5 for any n (Massart 1990, doi:10.1214/aop/1176990746); six tests: a false alarm in 1 of 3,200 sets of seeds.
            assert!(found < 2.3, "{shape}: {found}");
        }
    }

    #[test]
    fn a_wrong_distribution_would_be_found() {
        let (drawn, other) = (belief((2.0, 7.0), (3.0, 3.0)), belief((2.0, 7.0), (3.0, 12.0)));
        let mut generator = Generator::new(9);
        let draws = (0..500).map(|_| drawn.draw(&mut generator)).collect();
        assert!(distance(draws, |value| other.cdf(value)) > 2.3);
    }

    #[test]
    fn draws_of_the_variance_have_the_inverse_gamma_distribution() {
        // Shape 2: P(σ² ≤ v) = P(Γ(2) ≥ b/v) = (1 + b/v) e^(−b/v).
        let (belief, mut generator) = (belief((0.0, 1.0), (2.0, 3.0)), Generator::new(8));
        let draws = (0..5_000).map(|_| belief.draw_both(&mut generator).1).collect();
        // A false alarm in 1 of 20,000 seeds.
        assert!(distance(draws, |v| (1.0 + 3.0 / v) * libm::exp(-3.0 / v)) < 2.3);
    }

    #[test]
    fn values_with_zeros_are_rate_times_amount() {
        // Known to all digits: rate 0.02, logarithm N(3, 0.5²).
        let sure = 1e10;
        let any = BetaPosterior::new(0.02 * sure, 0.98 * sure).unwrap();
        let value = ZeroInflated { any, amount: belief((3.0, sure), (sure, 0.25 * sure)) };
        let exact = 0.02 * libm::exp(3.125);
        assert!((value.value().unwrap() / exact - 1.0).abs() < 1e-9);
        assert!((value.draw(&mut Generator::new(1)) / exact - 1.0).abs() < 1e-3);
        let vague = ZeroInflated { amount: belief((3.0, 1.0), (1.0, 1.0)), ..value };
        assert_eq!(vague.value(), None);
        assert!((0..1_000).all(|seed| (0.0..=1e100).contains(&vague.draw(&mut Generator::new(seed)))));
    }

    #[test]
    fn draws_of_values_with_zeros_multiply_their_parts() {
        // With a certain amount e^0 = 1 the draws are those of the rate, and with a certain rate those of the log-normal.
        let sure = 1e10;
        let any = BetaPosterior::new(3.0, 40.0).unwrap();
        let rate = ZeroInflated { any, amount: belief((0.0, 1e12), (sure, 1e-12)) };
        let mut generator = Generator::new(3);
        let draws = (0..500).map(|_| rate.draw(&mut generator)).collect();
        assert!(distance(draws, |value| any.cdf(value)) < 2.3);
        let amount = belief((1.0, 4.0), (sure, sure));
        let certain = BetaPosterior::new(1e12, 1e-12).unwrap();
        let value = ZeroInflated { any: certain, amount };
        let draws = (0..500).map(|_| value.draw(&mut generator)).collect();
        // Each a false alarm in 1 of 20,000 seeds.
        assert!(distance(draws, |value| amount.cdf(libm::log(value) - 0.5)) < 2.3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn yesterdays_posterior_is_todays_prior(
            values in prop::collection::vec(-1e3..1e3_f64, 0..20), cut in 0_usize..20
        ) {
            let prior = belief((5.0, 0.5), (1.5, 2.0));
            let (first, second) = values.split_at(cut.min(values.len()));
            let (once, twice) = (after(&prior, &values), after(&after(&prior, first), second));
            prop_assert!((once.mean - twice.mean).abs() < 1e-6 && (once.scale / twice.scale - 1.0).abs() < 1e-9);
            prop_assert_eq!((once.shape, once.strength), (twice.shape, twice.strength));
        }

        #[test]
        fn a_quantile_is_the_inverse_of_the_distribution(
            exponent in -0.3..6.0_f64, share in 0.001..0.999_f64
        ) {
            let belief = belief((-4.0, 3.0), (libm::exp10(exponent), 2.0));
            prop_assert!((belief.cdf(belief.quantile(share)) - share).abs() < 1e-8);
        }
    }
}
