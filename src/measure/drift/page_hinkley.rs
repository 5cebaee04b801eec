//! The Page–Hinkley test of a reward rate over time buckets: it adds up how far each bucket lies from all before it, and
//! alarms where the sum has risen too far (Page 1954, doi:10.1093/biomet/41.1-2.100; Hinkley 1971, doi:10.1093/biomet/58.3.509).
//!
//! The textbook form adds up x − x̄ − δ and leaves it to the user to guess thresholds for its scale. Here each bucket is compared
//! with all before it in units of its standard error (a recursive residual: Brown, Durbin & Evans 1975,
//! doi:10.1111/j.2517-6161.1975.tb01532.x), so that the threshold follows from the false alarms one can bear.

use crate::json::number::Decimal;
use crate::measure::buckets::{Buckets, Tally};
use std::fmt;

/// What each step is reduced by, in standard errors: shifts of about twice as much are found soonest.
const ALLOWANCE: f64 = 0.5;

/// Rewards (and exposures without one) that the first group must have, to be compared with.
const LEAST_FIRST: u64 = 25;

/// Rewards (and exposures without one) that are expected of each later group: with fewer, the normal distribution is too far.
const LEAST_EXPECTED: f64 = 10.0;

/// A test that can't be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PageHinkleyError {
    /// A chance of false alarms that is not in (0, 0.5].
    FalseAlarms {
        /// The number found.
        found: f64,
    },
    /// No bucket to watch.
    Buckets,
}

impl fmt::Display for PageHinkleyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FalseAlarms { found } => {
                write!(
                    f,
                    "a chance of false alarms of {}; hint: above 0, at most 0.5, e.g. 0.01",
                    Decimal(*found)
                )
            }
            Self::Buckets => {
                write!(f, "no bucket to watch; hint: the number of buckets until the next start")
            }
        }
    }
}

impl std::error::Error for PageHinkleyError {}

/// Whether the rate has risen or fallen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Risen.
    Up,
    /// Fallen.
    Down,
}

/// A change that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The bucket after which it was certain enough.
    pub bucket: u64,
    /// The bucket from which on the rate seems to be another.
    pub since: u64,
    /// Which way.
    pub direction: Direction,
    /// Counts before `since`.
    pub before: Tally,
    /// Counts from `since` to `bucket`.
    pub after: Tally,
}

/// The test with its threshold.
///
/// ```
/// use edgeloom::measure::buckets::{Buckets, Tally};
/// use edgeloom::measure::drift::{Direction, PageHinkley};
///
/// // One false alarm in a hundred years of days.
/// let test = PageHinkley::new(0.01, 365)?;
/// let day = |rewards| Tally { exposures: 1_000, rewards };
/// let steady: Buckets = (0..40).map(|d| (d, day(50))).collect();
/// assert_eq!(test.watch(&steady), None);
/// let falling: Buckets = (0..40).map(|d| (d, day(if d < 25 { 50 } else { 35 }))).collect();
/// let alarm = test.watch(&falling).expect("a third of the rate is gone");
/// assert_eq!((alarm.direction, alarm.since), (Direction::Down, 25));
/// assert!(alarm.bucket <= 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkley {
    threshold: f64,
}

/// The sum of one direction: PH, less its minimum.
#[derive(Default)]
struct Sum {
    height: f64,
    since: u64,
    before: Tally,
}

/// Buckets in a row that are compared at once.
struct Group {
    since: u64,
    tally: Tally,
}

impl PageHinkley {
    /// A test that alarms with probability `false_alarms`, in (0, 0.5], within `n_buckets` buckets where nothing changes.
    ///
    /// Between alarms without a change lie (exp(2δb) − 1 − 2δb) / 2δ² steps on average, with b = threshold + 1.166 (Siegmund 1985,
    /// doi:10.1007/978-1-4757-1862-1), in each direction, and their waiting time is nearly exponential.
    ///
    /// # Errors
    /// A chance out of range, or no bucket.
    pub fn new(false_alarms: f64, n_buckets: u32) -> Result<Self, PageHinkleyError> {
        if !(false_alarms > 0.0 && false_alarms <= 0.5) {
            return Err(PageHinkleyError::FalseAlarms { found: false_alarms });
        }
        if n_buckets == 0 {
            return Err(PageHinkleyError::Buckets);
        }
        let steps = -2.0 * f64::from(n_buckets) / libm::log1p(-false_alarms);
        let steps_to = |threshold: f64| {
            let x = 2.0 * ALLOWANCE * (threshold + 1.166);
            (libm::expm1(x) - x) / (2.0 * ALLOWANCE * ALLOWANCE)
        };
        // It grows with the threshold, so halving finds it; e^100 steps are out of reach.
        let (mut low, mut high) = (0.0, 200.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if steps_to(middle) < steps { low = middle } else { high = middle }
        }
        Ok(Self { threshold: high })
    }

    /// The height of the sum that alarms, in standard errors of a bucket.
    #[must_use]
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The first alarm, oldest bucket first; none where nothing seems to have changed. After an alarm, start again
    /// with the buckets from [`Alarm::since`] on.
    ///
    /// Buckets of which few rewards are expected are taken together, as many as it takes: that is known before their
    /// rewards are, since groups that end with a reward would have too high a rate.
    #[must_use]
    pub fn watch(&self, buckets: &Buckets) -> Option<Alarm> {
        let (mut before, mut open) = (Tally::default(), None::<Group>);
        let (mut up, mut down) = (Sum::default(), Sum::default());
        for (bucket, tally) in buckets.iter() {
            let group = open.get_or_insert(Group { since: bucket, tally: Tally::default() });
            group.tally.add(tally);
            if !is_full(&before, &group.tally) {
                continue;
            }
            let Group { since, tally } = open.take()?;
            let step = if before.exposures > 0 { residual(&before, &tally) } else { 0.0 };
            for (sum, step, direction) in
                [(&mut up, step, Direction::Up), (&mut down, -step, Direction::Down)]
            {
                if sum.height <= 0.0 {
                    (sum.since, sum.before) = (since, before);
                }
                sum.height = (sum.height + step - ALLOWANCE).max(0.0);
                if sum.height > self.threshold {
                    before.add(tally);
                    let after = before.since(&sum.before);
                    return Some(Alarm { bucket, since: sum.since, direction, before: sum.before, after });
                }
            }
            before.add(tally);
        }
        None
    }
}

/// Whether a group can be compared with what was before it, or be the first.
fn is_full(before: &Tally, group: &Tally) -> bool {
    match before.rate() {
        None => group.rewarded() >= LEAST_FIRST && group.exposures - group.rewarded() >= LEAST_FIRST,
        Some(rate) => group.exposures as f64 * rate.min(1.0 - rate) >= LEAST_EXPECTED,
    }
}

/// How far a group lies above what was before it, in standard errors: normal with variance 1 where nothing changes.
fn residual(before: &Tally, group: &Tally) -> f64 {
    let (n, r) = (group.exposures as f64, group.rewarded() as f64);
    let (n_before, r_before) = (before.exposures as f64, before.rewarded() as f64);
    let rate = (r + r_before) / (n + n_before);
    let spread = n * rate * (1.0 - rate);
    let variance = spread * (1.0 + n / n_before);
    if variance <= 0.0 {
        return 0.0;
    }
    let z = (r - n * r_before / n_before) / libm::sqrt(variance);
    // Rates are small, so chance reaches further up than down. The first term of Cornish and Fisher takes the skewness out, as
    // far as it keeps the order of outcomes.
    let skew = spread * (1.0 - 2.0 * rate) * (1.0 - (n / n_before) * (n / n_before))
        / (variance * libm::sqrt(variance));
    let turn = 3.0 / skew.abs();
    let z = if skew > 0.0 { z.min(turn) } else { z.max(-turn) };
    z - skew * (z * z - 1.0) / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::drift::simulated;
    use crate::seed::Generator;
    use proptest::prelude::*;

    #[test]
    fn thresholds_give_the_run_lengths_of_the_textbook() {
        // 1 − exp(−2·100/steps) = 0.05 asks for 3,899 steps between alarms in each direction. For a threshold of 5 the tables
        // (Montgomery 2012, table 9.3) have 930.
        let threshold = PageHinkley::new(0.05, 100).unwrap().threshold();
        let steps = |threshold: f64| 2.0 * (libm::exp(threshold + 1.166) - 1.0 - threshold - 1.166);
        assert!((steps(threshold) - 3_899.1).abs() < 1.0, "{threshold}");
        assert!((steps(5.0) / 930.0 - 1.0).abs() < 0.02, "{}", steps(5.0));
    }

    #[test]
    fn a_test_that_cannot_be_is_refused() {
        for wrong in [0.0, 0.6, -1.0, f64::NAN] {
            assert!(PageHinkley::new(wrong, 10).unwrap_err().to_string().contains("hint:"));
        }
        assert_eq!(PageHinkley::new(0.1, 0), Err(PageHinkleyError::Buckets));
    }

    #[test]
    fn without_a_change_it_alarms_no_more_often_than_stated() {
        let test = PageHinkley::new(0.05, 100).unwrap();
        // Measured: 15, 15, 0 and 16 alarms. Buckets of 2 expected rewards are taken together, so few are left to alarm in.
        for (n, rate, least) in [(300, 0.05, 4), (100, 0.3, 4), (100, 0.02, 0), (60, 0.5, 4)] {
            let mut generator = Generator::new(41);
            let alarms = (0..400)
                .filter(|_| test.watch(&simulated(&mut generator, n, (0..100).map(|_| rate))).is_some())
                .count();
            // At 5 % 20 of 400 are expected, with the deviation 4.4: above 38 once in 20,000 sets of seeds. A test that never alarms
            // would be no test.
            assert!((least..=38).contains(&alarms), "{n} at {rate}: {alarms} of 400");
        }
    }

    #[test]
    fn a_change_is_found_soon_where_it_was_and_in_its_direction() {
        let test = PageHinkley::new(0.01, 365).unwrap();
        for (rate, direction) in [(0.065, Direction::Up), (0.035, Direction::Down)] {
            let mut generator = Generator::new(5);
            let (mut found, mut late, mut off) = (0, 0, 0);
            for _ in 0..50 {
                let rates = (0..60).map(|day| if day < 30 { 0.05 } else { rate });
                let Some(alarm) = test.watch(&simulated(&mut generator, 1_000, rates)) else { continue };
                found += 1;
                assert_eq!(alarm.direction, direction);
                late += alarm.bucket.saturating_sub(30);
                off += alarm.since.abs_diff(30);
            }
            // Shifts of two standard errors of a day. Measured: all found, after 5 and 6 days, told to 2.
            assert!(found >= 49 && late / found <= 7 && off / found <= 2, "{found} {late} {off}");
        }
    }

    proptest! {
        #[test]
        fn shards_in_any_order_give_the_same_alarm(
            parts in prop::collection::vec((0..40_u64, 0..2_000_u64, 0..200_u64), 0..80)
        ) {
            let tally = |&(bucket, exposures, rewards): &(u64, u64, u64)| (bucket, Tally { exposures, rewards });
            let test = PageHinkley::new(0.3, 10).unwrap();
            let ahead: Buckets = parts.iter().map(tally).collect();
            let back: Buckets = parts.iter().rev().map(tally).collect();
            prop_assert_eq!(test.watch(&ahead), test.watch(&back));
        }
    }
}
