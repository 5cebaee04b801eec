//! An estimate and how far it may be off; where both come from is the caller's business.

use crate::measure::special::{normal_quantile, student_factor};

/// From `low` to `high`, ends included, in the unit of what is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end, never below the lower one.
    pub high: f64,
}

impl Interval {
    /// Whether a number is inside.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }

    /// As far to the left as to the right of `middle`.
    pub(super) fn around(middle: f64, half: f64) -> Self {
        Self { low: middle - half, high: middle + half }
    }
}

/// A number, its standard error and its intervals, in the unit of what is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// Estimated standard deviation of `value`, ≥ 0.
    pub standard_error: f64,
    /// Value ± factor · standard error; the factor is that of the normal or of Student's distribution, as the function that
    /// gives the estimate says.
    pub interval: Interval,
    /// Interval by resampling whole units, where it was asked for and could be had.
    pub bootstrap: Option<Interval>,
}

impl Estimate {
    /// An estimate with the normal interval at a level that was [held] already.
    pub(super) fn normal(value: f64, standard_error: f64, level: f64) -> Self {
        let half = normal_quantile(0.5 + 0.5 * level) * standard_error;
        Self { value, standard_error, interval: Interval::around(value, half), bootstrap: None }
    }

    /// The same with the interval of Student's distribution, at a held level and with degrees of freedom.
    pub(super) fn student(value: f64, standard_error: f64, (level, degrees): (f64, f64)) -> Self {
        let half = student_factor(level, degrees) * standard_error;
        Self { value, standard_error, interval: Interval::around(value, half), bootstrap: None }
    }
}

/// A confidence level, the share of intervals that hold the truth, held to [0, 1 − 1e-12]; what is no number counts as 0.95.
pub(super) fn held(level: f64) -> f64 {
    if level.is_nan() { 0.95 } else { level.clamp(0.0, 1.0 - 1e-12) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_interval_is_as_wide_as_tables_say() {
        let estimate = Estimate::normal(10.0, 2.0, held(0.95));
        assert!((estimate.interval.low - 6.080_072_030_919_891).abs() < 1e-12);
        assert!((estimate.interval.high - 13.919_927_969_080_108).abs() < 1e-12);
        assert!(estimate.interval.contains(13.9) && !estimate.interval.contains(14.0));
    }

    #[test]
    fn every_level_gives_an_interval() {
        for level in [-1.0, 0.0, 1.0, f64::INFINITY, f64::NAN] {
            let Interval { low, high } = Estimate::normal(1.0, 0.5, held(level)).interval;
            assert!(low.is_finite() && low <= high, "{level}");
        }
    }
}
