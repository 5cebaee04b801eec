//! What choosing has cost so far: an estimate of the regret against the best arm in hindsight, from logged counts and
//! propensities. It uses no true rates, for nobody knows them.
//!
//! Had arm a always been shown, the i-th decision would have brought r_i·1{a_i = a}/p_i on average (inverse propensity: Horvitz & Thompson 1952,
//! doi:10.1080/01621459.1952.10483446). Comparing the arms' plain rates instead would be wrong wherever shares and base rate move together.
//! From each period's rewards its mean c is taken off first: the expectation stays (but for one part in the number of decisions), while
//! the noise of Σ1/p, how often an arm happened to be chosen, no longer comes in. So per decision
//!
//! ```text
//! d_i(a) = (r_i − c)·(1{a_i = a}/p_i − 1)        E = rate of a − rate of the policy
//! ```
//!
//! and the regret is the largest Σ d_i(a) over the arms. Sums of r, 1/p, r/p, 1/p², r/p² by period and arm are all it takes. An arm that was
//! not there from the beginning comes out too low: start anew when arms are added.

use crate::id::ArmId;
use crate::json::number::Decimal;
use crate::measure::buckets::Tally;
use crate::measure::normal_quantile;
use crate::sorted::SortedMap;
use std::fmt;

/// One, in the fixed point of the sums: 2^32, as in [`crate::statistics`].
const ONE: f64 = 4_294_967_296.0;

/// An exposure that can't be counted, or counts that nothing can be said of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RegretError {
    /// A propensity that is not in (0, 1].
    Propensity {
        /// The number found.
        found: f64,
    },
    /// A confidence that is not in (0, 1).
    Confidence {
        /// The number found.
        found: f64,
    },
    /// Fewer than two arms have been shown.
    Arms {
        /// Their number.
        found: usize,
    },
}

impl fmt::Display for RegretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Propensity { found } => {
                write!(f, "a propensity of {}; hint: above 0, at most 1", Decimal(*found))
            }
            Self::Confidence { found } => {
                write!(f, "a confidence of {}; hint: between 0 and 1, e.g. 0.95", Decimal(*found))
            }
            Self::Arms { found } => write!(f, "{found} arms were shown; hint: regret needs two to compare"),
        }
    }
}

impl std::error::Error for RegretError {}

/// Sums over the exposures of one arm in one period: Σ1/p, Σ1/p² and the same over the rewarded ones, in units of 2^-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sums {
    tally: Tally,
    inverse: [u128; 2],
    rewarded: [u128; 2],
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.tally.add(other.tally);
        let own = self.inverse.iter_mut().chain(&mut self.rewarded);
        for (own, other) in own.zip(other.inverse.iter().chain(&other.rewarded)) {
            *own = own.saturating_add(*other);
        }
    }

    /// Σ 1, Σ 1/p, Σ 1/p² over all exposures, and over the rewarded ones.
    fn numbers(&self) -> [[f64; 3]; 2] {
        let [p, pp] = self.inverse.map(|sum| sum as f64 / ONE);
        let [rp, rpp] = self.rewarded.map(|sum| sum as f64 / ONE);
        [[self.tally.exposures as f64, p, pp], [self.tally.rewarded() as f64, rp, rpp]]
    }
}

/// What was logged of one slot, by period and arm. A period is an hour or a day: rates and weights may differ between
/// periods, so long as each has many decisions.
///
/// ```
/// use edgeloom::id::ArmId;
/// use edgeloom::measure::buckets::Tally;
/// use edgeloom::measure::regret::RegretLog;
///
/// // A fair coin decides; arm b is twice as good as a.
/// let (a, b) = (ArmId::new("a")?, ArmId::new("b")?);
/// let mut log = RegretLog::default();
/// log.add(0, &a, 0.5, Tally { exposures: 10_000, rewards: 300 })?;
/// log.add(0, &b, 0.5, Tally { exposures: 10_000, rewards: 600 })?;
/// let regret = log.regret(0.95)?;
/// assert_eq!(regret.best, b);
/// // Half of the visitors have lost 0.03 rewards each.
/// assert!((regret.estimate - 300.0).abs() < 1e-6);
/// assert!(regret.low > 200.0 && regret.high < 400.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegretLog(SortedMap<u64, SortedMap<ArmId, Sums>>);

/// What choosing has cost against always showing the best arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Regret {
    /// The arm that seems best in hindsight.
    pub best: ArmId,
    /// Expected rewards lost. The largest of several uncertain numbers: a little too high while arms can't be told apart.
    pub estimate: f64,
    /// Lower end of the interval; below 0 where the policy may have been better than any one arm, as it can be when rates drift.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Decisions that were counted.
    pub decisions: u64,
    /// The same difference for each arm: how much more (or less) always showing it would have brought.
    pub arms: SortedMap<ArmId, Difference>,
}

/// Rewards that always showing one arm would have brought beyond what the policy brought.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Difference {
    /// Estimate.
    pub estimate: f64,
    /// Standard error.
    pub standard_error: f64,
}

impl RegretLog {
    /// Counts exposures of an arm in a period, all chosen with this propensity, in (0, 1].
    ///
    /// # Errors
    /// A propensity out of range; nothing is counted then.
    pub fn add(
        &mut self,
        period: u64,
        arm: &ArmId,
        propensity: f64,
        tally: Tally,
    ) -> Result<(), RegretError> {
        if !(propensity > 0.0 && propensity <= 1.0) {
            return Err(RegretError::Propensity { found: propensity });
        }
        // At least one unit: a propensity below 2^-32 counts as 2^-32.
        let p = (libm::round(propensity * ONE)).max(1.0) / ONE;
        let units = [1.0 / p, 1.0 / (p * p)].map(|inverse| libm::round(inverse * ONE) as u128);
        let times = |n: u64| units.map(|unit| unit.saturating_mul(u128::from(n)));
        let sums = Sums { tally, inverse: times(tally.exposures), rewarded: times(tally.rewarded()) };
        self.merge_sums(period, arm, &sums);
        Ok(())
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (period, arms) in &other.0 {
            arms.iter().for_each(|(arm, sums)| self.merge_sums(*period, arm, sums));
        }
    }

    fn merge_sums(&mut self, period: u64, arm: &ArmId, sums: &Sums) {
        if sums.tally != Tally::default() {
            self.0.or_default(period).or_default(arm.clone()).add(sums);
        }
    }

    /// The regret of all periods together, with an interval that holds the true one with at least the given confidence, in (0, 1).
    ///
    /// The interval is that of all arms at once (Bonferroni): the best one was picked because it looks best, so its own interval would lie too high.
    ///
    /// # Errors
    /// Fewer than two arms; a confidence out of range.
    pub fn regret(&self, confidence: f64) -> Result<Regret, RegretError> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(RegretError::Confidence { found: confidence });
        }
        let mut arms: SortedMap<ArmId, Difference> = SortedMap::new();
        for arm in self.0.values().flat_map(SortedMap::keys) {
            arms.or_default(arm.clone());
        }
        let n_arms = arms.len();
        let mut decisions = 0;
        for period in self.0.values() {
            let total = Total::of(period);
            decisions += total.decisions;
            for (arm, difference) in arms.iter_mut() {
                // The squares of the errors are added up first, and their root is taken at the end.
                let (sum, variance) = total.difference(period.get(arm));
                difference.estimate += sum;
                difference.standard_error += variance;
            }
        }
        let z = normal_quantile(1.0 - 0.5 * (1.0 - confidence) / n_arms as f64);
        let mut best: Option<Regret> = None;
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (arm, difference) in arms.iter_mut() {
            difference.standard_error = libm::sqrt(difference.standard_error);
            let Difference { estimate, standard_error } = *difference;
            low = low.max(estimate - z * standard_error);
            high = high.max(estimate + z * standard_error);
            if best.as_ref().is_none_or(|best| best.estimate < estimate) {
                best = Some(Regret {
                    best: arm.clone(),
                    estimate,
                    low,
                    high,
                    decisions,
                    arms: SortedMap::new(),
                });
            }
        }
        match best {
            Some(best) if n_arms > 1 => Ok(Regret { low, high, arms, ..best }),
            _ => Err(RegretError::Arms { found: n_arms }),
        }
    }
}

/// A period, all arms together.
struct Total {
    decisions: u64,
    /// Decisions, N.
    n: f64,
    /// Rewards, R.
    r: f64,
    /// Mean reward, c.
    c: f64,
}

impl Total {
    fn of(period: &SortedMap<ArmId, Sums>) -> Self {
        let mut tally = Tally::default();
        period.values().for_each(|sums| tally.add(Tally { rewards: sums.tally.rewarded(), ..sums.tally }));
        let (n, r) = (tally.exposures as f64, tally.rewards as f64);
        Self { decisions: tally.exposures, n, r, c: if n > 0.0 { r / n } else { 0.0 } }
    }

    /// Σ d_i of an arm in this period, and the variance of that sum.
    fn difference(&self, sums: Option<&Sums>) -> (f64, f64) {
        let Self { n, r, c, .. } = *self;
        if n == 0.0 {
            return (0.0, 0.0);
        }
        let [all, rewarded] = sums.map_or([[0.0; 3]; 2], Sums::numbers);
        let ([n_a, p, pp], [r_a, rp, rpp]) = (all, rewarded);
        // Σ (r − c)/p of the arm less Σ (r − c) of all, and the latter is 0.
        let sum = rp - c * p - (r - c * n);
        // r is 0 or 1, so (r − c)² = r·(1 − 2c) + c².
        let square = |rewarded: f64, all: f64| rewarded * (1.0 - 2.0 * c) + c * c * all;
        // (1/p − 1)² where the arm was chosen, 1 elsewhere.
        let chosen = square(rpp - 2.0 * rp + r_a, pp - 2.0 * p + n_a);
        let squares = chosen + square(r - r_a, n - n_a);
        (sum, (squares - sum * sum / n).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Generator;
    use proptest::prelude::*;

    fn arm(k: usize) -> ArmId {
        ArmId::new(&k.to_string()).unwrap()
    }

    const ONCE: Tally = Tally { exposures: 1, rewards: 0 };
    const REWARDED: Tally = Tally { exposures: 1, rewards: 1 };

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let mut log = RegretLog::default();
        for found in [0.0, 1.5, f64::NAN] {
            assert!(log.add(0, &arm(0), found, ONCE).unwrap_err().to_string().contains("hint:"));
        }
        assert_eq!(log.regret(0.95), Err(RegretError::Arms { found: 0 }));
        log.add(0, &arm(0), 1.0, ONCE).unwrap();
        assert_eq!(log.regret(0.95), Err(RegretError::Arms { found: 1 }));
        assert_eq!(log.regret(1.0), Err(RegretError::Confidence { found: 1.0 }));
    }

    #[test]
    fn shares_and_rates_that_move_together_do_not_mislead() {
        // Arm 1 is better in both periods, but gets its traffic when little is bought: its plain rate is the lower one.
        let mut log = RegretLog::default();
        let of = |exposures, rewards| Tally { exposures, rewards };
        log.add(0, &arm(0), 0.9, of(9_000, 900)).unwrap();
        log.add(0, &arm(1), 0.1, of(1_000, 110)).unwrap();
        log.add(1, &arm(0), 0.1, of(1_000, 20)).unwrap();
        log.add(1, &arm(1), 0.9, of(9_000, 270)).unwrap();
        let regret = log.regret(0.95).unwrap();
        assert_eq!(regret.best, arm(1));
        // 9,000 visits lost 0.01 each, 1,000 lost 0.01 each.
        assert!((regret.estimate - 100.0).abs() < 1e-4, "{regret:?}");
    }

    /// A log of a policy that turns to the better arms while all rates drift, and its true regret against the best arm.
    fn simulated(generator: &mut Generator) -> (RegretLog, f64) {
        let (mut log, mut truth) = (RegretLog::default(), [0.0; 3]);
        for period in 0..8_u32 {
            let turn = f64::from(period) / 7.0;
            let rates = [0.05, 0.06, 0.08].map(|rate| rate * (1.0 + turn));
            let shares = [0.45 - 0.4 * turn, 0.35 - 0.1 * turn, 0.2 + 0.5 * turn];
            for _ in 0..400 {
                let u = generator.unit();
                let chosen = if u < shares[0] {
                    0
                } else if u < shares[0] + shares[1] {
                    1
                } else {
                    2
                };
                let tally = if generator.unit() < rates[chosen] { REWARDED } else { ONCE };
                log.add(u64::from(period), &arm(chosen), shares[chosen], tally).unwrap();
                let policy: f64 = rates.iter().zip(shares).map(|(rate, share)| rate * share).sum();
                truth.iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate - policy);
            }
        }
        (log, truth.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_stated_and_each_difference_is_unbiased() {
        let mut generator = Generator::new(61);
        let n = 400;
        let (mut held, mut errors, mut squares) = (0, 0.0, 0.0);
        for _ in 0..n {
            let (log, truth) = simulated(&mut generator);
            let regret = log.regret(0.9).unwrap();
            held += u32::from(regret.low <= truth && truth <= regret.high);
            let best = regret.arms.get(&arm(2)).unwrap();
            errors += (best.estimate - truth) / best.standard_error;
            squares += (best.estimate - truth) * (best.estimate - truth)
                / (best.standard_error * best.standard_error);
        }
        // At least 360 of 400, with the deviation 6: below 338 once in 10,000 sets of seeds.
        assert!(held >= 338, "{held} of {n}");
        // Standardised errors of the best arm: mean 0 ± 0.05, variance 1 ± 0.07; four deviations, once in 16,000.
        let (mean, variance) = (errors / f64::from(n), squares / f64::from(n));
        assert!(mean.abs() < 0.2 && (variance - 1.0).abs() < 0.3, "{mean} {variance}");
        println!("held {held} of {n}, standardised errors: mean {mean:.3}, variance {variance:.3}");
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_single_decisions(
            decisions in prop::collection::vec((0..3_usize, 0.01..=1.0_f64, any::<bool>()), 1..60)
        ) {
            let mut log = RegretLog::default();
            for (chosen, p, rewarded) in &decisions {
                log.add(4, &arm(*chosen), *p, if *rewarded { REWARDED } else { ONCE }).unwrap();
            }
            let Ok(regret) = log.regret(0.95) else { return Ok(()) };
            let n = decisions.len() as f64;
            let c = decisions.iter().filter(|d| d.2).count() as f64 / n;
            for (name, difference) in &regret.arms {
                let d: Vec<f64> = decisions
                    .iter()
                    .map(|(chosen, p, rewarded)| {
                        let r = if *rewarded { 1.0 } else { 0.0 };
                        let inverse = if arm(*chosen) == *name { 1.0 / p } else { 0.0 };
                        (r - c) * (inverse - 1.0)
                    })
                    .collect();
                let sum: f64 = d.iter().sum();
                let variance: f64 = d.iter().map(|d| (d - sum / n) * (d - sum / n)).sum();
                prop_assert!((difference.estimate - sum).abs() < 1e-4, "{difference:?} {sum}");
                prop_assert!((difference.standard_error - libm::sqrt(variance)).abs() < 1e-3, "{difference:?} {variance}");
            }
            prop_assert!(regret.low <= regret.estimate && regret.estimate <= regret.high);
        }

        #[test]
        fn merging_commutes(
            shards in prop::collection::vec(prop::collection::vec((0..4_u64, 0..3_usize, 0.001..=1.0_f64, 0..50_u64), 0..20), 2)
        ) {
            let of = |logged: &[(u64, usize, f64, u64)]| {
                let mut log = RegretLog::default();
                for (period, chosen, p, exposures) in logged {
                    let tally = Tally { exposures: *exposures, rewards: exposures / 3 };
                    log.add(*period, &arm(*chosen), *p, tally).unwrap();
                }
                log
            };
            let (mut ab, mut ba) = (of(&shards[0]), of(&shards[1]));
            let (a, b) = (ab.clone(), ba.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(ab.regret(0.95), of(&shards.concat()).regret(0.95));
        }
    }
}
