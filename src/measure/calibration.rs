//! Whether predicted rates are the ones observed: reliability by tenth, calibration error, Brier score. It mends nothing.
//!
//! Counted are whole numbers by cell of the predicted rate, so that shards merge in any order. A cell is a sixteenth wide in
//! log-odds (6 % of a small rate): equal widths in the rate itself would put all rates of a shop into the first cell.

use crate::json::number::Decimal;
use crate::measure::buckets::Tally;
use crate::measure::chi_square_survival;
use crate::sorted::SortedMap;
use std::fmt;

/// Cells per unit of log-odds.
const CELLS: f64 = 16.0;

/// Log-odds beyond which cells are not told apart: rates of 6 in a million.
const WIDEST: f64 = 12.0;

/// One, in the fixed point of predictions: 2^32. As integers, sums do not depend on their order.
const ONE: f64 = 4_294_967_296.0;

/// Least variance of the rewards of a group that is tested: with less, chance alone leaves the chi-square distribution.
const LEAST_VARIANCE: f64 = 5.0;

/// A predicted rate that is not a number in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictionError {
    /// The number found.
    pub found: f64,
}

impl fmt::Display for PredictionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a predicted rate of {}; hint: rates are from 0 to 1", Decimal(self.found))
    }
}

impl std::error::Error for PredictionError {}

/// What was predicted and observed in some cells. Predictions p are in units of 2^-32, their squares in units of 2^-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cell {
    tally: Tally,
    /// Σ p.
    predicted: u128,
    /// Σ p².
    squares: u128,
    /// Σ p over the rewarded exposures.
    rewarded: u128,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.tally.add(other.tally);
        self.predicted = self.predicted.saturating_add(other.predicted);
        self.squares = self.squares.saturating_add(other.squares);
        self.rewarded = self.rewarded.saturating_add(other.rewarded);
    }

    /// n, Σr, Σp, Σp², Σpr as numbers.
    fn sums(&self) -> Sums {
        Sums {
            n: self.tally.exposures as f64,
            r: self.tally.rewarded() as f64,
            p: self.predicted as f64 / ONE,
            pp: self.squares as f64 / (ONE * ONE),
            pr: self.rewarded as f64 / ONE,
        }
    }
}

/// Sums over exposures with predicted rate p and reward r.
#[derive(Clone, Copy)]
struct Sums {
    n: f64,
    r: f64,
    p: f64,
    pp: f64,
    pr: f64,
}

/// Predicted rates and what came of them.
///
/// ```
/// use edgeloom::measure::buckets::Tally;
/// use edgeloom::measure::calibration::Calibration;
///
/// let mut found = Calibration::default();
/// found.add(0.02, Tally { exposures: 1_000, rewards: 20 })?;
/// found.add(0.05, Tally { exposures: 1_000, rewards: 80 })?;
/// let reliability = found.reliability();
/// assert_eq!(reliability.tenths.len(), 2);
/// assert!((reliability.error - 0.015).abs() < 1e-9);
/// assert!(reliability.is_off(0.001));
/// # Ok::<(), edgeloom::measure::calibration::PredictionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calibration(SortedMap<i16, Cell>);

/// About a tenth of the exposures: those whose predicted rates are next to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tenth {
    /// Exposures and rewards.
    pub tally: Tally,
    /// Mean predicted rate.
    pub predicted: f64,
    /// Observed rate.
    pub observed: f64,
}

/// The mean of (p − r)², in parts: `score` = `reliability` − `resolution` + `uncertainty` + `within` (Murphy 1973,
/// doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2; the last part, for groups of unequal predictions, Stephenson, Coelho
/// & Jolliffe 2008, doi:10.1175/2007WAF2006116.1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Brier {
    /// The score; lower is better.
    pub score: f64,
    /// Mean squared distance of predicted and observed rates of the tenths; 0 is best.
    pub reliability: f64,
    /// How much the tenths' observed rates differ; more is better.
    pub resolution: f64,
    /// r̄(1 − r̄): the score of who always predicts the mean rate.
    pub uncertainty: f64,
    /// What predictions differ inside the tenths.
    pub within: f64,
}

/// How predicted and observed rates compare.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reliability {
    /// By tenth, smallest predictions first. A cell is never divided, so there may be fewer.
    pub tenths: Vec<Tenth>,
    /// Expected calibration error: mean of |predicted − observed| over the tenths, by exposures, in [0, 1].
    pub error: f64,
    /// What `error` would be about if all predictions were right: it is never 0 by chance.
    pub noise: f64,
    /// The Brier score and its parts.
    pub brier: Brier,
    /// Σ (rewards − expected)² / variance over the tenths.
    chi_square: f64,
    degrees: f64,
}

impl Calibration {
    /// Counts exposures for which the rate `predicted` was predicted before their rewards were known.
    ///
    /// # Errors
    /// A prediction that is not in [0, 1]; nothing is counted then.
    pub fn add(&mut self, predicted: f64, tally: Tally) -> Result<(), PredictionError> {
        if !(0.0..=1.0).contains(&predicted) {
            return Err(PredictionError { found: predicted });
        }
        let (n, r) = (u128::from(tally.exposures), u128::from(tally.rewarded()));
        let p = u128::from(libm::round(predicted * ONE) as u64);
        let squares = (p * p).saturating_mul(n);
        let cell = Cell { tally, predicted: p * n, squares, rewarded: p * r };
        self.merge_cell(cell_of(predicted), &cell);
        Ok(())
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (key, cell) in &other.0 {
            self.merge_cell(*key, cell);
        }
    }

    fn merge_cell(&mut self, key: i16, cell: &Cell) {
        if *cell != Cell::default() {
            self.0.or_default(key).add(cell);
        }
    }

    /// Compares predicted and observed rates; all zeros where nothing was counted.
    #[must_use]
    pub fn reliability(&self) -> Reliability {
        let groups = self.groups();
        let mut all = Cell::default();
        groups.iter().for_each(|group| all.add(group));
        let all = all.sums();
        if all.n == 0.0 {
            return Reliability::default();
        }
        let mut made = Reliability::default();
        let mean_rate = all.r / all.n;
        made.brier.score = (all.pp - 2.0 * all.pr + all.r) / all.n;
        made.brier.uncertainty = mean_rate * (1.0 - mean_rate);
        for group in &groups {
            let Sums { n, r, p, pp, pr } = group.sums();
            let (predicted, observed, share) = (p / n, r / n, n / all.n);
            let (off, apart) = (predicted - observed, observed - mean_rate);
            made.error += share * off.abs();
            // E|x| of a normal variable is its deviation times √(2/π).
            made.noise += share * libm::sqrt((p - pp).max(0.0) * std::f64::consts::FRAC_2_PI) / n;
            made.brier.reliability += share * off * off;
            made.brier.resolution += share * apart * apart;
            made.brier.within += (pp - p * predicted - 2.0 * (pr - p * observed)) / all.n;
            made.tenths.push(Tenth { tally: group.tally, predicted, observed });
        }
        (made.chi_square, made.degrees) = chi_square(&groups);
        made
    }

    /// The cells, put together to tenths: each belongs where its middle is.
    fn groups(&self) -> Vec<Cell> {
        let n: f64 = self.0.values().map(|cell| cell.tally.exposures as f64).sum();
        let (mut groups, mut before, mut open): (Vec<Cell>, f64, Option<u8>) = (Vec::new(), 0.0, None);
        for cell in self.0.values().filter(|cell| cell.tally.exposures > 0) {
            let own = cell.tally.exposures as f64;
            let tenth = (10.0 * (before + 0.5 * own) / n) as u8;
            before += own;
            match groups.last_mut() {
                Some(group) if open == Some(tenth) => group.add(cell),
                _ => groups.push(*cell),
            }
            open = Some(tenth);
        }
        groups
    }
}

impl Reliability {
    /// Whether predictions are off by more than chance explains: a chi-square test of the tenths' rewards against Σp with the
    /// variance Σp(1 − p) (Hosmer & Lemeshow 1980, doi:10.1080/03610928008827941, for predictions made beforehand).
    ///
    /// `false_alarms` is the chance of an alarm where all predictions are right, e.g. 0.001. Neighbouring tenths of which little is
    /// expected are taken together. False without enough rewards to tell.
    #[must_use]
    pub fn is_off(&self, false_alarms: f64) -> bool {
        self.degrees > 0.0 && chi_square_survival(self.chi_square, self.degrees) < false_alarms
    }
}

/// The cell of a prediction in [0, 1].
fn cell_of(predicted: f64) -> i16 {
    // Infinite at the ends, and held like everything out there.
    let log_odds = libm::log(predicted) - libm::log1p(-predicted);
    libm::floor(log_odds.clamp(-WIDEST, WIDEST) * CELLS) as i16
}

/// Pearson's statistic of the groups and its degrees of freedom.
fn chi_square(groups: &[Cell]) -> (f64, f64) {
    let (mut sum, mut degrees, mut open) = (0.0, 0.0, Cell::default());
    for group in groups {
        open.add(group);
        let Sums { r, p, pp, .. } = open.sums();
        let variance = p - pp;
        if variance >= LEAST_VARIANCE {
            sum += (r - p) * (r - p) / variance;
            degrees += 1.0;
            open = Cell::default();
        }
    }
    (sum, degrees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Generator;
    use proptest::prelude::*;

    fn one(rewarded: bool) -> Tally {
        Tally { exposures: 1, rewards: u64::from(rewarded) }
    }

    /// Visits whose true rate is the predicted one, bent by `bend`.
    fn simulated(generator: &mut Generator, bend: impl Fn(f64) -> f64) -> Calibration {
        let mut found = Calibration::default();
        for _ in 0..4_000 {
            let p = 0.01 + 0.1 * generator.unit() * generator.unit();
            found.add(p, one(generator.unit() < bend(p))).unwrap();
        }
        found
    }

    #[test]
    fn a_prediction_that_is_no_rate_is_refused() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let mut found = Calibration::default();
            assert!(found.add(wrong, one(true)).unwrap_err().to_string().contains("hint:"));
            assert_eq!(found, Calibration::default());
        }
    }

    #[test]
    fn nothing_counted_is_nothing_wrong() {
        let reliability = Calibration::default().reliability();
        assert_eq!(reliability, Reliability::default());
        assert!(!reliability.is_off(0.5));
    }

    #[test]
    fn tenths_hold_a_tenth_and_rise() {
        let found = simulated(&mut Generator::new(3), |p| p).reliability();
        assert_eq!(found.tenths.len(), 10);
        assert!(found.tenths.iter().all(|tenth| (200..=600).contains(&tenth.tally.exposures)));
        assert!(found.tenths.windows(2).all(|pair| pair[0].predicted < pair[1].predicted));
    }

    #[test]
    fn certain_predictions_are_counted_too() {
        let mut found = Calibration::default();
        found.add(0.0, Tally { exposures: 10, rewards: 0 }).unwrap();
        found.add(1.0, Tally { exposures: 10, rewards: 10 }).unwrap();
        let reliability = found.reliability();
        assert_eq!((reliability.error, reliability.brier.score), (0.0, 0.0));
        assert_eq!((reliability.brier.resolution, reliability.brier.uncertainty), (0.25, 0.25));
    }

    #[test]
    fn right_predictions_alarm_as_rarely_as_stated_and_wrong_ones_do() {
        let mut generator = Generator::new(17);
        let mut alarms = |bend: fn(f64) -> f64, n: u32| {
            (0..n).filter(|_| simulated(&mut generator, bend).reliability().is_off(0.05)).count()
        };
        // Expected 20 of 400 with the deviation 4.4: outside of 7 to 38 once in 5,000 sets of seeds.
        let false_alarms = alarms(|p| p, 400);
        assert!((7..=38).contains(&false_alarms), "{false_alarms}");
        let found = alarms(|p| 1.4 * p, 20);
        assert!(found >= 18, "{found} of 20");
    }

    #[test]
    fn the_error_of_right_predictions_is_the_noise() {
        let mut generator = Generator::new(23);
        let (mut error, mut noise) = (0.0, 0.0);
        for _ in 0..100 {
            let found = simulated(&mut generator, |p| p).reliability();
            (error, noise) = (error + found.error, noise + found.noise);
        }
        assert!((error / noise - 1.0).abs() < 0.1, "{error} {noise}");
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_score_counted_one_by_one(
            visits in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..200)
        ) {
            let mut found = Calibration::default();
            for (p, rewarded) in &visits {
                found.add(*p, one(*rewarded)).unwrap();
            }
            let naive: f64 = visits.iter().map(|(p, r)| (p - f64::from(u8::from(*r))) * (p - f64::from(u8::from(*r)))).sum();
            let brier = found.reliability().brier;
            prop_assert!((brier.score - naive / visits.len() as f64).abs() < 1e-9);
            let parts = brier.reliability - brier.resolution + brier.uncertainty + brier.within;
            prop_assert!((brier.score - parts).abs() < 1e-12, "{brier:?}");
        }

        #[test]
        fn merging_commutes(
            shards in prop::collection::vec(prop::collection::vec((0.0..=1.0_f64, 0..50_u64, 0..9_u64), 0..20), 2)
        ) {
            let of = |visits: &[(f64, u64, u64)]| {
                let mut found = Calibration::default();
                for (p, exposures, rewards) in visits {
                    found.add(*p, Tally { exposures: *exposures, rewards: *rewards }).unwrap();
                }
                found
            };
            let (mut ab, mut ba) = (of(&shards[0]), of(&shards[1]));
            let (a, b) = (ab.clone(), ba.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(ab, of(&shards.concat()));
        }
    }
}
