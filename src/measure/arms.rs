//! Which of two arms is better, from the log of a bandit. Never by their plain means: shares move while the base rate drifts, so
//! each mean is that of other days, and a bandit leaves an arm just after bad luck.
//!
//! Two ways around it. [`weighted`] divides by the propensity of each exposure and needs no periods; [`by_period`] compares
//! within periods of constant propensities and is the surer one where there are few of them, each with many exposures.

use crate::json::number::Decimal;
use crate::measure::estimate::{Estimate, held};
use std::collections::BTreeMap;
use std::fmt;

/// Least propensity; no sum of squares of its inverses leaves the range of numbers.
const TINY: f64 = 1e-60;

/// Largest reward on either side of 0; weighted by the inverse of the least propensity and squared, it stays in range.
const HUGE: f64 = 1e60;

/// One exposure of a slot that a bandit fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// The arm that is asked about.
    First,
    /// The arm it is compared with.
    Second,
    /// Another one: counts as a part of its period.
    Other,
}

/// An exposure with what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposed {
    /// Who: exposures of one visitor share it, one that stands alone has a number of its own.
    pub unit: u64,
    /// Number of the time span in which propensities were constant, e.g. of the snapshot. Not read by [`weighted`].
    pub period: u64,
    /// Which arm.
    pub shown: Shown,
    /// P(this arm) when it was chosen, in [1e-60, 1]. Not read by [`by_period`].
    pub propensity: f64,
    /// What came of it, in any unit, from −1e60 to 1e60.
    pub reward: f64,
}

/// First less second arm, mean reward per exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The difference with its normal interval, in the unit of the reward.
    pub difference: Estimate,
    /// Effective units (Σw)²/Σw² behind the arm with fewer of them.
    pub effective_units: f64,
    /// Share of all exposures in periods that could be compared, in (0, 1]; 1 for [`weighted`].
    pub covered: f64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArmsError {
    /// A number that can't be.
    Number {
        /// Position of the exposure, from 0.
        row: usize,
        /// Name of the field.
        field: &'static str,
        /// The number found.
        found: f64,
    },
    /// Too few effective units behind one of the arms.
    TooThin {
        /// Effective units found.
        found: f64,
        /// Least number asked for.
        least: f64,
    },
}

impl fmt::Display for ArmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { row, field, found } => {
                write!(f, "{field} of exposure {row} is {}; hint: ", Decimal(*found))?;
                f.write_str(if *field == "propensity" {
                    "use what was logged, in (0, 1]"
                } else {
                    "use a number from -1e60 to 1e60"
                })
            }
            Self::TooThin { found, least } => {
                let [found, least] = [*found, *least].map(Decimal);
                write!(
                    f,
                    "{found} effective units of at least {least} behind an arm; hint: wait, or raise the floor"
                )
            }
        }
    }
}

impl std::error::Error for ArmsError {}

/// What an interval is to hold, and on how little it may rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Share of intervals that hold the truth; held to [0, 1).
    pub level: f64,
    /// Least effective units per arm; at least 2 whatever is asked for.
    pub least_effective_units: f64,
}

impl Default for Terms {
    /// 95 %, at least 30 effective units.
    fn default() -> Self {
        Self { level: 0.95, least_effective_units: 30.0 }
    }
}

/// Compares two arms by inverse propensities: μ_a = Σ(r/p) / Σ(1/p) over the arm's exposures (Hájek 1971, in Godambe & Sprott,
/// Foundations of Statistical Inference, p. 236), each the mean over all decisions of the log, whatever the weights were when.
///
/// A unit moves the difference by ψ_u = Σ_(first) (r − μ₁)/(p·S₁) − Σ_(second) (r − μ₂)/(p·S₂) with S = Σ 1/p; the variance is
/// G/(G − 1)·Σψ_u². Where propensities go to 0 no normal interval holds (Hadad et al. 2021, doi:10.1073/pnas.2014602118): keep an
/// exploration floor.
///
/// # Errors
/// The first exposure with an impossible number, too few effective units behind an arm.
pub fn weighted(exposures: &[Exposed], terms: &Terms) -> Result<Comparison, ArmsError> {
    let mut arms = [Weights::default(); 2];
    for (row, exposed) in exposures.iter().enumerate() {
        let p = exposed.propensity;
        if !(TINY..=1.0).contains(&p) {
            return Err(ArmsError::Number { row, field: "propensity", found: p });
        }
        check_reward(row, exposed.reward)?;
        if let Some(arm) = of(&mut arms, exposed.shown) {
            arm.add(1.0 / p, exposed.reward);
        }
    }
    let parts = exposures.iter().filter_map(|exposed| {
        let arm = of(&mut arms, exposed.shown)?;
        let psi = (exposed.reward - arm.mean()) / (exposed.propensity * arm.sum);
        Some((exposed.unit, exposed.shown, psi, 1.0 / exposed.propensity))
    });
    let units = by_unit(parts);
    let [first, second] = arms;
    finish(first.mean() - second.mean(), &units, (terms, 1.0))
}

/// Compares two arms within periods: Δ = Σ_k N_k·(r̄₁ₖ − r̄₂ₖ)/Σ_k N_k, N_k being all exposures of period k, so that the answer is
/// for the visits as they came. Periods in which one of the two was shown less than twice can't be compared; what share of the
/// visits is left is told as `covered`.
///
/// A unit moves it by ψ_u = Σ ±(N_k/N)·(r − r̄_k)/n_k·√(n_k/(n_k − 1)); the root makes the variance of units that stand alone the
/// usual Σ (N_k/N)²·(s₁²/n₁ + s₂²/n₂), however few exposures a period has.
///
/// # Errors
/// The first reward that can't be, too few effective units behind an arm, no period with both arms.
pub fn by_period(exposures: &[Exposed], terms: &Terms) -> Result<Comparison, ArmsError> {
    let mut periods: BTreeMap<u64, Period> = BTreeMap::new();
    for (row, exposed) in exposures.iter().enumerate() {
        check_reward(row, exposed.reward)?;
        let period = periods.entry(exposed.period).or_default();
        period.n += 1.0;
        if let Some(arm) = of(&mut period.arms, exposed.shown) {
            arm.add(1.0, exposed.reward);
        }
    }
    let all = exposures.len() as f64;
    periods.retain(|_, period| period.arms.iter().all(|arm| arm.sum >= 2.0));
    let n: f64 = periods.values().map(|period| period.n).sum();
    let differences = periods
        .values()
        .map(|Period { n: of_period, arms: [first, second] }| of_period / n * (first.mean() - second.mean()));
    let value = differences.sum();
    let parts = exposures.iter().filter_map(|exposed| {
        let period = periods.get_mut(&exposed.period)?;
        let share = period.n / n;
        let arm = of(&mut period.arms, exposed.shown)?;
        let weight = share / arm.sum;
        let psi = weight * (exposed.reward - arm.mean()) * (arm.sum / (arm.sum - 1.0)).sqrt();
        Some((exposed.unit, exposed.shown, psi, weight))
    });
    let units = by_unit(parts);
    finish(value, &units, (terms, n / all))
}

/// Σw and Σw·r of one arm.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    sum: f64,
    rewards: f64,
}

impl Weights {
    fn add(&mut self, weight: f64, reward: f64) {
        self.sum += weight;
        self.rewards += weight * reward;
    }

    fn mean(&self) -> f64 {
        self.rewards / self.sum
    }
}

/// Exposures of a period, all of them and those of the two arms.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    n: f64,
    arms: [Weights; 2],
}

/// The one of a pair that belongs to the arm.
fn of(pair: &mut [Weights; 2], shown: Shown) -> Option<&mut Weights> {
    let [first, second] = pair;
    match shown {
        Shown::First => Some(first),
        Shown::Second => Some(second),
        Shown::Other => None,
    }
}

fn check_reward(row: usize, found: f64) -> Result<(), ArmsError> {
    if found.abs() <= HUGE { Ok(()) } else { Err(ArmsError::Number { row, field: "reward", found }) }
}

/// What a unit adds: to the difference (ψ), and its weights in both arms.
type Unit = [f64; 3];

fn by_unit(parts: impl Iterator<Item = (u64, Shown, f64, f64)>) -> Vec<Unit> {
    let mut units: BTreeMap<u64, Unit> = BTreeMap::new();
    for (unit, shown, psi, weight) in parts {
        let [sum, first, second] = units.entry(unit).or_default();
        if shown == Shown::First {
            *sum += psi;
            *first += weight;
        } else {
            *sum -= psi;
            *second += weight;
        }
    }
    units.into_values().collect()
}

/// The answer from the units, or why there is none.
fn finish(value: f64, units: &[Unit], (terms, covered): (&Terms, f64)) -> Result<Comparison, ArmsError> {
    let mut sums = [0.0; 5];
    for &[psi, first, second] in units {
        let squares = [psi * psi, first, first * first, second, second * second];
        for (sum, square) in sums.iter_mut().zip(squares) {
            *sum += square;
        }
    }
    let [variance, first, first_squares, second, second_squares] = sums;
    let effective = |sum: f64, squares: f64| if squares > 0.0 { sum * sum / squares } else { 0.0 };
    let effective_units = effective(first, first_squares).min(effective(second, second_squares));
    let least = terms.least_effective_units.max(2.0);
    // Without a period to compare in, the value is 0 of nothing.
    if effective_units < least {
        return Err(ArmsError::TooThin { found: effective_units, least });
    }
    let n = units.len() as f64;
    let standard_error = (variance * n / (n - 1.0)).sqrt();
    let difference = Estimate::normal(value, standard_error, held(terms.level));
    Ok(Comparison { difference, effective_units, covered })
}

#[cfg(test)]
mod tests;
