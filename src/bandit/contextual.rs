//! Thompson sampling with context: one normal draw per arm, the largest wins, and the propensity is that arm's exact P(largest)
//! in this context. Where scores come from (a regression per arm, or one over contexts and actions) is the caller's business.

use crate::bandit::largest::Largest;
use crate::bandit::policy::Pick;
use crate::bandit::sampler::normals;
use crate::bandit::score::Score;
use crate::bandit::shape::{Limits, Mixture, Shape};
use crate::seed::{Generator, Purpose, hash, hash_pair};

/// Least propensity: no sum of quadratures is better known, and a reward must be divisible by it.
const LEAST: f64 = 1e-12;

/// An arm, or an action that came with the request, in one context.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contender {
    /// What it may be worth here.
    pub score: Score,
    /// Hash of slot and arm, kept for life: its draws come from it.
    pub salt: u64,
    /// How often it was shown; for the burn-in only.
    pub exposures: u64,
}

/// A policy over whatever contenders a request has.
///
/// Each contender draws from its own score, independently of the others. Where all scores come from one regression they are
/// correlated, and drawing one set of coefficients would be another policy, which explores a little less; its propensities are
/// orthant probabilities that have no exact form. This one's are exact.
/// ```
/// use edgeloom::bandit::{Contender, Contextual, Largest, Limits, Score};
///
/// let largest = Largest::new();
/// let policy = Contextual::new(&largest, Limits { exploration_floor: 0.05, ..Limits::NONE });
/// let contender = |mean, salt| Contender { score: Score::new(mean, 0.01), salt, exposures: 500 };
/// let contenders = [contender(0.04, 0x5eed), contender(0.06, 0xfeed)];
/// let visitor = 7;
/// let pick = policy.choose(&contenders, visitor).unwrap();
/// assert_eq!(Some(pick), policy.choose(&contenders, visitor));
/// assert!((pick.propensity - policy.shares(&contenders)[pick.arm]).abs() < 1e-10);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Contextual<'l> {
    largest: &'l Largest,
    limits: Limits,
}

impl<'l> Contextual<'l> {
    /// A policy with these limits, which are [fitted](Limits::fitted) to the contenders of each request; a baseline is a position
    /// among them.
    #[must_use]
    pub const fn new(largest: &'l Largest, limits: Limits) -> Self {
        Self { largest, limits }
    }

    /// The choice for a unit, a 64-bit hash: of the visitor, who keeps the arm as long as scores and context stay, or of the view.
    /// Ties go to the contender that comes first; `None` only without contenders.
    ///
    /// The propensity, in (0, 1], is exact to 1e-10. Only the chosen one's is computed, unless a maximum share or a baseline needs
    /// to know all.
    #[must_use]
    pub fn choose(&self, contenders: &[Contender], unit: u64) -> Option<Pick> {
        let odds = self.odds(contenders)?;
        let arm = odds.position(contenders, unit);
        let weight = match &odds.weights {
            Some(weights) => weights.get(arm).copied().unwrap_or(0.0),
            None => self.largest.weight_of(&scores(contenders), arm),
        };
        Some(Pick { arm, propensity: odds.share(arm, weight).clamp(LEAST, 1.0) })
    }

    /// The arm of [`choose`](Self::choose) where nobody asks for its propensity, and with few scores computed.
    ///
    /// The contenders here have scores of the right mean and of a deviation that is at least the right one
    /// ([`Scorer::at_most`](crate::bandit::Scorer::at_most)); `score` tells the right one of a position. A draw is at most what the
    /// wider score would give, so most arms lose without having been looked at: of 20 with 32 features, 17 do.
    #[must_use]
    pub fn arm(&self, contenders: &[Contender], score: impl Fn(usize) -> Score, unit: u64) -> Option<usize> {
        if self.limits.max_share < 1.0 || self.limits.baseline_share > 0.0 {
            // What is mixed depends on all weights.
            let exact = |(arm, wide): (usize, &Contender)| Contender { score: score(arm), ..*wide };
            let contenders: Vec<_> = contenders.iter().enumerate().map(exact).collect();
            return Some(self.odds(&contenders)?.position(&contenders, unit));
        }
        let odds = self.odds(contenders)?;
        Some(odds.mixed(unit).unwrap_or_else(|| largest_draw(contenders, score, unit)))
    }

    /// The probability of each contender, in their order: what a propensity is read from, within 1e-10.
    #[must_use]
    pub fn shares(&self, contenders: &[Contender]) -> Vec<f64> {
        let Some(odds) = self.odds(contenders) else { return Vec::new() };
        let weights = odds.weights.clone().unwrap_or_else(|| self.largest.weights(&scores(contenders)));
        weights.iter().enumerate().map(|(arm, weight)| odds.share(arm, *weight)).collect()
    }

    /// How the limits mix draws, chance and baseline; computes weights only where the mixture depends on them.
    fn odds(&self, contenders: &[Contender]) -> Option<Odds> {
        let n_arms = contenders.len();
        let shape = Shape::new(self.limits.fitted(n_arms), n_arms).ok()?;
        let limits = shape.limits();
        let burns_in = shape.burns_in(contenders.iter().map(|contender| contender.exposures));
        let weights = if burns_in {
            Some(vec![1.0 / n_arms as f64; n_arms])
        } else if limits.max_share < 1.0 || limits.baseline_share > 0.0 {
            Some(self.largest.weights(&scores(contenders)))
        } else {
            None
        };
        let mut mixture = shape.mixture(weights.as_deref().unwrap_or_default());
        if burns_in {
            // Even weights are drawn as such: draws of the scores would follow others.
            mixture = Mixture { thompson: 0.0, uniform: 1.0 - mixture.baseline, ..mixture };
        }
        Some(Odds { mixture, baseline: limits.baseline, n_arms, weights })
    }
}

/// What a request's choice is made with.
struct Odds {
    mixture: Mixture,
    baseline: Option<usize>,
    n_arms: usize,
    weights: Option<Vec<f64>>,
}

impl Odds {
    /// The probability of a contender that has this weight.
    fn share(&self, arm: usize, weight: f64) -> f64 {
        let lift = if self.baseline == Some(arm) { self.mixture.baseline } else { 0.0 };
        self.mixture.thompson * weight + self.mixture.uniform / self.n_arms as f64 + lift
    }

    /// First which part of the mixture chooses, then its choice; each has its own random numbers.
    fn position(&self, contenders: &[Contender], unit: u64) -> usize {
        if let Some(arm) = self.mixed(unit) {
            return arm;
        }
        let mut best = (f64::NEG_INFINITY, 0);
        for (arm, Contender { score, salt, .. }) in contenders.iter().enumerate() {
            let draw = score.mean() + score.sd() * normal_of(unit, *salt);
            if draw > best.0 {
                best = (draw, arm);
            }
        }
        best.1
    }

    /// What baseline or chance choose; `None` where the draws do.
    fn mixed(&self, unit: u64) -> Option<usize> {
        if self.mixture.thompson >= 1.0 {
            return None;
        }
        let mut generator = Generator::new(hash(Purpose::Score, &[&unit.to_le_bytes()]));
        let component = generator.unit();
        if component >= 1.0 - self.mixture.baseline {
            return Some(self.baseline.unwrap_or(0));
        }
        (component >= self.mixture.thompson)
            .then(|| ((generator.unit() * self.n_arms as f64) as usize).min(self.n_arms.saturating_sub(1)))
    }
}

/// The normal variable that an arm draws for a unit.
fn normal_of(unit: u64, salt: u64) -> f64 {
    normals(&mut Generator::new(hash_pair(Purpose::Score, unit, salt))).0
}

/// The first position of the largest draw, given contenders with scores that may be too wide: they are looked at in the order of
/// what they could draw at most, until none is left that could beat the best.
fn largest_draw(contenders: &[Contender], score: impl Fn(usize) -> Score, unit: u64) -> usize {
    let mut open: Vec<(f64, f64, usize)> = Vec::with_capacity(contenders.len());
    for (arm, Contender { score, salt, .. }) in contenders.iter().enumerate() {
        let normal = normal_of(unit, *salt);
        let most = if normal > 0.0 { score.mean() + score.sd() * normal } else { score.mean() };
        open.push((most, normal, arm));
    }
    let mut best = (f64::NEG_INFINITY, 0);
    loop {
        let mut next = (f64::NEG_INFINITY, 0);
        for (at, (most, ..)) in open.iter().enumerate() {
            if *most > next.0 {
                next = (*most, at);
            }
        }
        if next.0 < best.0 || open.is_empty() {
            return best.1;
        }
        let (_, normal, arm) = open.swap_remove(next.1);
        let score = score(arm);
        let draw = score.mean() + score.sd() * normal;
        if draw > best.0 || (draw == best.0 && arm < best.1) {
            best = (draw, arm);
        }
    }
}

fn scores(contenders: &[Contender]) -> Vec<Score> {
    contenders.iter().map(|contender| contender.score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::linear::{Moments, Noise};
    use crate::bandit::regression::{NormalPosterior, Scale};
    use crate::bandit::scorer::FeatureVector;
    use crate::bandit::{BetaPosterior, p_best};
    use proptest::prelude::*;
    use std::sync::OnceLock;

    fn largest() -> &'static Largest {
        static MADE: OnceLock<Largest> = OnceLock::new();
        MADE.get_or_init(Largest::new)
    }

    fn salt(arm: usize) -> u64 {
        hash(Purpose::Assign, &[b"slot", &arm.to_le_bytes()])
    }

    fn contenders(pairs: &[(f64, f64)]) -> Vec<Contender> {
        let contender = |(arm, &(mean, sd)): (usize, &(f64, f64))| Contender {
            score: Score::new(mean, sd),
            salt: salt(arm),
            exposures: 100,
        };
        pairs.iter().enumerate().map(contender).collect()
    }

    const PAIRS: [(f64, f64); 4] = [(0.042, 0.009), (0.052, 0.01), (0.048, 0.02), (0.03, 0.012)];

    fn policies() -> [Limits; 5] {
        [
            Limits::NONE,
            Limits { exploration_floor: 0.05, ..Limits::NONE },
            Limits { max_share: 0.35, ..Limits::NONE },
            Limits { burn_in: 101, baseline: Some(1), baseline_share: 0.4, ..Limits::NONE },
            Limits {
                exploration_floor: 0.02,
                burn_in: 100,
                max_share: 0.45,
                baseline: Some(3),
                baseline_share: 0.2,
            },
        ]
    }

    /// Pearson's statistic of n choices against the shares.
    fn chi_square(policy: &Contextual, contenders: &[Contender], units: std::ops::Range<u64>) -> f64 {
        let n = (units.end - units.start) as f64;
        let (odds, shares) = (policy.odds(contenders).unwrap(), policy.shares(contenders));
        let mut counts = vec![0.0; contenders.len()];
        for unit in units {
            counts[odds.position(contenders, hash(Purpose::Unit, &[&unit.to_le_bytes()]))] += 1.0;
        }
        counts
            .iter()
            .zip(shares)
            .map(|(count, share)| (count - n * share) * (count - n * share) / (n * share))
            .sum()
    }

    #[test]
    fn frequencies_over_two_hundred_thousand_decisions_are_the_propensities() {
        for (k, limits) in policies().into_iter().enumerate() {
            let policy = Contextual::new(largest(), limits);
            for context in 0..4_u32 {
                // Four contexts with scores of their own, 10,000 units each: 200,000 decisions in all.
                let shift = 0.004 * f64::from(context);
                let pairs = PAIRS.map(|(mean, sd)| (mean + shift * libm::sin(900.0 * mean), sd));
                let first = 10_000 * (4 * k as u64 + u64::from(context));
                let found = chi_square(&policy, &contenders(&pairs), first..first + 10_000);
                // χ²(3) > 27.0 has probability 5.9e-6; 20 tests: a false alarm in 1 of 8,000 sets of seeds.
                assert!(found < 27.0, "{limits:?} {context}: {found}");
            }
        }
    }

    #[test]
    fn a_wrong_propensity_would_be_found() {
        let policy = Contextual::new(largest(), Limits::NONE);
        let other = contenders(&PAIRS.map(|(mean, sd)| (mean, 1.2 * sd)));
        let (odds, shares) = (policy.odds(&other).unwrap(), policy.shares(&contenders(&PAIRS)));
        let mut counts = [0.0; 4];
        for unit in 0..40_000_u64 {
            counts[odds.position(&other, unit)] += 1.0;
        }
        let expected = shares.iter().map(|share| 40_000.0 * share);
        let found: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
        assert!(found > 60.0, "{found}");
    }

    #[test]
    fn what_is_logged_is_what_the_shares_say() {
        for limits in policies() {
            let (policy, contenders) = (Contextual::new(largest(), limits), contenders(&PAIRS));
            let shares = policy.shares(&contenders);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for unit in 0..50 {
                let pick = policy.choose(&contenders, unit).unwrap();
                assert!((pick.propensity - shares[pick.arm]).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn burn_in_is_uniform_and_points_are_certain() {
        let policy = Contextual::new(largest(), Limits { burn_in: 101, ..Limits::NONE });
        assert_eq!(policy.shares(&contenders(&PAIRS)), [0.25; 4]);
        let policy = Contextual::new(largest(), Limits::NONE);
        let points = contenders(&[(1.0, 0.0), (2.0, 0.0), (2.0, 0.0)]);
        for unit in 0..50 {
            assert_eq!(policy.choose(&points, unit), Some(Pick { arm: 1, propensity: 1.0 }));
        }
        assert_eq!(policy.choose(&[], 1), None);
        assert_eq!(policy.shares(&[]), Vec::<f64>::new());
    }

    #[test]
    fn an_arm_that_leaves_moves_only_its_own_units() {
        let policy = Contextual::new(largest(), Limits::NONE);
        let all = contenders(&PAIRS);
        for unit in 0..2_000 {
            let (before, after) =
                (policy.choose(&all, unit).unwrap(), policy.choose(&all[..3], unit).unwrap());
            assert!(before.arm == 3 || before.arm == after.arm);
        }
    }

    #[test]
    fn without_data_about_contexts_it_is_the_plain_policy() {
        let plain = [(1_000, 40), (1_000, 50), (2_000, 96)];
        let arms = plain.map(|(exposures, rewards)| BetaPosterior::UNTOUCHED.after(exposures, rewards));
        let expected = p_best(&arms);
        let x = FeatureVector::new(&[1.0, 0.0, 0.0]);
        let mut worst = [0.0_f64; 2];
        for (scale, worst) in [Scale::Rate, Scale::Logit].into_iter().zip(&mut worst) {
            let score =
                |arm| NormalPosterior::of_arm(arm, scale, 3, 1e-4).unwrap().scorer().unwrap().score(&x);
            let scores: Vec<Score> = arms.iter().map(score).collect();
            for (ours, expected) in Largest::new().weights(&scores).iter().zip(&expected) {
                *worst = worst.max((ours - expected).abs());
            }
        }
        // What is left is the skewness of the Beta posteriors.
        println!("differences from the plain policy, rate and logit: {worst:?}");
        assert!(worst.iter().all(|worst| *worst < 0.02), "{worst:?}");
    }

    /// Share of the last quarter of views in which the better arm was shown.
    fn learn(score: impl Fn(&[Moments; 2], &FeatureVector) -> Vec<Contender>, n_features: usize) -> f64 {
        let mut moments = [Moments::new(n_features), Moments::new(n_features)];
        let (policy, mut generator) = (Contextual::new(largest(), Limits::NONE), Generator::new(2));
        let (mut good, n) = (0.0, 4_000_u32);
        for view in 0..n {
            let side = if generator.unit() < 0.5 { -1.0 } else { 1.0 };
            let x = FeatureVector::new(&[1.0, side]);
            let pick = policy.choose(&score(&moments, &x), u64::from(view)).unwrap();
            // The first arm is better on the left, the second on the right: 40 % against 10 %.
            let better = (pick.arm == 1) == (side > 0.0);
            let reward = if generator.unit() < if better { 0.4 } else { 0.1 } { 1.0 } else { 0.0 };
            moments[pick.arm].add(&x, reward, 1.0).unwrap();
            good += if better && view >= 3 * n / 4 { 1.0 } else { 0.0 };
        }
        good / f64::from(n / 4)
    }

    #[test]
    fn a_regression_per_arm_learns_what_depends_on_the_context() {
        let prior = NormalPosterior::of_arm(&BetaPosterior::UNTOUCHED, Scale::Rate, 2, 0.04).unwrap();
        let found = learn(
            |moments, x| {
                let score = |(arm, moments): (usize, &Moments)| {
                    let posterior = moments.update(&prior, Noise::Known { variance: 0.2 }).unwrap();
                    Contender {
                        score: posterior.scorer().unwrap().score(x),
                        salt: salt(arm),
                        exposures: moments.n(),
                    }
                };
                moments.iter().enumerate().map(score).collect()
            },
            2,
        );
        assert!(found > 0.95, "{found}");
    }

    #[test]
    fn one_regression_over_contexts_and_actions_knows_an_action_it_never_saw() {
        // Worth = 1 + 2 · (context's taste) · (action's colour), learned from colours −1 and 1, asked for 0.5 and −0.5.
        let vector = |x: f64| FeatureVector::new(&[1.0, x]);
        let (mut moments, mut generator) = (Moments::new(4), Generator::new(6));
        for _ in 0..400 {
            let (taste, z) = normals(&mut generator);
            let colour = if generator.unit() < 0.5 { -1.0 } else { 1.0 };
            let x = vector(taste).crossed(&vector(colour));
            moments.add(&x, 1.0 + 2.0 * taste * colour + 0.1 * z, 1.0).unwrap();
        }
        let prior = NormalPosterior::new(&[0.0; 4], &[1.0; 4]).unwrap();
        let learned = Noise::Learned { shape: 2.0, scale: 0.1 };
        let scorer = moments.update(&prior, learned).unwrap().scorer().unwrap();
        let policy = Contextual::new(largest(), Limits::NONE);
        for (taste, best) in [(0.8, 0), (-0.8, 1)] {
            let contender = |colour: f64| Contender {
                score: scorer.score(&vector(taste).crossed(&vector(colour))),
                salt: colour.to_bits(),
                exposures: 0,
            };
            let contenders = [contender(0.5), contender(-0.5)];
            let pick = policy.choose(&contenders, 11).unwrap();
            assert!(pick.arm == best && pick.propensity > 0.999_999);
            assert!((contenders[best].score.mean() - 1.8).abs() < 0.05);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_scores_and_limits_give_a_choice_that_is_accounted_for(
            pairs in prop::collection::vec((any::<f64>(), any::<f64>()), 1..7), unit: u64,
            (floor, most, baseline) in (0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64)
        ) {
            let limits = Limits {
                exploration_floor: floor / pairs.len() as f64,
                max_share: most,
                baseline: Some(2),
                baseline_share: baseline,
                burn_in: 0,
            };
            let (policy, contenders) = (Contextual::new(largest(), limits), contenders(&pairs));
            let (pick, shares) = (policy.choose(&contenders, unit).unwrap(), policy.shares(&contenders));
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
            prop_assert!(pick.propensity > 0.0 && (pick.propensity - shares[pick.arm]).abs() < 1e-9);
        }

        #[test]
        fn the_arm_alone_is_that_of_the_choice_however_wide_the_scores_are_thought_to_be(
            pairs in prop::collection::vec((any::<f64>(), any::<f64>()), 1..9), wider in 1.0..9.0_f64, unit: u64,
            (floor, most) in (0.0..0.2_f64, prop_oneof![Just(1.0), 0.0..1.0_f64])
        ) {
            let exact = contenders(&pairs);
            let wide = |contender: &Contender| {
                let Contender { score, .. } = *contender;
                Contender { score: Score::new(score.mean(), wider * score.sd()), ..*contender }
            };
            let wide: Vec<_> = exact.iter().map(wide).collect();
            let policy = Contextual::new(largest(), Limits { exploration_floor: floor, max_share: most, ..Limits::NONE });
            let expected = policy.choose(&exact, unit).map(|pick| pick.arm);
            prop_assert_eq!(policy.arm(&wide, |arm| exact[arm].score, unit), expected);
        }

        #[test]
        fn permuting_arms_permutes_choices_and_propensities(
            pairs in prop::collection::vec((0.0..1.0_f64, 0.01..1.0_f64), 2..8), turn in 0_usize..8, unit: u64
        ) {
            let policy = Contextual::new(largest(), Limits { exploration_floor: 0.01, ..Limits::NONE });
            let ahead = contenders(&pairs);
            let (mut turned, turn) = (ahead.clone(), turn % pairs.len());
            turned.rotate_left(turn);
            let mut shares = policy.shares(&ahead);
            shares.rotate_left(turn);
            for (a, b) in policy.shares(&turned).iter().zip(&shares) {
                prop_assert!((a - b).abs() < 1e-10);
            }
            let odds = Odds { mixture: Mixture { thompson: 1.0, uniform: 0.0, baseline: 0.0 }, ..policy.odds(&ahead).unwrap() };
            let (one, other) = (odds.position(&ahead, unit), odds.position(&turned, unit));
            prop_assert_eq!(ahead[one].salt, turned[other].salt);
        }
    }
}
