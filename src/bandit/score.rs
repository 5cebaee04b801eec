//! What an arm may be worth in one context: a normal variable, held to numbers that can be computed with.

/// Standard deviations after which a score counts as out of reach; Φ(−7.5) = 3.2e-14.
pub(super) const REACH: f64 = 7.5;

/// Means and standard deviations are held to ± this, so that no quotient of them leaves the range of numbers.
const MOST: f64 = 1e100;

/// The worth of an arm in a context, as it is believed: N(mean, sd²), or a point where sd is 0.
/// ```
/// use edgeloom::bandit::Score;
///
/// let score = Score::new(0.05, 0.01);
/// assert_eq!((score.mean(), score.sd()), (0.05, 0.01));
/// assert_eq!(Score::new(0.05, -1.0).sd(), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    mean: f64,
    sd: f64,
}

impl Score {
    /// A score with a mean, held to ±1e100, and a standard deviation, held to at most 1e100. A deviation below 1e-100, or so
    /// small that it is lost beside the mean (1e-14 of it), is 0. What is no number becomes the least mean, or no deviation.
    #[must_use]
    pub fn new(mean: f64, sd: f64) -> Self {
        let mean = held(mean, MOST);
        let is_lost = sd < 1e-14 * mean.abs() || sd < 1.0 / MOST || sd.is_nan();
        Self { mean, sd: if is_lost { 0.0 } else { held(sd, MOST) } }
    }

    /// Expected value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation, ≥ 0.
    #[must_use]
    pub fn sd(&self) -> f64 {
        self.sd
    }

    /// The score where only a share of what is earned is `left`, in \[0, 1\], while the same `cost`, which the mean includes, is to
    /// be paid.
    #[must_use]
    pub fn faded(&self, left: f64, cost: f64) -> Self {
        Self::new((self.mean + cost) * left - cost, self.sd * left)
    }

    /// Below this the score is never found.
    pub(super) fn low(&self) -> f64 {
        self.mean - REACH * self.sd
    }

    /// Above this the score is never found.
    pub(super) fn high(&self) -> f64 {
        self.mean + REACH * self.sd
    }
}

/// The number held to ±`most`; what is no number becomes the least. Comparisons, not `max` and `min`: those are calls in wasm.
#[inline]
pub(super) fn held(number: f64, most: f64) -> f64 {
    let number = if number > -most { number } else { -most };
    if number < most { number } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bits_make_a_usable_score(mean: u64, sd: u64) {
            let score = Score::new(f64::from_bits(mean), f64::from_bits(sd));
            prop_assert!(score.low() <= score.mean() && score.mean() <= score.high());
            prop_assert!(score.mean().abs() <= MOST && (0.0..=MOST).contains(&score.sd()));
        }
    }
}
