//! Distribution in, distribution out: everything that changes an arm's probability after the policy has spoken.
//! Only mixing, no clipping: the order of the arms stays, and the probability logged is the one that was used.

use crate::json::number::Decimal;
use std::fmt;

/// What a marketer may ask of the probabilities; one arm is allowed everything by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Least probability of each arm, in [0, 1/arms].
    pub exploration_floor: f64,
    /// Uniform until each arm has this many exposures.
    pub burn_in: u64,
    /// Most probability of each arm, in [1/arms, 1].
    pub max_share: f64,
    /// Position of the arm that `baseline_share` means.
    pub baseline: Option<usize>,
    /// Least probability of the baseline, in [0, what floor and maximum leave]; 0 without a baseline.
    pub baseline_share: f64,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self =
        Self { exploration_floor: 0.0, burn_in: 0, max_share: 1.0, baseline: None, baseline_share: 0.0 };

    /// The nearest limits that `n_arms` can keep: for the candidates left of a longer list, where e.g. a
    /// maximum of 0.3 for four arms can't hold for two. `baseline` must already be a position among the
    /// candidates. Where a number is none, there is no limit.
    #[must_use]
    pub fn fitted(self, n_arms: usize) -> Self {
        let within = |value: f64, least: f64, most: f64, otherwise: f64| {
            if value.is_nan() { otherwise } else { value.max(least).min(most) }
        };
        let even = 1.0 / n_arms.max(1) as f64;
        let exploration_floor = within(self.exploration_floor, 0.0, even, 0.0);
        let max_share = within(self.max_share, even, 1.0, 1.0);
        let baseline = self.baseline.filter(|arm| *arm < n_arms);
        let most = most_of_one(exploration_floor, max_share, n_arms);
        let baseline_share =
            if baseline.is_some() { within(self.baseline_share, 0.0, most, 0.0) } else { 0.0 };
        Self { exploration_floor, max_share, baseline, baseline_share, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// The most that one arm can get when the others keep the floor.
fn most_of_one(floor: f64, max_share: f64, n_arms: usize) -> f64 {
    max_share.min(1.0 - floor * n_arms.saturating_sub(1) as f64)
}

/// A limit that can't be kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LimitsError {
    /// No arm to share between.
    NoArms,
    /// A number outside of its range.
    Range {
        /// Name of the field.
        field: &'static str,
        /// The number found.
        found: f64,
        /// Least allowed.
        least: f64,
        /// Most allowed.
        most: f64,
    },
    /// `baseline` is not the position of an arm.
    Baseline {
        /// The position found.
        found: usize,
        /// Number of arms.
        n_arms: usize,
    },
    /// `baseline_share` above 0, but no `baseline`.
    BaselineMissing,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArms => write!(f, "no arms; hint: add one"),
            Self::Range { field, found, least, most } => {
                let [found, least, most] = [*found, *least, *most].map(Decimal);
                write!(f, "{field} is {found}; hint: use a number from {least} to {most}")
            }
            Self::Baseline { found, n_arms } => {
                write!(f, "baseline is arm {found} of {n_arms}; hint: count from 0")
            }
            Self::BaselineMissing => {
                write!(f, "baseline_share is set without a baseline; hint: name the baseline")
            }
        }
    }
}

impl std::error::Error for LimitsError {}

/// The limits of a known number of arms, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    limits: Limits,
    n_arms: usize,
}

impl Shape {
    /// Checks the limits against the number of arms.
    ///
    /// # Errors
    /// No arms; the first field outside of its range; a baseline that is no arm, or missing where it is needed.
    pub fn new(limits: Limits, n_arms: usize) -> Result<Self, LimitsError> {
        if n_arms == 0 {
            return Err(LimitsError::NoArms);
        }
        if let Some(found) = limits.baseline.filter(|arm| *arm >= n_arms) {
            return Err(LimitsError::Baseline { found, n_arms });
        }
        if limits.baseline.is_none() && limits.baseline_share > 0.0 {
            return Err(LimitsError::BaselineMissing);
        }
        let even = 1.0 / n_arms as f64;
        let Limits { exploration_floor, max_share, baseline_share, .. } = limits;
        let ranges = [
            ("exploration_floor", exploration_floor, 0.0, even),
            ("max_share", max_share, even, 1.0),
            ("baseline_share", baseline_share, 0.0, most_of_one(exploration_floor, max_share, n_arms)),
        ];
        for (field, found, least, most) in ranges {
            // 0.1 + 0.2 must not fail for its last digit: the least and the most are quotients.
            if !(least - 1e-9..=most + 1e-9).contains(&found) {
                return Err(LimitsError::Range { field, found, least, most });
            }
        }
        Ok(Self { limits: limits.fitted(n_arms), n_arms })
    }

    /// The limits, each moved by rounding at most.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Number of arms the limits are for.
    #[must_use]
    pub fn n_arms(&self) -> usize {
        self.n_arms
    }

    /// Whether some arm has fewer exposures than the burn-in asks for; then the policy's weights are uniform.
    #[must_use]
    pub fn burns_in(&self, exposures: impl IntoIterator<Item = u64>) -> bool {
        exposures.into_iter().any(|n| n < self.limits.burn_in)
    }

    /// How the policy's weights are mixed so that all limits hold together.
    ///
    /// With K arms, floor f, maximum m and baseline share b, the final shares are p = f + (1 − K·f)·q, so q
    /// must keep m' = (m − f)/(1 − K·f) and b' = (b − f)/(1 − K·f). First the maximum: q = (1 − λ)·w + λ/K
    /// with λ = (max w − m')/(max w − 1/K). Then the baseline e: q ← (1 − μ)·q + μ·e with μ = (b' − q_e)/(1 −
    /// q_e), which lifts no other arm. The floor is added last, so it holds whatever came before. `weights`
    /// are ≥ 0 and add up to 1.
    #[must_use]
    pub fn mixture(&self, weights: &[f64]) -> Mixture {
        let Limits { exploration_floor: floor, max_share, baseline, baseline_share, .. } = self.limits;
        let even = 1.0 / self.n_arms as f64;
        let room = 1.0 - self.n_arms as f64 * floor;
        // Nothing is left to share out: the floor is everything.
        if room <= 0.0 {
            return Mixture { thompson: 0.0, uniform: 1.0, baseline: 0.0 };
        }
        let inner = |share: f64| ((share - floor) / room).clamp(0.0, 1.0);
        let most = weights.iter().copied().fold(even, f64::max);
        let target = inner(max_share);
        let lambda =
            if most > target && most > even { ((most - target) / (most - even)).min(1.0) } else { 0.0 };
        let of_baseline =
            baseline.and_then(|arm| weights.get(arm)).map_or(1.0, |w| (1.0 - lambda) * w + lambda * even);
        let wanted = inner(baseline_share);
        let mu = if wanted > of_baseline { (wanted - of_baseline) / (1.0 - of_baseline) } else { 0.0 };
        let thompson = room * (1.0 - mu) * (1.0 - lambda);
        let baseline = room * mu;
        // The rest, so that the three add up to 1 exactly.
        Mixture { thompson, uniform: (1.0 - thompson - baseline).max(0.0), baseline }
    }

    /// The final shares: p = thompson·w + uniform/K + baseline·e.
    #[must_use]
    pub fn shares(&self, mixture: &Mixture, weights: &[f64]) -> Vec<f64> {
        let even = mixture.uniform / self.n_arms as f64;
        let share = |(arm, weight): (usize, &f64)| {
            let lift = if self.limits.baseline == Some(arm) { mixture.baseline } else { 0.0 };
            mixture.thompson * weight + even + lift
        };
        weights.iter().enumerate().map(share).collect()
    }
}

/// What the final shares are made of: coefficients ≥ 0 that add up to 1.
///
/// A choice can be drawn in two steps: first the component, then the arm from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// Part of the policy's own weights.
    pub thompson: f64,
    /// Part shared evenly.
    pub uniform: f64,
    /// Part of the baseline alone.
    pub baseline: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shaped(limits: Limits, weights: &[f64]) -> Vec<f64> {
        let shape = Shape::new(limits, weights.len()).unwrap();
        shape.shares(&shape.mixture(weights), weights)
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}");
    }

    #[test]
    fn the_floor_is_added_not_clipped() {
        let floor = Limits { exploration_floor: 0.05, ..Limits::NONE };
        near(&shaped(floor, &[0.9, 0.08, 0.02]), &[0.815, 0.118, 0.067]);
    }

    #[test]
    fn the_maximum_holds_exactly() {
        let max = Limits { max_share: 0.6, ..Limits::NONE };
        let found = shaped(max, &[0.9, 0.1, 0.0]);
        assert!((found[0] - 0.6).abs() < 1e-15 && found[1] > found[2]);
        near(&shaped(max, &[0.5, 0.3, 0.2]), &[0.5, 0.3, 0.2]);
    }

    #[test]
    fn the_baseline_keeps_its_share() {
        let limits = Limits { baseline: Some(2), baseline_share: 0.25, ..Limits::NONE };
        near(&shaped(limits, &[0.6, 0.4, 0.0]), &[0.45, 0.3, 0.25]);
        near(&shaped(limits, &[0.1, 0.2, 0.7]), &[0.1, 0.2, 0.7]);
    }

    #[test]
    fn errors_name_the_field_and_its_range() {
        let floor = Limits { exploration_floor: 0.4, ..Limits::NONE };
        let error = Shape::new(floor, 4).unwrap_err().to_string();
        assert_eq!(error, "exploration_floor is 0.4; hint: use a number from 0 to 0.25");
        let max = Limits { max_share: 0.2, ..Limits::NONE };
        assert!(
            Shape::new(max, 4)
                .unwrap_err()
                .to_string()
                .contains("max_share is 0.2; hint: use a number from 0.25 to 1")
        );
        let baseline =
            Limits { exploration_floor: 0.1, baseline: Some(0), baseline_share: 0.8, ..Limits::NONE };
        assert!(matches!(Shape::new(baseline, 4), Err(LimitsError::Range { field: "baseline_share", .. })));
        assert_eq!(
            Shape::new(Limits { baseline: Some(4), ..Limits::NONE }, 4),
            Err(LimitsError::Baseline { found: 4, n_arms: 4 })
        );
        let missing = Limits { baseline_share: 0.1, ..Limits::NONE };
        assert_eq!(Shape::new(missing, 4), Err(LimitsError::BaselineMissing));
        assert_eq!(Shape::new(Limits::NONE, 0), Err(LimitsError::NoArms));
        assert!(Shape::new(Limits { max_share: f64::NAN, ..Limits::NONE }, 2).is_err());
    }

    #[test]
    fn burn_in_ends_when_the_last_arm_has_enough() {
        let shape = Shape::new(Limits { burn_in: 100, ..Limits::NONE }, 2).unwrap();
        assert!(shape.burns_in([5_000, 99]));
        assert!(!shape.burns_in([100, 100]));
    }

    prop_compose! {
        /// Weights that add up to 1, some of them 0, and limits that are allowed for them.
        fn cases()(raw in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.0_f64, Just(1.0)], 1..9))(
            floor in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64],
            max in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64],
            share in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64],
            baseline in 0..raw.len(),
            raw in Just(raw),
        ) -> (Limits, Vec<f64>) {
            let n = raw.len() as f64;
            let sum: f64 = raw.iter().sum();
            let weights = raw.iter().map(|w| if sum > 0.0 { w / sum } else { 1.0 / n }).collect();
            let exploration_floor = floor / n;
            let max_share = 1.0 / n + max * (1.0 - 1.0 / n);
            let baseline_share = share * most_of_one(exploration_floor, max_share, raw.len());
            (Limits { exploration_floor, burn_in: 0, max_share, baseline: Some(baseline), baseline_share }, weights)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn all_limits_hold_together((limits, weights) in cases()) {
            let shares = shaped(limits, &weights);
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for share in &shares {
                prop_assert!(*share >= limits.exploration_floor - 1e-12, "{shares:?}");
                prop_assert!(*share <= limits.max_share + 1e-12, "{shares:?}");
            }
            prop_assert!(shares[limits.baseline.unwrap()] >= limits.baseline_share - 1e-12, "{shares:?}");
        }

        #[test]
        fn the_mixture_is_a_distribution((limits, weights) in cases()) {
            let Mixture { thompson, uniform, baseline } = Shape::new(limits, weights.len()).unwrap().mixture(&weights);
            prop_assert!(thompson >= 0.0 && uniform >= 0.0 && baseline >= 0.0);
            prop_assert!((thompson + uniform + baseline - 1.0).abs() < 1e-15);
        }

        #[test]
        fn the_order_of_the_other_arms_stays((limits, weights) in cases()) {
            let shares = shaped(limits, &weights);
            let baseline = limits.baseline.unwrap();
            for a in (0..weights.len()).filter(|a| *a != baseline) {
                for b in (0..weights.len()).filter(|b| *b != baseline) {
                    prop_assert!(weights[a] < weights[b] || shares[a] >= shares[b] - 1e-15);
                }
            }
        }

        #[test]
        fn without_limits_nothing_changes((_, weights) in cases()) {
            prop_assert_eq!(shaped(Limits::NONE, &weights), weights);
        }

        #[test]
        fn fitted_limits_are_always_allowed(
            exploration_floor: f64, max_share: f64, baseline_share: f64, arm in 0..9_usize, n in 1..9_usize
        ) {
            let limits = Limits { exploration_floor, burn_in: 0, max_share, baseline: Some(arm), baseline_share };
            prop_assert!(Shape::new(limits.fitted(n), n).is_ok(), "{:?}", limits.fitted(n));
        }
    }
}
