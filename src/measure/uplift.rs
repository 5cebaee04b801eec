//! What personalization added to the holdout: conversion and value per visitor, with intervals.
//!
//! Both sides are whole groups of visitors, split by a hash with a constant share, so their plain means may be compared, whatever
//! the bandit did inside of its group. Arms inside of it may not: see [`crate::measure::arms`].

use crate::bandit::{BetaPosterior, Contrast};
use crate::measure::bootstrap::{Resampling, bound, resample};
use crate::measure::estimate::{Estimate, Interval, held};
use crate::measure::special::{student_cdf, student_factor};
use crate::seed::Generator;
use std::fmt;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpliftError {
    /// More conversions than visitors.
    TooManyConversions {
        /// Which group.
        group: Group,
        /// Visitors of the group.
        visitors: u64,
        /// Visitors who are said to have converted.
        converted: u64,
    },
    /// Fewer than two visitors: no variance to estimate.
    TooFewVisitors {
        /// Which group.
        group: Group,
        /// Visitors of the group.
        visitors: u64,
    },
    /// A value that is no number from −1e100 to 1e100.
    Value {
        /// Which group.
        group: Group,
        /// Position of the visitor, from 0.
        visitor: usize,
    },
}

/// The two groups that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Visitors who get what the policy chooses.
    Personalised,
    /// Visitors who are never personalised.
    Holdout,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Personalised => "personalised group",
            Self::Holdout => "holdout",
        })
    }
}

impl fmt::Display for UpliftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyConversions { group, visitors, converted } => {
                write!(f, "{converted} of {visitors} visitors in the {group}; hint: count a visitor once")
            }
            Self::TooFewVisitors { group, visitors } => {
                write!(f, "{visitors} visitors in the {group}; hint: wait for two at least")
            }
            Self::Value { group, visitor } => {
                write!(
                    f,
                    "value {visitor} of the {group} is no number in range; hint: look at how it was added up"
                )
            }
        }
    }
}

impl std::error::Error for UpliftError {}

/// Visitors of a group, each counted once, and how many of them converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversions {
    /// Visitors.
    pub visitors: u64,
    /// Those with at least one conversion; at most `visitors`.
    pub converted: u64,
}

/// Increment of the conversion rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateUplift {
    /// What is believed of the personalised rate.
    pub personalised: BetaPosterior,
    /// What is believed of the holdout's rate.
    pub holdout: BetaPosterior,
    /// P(personalised rate > holdout's rate).
    pub p_positive: f64,
    /// Median of the difference, share of visitors.
    pub difference: f64,
    /// Credible interval of the difference.
    pub difference_interval: Interval,
    /// Median of the relative lift personalised/holdout − 1; 0.1 is a tenth more.
    pub lift: f64,
    /// Credible interval of the relative lift; never below −1.
    pub lift_interval: Interval,
}

/// Compares two conversion rates by their posteriors: exact integrals, no simulation. `level` is the mass of the intervals, held
/// to [0, 1); `prior` is that of both groups, usually [`BetaPosterior::UNTOUCHED`]. Takes some milliseconds.
///
/// # Errors
/// More conversions than visitors.
/// ```
/// use edgeloom::bandit::BetaPosterior;
/// use edgeloom::measure::uplift::{Conversions, rates};
///
/// let personalised = Conversions { visitors: 18_000, converted: 990 };
/// let holdout = Conversions { visitors: 2_000, converted: 90 };
/// let found = rates(personalised, holdout, &BetaPosterior::UNTOUCHED, 0.95)?;
/// assert!(found.p_positive > 0.96 && found.lift_interval.contains(0.22));
/// # Ok::<(), edgeloom::measure::uplift::UpliftError>(())
/// ```
pub fn rates(
    personalised: Conversions,
    holdout: Conversions,
    prior: &BetaPosterior,
    level: f64,
) -> Result<RateUplift, UpliftError> {
    let belief = |group, Conversions { visitors, converted }: Conversions| {
        if converted > visitors {
            return Err(UpliftError::TooManyConversions { group, visitors, converted });
        }
        Ok(prior.after(visitors, converted))
    };
    let personalised = belief(Group::Personalised, personalised)?;
    let holdout = belief(Group::Holdout, holdout)?;
    let contrast = Contrast::new(&personalised, &holdout);
    let outside = 0.5 * (1.0 - held(level));
    let ends =
        |quantile: &dyn Fn(f64) -> f64| Interval { low: quantile(outside), high: quantile(1.0 - outside) };
    let difference = |share| contrast.difference_quantile(share);
    let lift = |share| contrast.ratio_quantile(share) - 1.0;
    Ok(RateUplift {
        personalised,
        holdout,
        p_positive: 1.0 - contrast.difference_cdf(0.0),
        difference: difference(0.5),
        difference_interval: ends(&difference),
        lift: lift(0.5),
        lift_interval: ends(&lift),
    })
}

/// Sums of the values of visitors, as integers: they merge in any order, without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Values {
    /// Visitors, those who were worth nothing included.
    visitors: u64,
    /// Σr, in millionths.
    sum_micros: i128,
    /// Σr², in millionths of millionths.
    squares: u128,
}

impl Values {
    /// Adds a visitor with everything they were worth, in millionths of the site's currency; may be negative.
    ///
    /// Squares add up to at most 3.4e38: a hundred million visitors worth a billion each. Beyond that they stay there.
    pub fn add(&mut self, value_micros: i64) {
        let square = u128::from(value_micros.unsigned_abs()) * u128::from(value_micros.unsigned_abs());
        self.merge(&Self { visitors: 1, sum_micros: i128::from(value_micros), squares: square });
    }

    /// Sums that were counted elsewhere: visitors, Σr in millionths, and Σr² in millionths of millionths, ≥ 0.
    #[must_use]
    pub fn of_sums(visitors: u64, sum_micros: i128, square_micros: i128) -> Self {
        Self { visitors, sum_micros, squares: u128::try_from(square_micros).unwrap_or(0) }
    }

    /// Adds other visitors.
    pub fn merge(&mut self, other: &Self) {
        self.visitors = self.visitors.saturating_add(other.visitors);
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// Number of visitors.
    #[must_use]
    pub fn visitors(&self) -> u64 {
        self.visitors
    }

    /// Mean per visitor in the site's currency; 0 without visitors.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum_micros as f64 / (self.visitors.max(1) as f64 * 1e6)
    }

    /// Sample variance s² of the visitors' values, divided by n − 1; 0 for fewer than two.
    ///
    /// Σr² − (Σr)²/n in numbers would lose the digits that both have in common. With m = ⌊Σr/n⌋ and ρ = Σr − n·m it is
    /// Σr² − m·(Σr + ρ) − ρ²/n: the first two are exact as integers, the last is below n.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.visitors < 2 {
            return 0.0;
        }
        let n = i128::from(self.visitors);
        let (mean, rest) = (self.sum_micros.div_euclid(n), self.sum_micros.rem_euclid(n));
        let exact = i128::try_from(self.squares)
            .ok()
            .and_then(|squares| squares.checked_sub(mean.checked_mul(self.sum_micros.checked_add(rest)?)?));
        let n = self.visitors as f64;
        let centred = match exact {
            Some(about_m) => about_m as f64 - rest as f64 * (rest as f64 / n),
            None => self.squares as f64 - self.sum_micros as f64 * (self.sum_micros as f64 / n),
        };
        centred.max(0.0) / (n - 1.0) / 1e12
    }
}

/// Increment of the value per visitor, in the site's currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueUplift {
    /// Difference of the means with Welch's interval.
    pub difference: Estimate,
    /// Welch's degrees of freedom.
    pub degrees: f64,
    /// P(difference > 0) under a flat prior, by Student's distribution.
    pub p_positive: f64,
    /// Relative lift personalised/holdout − 1, with Fieller's interval; `None` where the holdout's mean is not clearly above 0,
    /// so that a ratio to it says nothing.
    pub lift: Option<(f64, Interval)>,
}

/// Compares mean values from sums (Welch 1947, doi:10.1093/biomet/34.1-2.28). `level` is held to [0, 1).
///
/// The interval needs means that are about normal. Where few visitors buy and few of those buy a lot, take [`resampled`].
///
/// # Errors
/// A group with fewer than two visitors.
/// ```
/// use edgeloom::measure::uplift::{Values, values};
///
/// let (mut personalised, mut holdout) = (Values::default(), Values::default());
/// for micros in [1_000_000, 3_000_000, 5_000_000] {
///     personalised.add(micros + 1_000_000);
///     holdout.add(micros);
/// }
/// let found = values(&personalised, &holdout, 0.95)?;
/// assert!((found.difference.value - 1.0).abs() < 1e-12 && (found.degrees - 4.0).abs() < 1e-12);
/// # Ok::<(), edgeloom::measure::uplift::UpliftError>(())
/// ```
pub fn values(personalised: &Values, holdout: &Values, level: f64) -> Result<ValueUplift, UpliftError> {
    let moments = |group, values: &Values| {
        let visitors = values.visitors;
        if visitors < 2 {
            return Err(UpliftError::TooFewVisitors { group, visitors });
        }
        Ok(Moments { n: visitors as f64, mean: values.mean(), variance: values.variance() })
    };
    Ok(welch(moments(Group::Personalised, personalised)?, moments(Group::Holdout, holdout)?, held(level)))
}

/// Compares mean values with the visitors at hand: as [`values`], and with a bootstrap interval that resamples visitors.
///
/// Each number is all that one visitor was worth. The interval is the symmetrical studentised one (Hall 1988,
/// Journal of the Royal Statistical Society B 50, 35–45): value ± q·standard error, with q from the resampled |t|. With a holdout of a
/// hundred visitors and log-normal orders it holds the truth in 95 of 100 cases, the percentile and the equal-tailed studentised
/// interval in 93 to 94: both take their skewness from the sample, and a small one has not seen its largest orders.
///
/// # Errors
/// A group with fewer than two visitors, a value that is no number from −1e100 to 1e100.
pub fn resampled(
    personalised: &[f64],
    holdout: &[f64],
    level: f64,
    resampling: Resampling,
) -> Result<ValueUplift, UpliftError> {
    let level = held(level);
    let one = centred(Group::Personalised, personalised)?;
    let other = centred(Group::Holdout, holdout)?;
    let mut found = welch(one.moments, other.moments, level);
    let Estimate { value, standard_error, .. } = found.difference;
    let mut generator = Generator::new(resampling.seed);
    let studentised = |_| {
        let drawn = [&one, &other].map(|sample| Moments::of(&resample(&sample.units, &mut generator)));
        let [one, other] = drawn;
        // Both are centred: the difference is that to the true one, the sample's.
        let error = (one.variance / one.n + other.variance / other.n).sqrt();
        ((one.mean - other.mean) / error).abs()
    };
    let ratios: Vec<f64> = (0..resampling.resamples).map(studentised).collect();
    found.difference.bootstrap =
        bound(ratios, level).map(|factor| Interval::around(value, factor * standard_error));
    Ok(found)
}

/// Size, mean and variance of a group.
#[derive(Debug, Clone, Copy)]
struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    /// From n, Σr and Σr² of values that were centred, so that the difference keeps its digits.
    fn of(&[n, sum, squares]: &[f64; 3]) -> Self {
        let mean = sum / n;
        Self { n, mean, variance: ((squares - sum * mean) / (n - 1.0)).max(0.0) }
    }
}

/// A group's values less their mean, as 1, r and r², ready to be resampled.
struct Centred {
    moments: Moments,
    units: Vec<[f64; 3]>,
}

fn centred(group: Group, values: &[f64]) -> Result<Centred, UpliftError> {
    let visitors = values.len() as u64;
    if visitors < 2 {
        return Err(UpliftError::TooFewVisitors { group, visitors });
    }
    if let Some(visitor) = values.iter().position(|value| !(-1e100..=1e100).contains(value)) {
        return Err(UpliftError::Value { group, visitor });
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let units: Vec<[f64; 3]> = values.iter().map(|r| [1.0, r - mean, (r - mean) * (r - mean)]).collect();
    let variance = units.iter().map(|[_, _, square]| square).sum::<f64>() / (n - 1.0);
    Ok(Centred { moments: Moments { n, mean, variance }, units })
}

/// Welch's comparison; letters as in the paper: λ is the variance of a mean.
fn welch(one: Moments, other: Moments, level: f64) -> ValueUplift {
    let (l1, l2) = (one.variance / one.n, other.variance / other.n);
    let value = one.mean - other.mean;
    let standard_error = (l1 + l2).sqrt();
    // Without any variance there is nothing to be unsure of: as many degrees as both have.
    let degrees = if l1 + l2 > 0.0 {
        (l1 + l2) * (l1 + l2) / (l1 * l1 / (one.n - 1.0) + l2 * l2 / (other.n - 1.0))
    } else {
        one.n + other.n - 2.0
    };
    let factor = student_factor(level, degrees);
    let interval = Interval::around(value, factor * standard_error);
    let p_positive = if standard_error > 0.0 {
        student_cdf(value / standard_error, degrees)
    } else {
        0.5 * (1.0 + f64::from(i8::from(value > 0.0) - i8::from(value < 0.0)))
    };
    let lift = fieller([one.mean, l1], [other.mean, l2], factor);
    ValueUplift {
        difference: Estimate { value, standard_error, interval, bootstrap: None },
        degrees,
        p_positive,
        lift,
    }
}

/// Relative lift and its interval from independent means with their variances (Fieller 1954,
/// doi:10.1111/j.2517-6161.1954.tb00159.x): all ratios ρ for which (a − ρ·b)² ≤ t²·(λ_a + ρ²·λ_b).
fn fieller([a, of_a]: [f64; 2], [b, of_b]: [f64; 2], t: f64) -> Option<(f64, Interval)> {
    let leading = b * b - t * t * of_b;
    // The holdout's own interval reaches 0: no ratio is excluded.
    if b <= 0.0 || leading <= 0.0 {
        return None;
    }
    let discriminant = (a * a * of_b + b * b * of_a - t * t * of_a * of_b).max(0.0);
    let (middle, half) = (a * b / leading, t * discriminant.sqrt() / leading);
    Some((a / b - 1.0, Interval::around(middle - 1.0, half)))
}

#[cfg(test)]
mod tests;
