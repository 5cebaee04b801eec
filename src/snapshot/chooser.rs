//! A slot's policy made ready for all of its arms and for the parts of them that audiences leave: the choice among some
//! candidates, with its exact propensity. Who is a candidate is the business of [`crate::decide`].

use super::policy::Policy;
use crate::bandit::{
    self, Codes, Contender, Contextual, FeatureVector, Features, Largest, Pick, PolicyError, Prepared, Score,
    Scorer,
};
use crate::context::Context;
use crate::seed::{Purpose, Seed, hash};
use std::sync::Arc;

/// Parts of the arms that are prepared with the snapshot: all answers of four audiences.
pub(super) const MAX_PARTS: usize = 16;

/// A policy over the arms of a slot.
#[derive(Debug, Clone)]
pub struct Chooser {
    /// Rule of choosing and its limits.
    pub policy: Policy,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    /// Everything is known beforehand: for all arms, and for those parts of them that are to be expected.
    Prepared { whole: Prepared, parts: Vec<(Vec<usize>, Prepared)> },
    /// Each view has scores of its own.
    Contextual(Arc<Scoring>),
}

/// What a contextual policy scores a view with.
#[derive(Debug)]
pub(super) struct Scoring {
    pub(super) features: Features,
    /// One regression per arm, in their order.
    pub(super) scorers: Vec<Scorer>,
    pub(super) largest: Largest,
}

impl Chooser {
    /// Makes a policy ready that chooses by shares. `weights` are the published P(best) of all arms, where they were published;
    /// `parts` are positions of arms that may be left by audiences.
    ///
    /// # Errors
    /// See [`Prepared::new`].
    pub(super) fn prepared(
        policy: Policy,
        arms: &[bandit::Arm],
        weights: Option<&[f64]>,
        parts: Vec<Vec<usize>>,
    ) -> Result<Self, PolicyError> {
        let whole = Prepared::new(policy.kind, &policy.shape, arms, weights)?;
        let ready = |members: Vec<usize>| prepared_for(&policy, arms, &members).map(|part| (members, part));
        let parts = parts.into_iter().filter_map(ready).collect();
        Ok(Self { policy, way: Way::Prepared { whole, parts } })
    }

    /// Makes a policy ready that chooses by scores of the view.
    pub(super) const fn contextual(policy: Policy, scoring: Arc<Scoring>) -> Self {
        Self { policy, way: Way::Contextual(scoring) }
    }

    /// Whether every view draws anew.
    #[must_use]
    pub const fn is_per_view(&self) -> bool {
        self.policy.is_per_view()
    }

    /// Numbers that the ledger adds up for so many arms.
    pub(super) fn n_sums(&self, n_arms: usize) -> usize {
        match &self.way {
            Way::Prepared { .. } => 0,
            Way::Contextual(scoring) => {
                let columns = scoring.features.n_columns();
                n_arms * columns * (columns + 1) / 2
            }
        }
    }

    /// The share of each arm, where it is the same for every view; `None` where it depends on the context.
    #[must_use]
    pub fn shares(&self) -> Option<&[f64]> {
        match &self.way {
            Way::Prepared { whole, .. } => Some(whole.shares()),
            Way::Contextual(_) => None,
        }
    }

    /// The chance of each of some candidates in one view, in their order; `None` when none is left.
    #[must_use]
    pub fn shares_among(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        codes: Option<&Codes>,
    ) -> Option<Vec<f64>> {
        match &self.way {
            Way::Prepared { whole, .. } if members.len() == arms.len() => Some(whole.shares().to_vec()),
            Way::Prepared { parts, .. } => match parts.iter().find(|(part, _)| part == members) {
                Some((_, part)) => Some(part.shares().to_vec()),
                None => Some(prepared_for(&self.policy, arms, members)?.shares().to_vec()),
            },
            Way::Contextual(scoring) => {
                let (_, shape) = self.policy.among(members)?;
                let x = scoring.vector(codes);
                let contenders = scoring.contenders(arms, members, |scorer| scorer.score(&x));
                Some(Contextual::new(&scoring.largest, *shape.limits()).shares(&contenders))
            }
        }
    }

    /// What this policy sees of a view, as numbers; `None` for one that does not look.
    #[must_use]
    pub fn codes(&self, context: &Context) -> Option<Codes> {
        let Way::Contextual(scoring) = &self.way else { return None };
        let vector = scoring.features.vector(|name| context.feature(name));
        Codes::new(scoring.features.set(), vector.as_slice())
    }

    /// The choice among all arms.
    #[must_use]
    pub fn choose_of_all(
        &self,
        arms: &[bandit::Arm],
        draw: &Draw<'_>,
        codes: Option<&Codes>,
    ) -> Option<Pick> {
        match &self.way {
            Way::Prepared { whole, .. } => Some(self.choose_from(whole, draw)),
            Way::Contextual(_) => self.choose(arms, &(0..arms.len()).collect::<Vec<_>>(), draw, codes),
        }
    }

    /// The choice among the arms at these positions, in ascending order; `None` when none is left, or when the fixed one is not
    /// among them.
    ///
    /// For a part that was to be expected it takes nanoseconds, for another the chances are computed anew (25 µs for four arms),
    /// so that the propensity stays exact.
    #[must_use]
    pub fn choose(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        draw: &Draw<'_>,
        codes: Option<&Codes>,
    ) -> Option<Pick> {
        let pick = match &self.way {
            Way::Prepared { whole, .. } if members.len() == arms.len() => self.choose_from(whole, draw),
            Way::Prepared { parts, .. } => match parts.iter().find(|(part, _)| part == members) {
                Some((_, part)) => self.choose_from(part, draw),
                None => self.choose_from(&prepared_for(&self.policy, arms, members)?, draw),
            },
            Way::Contextual(scoring) => {
                let (_, shape) = self.policy.among(members)?;
                let policy = Contextual::new(&scoring.largest, *shape.limits());
                let x = scoring.vector(codes);
                let contenders = scoring.contenders(arms, members, |scorer| scorer.score(&x));
                policy.choose(&contenders, self.unit(draw))?
            }
        };
        Some(Pick { arm: members.get(pick.arm).copied()?, propensity: pick.propensity })
    }

    /// The arm of [`choose`](Self::choose), for those who ask for no propensity: where each view has scores of its own, that takes
    /// a third of the time.
    #[must_use]
    pub fn arm(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        draw: &Draw<'_>,
        codes: Option<&Codes>,
    ) -> Option<usize> {
        let Way::Contextual(scoring) = &self.way else {
            return self.choose(arms, members, draw, codes).map(|pick| pick.arm);
        };
        let (_, shape) = self.policy.among(members)?;
        let x = scoring.vector(codes);
        let contenders = scoring.contenders(arms, members, |scorer| scorer.at_most(&x));
        let score = |arm: usize| {
            let scorer = members.get(arm).and_then(|member| scoring.scorers.get(*member));
            scorer.map_or(Score::new(0.0, 0.0), |scorer| scorer.score(&x))
        };
        let policy = Contextual::new(&scoring.largest, *shape.limits());
        members.get(policy.arm(&contenders, score, self.unit(draw))?).copied()
    }

    /// What a contextual choice is made for: the visitor, or the view.
    fn unit(&self, draw: &Draw<'_>) -> u64 {
        if self.is_per_view() { draw.view(&self.policy) } else { draw.own() }
    }

    fn choose_from(&self, prepared: &Prepared, draw: &Draw<'_>) -> Pick {
        prepared.choose(draw.seed.unit, draw.view(&self.policy))
    }
}

impl Scoring {
    /// What is seen of a view. One that nothing is known of, as in a receipt without features, is an ordinary one.
    fn vector(&self, codes: Option<&Codes>) -> FeatureVector {
        codes.map(Codes::vector).unwrap_or_else(|| self.features.vector(|_| None))
    }

    /// What the arms at these positions may be worth in a view.
    fn contenders(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        score: impl Fn(&Scorer) -> Score,
    ) -> Vec<Contender> {
        let contender = |member: &usize| {
            let (arm, scorer) = (arms.get(*member)?, self.scorers.get(*member)?);
            Some(Contender { score: score(scorer), salt: arm.salt, exposures: arm.exposures })
        };
        members.iter().filter_map(contender).collect()
    }
}

/// The randomness of one slot in one view; hashed only as far as a policy asks, for most need the unit alone.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'s> {
    seed: &'s Seed,
    slot: &'s str,
}

impl<'s> Draw<'s> {
    /// From the seed of the page and the name of the slot.
    #[must_use]
    pub const fn new(seed: &'s Seed, slot: &'s str) -> Self {
        Self { seed, slot }
    }

    /// The number of this view, for a policy that draws anew at each.
    fn view(&self, policy: &Policy) -> u64 {
        let draws = policy.is_per_view();
        if draws { hash(Purpose::Draw, &[&self.seed.decision.0, self.slot.as_bytes()]) } else { 0 }
    }

    /// The unit in this slot alone: sticky draws of two slots must not be the same.
    fn own(&self) -> u64 {
        hash(Purpose::Score, &[&self.seed.unit.to_le_bytes(), self.slot.as_bytes()])
    }
}

/// The policy over a part of the arms; `None` when none is left, or when the fixed one is not among them.
fn prepared_for(policy: &Policy, arms: &[bandit::Arm], members: &[usize]) -> Option<Prepared> {
    let options: Vec<_> = members.iter().filter_map(|member| arms.get(*member)).copied().collect();
    let (kind, shape) = policy.among(members)?;
    Prepared::new(kind, &shape, &options, None).ok()
}
