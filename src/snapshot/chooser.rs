//! A slot's policy made ready for all of its arms and for the parts of them that audiences leave: the choice among some
//! candidates, with its exact propensity. Who is a candidate is the business of [`crate::decide`].

use super::list::Earned;
use super::offer::{Offer, Offering, Offers, Spot};
use super::policy::Policy;
use crate::assortment::Assortment;
use crate::bandit::{
    self, Belief, Codes, Contender, Contextual, FeatureVector, Features, Largest, Limits, Pick, PolicyError,
    Prepared, Score, Scorer,
};
use crate::context::{Action, Context};
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

/// What a choice sees of a view.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sight<'v> {
    /// The context as numbers, for a contextual policy.
    pub codes: Option<&'v Codes>,
    /// Arms that are worth less than else.
    pub faded: &'v [Faded],
    /// What the request brings, where an arm of the slot stands for that.
    pub offers: Option<&'v Offers>,
}

/// One choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Position of the arm.
    pub arm: usize,
    /// Where the arm stands for what the request brings, the position of the action.
    pub action: Option<u16>,
    /// P(this arm and action), in (0, 1].
    pub propensity: f64,
}

/// An arm that is worth less than else, for having been seen before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faded {
    /// Position of the arm.
    pub arm: usize,
    /// The share of its worth that is left, in (0, 1).
    pub left: f64,
    /// What showing it costs all the same.
    pub cost: f64,
}

impl Sight<'_> {
    /// What the arm at a position is worth in this view; `None` where it is worth what it is else.
    fn score(&self, arm: usize, score: impl FnOnce() -> Score) -> Option<Score> {
        let Faded { left, cost, .. } = self.faded.iter().find(|faded| faded.arm == arm)?;
        Some(score().faded(*left, *cost))
    }

    /// The belief about the arm at a position in this view: one that has faded is compared as a normal variable.
    fn belief(&self, arm: usize, belief: Belief) -> Belief {
        self.score(arm, || belief.score()).map_or(belief, Belief::Worth)
    }

    fn fades_among(&self, members: &[usize]) -> bool {
        self.faded.iter().any(|faded| members.contains(&faded.arm))
    }
}

/// What a contextual policy scores a view with.
#[derive(Debug)]
pub(super) struct Scoring {
    pub(super) features: Features,
    /// One regression per arm, in their order.
    pub(super) scorers: Vec<Scorer>,
    pub(super) largest: Largest,
    /// The arm that stands for what requests bring.
    pub(super) offering: Option<Offering>,
    /// What the items of a list earned themselves.
    pub(super) earned: Option<Arc<Earned>>,
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
        let ready = |members: Vec<usize>| {
            prepared_for(&policy, arms, &members, Sight::default()).map(|part| (members, part))
        };
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
            Way::Contextual(scoring) => scoring.n_sums(n_arms),
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

    /// The chance of each of some candidates in one view, in their order; `None` when none is left, or when one stands for what the
    /// request brings.
    #[must_use]
    pub fn shares_among(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        sight: Sight<'_>,
    ) -> Option<Vec<f64>> {
        match &self.way {
            Way::Prepared { .. } if sight.fades_among(members) => {
                Some(prepared_for(&self.policy, arms, members, sight)?.shares().to_vec())
            }
            Way::Prepared { whole, .. } if members.len() == arms.len() => Some(whole.shares().to_vec()),
            Way::Prepared { parts, .. } => match parts.iter().find(|(part, _)| part == members) {
                Some((_, part)) => Some(part.shares().to_vec()),
                None => Some(prepared_for(&self.policy, arms, members, sight)?.shares().to_vec()),
            },
            Way::Contextual(scoring) if scoring.offers_among(members) => None,
            Way::Contextual(scoring) => {
                let (_, shape) = self.policy.among(members)?;
                let x = scoring.vector(sight.codes);
                let contenders = scoring.contenders(arms, members, sight, |scorer| scorer.score(&x));
                Some(Contextual::new(&scoring.largest, *shape.limits()).shares(&contenders))
            }
        }
    }

    /// Whether these are the features that this policy looks at; a policy that looks at none takes any.
    #[must_use]
    pub fn reads(&self, codes: Option<&Codes>) -> bool {
        match &self.way {
            Way::Prepared { .. } => true,
            Way::Contextual(scoring) => codes.is_some_and(|codes| codes.set() == scoring.features.set()),
        }
    }

    /// What this policy sees of a view, as numbers; `None` for one that does not look.
    #[must_use]
    pub fn codes(&self, context: &Context) -> Option<Codes> {
        let Way::Contextual(scoring) = &self.way else { return None };
        let vector = scoring.features.vector(|name| context.feature(name));
        Codes::new(scoring.features.set(), vector.as_slice())
    }

    /// Actions as this policy reads them; `None` where it does not.
    #[must_use]
    pub(super) fn assortment(&self, actions: &[Action]) -> Option<Assortment> {
        Some(self.offering()?.assortment(actions))
    }

    /// What of it is brought to a place.
    #[must_use]
    pub(super) fn offers(
        &self,
        assortment: &Arc<Assortment>,
        spot: &Spot<'_>,
        visit: &Codes,
    ) -> Option<Offers> {
        self.offering()?.offers(assortment, spot, visit)
    }

    fn offering(&self) -> Option<&Offering> {
        let Way::Contextual(scoring) = &self.way else { return None };
        scoring.offering.as_ref()
    }

    /// The features of the visit in those of a choice.
    #[must_use]
    pub fn visit_in(&self, codes: &Codes) -> Option<Codes> {
        let Way::Contextual(scoring) = &self.way else { return None };
        scoring.offering.as_ref()?.visit_in(&scoring.features, codes)
    }

    /// Whether the arm at a position stands for what requests bring.
    #[must_use]
    pub fn stands_for_actions(&self, arm: usize) -> bool {
        matches!(&self.way, Way::Contextual(scoring) if scoring.offers_among(&[arm]))
    }

    /// The choice among all arms.
    #[must_use]
    pub fn choose_of_all(&self, arms: &[bandit::Arm], draw: &Draw<'_>, sight: Sight<'_>) -> Option<Chosen> {
        match &self.way {
            Way::Prepared { whole, .. } if sight.faded.is_empty() => {
                let Pick { arm, propensity } = self.choose_from(whole, draw);
                Some(Chosen { arm, action: None, propensity })
            }
            _ => self.choose(arms, &(0..arms.len()).collect::<Vec<_>>(), draw, sight),
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
        sight: Sight<'_>,
    ) -> Option<Chosen> {
        let pick = match &self.way {
            Way::Prepared { .. } if sight.fades_among(members) => {
                self.choose_from(&prepared_for(&self.policy, arms, members, sight)?, draw)
            }
            Way::Prepared { whole, .. } if members.len() == arms.len() => self.choose_from(whole, draw),
            Way::Prepared { parts, .. } => match parts.iter().find(|(part, _)| part == members) {
                Some((_, part)) => self.choose_from(part, draw),
                None => self.choose_from(&prepared_for(&self.policy, arms, members, sight)?, draw),
            },
            Way::Contextual(scoring) if scoring.offers_among(members) => {
                return self.choose_action(scoring, arms, members, draw, sight);
            }
            Way::Contextual(scoring) => {
                let (_, shape) = self.policy.among(members)?;
                let policy = Contextual::new(&scoring.largest, *shape.limits());
                let x = scoring.vector(sight.codes);
                let contenders = scoring.contenders(arms, members, sight, |scorer| scorer.score(&x));
                policy.choose(&contenders, self.unit(draw))?
            }
        };
        Some(Chosen { arm: members.get(pick.arm).copied()?, action: None, propensity: pick.propensity })
    }

    /// The choice among some arms and what the request brings, each of which is a contender like an arm.
    fn choose_action(
        &self,
        scoring: &Scoring,
        arms: &[bandit::Arm],
        members: &[usize],
        draw: &Draw<'_>,
        sight: Sight<'_>,
    ) -> Option<Chosen> {
        let own = scoring.offering.as_ref()?.arm;
        let others: Vec<usize> = members.iter().copied().filter(|member| *member != own).collect();
        let x = scoring.vector(sight.codes);
        let mut contenders = scoring.contenders(arms, &others, sight, |scorer| scorer.score(&x));
        contenders.extend(scoring.actions(arms, sight));
        let limits = self.policy.limits;
        let baseline = limits.baseline.and_then(|arm| others.iter().position(|other| *other == arm));
        let policy = Contextual::new(&scoring.largest, Limits { baseline, ..limits });
        let Pick { arm: place, propensity } = policy.choose(&contenders, self.unit(draw))?;
        Some(match others.get(place) {
            Some(arm) => Chosen { arm: *arm, action: None, propensity },
            None => Chosen { arm: own, action: u16::try_from(place - others.len()).ok(), propensity },
        })
    }

    /// What a contextual policy draws from: the visitor, or the view.
    fn unit(&self, draw: &Draw<'_>) -> u64 {
        if self.is_per_view() { draw.view(&self.policy) } else { draw.own() }
    }

    /// The arm of [`choose`](Self::choose), for those who ask for no propensity: where each view has scores of its own, that takes
    /// a third of the time.
    #[must_use]
    pub fn arm(
        &self,
        arms: &[bandit::Arm],
        members: &[usize],
        draw: &Draw<'_>,
        sight: Sight<'_>,
    ) -> Option<usize> {
        let scoring = match &self.way {
            Way::Contextual(scoring) if !scoring.offers_among(members) => scoring,
            _ => return self.choose(arms, members, draw, sight).map(|chosen| chosen.arm),
        };
        let (_, shape) = self.policy.among(members)?;
        let x = scoring.vector(sight.codes);
        let contenders = scoring.contenders(arms, members, sight, |scorer| scorer.at_most(&x));
        let score = |arm: usize| {
            let member = members.get(arm).copied().unwrap_or_default();
            let usual = scoring.scorers.get(member).map_or(Score::new(0.0, 0.0), |scorer| scorer.score(&x));
            sight.score(member, || usual).unwrap_or(usual)
        };
        let policy = Contextual::new(&scoring.largest, *shape.limits());
        members.get(policy.arm(&contenders, score, self.unit(draw))?).copied()
    }

    fn choose_from(&self, prepared: &Prepared, draw: &Draw<'_>) -> Pick {
        prepared.choose(draw.unit(), draw.view(&self.policy))
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
        sight: Sight<'_>,
        score: impl Fn(&Scorer) -> Score,
    ) -> Vec<Contender> {
        let contender = |member: &usize| {
            let (arm, scorer) = (arms.get(*member)?, self.scorers.get(*member)?);
            let usual = score(scorer);
            let score = sight.score(*member, || usual).unwrap_or(usual);
            Some(Contender { score, salt: arm.salt, exposures: arm.exposures })
        };
        members.iter().filter_map(contender).collect()
    }

    /// What a request brings, as contenders.
    fn actions(&self, arms: &[bandit::Arm], sight: Sight<'_>) -> Vec<Contender> {
        let own = self.offering.as_ref().map(|offering| offering.arm).unwrap_or_default();
        let (Some(offers), Some(arm), Some(scorer)) = (sight.offers, arms.get(own), self.scorers.get(own))
        else {
            return Vec::new();
        };
        let mut x = FeatureVector::default();
        let contender = |offer: &Offer| Contender {
            score: {
                offer.codes.vector_into(&mut x);
                let shared = scorer.score(&x);
                let usual = self.earned.as_ref().map_or(shared, |own| own.belief(shared, offer.item));
                sight.score(own, || usual).unwrap_or(usual)
            },
            salt: offer.salt,
            exposures: arm.exposures,
        };
        offers.offers.iter().map(contender).collect()
    }

    fn offers_among(&self, members: &[usize]) -> bool {
        self.offering.as_ref().is_some_and(|offering| members.contains(&offering.arm))
    }

    /// Numbers that the ledger adds up for so many arms.
    fn n_sums(&self, n_arms: usize) -> usize {
        let sums = |columns: usize| columns * (columns + 1) / 2;
        let visit = sums(self.features.n_columns());
        let of_actions = |offering: &Offering| sums(offering.columns(&self.features).0).saturating_sub(visit);
        n_arms * visit + self.offering.as_ref().map_or(0, of_actions)
    }
}

/// The randomness of one slot in one view; hashed only as far as a policy asks, for most need the unit alone.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'s> {
    seed: &'s Seed,
    slot: &'s str,
    whose: Whose,
}

/// Whose choice is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Policy,
    Challenger,
}

impl<'s> Draw<'s> {
    /// From the seed of the page and the name of the slot.
    #[must_use]
    pub const fn new(seed: &'s Seed, slot: &'s str) -> Self {
        Self { seed, slot, whose: Whose::Policy }
    }

    /// The same for a challenger. What it draws has nothing to do with what the policy draws: else both would agree more often
    /// than their shares say, and rows in which they do could not be weighed by the propensity of what was shown.
    #[must_use]
    pub const fn of_challenger(seed: &'s Seed, slot: &'s str) -> Self {
        Self { seed, slot, whose: Whose::Challenger }
    }

    /// The unit of assignment.
    fn unit(&self) -> u64 {
        let unit = self.seed.unit;
        match self.whose {
            Whose::Policy => unit,
            Whose::Challenger => {
                hash(Purpose::Assign, &[&unit.to_le_bytes(), self.slot.as_bytes(), b"challenger"])
            }
        }
    }

    /// The number of this view, for a policy that draws anew at each.
    fn view(&self, policy: &Policy) -> u64 {
        let (decision, slot) = (&self.seed.decision.0, self.slot.as_bytes());
        match self.whose {
            _ if !policy.is_per_view() => 0,
            Whose::Policy => hash(Purpose::Draw, &[decision, slot]),
            Whose::Challenger => hash(Purpose::Draw, &[decision, slot, b"challenger"]),
        }
    }

    /// The unit in this slot alone: sticky draws of two slots must not be the same.
    fn own(&self) -> u64 {
        hash(Purpose::Score, &[&self.unit().to_le_bytes(), self.slot.as_bytes()])
    }
}

/// The policy over a part of the arms; `None` when none is left, or when the fixed one is not among them.
fn prepared_for(
    policy: &Policy,
    arms: &[bandit::Arm],
    members: &[usize],
    sight: Sight<'_>,
) -> Option<Prepared> {
    let option = |member: &usize| {
        let arm = arms.get(*member)?;
        Some(bandit::Arm { belief: sight.belief(*member, arm.belief), ..*arm })
    };
    let options: Vec<_> = members.iter().filter_map(option).collect();
    let (kind, shape) = policy.among(members)?;
    Prepared::new(kind, &shape, &options, None).ok()
}
