//! A regression's belief about its coefficients, belief in, belief out: how data change it is the business of `linear` and
//! `logistic`, how it scores a context that of `scorer`.

use crate::bandit::posterior::BetaPosterior;
use crate::bandit::scorer::Scorer;
use crate::bandit::triangle::Triangle;
use crate::json::number::Decimal;
use std::fmt;

/// A regression that can't be computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RegressionError {
    /// Not as many features as the regression has coefficients.
    Length {
        /// Features found.
        found: usize,
        /// Coefficients.
        expected: usize,
    },
    /// A number outside of its range.
    Range {
        /// What it is.
        name: &'static str,
        /// The number found.
        found: f64,
        /// Least allowed.
        least: f64,
        /// Most allowed.
        most: f64,
    },
    /// Precision that is not positive definite: the numbers are too far apart to compute with.
    Singular,
}

impl fmt::Display for RegressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => {
                write!(f, "{found} features for {expected} coefficients; hint: use one set of features")
            }
            Self::Range { name, found, least, most } => {
                let [found, least, most] = [*found, *least, *most].map(Decimal);
                write!(f, "{name} is {found}; hint: use a number from {least} to {most}")
            }
            Self::Singular => {
                write!(f, "precision is not positive definite; hint: raise the prior's precision")
            }
        }
    }
}

impl std::error::Error for RegressionError {}

impl RegressionError {
    /// `found`, if it is in its range.
    pub(super) fn check(name: &'static str, found: f64, least: f64, most: f64) -> Result<f64, Self> {
        if (least..=most).contains(&found) {
            Ok(found)
        } else {
            Err(Self::Range { name, found, least, most })
        }
    }

    /// Whether lengths agree.
    pub(super) fn same_length(found: usize, expected: usize) -> Result<(), Self> {
        if found == expected { Ok(()) } else { Err(Self::Length { found, expected }) }
    }
}

/// Least and largest precision of a prior, so that factors stay in the range of numbers.
const PRECISION: (f64, f64) = (1e-9, 1e12);

/// What is believed about the coefficients, intercept first: N(mean, precision⁻¹), before or after data.
/// ```
/// use edgeloom::bandit::{FeatureVector, NormalPosterior};
///
/// let untouched = NormalPosterior::new(&[0.0, 0.0], &[1.0, 4.0])?;
/// let score = untouched.scorer()?.score(&FeatureVector::new(&[1.0, 2.0]));
/// // Variance 1² · 1 + 2² · 1/4.
/// assert!((score.sd() - 2.0_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), edgeloom::bandit::RegressionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NormalPosterior {
    pub(super) mean: Vec<f64>,
    pub(super) precision: Triangle,
}

impl NormalPosterior {
    /// Independent coefficients, each with a mean in ±1e9 and a precision (1 / variance) in [1e-9, 1e12].
    ///
    /// # Errors
    /// Lists of different length; the first number outside of its range.
    pub fn new(mean: &[f64], precision: &[f64]) -> Result<Self, RegressionError> {
        RegressionError::same_length(precision.len(), mean.len())?;
        for (mean, precision) in mean.iter().zip(precision) {
            RegressionError::check("mean", *mean, -1e9, 1e9)?;
            RegressionError::check("precision", *precision, PRECISION.0, PRECISION.1)?;
        }
        Ok(Self { mean: mean.to_vec(), precision: Triangle::diagonal(precision) })
    }

    /// The belief of an arm that was played without context: the intercept, which is the first of `n_features` coefficients,
    /// has mean and variance of the arm's rate (or of its logit, by the [`Scale`]); the others have mean 0 and `variance`.
    ///
    /// With the intercept alone the scores are then those of the plain arm, but for the shape of the distribution. What the
    /// posterior has counted must not be counted again as data of the regression.
    ///
    /// # Errors
    /// A `variance` whose inverse is no precision.
    pub fn of_arm(
        posterior: &BetaPosterior,
        scale: Scale,
        n_features: usize,
        variance: f64,
    ) -> Result<Self, RegressionError> {
        let (alpha, beta) = (posterior.alpha(), posterior.beta());
        let (mean, spread) = match scale {
            Scale::Rate => (posterior.mean(), posterior.variance()),
            // Mean and variance of the logarithm of a gamma variable are digamma and trigamma of its shape.
            Scale::Logit => {
                let ((a, b), (c, d)) = (polygammas(alpha), polygammas(beta));
                (a - c, b + d)
            }
        };
        let (least, most) = PRECISION;
        let mut means = vec![0.0; n_features];
        let mut precisions = vec![1.0 / variance; n_features];
        if let (Some(first), Some(precision)) = (means.first_mut(), precisions.first_mut()) {
            // Shapes near the end of their range are wider or narrower than a regression can be.
            (*first, *precision) = (mean.clamp(-1e9, 1e9), (1.0 / spread).clamp(least, most));
        }
        Self::new(&means, &precisions)
    }

    /// Expected coefficients.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The lower half of the covariance, row by row: row i has i + 1 entries.
    ///
    /// # Errors
    /// Precision that is not positive definite.
    pub fn covariance(&self) -> Result<Vec<Vec<f64>>, RegressionError> {
        Ok(self.inverse()?.gram().rows().map(<[f64]>::to_vec).collect())
    }

    /// The same belief made ready to score contexts: some microseconds for thirty coefficients.
    ///
    /// # Errors
    /// Precision that is not positive definite.
    pub fn scorer(&self) -> Result<Scorer, RegressionError> {
        Ok(Scorer::new(&self.mean, &self.inverse()?))
    }

    /// What a scorer is made of, to be stored: the mean, and the rows of the factor one after the other. See
    /// [`Scorer::of_parts`].
    ///
    /// # Errors
    /// Precision that is not positive definite.
    pub fn parts(&self) -> Result<(Vec<f64>, Vec<f64>), RegressionError> {
        Ok((self.mean.clone(), self.inverse()?.rows().flatten().copied().collect()))
    }

    /// The inverse of the precision's Cholesky factor.
    fn inverse(&self) -> Result<Triangle, RegressionError> {
        Ok(self.precision.factor().ok_or(RegressionError::Singular)?.inverse())
    }
}

/// What a regression is linear in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The rate, or a numeric reward itself.
    Rate,
    /// ln(rate / (1 − rate)).
    Logit,
}

/// Digamma and trigamma of x > 0: derivatives of ln Γ.
///
/// Series 6.3.18 and 6.4.12 of Abramowitz & Stegun (1964) from 10 on, steps of Γ(x + 1) = x·Γ(x) below; relative error some
/// 1e-13.
fn polygammas(x: f64) -> (f64, f64) {
    let (mut x, mut steps, mut squares) = (x, 0.0, 0.0);
    while x < 10.0 {
        steps += 1.0 / x;
        squares += 1.0 / (x * x);
        x += 1.0;
    }
    let s = 1.0 / (x * x);
    let first = s * (1.0 / 12.0 - s * (1.0 / 120.0 - s * (1.0 / 252.0 - s * (1.0 / 240.0 - s / 132.0))));
    let second = s * (1.0 / 6.0 - s * (1.0 / 30.0 - s * (1.0 / 42.0 - s * (1.0 / 30.0 - s * 5.0 / 66.0))));
    (libm::log(x) - 0.5 / x - first - steps, (1.0 + 0.5 / x + second) / x + squares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::FeatureVector;
    use crate::bandit::sampler::Sampler;
    use crate::seed::Generator;

    #[test]
    fn digamma_and_trigamma_have_their_known_values() {
        // ψ(1) = −γ, ψ(1/2) = −γ − 2 ln 2; ψ′(1) = π²/6, ψ′(1/2) = π²/2.
        let (gamma, squared) = (0.577_215_664_901_532_9, std::f64::consts::PI * std::f64::consts::PI);
        let close =
            |(a, b): (f64, f64), c: f64, d: f64| (a / c - 1.0).abs() < 1e-13 && (b / d - 1.0).abs() < 1e-13;
        assert!(close(polygammas(1.0), -gamma, squared / 6.0));
        assert!(close(polygammas(0.5), -gamma - 2.0 * std::f64::consts::LN_2, squared / 2.0));
        // For tiny x the poles are all that is left.
        assert!(close(polygammas(1e-12), -1e12 - gamma, 1e24));
    }

    #[test]
    fn with_the_intercept_alone_an_arm_scores_as_it_did_without_context() {
        let arm = BetaPosterior::UNTOUCHED.after(1_000, 50);
        let intercept = FeatureVector::new(&[1.0, 0.0, 0.0]);
        let score = |scale| {
            NormalPosterior::of_arm(&arm, scale, 3, 0.01).unwrap().scorer().unwrap().score(&intercept)
        };
        let rate = score(Scale::Rate);
        assert!((rate.mean() - arm.mean()).abs() < 1e-15);
        let variance = 51.0 * 951.0 / (1002.0 * 1002.0 * 1003.0);
        assert!((rate.sd() * rate.sd() / variance - 1.0).abs() < 1e-12);
        // The logits of 40,000 draws: four standard errors each, a false alarm in 1 of 8,000 seeds.
        let logit = score(Scale::Logit);
        let (sampler, mut generator, n) = (Sampler::new(&arm), Generator::new(1), 40_000.0_f64);
        let draws: Vec<f64> = (0..40_000).map(|_| sampler.logit(&mut generator)).collect();
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / n;
        assert!((mean - logit.mean()).abs() < 4.0 * logit.sd() / n.sqrt());
        assert!((variance.sqrt() / logit.sd() - 1.0).abs() < 4.0 / (2.0 * n).sqrt());
    }

    #[test]
    fn any_arm_makes_a_usable_prior() {
        for (alpha, beta) in [(1e-12, 1e-12), (1e-12, 1e12), (1e12, 1e12), (1.0, 1.0)] {
            let arm = BetaPosterior::new(alpha, beta).unwrap();
            for scale in [Scale::Rate, Scale::Logit] {
                let prior = NormalPosterior::of_arm(&arm, scale, 2, 1.0).unwrap();
                assert!(prior.scorer().unwrap().score(&FeatureVector::new(&[1.0, 1.0])).sd() > 0.0);
            }
        }
    }

    #[test]
    fn what_is_no_prior_is_refused_by_name() {
        let error = |mean: &[f64], precision: &[f64]| NormalPosterior::new(mean, precision).unwrap_err();
        assert_eq!(error(&[0.0], &[1.0, 2.0]), RegressionError::Length { found: 2, expected: 1 });
        assert!(error(&[f64::NAN], &[1.0]).to_string().starts_with("mean is NaN; hint"));
        assert!(error(&[0.0], &[0.0]).to_string().starts_with("precision is 0; hint"));
        assert!(NormalPosterior::of_arm(&BetaPosterior::UNTOUCHED, Scale::Rate, 2, 0.0).is_err());
    }
}
