//! What another policy would have earned, estimated from rows that the behaviour policy logged with its propensities.
//!
//! It neither fits a model nor clips a weight: predictions come in with the rows, and where the logs don't overlap with the
//! policy enough to tell, the answer is a refusal instead of a number.

use crate::json::number::Decimal;
use crate::measure::bootstrap::{Resampling, percentile_interval, resample};
use crate::measure::estimate::{Estimate, held};
use crate::seed::Generator;
use std::collections::BTreeMap;
use std::fmt;

/// One logged decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Who: rows of one visitor share it. Visitors are taken for independent, rows of one visitor are not. A row that
    /// stands alone has a number of its own.
    pub unit: u64,
    /// What came of it, in any unit, finite.
    pub reward: f64,
    /// P(logged arm) under the policy that chose it, in (0, 1].
    pub propensity: f64,
    /// P(logged arm) under the policy to evaluate, in [0, 1].
    pub target: f64,
    /// What a reward model says; in all rows or in none.
    pub prediction: Option<Prediction>,
}

/// Expected rewards by a model that was fitted without the row (cross-fitted), in the unit of the reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// q̂ of the logged arm.
    pub logged: f64,
    /// Σ_a π(a)·q̂(a) over all arms, π being the policy to evaluate.
    pub policy: f64,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Share of intervals that are to hold the truth; held to [0, 1).
    pub level: f64,
    /// Least effective number of units; under it there is no answer. Under about 30 even the standard errors are guesses.
    pub least_effective_units: f64,
    /// For the bootstrap intervals.
    pub resampling: Resampling,
}

impl Default for Settings {
    /// 95 %, at least 100 effective units, 2,000 resamples.
    fn default() -> Self {
        let resampling = Resampling { resamples: 2_000, seed: 0 };
        Self { level: 0.95, least_effective_units: 100.0, resampling }
    }
}

/// The answer. All values are means per row, in the unit of the reward.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Number of rows.
    pub n_rows: u64,
    /// Number of units.
    pub n_units: u64,
    /// (Σw)²/Σw² over the rows, w = target/propensity: as many rows of the policy itself would tell as much.
    pub effective_rows: f64,
    /// The same over units, whose weight is the sum of their rows' weights; never more than `effective_rows`.
    pub effective_units: f64,
    /// Largest weight of a row.
    pub largest_weight: f64,
    /// Mean weight; expected to be 1.
    pub mean_weight: f64,
    /// Inverse propensity scoring: Σ w·r / n. Unbiased, and moves when a constant is added to the rewards.
    pub ips: Estimate,
    /// Self-normalised: Σ w·r / Σ w. Nearly always the better one of the two.
    pub snips: Estimate,
    /// What the predictions add; `None` where rows come without.
    pub modelled: Option<Modelled>,
    /// What to know before believing the numbers.
    pub warnings: Vec<Warning>,
}

/// Estimates that use predictions (Dudík et al. 2014).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Modelled {
    /// Direct method: mean of the policy's predicted reward. As right as the model is, and its interval knows nothing of the
    /// model's error: it tells how the mean would vary with other visits.
    pub dm: Estimate,
    /// Doubly robust: direct method + Σ w·(r − q̂) / n. Unbiased whatever the model says.
    pub dr: Estimate,
    /// Self-normalised doubly robust: direct method + Σ w·(r − q̂) / Σ w.
    pub sndr: Estimate,
}

/// Why the numbers may be worth less than their intervals say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// The mean weight is more than three standard errors off 1: below, the policy wants arms that the log never tries;
    /// above or below, propensities may be wrong. A false alarm in 0.3 % of sound logs.
    MeanWeight {
        /// The mean found.
        mean: f64,
        /// Its standard error.
        standard_error: f64,
    },
    /// One unit has more than a twentieth of all weight, and more than twice its part: it alone moves the estimate by as much
    /// of its own reward.
    Dominated {
        /// Its share of the weights.
        share: f64,
    },
    /// Fewer than a tenth of the units count: the policies have little in common.
    LittleOverlap {
        /// Effective units per unit.
        share: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MeanWeight { mean, standard_error } => {
                let [mean, error] = [*mean, *standard_error].map(|n| Decimal(libm::round(n * 1e3) / 1e3));
                write!(
                    f,
                    "weights have the mean {mean} ± {error} instead of 1: some arms are never tried, or propensities are wrong"
                )
            }
            Self::Dominated { share } => {
                write!(f, "one visitor has {} % of all weight", Decimal(libm::round(share * 1e3) / 10.0))
            }
            Self::LittleOverlap { share } => {
                write!(
                    f,
                    "only {} % of the visitors count: the policies have little in common",
                    Decimal(libm::round(share * 1e3) / 10.0)
                )
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OffPolicyError {
    /// Fewer than two units: no variance to estimate.
    TooFewUnits {
        /// Number of units found.
        found: u64,
    },
    /// A number that is none.
    NotFinite {
        /// Position of the row, from 0.
        row: usize,
        /// Name of the field.
        field: &'static str,
    },
    /// A probability outside of its range.
    Probability {
        /// Position of the row, from 0.
        row: usize,
        /// Name of the field.
        field: &'static str,
        /// The number found.
        found: f64,
    },
    /// Predictions in some rows but not in this one.
    PredictionMissing {
        /// Position of the row, from 0.
        row: usize,
    },
    /// Too little overlap for an answer.
    TooThin {
        /// Effective units found.
        found: f64,
        /// Least number asked for.
        least: f64,
    },
    /// Sums beyond the range of numbers.
    TooLarge,
}

impl fmt::Display for OffPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewUnits { found } => write!(f, "{found} units; hint: at least two are needed"),
            Self::NotFinite { row, field } => {
                write!(
                    f,
                    "{field} of row {row} is no finite number; hint: leave the row out only if all like it are"
                )
            }
            Self::Probability { row, field, found } => {
                let range = if *field == "propensity" { "above 0 and up to 1" } else { "from 0 to 1" };
                write!(
                    f,
                    "{field} of row {row} is {}; hint: a probability {range} is needed",
                    Decimal(*found)
                )
            }
            Self::PredictionMissing { row } => {
                write!(f, "row {row} has no prediction; hint: give one for all rows or for none")
            }
            Self::TooThin { found, least } => {
                let [found, least] = [*found, *least].map(Decimal);
                write!(f, "{found} effective units of at least {least}; hint: log more, or explore more")
            }
            Self::TooLarge => write!(f, "sums leave the range of numbers; hint: use a larger unit"),
        }
    }
}

impl std::error::Error for OffPolicyError {}

/// Estimates what the policy behind `target` would have earned per row.
///
/// Dudík, Erhan, Langford & Li (2014, doi:10.1214/14-STS500) for IPS, DM and DR; Swaminathan & Joachims (2015, NIPS 28) for the
/// self-normalised forms. Every estimator is a ratio of sums over units, so its variance is that of its linear part: with
/// ψ_u the influence of unit u, G/(G − 1)·Σψ_u² for G units (Särndal et al. 1992, doi:10.1007/978-1-4612-4378-6, section 5.5). For rows
/// that stand alone this is the usual s²/n. Intervals are normal; the bootstrap is the percentile one, by whole units.
///
/// # Errors
/// The first row that is not as [`Row`] says, fewer than two units, fewer effective units than asked for, overflow.
/// ```
/// use edgeloom::measure::off_policy::{Row, Settings, evaluate};
///
/// // Arm 0 pays 0.2, arm 1 pays 0.6, shown evenly. What would 80 % of arm 1 earn? 0.8·0.6 + 0.2·0.2 = 0.52.
/// let row = |unit: u64| {
///     let (arm, k) = (unit % 2, unit / 2 % 10);
///     let (target, rate) = if arm == 1 { (0.8, 6) } else { (0.2, 2) };
///     Row { unit, reward: if k < rate { 1.0 } else { 0.0 }, propensity: 0.5, target, prediction: None }
/// };
/// let report = evaluate(&(0..1_000).map(row).collect::<Vec<_>>(), &Settings::default())?;
/// assert!((report.ips.value - 0.52).abs() < 1e-12);
/// # Ok::<(), edgeloom::measure::off_policy::OffPolicyError>(())
/// ```
pub fn evaluate(rows: &[Row], settings: &Settings) -> Result<Report, OffPolicyError> {
    let log = Log::new(rows)?;
    let least = settings.least_effective_units;
    // A comparison with NaN is false, so that no number of units would be too small for it.
    if log.effective_units < least || least.is_nan() {
        return Err(OffPolicyError::TooThin { found: log.effective_units, least });
    }
    let level = held(settings.level);
    let values = values(&log.total);
    let mut resampled: [Vec<f64>; 5] = Default::default();
    let mut generator = Generator::new(settings.resampling.seed);
    for _ in 0..settings.resampling.resamples {
        let total = resample(&log.units, &mut generator);
        for (list, value) in resampled.iter_mut().zip(self::values(&total)) {
            list.push(value);
        }
    }
    let errors = log.standard_errors(&values);
    let mut finite = true;
    let mut lists = resampled.into_iter();
    let [ips, snips, dm, dr, sndr] = [0, 1, 2, 3, 4].map(|at: usize| {
        let value = values.get(at).copied().unwrap_or(f64::NAN);
        let error = errors.get(at).copied().unwrap_or(f64::NAN);
        finite &= value.is_finite() && error.is_finite();
        let bootstrap = lists.next().and_then(|list| percentile_interval(list, level));
        Estimate { bootstrap, ..Estimate::normal(value, error, level) }
    });
    if !finite {
        return Err(OffPolicyError::TooLarge);
    }
    let is_modelled = rows.iter().all(|row| row.prediction.is_some());
    Ok(Report {
        n_rows: rows.len() as u64,
        n_units: log.units.len() as u64,
        effective_rows: log.effective_rows,
        effective_units: log.effective_units,
        largest_weight: log.largest_weight,
        mean_weight: log.mean_weight(),
        ips,
        snips,
        modelled: is_modelled.then_some(Modelled { dm, dr, sndr }),
        warnings: log.warnings(),
    })
}

/// Sums over rows, named as in the paper: their number, Σw, Σw·r, Σ_i Σ_a π(a)·q̂(a), Σw·(r − q̂).
type Sums = [f64; 5];

/// IPS, SNIPS, DM, DR and SNDR of the sums.
fn values(&[n, w, wr, d, we]: &Sums) -> [f64; 5] {
    [wr / n, wr / w, d / n, (d + we) / n, d / n + we / w]
}

/// The rows, checked and added up by unit.
struct Log {
    units: Vec<Sums>,
    total: Sums,
    effective_rows: f64,
    effective_units: f64,
    largest_weight: f64,
}

impl Log {
    fn new(rows: &[Row]) -> Result<Self, OffPolicyError> {
        let is_modelled = rows.iter().any(|row| row.prediction.is_some());
        let mut by_unit: BTreeMap<u64, Sums> = BTreeMap::new();
        let (mut squares, mut largest_weight) = (0.0, 0.0_f64);
        for (at, row) in rows.iter().enumerate() {
            let weight = weight(at, row)?;
            let (logged, policy) = match row.prediction {
                Some(Prediction { logged, policy }) => (logged, policy),
                None if is_modelled => return Err(OffPolicyError::PredictionMissing { row: at }),
                None => (0.0, 0.0),
            };
            let [r, logged, policy] =
                [("reward", row.reward), ("prediction", logged), ("prediction", policy)].map(
                    |(field, found)| {
                        if found.is_finite() {
                            Ok(found)
                        } else {
                            Err(OffPolicyError::NotFinite { row: at, field })
                        }
                    },
                );
            let (r, logged, policy) = (r?, logged?, policy?);
            squares += weight * weight;
            largest_weight = largest_weight.max(weight);
            let sums = [1.0, weight, weight * r, policy, weight * (r - logged)];
            add(by_unit.entry(row.unit).or_default(), &sums);
        }
        let units: Vec<Sums> = by_unit.into_values().collect();
        if units.len() < 2 {
            return Err(OffPolicyError::TooFewUnits { found: units.len() as u64 });
        }
        let (mut total, mut unit_squares) = (Sums::default(), 0.0);
        for unit in &units {
            add(&mut total, unit);
            unit_squares += unit[1] * unit[1];
        }
        // No weight at all is no unit at all, not 0/0.
        let effective = |squares: f64| if squares > 0.0 { total[1] * total[1] / squares } else { 0.0 };
        let (effective_rows, effective_units) = (effective(squares), effective(unit_squares));
        if !effective_rows.is_finite() || !effective_units.is_finite() {
            return Err(OffPolicyError::TooLarge);
        }
        Ok(Self { units, total, effective_rows, effective_units, largest_weight })
    }

    fn mean_weight(&self) -> f64 {
        self.total[1] / self.total[0]
    }

    /// √(G/(G − 1)·Σψ²) for each of the estimators.
    fn standard_errors(&self, &[ips, snips, dm, dr, sndr]: &[f64; 5]) -> [f64; 5] {
        let [rows, weights, ..] = self.total;
        // SNDR = DM + E with E = Σw·(r − q̂) / Σw; both parts vary together, so their influences are added first.
        let correction = sndr - dm;
        let mut sums = [0.0; 5];
        for &[n, w, wr, d, we] in &self.units {
            let influence = [
                (wr - ips * n) / rows,
                (wr - snips * w) / weights,
                (d - dm * n) / rows,
                (d + we - dr * n) / rows,
                (d - dm * n) / rows + (we - correction * w) / weights,
            ];
            for (sum, psi) in sums.iter_mut().zip(influence) {
                *sum += psi * psi;
            }
        }
        sums.map(|sum| (sum * self.correction()).sqrt())
    }

    /// G/(G − 1).
    fn correction(&self) -> f64 {
        let n = self.units.len() as f64;
        n / (n - 1.0)
    }

    fn warnings(&self) -> Vec<Warning> {
        let (mean, rows) = (self.mean_weight(), self.total[0]);
        let (mut squares, mut most) = (0.0, 0.0_f64);
        for &[n, w, ..] in &self.units {
            let psi = (w - mean * n) / rows;
            squares += psi * psi;
            most = most.max(w);
        }
        let standard_error = (squares * self.correction()).sqrt();
        let share = most / self.total[1];
        let overlap = self.effective_units / self.units.len() as f64;
        // 1e-9: where all weights are the same, only rounding keeps them from 1.
        let is_off = (mean - 1.0).abs() > 3.0 * standard_error + 1e-9;
        let mut found = Vec::new();
        found.extend(is_off.then_some(Warning::MeanWeight { mean, standard_error }));
        let is_heavy = share > 0.05 && share * self.units.len() as f64 > 2.0;
        found.extend(is_heavy.then_some(Warning::Dominated { share }));
        found.extend((overlap < 0.1).then_some(Warning::LittleOverlap { share: overlap }));
        found
    }
}

/// target/propensity of a row, where both are what they should be.
fn weight(at: usize, row: &Row) -> Result<f64, OffPolicyError> {
    if !(row.propensity > 0.0 && row.propensity <= 1.0) {
        return Err(OffPolicyError::Probability { row: at, field: "propensity", found: row.propensity });
    }
    if !(0.0..=1.0).contains(&row.target) {
        return Err(OffPolicyError::Probability { row: at, field: "target", found: row.target });
    }
    Ok(row.target / row.propensity)
}

fn add(total: &mut Sums, more: &Sums) {
    for (sum, value) in total.iter_mut().zip(more) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests;
