//! How many visitors, or days, it takes to see an effect, and which effect can be seen with those that come. For a comparison
//! of the personalised group with a holdout of another size; not for stopping early.

use crate::json::number::Decimal;
use crate::measure::special::normal_quantile;
use std::fmt;

/// A planned two-sided comparison.
///
/// ```
/// use edgeloom::measure::power::Design;
///
/// let design = Design::new(0.1, 0.95, 0.8)?;
/// // From 5 % to 5.5 % with a holdout of a tenth.
/// let visitors = design.visitors_for_rate(0.05, 0.005)?;
/// assert_eq!(visitors, 175_955);
/// assert_eq!(design.days(visitors, 12_000.0)?, 15);
/// # Ok::<(), edgeloom::measure::power::PowerError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    holdout_share: f64,
    /// Normal quantile of 1 − α/2.
    z_level: f64,
    /// Normal quantile of the power.
    z_power: f64,
}

/// A plan that can't be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PowerError {
    /// A number outside of its range.
    Range {
        /// What the number is.
        field: &'static str,
        /// The number found.
        found: f64,
        /// The range in words.
        wanted: &'static str,
    },
    /// So few visitors that not even a rate of 1 could be told from the base.
    TooFewVisitors {
        /// Visitors there are.
        found: u64,
        /// Visitors it takes for the largest effect there is.
        least: u64,
    },
}

impl fmt::Display for PowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { field, found, wanted } => {
                write!(f, "{field} is {}; hint: use a number {wanted}", Decimal(*found))
            }
            Self::TooFewVisitors { found, least } => {
                write!(f, "{found} visitors show no effect at all; hint: wait for {least} at least")
            }
        }
    }
}

impl std::error::Error for PowerError {}

/// `found`, if it is as it should be; no comparison holds for what is not a number.
fn checked(field: &'static str, found: f64, fits: bool, wanted: &'static str) -> Result<f64, PowerError> {
    if fits { Ok(found) } else { Err(PowerError::Range { field, found, wanted }) }
}

impl Design {
    /// A plan with a holdout of `holdout_share` in (0, 1) of all visitors, intervals of confidence `level` in [0.5, 1), and the
    /// chance `power` in [0.5, 1) of seeing the effect where there is one. Usual are 0.95 and 0.8.
    ///
    /// # Errors
    /// The first number outside of its range.
    pub fn new(holdout_share: f64, level: f64, power: f64) -> Result<Self, PowerError> {
        let is_share = holdout_share > 0.0 && holdout_share < 1.0;
        let chance = 0.5..1.0;
        // Under a half the other tail, which the formulas leave out, would count: at a half it is Φ(−2z), 4e-5 for 95 %.
        let (fits_level, fits_power) = (chance.contains(&level), chance.contains(&power));
        let holdout_share = checked("holdout share", holdout_share, is_share, "between 0 and 1")?;
        let level = checked("level", level, fits_level, "from 0.5 to below 1")?;
        let power = checked("power", power, fits_power, "from 0.5 to below 1")?;
        Ok(Self {
            holdout_share,
            z_level: normal_quantile(0.5 + 0.5 * level),
            z_power: normal_quantile(power),
        })
    }

    /// Visitors, both groups together, to tell a conversion rate of `base + effect` from `base`, the holdout's; both in [0, 1] and
    /// not the same. `effect` is a difference of rates, 0.005 for from 5 % to 5.5 %, and may be negative.
    ///
    /// For the pooled test of two rates with unequal groups (Fleiss, Tytun & Ury 1980, doi:10.2307/2529990, without the
    /// correction for continuity), with h the holdout's share, p₀ and p₁ the rates, p̄ = h·p₀ + (1 − h)·p₁:
    ///
    /// ```text
    /// n = (z_level·√(p̄(1 − p̄)/(h(1 − h))) + z_power·√(p₀(1 − p₀)/h + p₁(1 − p₁)/(1 − h)))² / (p₁ − p₀)²
    /// ```
    ///
    /// # Errors
    /// A rate outside of its range, no effect.
    pub fn visitors_for_rate(&self, base: f64, effect: f64) -> Result<u64, PowerError> {
        checked("base rate", base, base > 0.0 && base < 1.0, "between 0 and 1")?;
        let fits = effect != 0.0 && (0.0..=1.0).contains(&(base + effect));
        checked("effect", effect, fits, "that is not 0 and leads to a rate from 0 to 1")?;
        Ok(whole(self.for_rate(base, effect)))
    }

    /// Visitors, both groups together, to see a difference of `effect` ≠ 0 in the mean value per visitor, whose standard
    /// `deviation` > 0 between visitors (those who buy nothing included) is the same in both groups.
    ///
    /// n = (z_level + z_power)²·σ²/(h(1 − h)·δ²), exact for normal means (Chow, Shao, Wang & Lokhnygina 2017,
    /// doi:10.1201/9781315183084, section 3.2.1).
    ///
    /// # Errors
    /// A deviation that is not above 0, no effect.
    pub fn visitors_for_value(&self, deviation: f64, effect: f64) -> Result<u64, PowerError> {
        checked("deviation", deviation, deviation > 0.0 && deviation.is_finite(), "above 0")?;
        checked("effect", effect, effect != 0.0 && effect.is_finite(), "other than 0")?;
        let ratio = self.z() * deviation / effect;
        Ok(whole(ratio * ratio / self.balance()))
    }

    /// The smallest rise of a conversion rate that `visitors` show, as a difference of rates, > 0.
    ///
    /// The formula of [`Self::visitors_for_rate`] solved for the effect. There is one solution: the numerator's root is a concave
    /// function of the effect and above 0, so its ratio to the effect falls.
    ///
    /// # Errors
    /// A base rate outside of (0, 1), too few visitors for any effect.
    pub fn smallest_rate_effect(&self, base: f64, visitors: u64) -> Result<f64, PowerError> {
        checked("base rate", base, base > 0.0 && base < 1.0, "between 0 and 1")?;
        let n = visitors as f64;
        let (mut low, mut high) = (0.0, 1.0 - base);
        let least = self.for_rate(base, high);
        if least > n {
            return Err(PowerError::TooFewVisitors { found: visitors, least: whole(least) });
        }
        // 2^-60 of the range is as fine as numbers are.
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.for_rate(base, middle) > n {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(high)
    }

    /// The smallest difference in the mean value per visitor that `visitors` > 0 show, > 0, in the unit of `deviation`.
    ///
    /// # Errors
    /// A deviation that is not above 0, no visitors.
    pub fn smallest_value_effect(&self, deviation: f64, visitors: u64) -> Result<f64, PowerError> {
        checked("deviation", deviation, deviation > 0.0 && deviation.is_finite(), "above 0")?;
        let n = checked("visitors", visitors as f64, visitors > 0, "above 0")?;
        Ok(self.z() * deviation / (n * self.balance()).sqrt())
    }

    /// Days until so many visitors have come, when `new_per_day` > 0 come for the first time each day; who comes again is no
    /// further visitor.
    ///
    /// # Errors
    /// No visitors per day.
    pub fn days(&self, visitors: u64, new_per_day: f64) -> Result<u64, PowerError> {
        checked("visitors per day", new_per_day, new_per_day > 0.0 && new_per_day.is_finite(), "above 0")?;
        Ok(whole(visitors as f64 / new_per_day))
    }

    fn z(&self) -> f64 {
        self.z_level + self.z_power
    }

    /// h(1 − h): a quarter at best.
    fn balance(&self) -> f64 {
        self.holdout_share * (1.0 - self.holdout_share)
    }

    fn for_rate(&self, base: f64, effect: f64) -> f64 {
        let (h, rate) = (self.holdout_share, base + effect);
        let pooled = h * base + (1.0 - h) * rate;
        let of = |p: f64| (p * (1.0 - p)).max(0.0);
        let together = (of(pooled) / self.balance()).sqrt();
        let apart = (of(base) / h + of(rate) / (1.0 - h)).sqrt();
        let ratio = (self.z_level * together + self.z_power * apart) / effect;
        ratio * ratio
    }
}

/// The next whole number, at least 1; what is beyond 2^64 stays there.
fn whole(number: f64) -> u64 {
    // `as` stops at the ends of u64.
    (libm::ceil(number) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::normal_cdf;
    use proptest::prelude::*;

    fn design(holdout_share: f64) -> Design {
        Design::new(holdout_share, 0.95, 0.8).unwrap()
    }

    /// Probabilities of 0..=n successes.
    fn binomial(n: u32, p: f64) -> Vec<f64> {
        let ln_of = |k: u32| {
            let [n, k] = [n, k].map(f64::from);
            let ways = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
            ways + k * libm::log(p) + (n - k) * libm::log1p(-p)
        };
        (0..=n).map(|k| libm::exp(ln_of(k))).collect()
    }

    /// The chance that the pooled test of two rates is significant at 5 %, summed over all pairs of counts.
    fn exact_power(sizes: [u32; 2], rates: [f64; 2]) -> f64 {
        let [first, second] = [0, 1].map(|at| binomial(sizes[at], rates[at]));
        let [n, m] = sizes.map(f64::from);
        let mut power = 0.0;
        for (k, p) in first.iter().enumerate().filter(|(_, p)| **p > 1e-9) {
            for (l, q) in second.iter().enumerate().filter(|(_, q)| **q > 1e-9) {
                let (k, l) = (k as f64, l as f64);
                let pooled = (k + l) / (n + m);
                let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
                if (k / n - l / m).abs() > 1.959_963_984_540_054 * error {
                    power += p * q;
                }
            }
        }
        power
    }

    #[test]
    fn the_planned_power_is_that_of_all_possible_outcomes() {
        // Holdout of 0.5, 0.2 and 0.1; a rise and a fall. The formula is for normal counts: 1.5 % off at these sizes.
        for (h, base, effect) in [(0.5, 0.1, 0.05), (0.2, 0.2, 0.08), (0.1, 0.3, 0.1), (0.2, 0.25, -0.08)] {
            let n = design(h).visitors_for_rate(base, effect).unwrap() as f64;
            let sizes = [(1.0 - h) * n, h * n].map(|size| size.round() as u32);
            let power = exact_power(sizes, [base + effect, base]);
            println!("h {h}, {base} {effect:+}: {n} visitors, power {power:.4}");
            assert!((power - 0.8).abs() < 0.015, "{h} {base} {effect}: {power}");
        }
    }

    #[test]
    fn a_known_plan_comes_out() {
        // The textbook case, σ = 10, δ = 5, two equal groups: (1.96 + 0.8416)²·2·4 = 62.8 per group, 126 in all.
        assert_eq!(design(0.5).visitors_for_value(10.0, 5.0).unwrap(), 126);
        // At a holdout of a tenth it takes 0.25/0.09 times as many: 348.8.
        assert_eq!(design(0.1).visitors_for_value(10.0, -5.0).unwrap(), 349);
        assert_eq!(design(0.5).days(1_001, 100.0).unwrap(), 11);
    }

    #[test]
    fn the_power_for_values_is_that_of_the_normal_test() {
        let (h, n, deviation) = (0.15, 5_000.0_f64, 3.0);
        let effect = design(h).smallest_value_effect(deviation, 5_000).unwrap();
        let error = deviation * (1.0 / (h * n) + 1.0 / ((1.0 - h) * n)).sqrt();
        let power = normal_cdf(effect / error - 1.959_963_984_540_054);
        assert!((power - 0.8).abs() < 1e-12);
    }

    #[test]
    fn plans_that_can_not_be_are_refused_by_name() {
        assert!(Design::new(0.0, 0.95, 0.8).is_err() && Design::new(1.0, 0.95, 0.8).is_err());
        assert!(Design::new(0.5, 1.0, 0.8).is_err() && Design::new(0.5, 0.95, f64::NAN).is_err());
        let error = design(0.5).visitors_for_rate(0.2, 0.9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "effect is 0.9; hint: use a number that is not 0 and leads to a rate from 0 to 1"
        );
        assert!(
            design(0.5).visitors_for_rate(0.2, 0.0).is_err()
                && design(0.5).visitors_for_rate(0.0, 0.1).is_err()
        );
        assert!(
            design(0.5).visitors_for_value(0.0, 1.0).is_err()
                && design(0.5).visitors_for_value(1.0, 0.0).is_err()
        );
        assert!(design(0.5).smallest_value_effect(1.0, 0).is_err() && design(0.5).days(5, 0.0).is_err());
        let few = design(0.1).smallest_rate_effect(0.9, 5).unwrap_err();
        assert!(matches!(few, PowerError::TooFewVisitors { found: 5, least } if least > 5), "{few}");
    }

    proptest! {
        #[test]
        fn what_is_larger_is_seen_sooner(
            h in 0.02..0.98_f64, base in 0.01..0.6_f64, effect in 0.001..0.2_f64, more in 1.01..1.9_f64
        ) {
            let design = design(h);
            let visitors = |effect| design.visitors_for_rate(base, effect).unwrap();
            prop_assert!(visitors(effect * more) <= visitors(effect));
            let visitors = |effect| design.visitors_for_value(5.0, effect).unwrap();
            prop_assert!(visitors(effect * more) <= visitors(effect));
        }

        #[test]
        fn more_visitors_show_smaller_effects(h in 0.02..0.98_f64, base in 0.01..0.9_f64, n in 2_000_u64..10_000_000) {
            let design = design(h);
            let values = [n, 2 * n].map(|n| design.smallest_value_effect(2.0, n).unwrap());
            prop_assert!(values[1] < values[0]);
            if let [Ok(one), Ok(other)] = [n, 2 * n].map(|n| design.smallest_rate_effect(base, n)) {
                prop_assert!(other < one);
            }
        }

        #[test]
        fn the_smallest_effect_takes_just_the_visitors_there_are(
            h in 0.02..0.98_f64, base in 0.01..0.9_f64, n in 2_000_u64..100_000_000
        ) {
            let design = design(h);
            if let Ok(effect) = design.smallest_rate_effect(base, n) {
                // 1e-9: the ends of an f64, squared and divided by an effect that may be small.
                let back = design.for_rate(base, effect);
                prop_assert!((back / n as f64 - 1.0).abs() < 1e-9, "{back}");
            }
            let effect = design.smallest_value_effect(3.0, n).unwrap();
            prop_assert!(design.visitors_for_value(3.0, effect).unwrap().abs_diff(n) <= 1);
        }

        #[test]
        fn even_groups_and_lower_demands_take_the_fewest_visitors(
            h in 0.02..0.49_f64, closer in 0.01..0.99_f64, level in 0.6..0.98_f64, power in 0.55..0.95_f64
        ) {
            let of = |h, level, power| Design::new(h, level, power).unwrap().visitors_for_value(8.0, 0.1).unwrap();
            let nearer = h + closer * (0.5 - h);
            prop_assert!(of(nearer, level, power) <= of(h, level, power));
            prop_assert_eq!(of(h, level, power), of(1.0 - h, level, power));
            prop_assert!(of(h, level + 0.01, power) >= of(h, level, power));
            prop_assert!(of(h, level, power + 0.01) >= of(h, level, power));
        }
    }
}
