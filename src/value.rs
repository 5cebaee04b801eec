//! What a choice is worth: how often goals are reached × what that earns, less what showing costs. Which arm is then chosen is
//! the business of [`crate::bandit`].
//!
//! ```text
//! worth of an exposure = Σ_goals margin · rate · amount − cost
//! ```
//!
//! Rates and amounts are believed, not known, so that the worth has a mean and a variance. Goals are taken as independent: their
//! posteriors are, given what was counted, but for the visitors they have in common.

use crate::bandit::numeric::NumericPosterior;
use crate::bandit::{Belief, BetaPosterior, Score};

/// Weight of the prior of an amount: two observations for its spread, one for its mean. A shape of 1.5 is the smallest round one
/// of which the variance has an expectation.
const AMOUNT_SHAPE: f64 = 1.5;

/// Rewards of one goal as they count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rewarded {
    /// How many, ≥ 0; not whole where old ones fade.
    pub n: f64,
    /// Sum of their values, in the site's currency.
    pub value: f64,
    /// Sum of the squares of their values.
    pub squares: f64,
}

/// What is known of how much a reward is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Each the same, in the site's currency.
    Fixed(f64),
    /// Each its own, which is learned; before anything is known, this much, give or take as much.
    Learned(f64),
}

/// What one goal adds to the worth of an exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Share of an amount that is earned; below 0 for what is to be avoided.
    pub margin: f64,
    /// How much a reward is worth.
    pub amount: Amount,
}

/// What is believed to be earned of one goal per exposure: mean and variance.
///
/// For independent rate p and amount v the product has the mean E\[p\]·E\[v\] and the variance E\[p²\]·E\[v²\] − (E\[p\]·E\[v\])².
/// `rate` is the belief after the same rewards.
#[must_use]
fn earned(term: &Term, rate: &BetaPosterior, rewarded: &Rewarded) -> (f64, f64) {
    let (mean, variance) = match term.amount {
        Amount::Fixed(amount) => (amount, 0.0),
        Amount::Learned(usual) => learned(usual, rewarded),
    };
    let of_product = rate.variance() * (mean * mean + variance) + rate.mean() * rate.mean() * variance;
    (term.margin * rate.mean() * mean, term.margin * term.margin * of_product)
}

/// Mean and variance of the expected amount of a reward: Normal-inverse-gamma, see [`NumericPosterior`].
fn learned(usual: f64, rewarded: &Rewarded) -> (f64, f64) {
    // An amount of nothing would have no spread at all.
    let spread = usual.abs().clamp(1e-3, 1e9);
    // The expected variance of an amount is scale / (shape − 1): as large as the square of what is usual.
    let prior = NumericPosterior::new((usual, 1.0), (AMOUNT_SHAPE, (AMOUNT_SHAPE - 1.0) * spread * spread));
    let posterior = prior.map(|prior| prior.after_weighed(rewarded.n, rewarded.value, rewarded.squares));
    let score = posterior.ok().and_then(|posterior| posterior.score());
    score.map_or((usual, spread * spread), |score| (score.mean(), score.sd() * score.sd()))
}

/// What an exposure of an arm is believed to be worth, from its goals (each with the belief about its rate, which includes the
/// rewards) and its cost, in the site's currency.
///
/// ```
/// use edgeloom::bandit::BetaPosterior;
/// use edgeloom::value::{Amount, Rewarded, Term, worth};
///
/// let order = Term { margin: 0.3, amount: Amount::Fixed(50.0) };
/// let rate = BetaPosterior::UNTOUCHED.after(1_000, 40);
/// let worth = worth([(&order, &rate, &Rewarded::default())], 0.1);
/// assert!((worth.mean() - (0.3 * 50.0 * 41.0 / 1_002.0 - 0.1)).abs() < 1e-12);
/// ```
#[must_use]
pub fn worth<'t>(
    goals: impl IntoIterator<Item = (&'t Term, &'t BetaPosterior, &'t Rewarded)>,
    cost: f64,
) -> Score {
    let (mut mean, mut variance) = (-cost, 0.0);
    for (term, rate, rewarded) in goals {
        let (more, spread) = earned(term, rate, rewarded);
        mean += more;
        variance += spread;
    }
    Score::new(mean, variance.sqrt())
}

/// The belief that a policy compares arms by: the plain rate where that puts them in the same order as their worth does (one
/// goal to reach, the same amount for all, no costs), else the worth.
#[must_use]
pub fn belief<'t>(
    goals: impl IntoIterator<Item = (&'t Term, &'t BetaPosterior, &'t Rewarded)>,
    cost: f64,
    costs: Costs,
) -> Belief {
    let goals: Vec<_> = goals.into_iter().collect();
    match (goals.as_slice(), costs) {
        ([(Term { margin, amount: Amount::Fixed(amount) }, rate, _)], Costs::None)
            if margin * amount > 0.0 =>
        {
            Belief::Rate(**rate)
        }
        _ => Belief::Worth(worth(goals, cost)),
    }
}

/// Whether arms of a slot differ in what showing them costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Costs {
    /// None costs anything.
    None,
    /// Some do.
    Some,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::Sampler;
    use crate::seed::Generator;

    #[test]
    fn mean_and_variance_are_those_of_draws() {
        let (mut generator, n) = (Generator::new(4), 200_000);
        let rate = BetaPosterior::new(12.0, 300.0).unwrap();
        let rewarded = Rewarded { n: 11.0, value: 500.0, squares: 26_000.0 };
        let term = Term { margin: -0.4, amount: Amount::Learned(40.0) };
        let found = worth([(&term, &rate, &rewarded)], 0.25);
        let amounts = NumericPosterior::new((40.0, 1.0), (1.5, 800.0)).unwrap();
        let amounts = amounts.after_weighed(11.0, 500.0, 26_000.0);
        let sampler = Sampler::new(&rate);
        let draw = |_| -0.4 * sampler.draw(&mut generator) * amounts.draw(&mut generator) - 0.25;
        let draws: Vec<f64> = (0..n).map(draw).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / f64::from(n);
        // Five standard errors of the mean; the variance of a distribution with such tails within 3 %.
        assert!((mean - found.mean()).abs() < 5.0 * found.sd() / f64::from(n).sqrt(), "{mean} {found:?}");
        assert!((variance.sqrt() / found.sd() - 1.0).abs() < 0.03, "{} {found:?}", variance.sqrt());
    }

    #[test]
    fn an_arm_that_sells_less_but_dearer_is_worth_more() {
        let term = Term { margin: 0.2, amount: Amount::Learned(50.0) };
        let often = Rewarded { n: 60.0, value: 60.0 * 20.0, squares: 60.0 * 420.0 };
        let dear = Rewarded { n: 40.0, value: 40.0 * 90.0, squares: 40.0 * 8_500.0 };
        let worth = |rewarded: &Rewarded| {
            worth([(&term, &BetaPosterior::UNTOUCHED.after_weighed(1_000.0, rewarded.n), rewarded)], 0.0)
        };
        assert!(worth(&dear).mean() > 2.0 * worth(&often).mean());
    }

    #[test]
    fn one_goal_without_costs_is_a_matter_of_rates() {
        let rate = BetaPosterior::UNTOUCHED;
        let belief = |margin, amount, costs| {
            super::belief([(&Term { margin, amount }, &rate, &Rewarded::default())], 0.0, costs)
        };
        assert_eq!(belief(0.3, Amount::Fixed(48.0), Costs::None), Belief::Rate(rate));
        for other in [
            belief(0.3, Amount::Fixed(48.0), Costs::Some),
            belief(0.3, Amount::Learned(48.0), Costs::None),
            belief(-0.3, Amount::Fixed(48.0), Costs::None),
        ] {
            assert!(matches!(other, Belief::Worth(_)));
        }
    }
}
