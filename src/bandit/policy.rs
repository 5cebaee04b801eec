//! A policy made ready: all that is slow happens once per snapshot, a choice takes nanoseconds, allocates
//! nothing and comes with its exact propensity. Where units and views come from is the caller's business.

use crate::bandit::belief::{Belief, Draws, chances};
use crate::bandit::rendezvous::{self, Clock};
use crate::bandit::shape::{Mixture, Shape};
use crate::seed::Generator;
use std::fmt;

/// When the policy chooses anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// By published weights: a unit keeps its arm until the weights move.
    Sticky,
    /// With fresh draws on each view.
    PerView,
}

/// Rule of choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Each arm with the probability that it is the best.
    Thompson(Assignment),
    /// Each arm with the same probability.
    Uniform(Assignment),
    /// Always the arm at this position; limits do not apply.
    Fixed(usize),
}

/// What the policy knows of one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// Belief about its reward rate or its worth.
    pub belief: Belief,
    /// Hash of slot and arm, kept for life: it decides which units are the arm's.
    pub salt: u64,
    /// How often it was shown; for the burn-in only.
    pub exposures: u64,
}

/// One choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    /// Position of the arm.
    pub arm: usize,
    /// The probability with which this policy chooses this arm, in (0, 1].
    pub propensity: f64,
}

/// A policy that can't be made ready.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PolicyError {
    /// The number of arms is not that of the limits.
    ArmCount {
        /// Arms given.
        found: usize,
        /// Arms the limits are for.
        expected: usize,
    },
    /// The fixed arm is not one of them.
    Fixed {
        /// The position asked for.
        found: usize,
        /// Number of arms.
        n_arms: usize,
    },
    /// The given weights are not one number ≥ 0 per arm with the sum 1 (± 1e-6).
    Weights,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArmCount { found, expected } => {
                write!(f, "{found} arms with limits for {expected}; hint: check the limits for these arms")
            }
            Self::Fixed { found, n_arms } => {
                write!(f, "fixed arm {found} of {n_arms}; hint: count from 0")
            }
            Self::Weights => {
                write!(
                    f,
                    "weights are no distribution over the arms; hint: leave them out to have them computed"
                )
            }
        }
    }
}

impl std::error::Error for PolicyError {}

/// How arms are found at the moment of choice.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    Fixed(usize),
    /// One clock per arm.
    Sticky(Vec<Clock>),
    PerView(PerView),
}

/// A policy over a fixed list of arms, ready to choose.
///
/// ```
/// use edgeloom::bandit::{Arm, Assignment, Belief, BetaPosterior, Limits, PolicyKind, Prepared, Shape};
/// let arm = |salt, rewards| {
///     Arm { belief: Belief::Rate(BetaPosterior::UNTOUCHED.after(500, rewards)), salt, exposures: 500 }
/// };
/// let shape = Shape::new(Limits { exploration_floor: 0.05, ..Limits::NONE }, 2)?;
/// let kind = PolicyKind::Thompson(Assignment::Sticky);
/// let policy = Prepared::new(kind, &shape, &[arm(0x5eed, 20), arm(0xfeed, 40)], None)?;
/// let (visitor, view) = (7, 1);
/// let pick = policy.choose(visitor, view);
/// assert_eq!(pick, policy.choose(visitor, view + 1));
/// assert_eq!(pick.propensity, policy.shares()[pick.arm]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    shares: Vec<f64>,
    way: Way,
}

impl Prepared {
    /// Makes a policy ready for a list of arms.
    ///
    /// `weights` are the P(best) of these very beliefs where they were published (per view, draws from the
    /// beliefs must have the propensity that is logged); `None` computes them where the policy needs them:
    /// some tens of microseconds for four arms, a few milliseconds for a hundred.
    ///
    /// When an audience removes arms, the rest is a list of its own: prepare that with `None`, since P(best)
    /// of a part is not the part of P(best), and with the limits [fitted](crate::bandit::Limits::fitted) to
    /// it. Keep the result: there are few different lists, and many views.
    ///
    /// # Errors
    /// Arms and limits of different number, a fixed arm that is none of them, weights that are no distribution.
    pub fn new(
        kind: PolicyKind,
        shape: &Shape,
        arms: &[Arm],
        weights: Option<&[f64]>,
    ) -> Result<Self, PolicyError> {
        let n_arms = arms.len();
        if n_arms != shape.n_arms() {
            return Err(PolicyError::ArmCount { found: n_arms, expected: shape.n_arms() });
        }
        let assignment = match kind {
            PolicyKind::Fixed(found) if found >= n_arms => return Err(PolicyError::Fixed { found, n_arms }),
            PolicyKind::Fixed(fixed) => {
                let shares = (0..n_arms).map(|arm| if arm == fixed { 1.0 } else { 0.0 }).collect();
                return Ok(Self { shares, way: Way::Fixed(fixed) });
            }
            PolicyKind::Thompson(assignment) | PolicyKind::Uniform(assignment) => assignment,
        };
        let learns = matches!(kind, PolicyKind::Thompson(_));
        let even = !learns || shape.burns_in(arms.iter().map(|arm| arm.exposures));
        let weights = match weights {
            _ if even => vec![1.0 / n_arms as f64; n_arms],
            Some(weights) => distribution(weights, n_arms).ok_or(PolicyError::Weights)?,
            None => chances(&arms.iter().map(|arm| arm.belief).collect::<Vec<_>>()),
        };
        let mixture = shape.mixture(&weights);
        let shares = shape.shares(&mixture, &weights);
        let way = match assignment {
            Assignment::Sticky => {
                let clocks = arms.iter().zip(&shares).map(|(arm, share)| Clock::new(arm.salt, *share));
                Way::Sticky(clocks.collect())
            }
            Assignment::PerView => Way::PerView(PerView::new(mixture, shape, arms, even)),
        };
        Ok(Self { shares, way })
    }

    /// The choice for a unit of assignment (sticky) in a view (per view); both are 64-bit hashes. Total.
    #[must_use]
    #[inline]
    pub fn choose(&self, unit: u64, view: u64) -> Pick {
        let arm = match &self.way {
            Way::Fixed(arm) => *arm,
            // Shares add up to 1, so that some arm always has one.
            Way::Sticky(clocks) => rendezvous::choose(unit, clocks).unwrap_or(0),
            Way::PerView(per_view) => per_view.choose(&self.shares, view),
        };
        Pick { arm, propensity: self.shares.get(arm).copied().unwrap_or(1.0) }
    }

    /// The probability of each arm, in the order of the arms: what the propensity of a choice is read from.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }
}

/// Fresh draws: first the component of the mixture, then the arm from it.
#[derive(Debug, Clone, PartialEq)]
struct PerView {
    /// Below `thompson` draws decide, from there up to `uniform` any arm, above it the baseline.
    thompson: f64,
    uniform: f64,
    baseline: usize,
    n_arms: usize,
    draws: Draws,
}

impl PerView {
    fn new(mixture: Mixture, shape: &Shape, arms: &[Arm], even: bool) -> Self {
        // Even weights are drawn as such: draws from the posteriors would follow others.
        let thompson = if even { 0.0 } else { mixture.thompson };
        Self {
            thompson,
            uniform: 1.0 - mixture.baseline,
            baseline: shape.limits().baseline.unwrap_or(0),
            n_arms: arms.len(),
            draws: Draws::new(arms.iter().map(|arm| arm.belief)),
        }
    }

    /// The arm of a view: its first random number says which part of the mixture chooses, the next ones choose within it.
    fn choose(&self, shares: &[f64], view: u64) -> usize {
        let mut generator = Generator::new(view);
        let component = generator.unit();
        if component < self.thompson {
            return self.draws.best(shares, &mut generator);
        }
        if component < self.uniform {
            return ((generator.unit() * self.n_arms as f64) as usize).min(self.n_arms.saturating_sub(1));
        }
        self.baseline
    }
}

/// The weights with the sum 1, if they are a distribution but for rounding.
fn distribution(weights: &[f64], n_arms: usize) -> Option<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    let is_one = weights.len() == n_arms && (sum - 1.0).abs() <= 1e-6 && weights.iter().all(|w| *w >= 0.0);
    is_one.then(|| weights.iter().map(|w| w / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::posterior::BetaPosterior;
    use crate::bandit::shape::Limits;
    use crate::seed::{Purpose, hash};
    use proptest::prelude::*;

    fn arms(shapes: &[(f64, f64)]) -> Vec<Arm> {
        let arm = |(k, &(a, b)): (usize, &(f64, f64))| Arm {
            belief: Belief::Rate(BetaPosterior::new(a, b).unwrap()),
            salt: hash(Purpose::Assign, &[b"slot", &k.to_le_bytes()]),
            exposures: 1_000,
        };
        shapes.iter().enumerate().map(arm).collect()
    }

    fn prepared(kind: PolicyKind, limits: Limits, shapes: &[(f64, f64)]) -> Prepared {
        Prepared::new(kind, &Shape::new(limits, shapes.len()).unwrap(), &arms(shapes), None).unwrap()
    }

    const SHAPES: [(f64, f64); 4] = [(21.0, 481.0), (26.0, 476.0), (24.0, 478.0), (12.0, 490.0)];
    const BOTH: [Assignment; 2] = [Assignment::Sticky, Assignment::PerView];

    /// Pearson's statistic of 10,000 choices against the logged propensities.
    fn chi_square(policy: &Prepared, seed: u64) -> f64 {
        let (mut generator, n) = (Generator::new(seed), 10_000);
        let mut counts = vec![0.0; policy.shares().len()];
        for _ in 0..n {
            let pick = policy.choose(generator.bits(), generator.bits());
            assert_eq!(pick.propensity, policy.shares()[pick.arm]);
            counts[pick.arm] += 1.0;
        }
        let expected = policy.shares().iter().map(|share| share * f64::from(n));
        counts.iter().zip(expected).map(|(n, e)| if e > 0.0 { (n - e) * (n - e) / e } else { *n }).sum()
    }

    #[test]
    fn long_run_frequencies_are_the_logged_propensities() {
        let limits = [
            Limits::NONE,
            Limits { exploration_floor: 0.05, ..Limits::NONE },
            Limits { max_share: 0.4, ..Limits::NONE },
            Limits { baseline: Some(3), baseline_share: 0.3, ..Limits::NONE },
            Limits { burn_in: 1_001, ..Limits::NONE },
            Limits {
                exploration_floor: 0.02,
                burn_in: 10,
                max_share: 0.45,
                baseline: Some(0),
                baseline_share: 0.2,
            },
        ];
        for (limits, assignment) in limits.into_iter().flat_map(|l| BOTH.map(|a| (l, a))) {
            let policy = prepared(PolicyKind::Thompson(assignment), limits, &SHAPES);
            let mut sum = 0.0;
            for seed in 0..20 {
                let found = chi_square(&policy, seed);
                // χ²(3) > 27.0 has probability 5.9e-6; 240 tests: a false alarm in 1 of 700 sets of seeds.
                assert!(found < 27.0, "{limits:?} {assignment:?} {seed}: {found}");
                sum += found;
            }
            // χ²(60) > 120 has probability 6.5e-6: twenty seeds together find what one can't.
            assert!(sum < 120.0, "{limits:?} {assignment:?}: {sum}");
        }
    }

    #[test]
    fn draws_too_small_for_a_rate_still_follow_the_propensity() {
        // Half of the draws of the first two arms are 0 as rates: ties by position would favour the first.
        for shapes in [[(1e-3, 1.0), (1e-3, 1.0), (2e-3, 1.0)], [(1.0, 1e-3), (2.0, 1e-3), (3.0, 2e-3)]] {
            let policy = prepared(PolicyKind::Thompson(Assignment::PerView), Limits::NONE, &shapes);
            for seed in 0..5 {
                assert!(chi_square(&policy, seed) < 27.0, "{shapes:?} {:?}", policy.shares());
            }
        }
    }

    #[test]
    fn a_wrong_propensity_would_be_found() {
        let mut policy = prepared(PolicyKind::Thompson(Assignment::PerView), Limits::NONE, &SHAPES);
        policy.shares.swap(0, 1);
        assert!(chi_square(&policy, 1) > 135.0);
    }

    #[test]
    fn sticky_units_keep_their_arm_and_views_do_not() {
        let changes = |assignment| {
            let policy = prepared(PolicyKind::Thompson(assignment), Limits::NONE, &SHAPES);
            (0..100).filter(|view| policy.choose(5, *view) != policy.choose(5, 1_000)).count()
        };
        assert_eq!(changes(Assignment::Sticky), 0);
        assert!(changes(Assignment::PerView) > 10);
    }

    #[test]
    fn burn_in_is_uniform() {
        let limits = Limits { burn_in: 1_001, ..Limits::NONE };
        for assignment in BOTH {
            let policy = prepared(PolicyKind::Thompson(assignment), limits, &SHAPES);
            assert_eq!(policy.shares(), [0.25; 4]);
        }
    }

    #[test]
    fn a_fixed_policy_always_takes_its_arm() {
        let policy = prepared(PolicyKind::Fixed(2), Limits::NONE, &SHAPES);
        for unit in 0..100 {
            assert_eq!(policy.choose(unit, unit), Pick { arm: 2, propensity: 1.0 });
        }
    }

    #[test]
    fn removing_an_arm_means_computing_its_weights_anew() {
        let kind = PolicyKind::Thompson(Assignment::PerView);
        let whole = prepared(kind, Limits::NONE, &SHAPES);
        let part = prepared(kind, Limits::NONE, &SHAPES[..3]);
        let cut: f64 = whole.shares()[..3].iter().sum();
        // Not the old weights scaled up: the difference is small but systematic.
        assert!((part.shares()[0] - whole.shares()[0] / cut).abs() > 1e-6);
        assert!(chi_square(&part, 3) < 27.0);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let shape = Shape::new(Limits::NONE, 4).unwrap();
        let kind = PolicyKind::Thompson(Assignment::Sticky);
        let all = arms(&SHAPES);
        let error = |kind, arms: &[Arm], weights: Option<&[f64]>| {
            Prepared::new(kind, &shape, arms, weights).map(|_| ()).unwrap_err()
        };
        assert_eq!(error(kind, &all[..3], None), PolicyError::ArmCount { found: 3, expected: 4 });
        assert_eq!(error(PolicyKind::Fixed(4), &all, None), PolicyError::Fixed { found: 4, n_arms: 4 });
        for weights in [&[0.5, 0.5][..], &[0.5, 0.5, 0.5, -0.5], &[0.1; 4], &[f64::NAN, 0.5, 0.25, 0.25]] {
            assert_eq!(error(kind, &all, Some(weights)), PolicyError::Weights);
        }
    }

    #[test]
    fn published_weights_are_used_as_they_are() {
        let shape = Shape::new(Limits::NONE, 4).unwrap();
        let kind = PolicyKind::Thompson(Assignment::Sticky);
        let policy = Prepared::new(kind, &shape, &arms(&SHAPES), Some(&[0.5, 0.0, 0.25, 0.25])).unwrap();
        assert_eq!(policy.shares(), [0.5, 0.0, 0.25, 0.25]);
        assert!((0..1_000).all(|unit| policy.choose(unit << 40, 0).arm != 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_policy_chooses_an_arm_it_can_account_for(
            exponents in prop::collection::vec((-12.0..12.0_f64, -12.0..12.0_f64), 1..6),
            floor in 0.0..1.0_f64, seed: u64, sticky: bool
        ) {
            let clamp = |x| libm::exp10(x).clamp(1e-12, 1e12);
            let shapes: Vec<_> = exponents.iter().map(|&(a, b)| (clamp(a), clamp(b))).collect();
            let limits = Limits { exploration_floor: floor / shapes.len() as f64, ..Limits::NONE };
            let assignment = if sticky { Assignment::Sticky } else { Assignment::PerView };
            let policy = prepared(PolicyKind::Thompson(assignment), limits, &shapes);
            let mut generator = Generator::new(seed);
            for _ in 0..50 {
                let pick = policy.choose(generator.bits(), generator.bits());
                prop_assert!(pick.arm < shapes.len());
                prop_assert!(pick.propensity > 0.0 && pick.propensity <= 1.0);
            }
        }
    }
}
