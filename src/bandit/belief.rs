//! What is believed of an arm without context: a rate, or a worth in money where several goals, amounts or costs come together.

use crate::bandit::largest::Largest;
use crate::bandit::posterior::BetaPosterior;
use crate::bandit::propensity::p_best;
use crate::bandit::sampler::{Sampler, normals};
use crate::bandit::score::Score;
use crate::seed::Generator;

/// The belief about one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Belief {
    /// How often it is rewarded.
    Rate(BetaPosterior),
    /// What an exposure is worth, N(mean, sd²).
    Worth(Score),
}

impl Belief {
    /// The rate, where that is what is believed.
    #[must_use]
    pub const fn rate(&self) -> Option<&BetaPosterior> {
        match self {
            Self::Rate(rate) => Some(rate),
            Self::Worth(_) => None,
        }
    }

    /// The belief as a normal variable of the same mean and variance.
    #[must_use]
    pub fn score(&self) -> Score {
        match self {
            Self::Rate(rate) => Score::new(rate.mean(), rate.variance().sqrt()),
            Self::Worth(score) => *score,
        }
    }
}

/// P(this arm is the best) for each: exact for rates by [`p_best`], for worths by [`Largest`]. Where both kinds meet, rates are
/// taken as normal, too.
#[must_use]
pub fn chances(beliefs: &[Belief]) -> Vec<f64> {
    let rates: Option<Vec<BetaPosterior>> = beliefs.iter().map(|belief| belief.rate().copied()).collect();
    match rates {
        Some(rates) => p_best(&rates),
        None => Largest::new().weights(&beliefs.iter().map(Belief::score).collect::<Vec<_>>()),
    }
}

/// Beliefs made ready to draw from, all of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Draws {
    /// Rates that can be compared as odds, which are quicker than logits.
    Odds(Vec<Sampler>),
    /// Rates among which some are so near to 0 or 1 that odds would overflow.
    Logits(Vec<Sampler>),
    Worths(Vec<Score>),
}

impl Draws {
    pub(super) fn new(beliefs: impl Iterator<Item = Belief> + Clone) -> Self {
        let samplers: Option<Vec<Sampler>> =
            beliefs.clone().map(|belief| belief.rate().map(Sampler::new)).collect();
        match samplers {
            Some(samplers) if samplers.iter().all(Sampler::is_ordinary) => Self::Odds(samplers),
            Some(samplers) => Self::Logits(samplers),
            None => Self::Worths(beliefs.map(|belief| belief.score()).collect()),
        }
    }

    /// The position of the largest draw among the arms that have a share; ties go to the arm that comes first.
    pub(super) fn best(&self, shares: &[f64], generator: &mut Generator) -> usize {
        match self {
            Self::Odds(samplers) => largest(samplers.iter().map(|sampler| sampler.odds(generator)), shares),
            Self::Logits(samplers) => {
                largest(samplers.iter().map(|sampler| sampler.logit(generator)), shares)
            }
            Self::Worths(scores) => {
                let draw = |score: &Score| score.mean() + score.sd() * normals(generator).0;
                largest(scores.iter().map(draw), shares)
            }
        }
    }
}

fn largest(draws: impl Iterator<Item = f64>, shares: &[f64]) -> usize {
    let mut best = (f64::NEG_INFINITY, 0);
    for (arm, (draw, share)) in draws.zip(shares).enumerate() {
        // An arm below 1e-17 has the share 0: a choice of it could not be divided by its propensity.
        if draw > best.0 && *share > 0.0 {
            best = (draw, arm);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_as_likely_the_best_as_a_worth_of_the_same_distribution_nearly_is() {
        let rates = [(41.0, 961.0), (52.0, 950.0), (46.0, 955.0)];
        let rates = rates.map(|(alpha, beta)| Belief::Rate(BetaPosterior::new(alpha, beta).unwrap()));
        let worths = rates.map(|rate| Belief::Worth(rate.score()));
        for (exact, normal) in chances(&rates).into_iter().zip(chances(&worths)) {
            // Beta posteriors of fifty rewards are skew by 0.3: the difference is small and it is there.
            assert!((exact - normal).abs() < 0.02 && exact != normal, "{exact} {normal}");
        }
    }
}
