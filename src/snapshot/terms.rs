//! What a slot is judged by: its goals with their margins and amounts, and the belief about an arm that follows from what was
//! learned. Learning and compiling share it, so that the published weights are those of the very beliefs that are drawn from.

use super::wire::{Goal, LearnedArm, LearnedGoal, Slot};
use crate::bandit::{Belief, BetaPosterior, Score};
use crate::id::GoalId;
use crate::value::{self, Amount, Costs, Rewarded, Term};

/// One goal of a slot.
#[derive(Debug, Clone)]
pub(super) struct SlotGoal {
    pub(super) id: GoalId,
    pub(super) term: Term,
    pub(super) window_hours: Option<u32>,
}

/// The goals of a slot, the one it is named for first; those that can't be used are left out, and compiling warns of them.
pub(super) fn goals_of(slot: &Slot, goals: &[Goal]) -> Vec<SlotGoal> {
    let find = |name: &String| {
        let goal = goals.iter().find(|goal| goal.id == *name)?;
        let usual = goal.value.unwrap_or(1.0);
        let amount =
            if goal.amounts.unwrap_or(false) { Amount::Learned(usual) } else { Amount::Fixed(usual) };
        let term = Term { margin: goal.margin.unwrap_or(1.0), amount };
        Some(SlotGoal { id: GoalId::new(name).ok()?, term, window_hours: goal.window_hours })
    };
    std::iter::once(&slot.goal).chain(&slot.also).filter_map(find).collect()
}

/// Whether showing some arm of a slot costs something.
pub(super) fn costs_of(slot: &Slot) -> Costs {
    let costs = slot.arms.iter().any(|arm| arm.cost.unwrap_or(0.0) != 0.0);
    if costs { Costs::Some } else { Costs::None }
}

/// Hours that are counted together: half of a half-life, or an eighth of the longest window; `None` where the slot does not tell
/// old from new.
pub(super) fn period_hours(slot: &Slot, goals: &[SlotGoal]) -> Option<std::num::NonZeroU16> {
    let by_half_life = slot.half_life_hours.map(|hours| (hours / 2).max(1));
    let by_window = || window_hours(goals).map(|hours| u16::try_from((hours / 8).max(1)).unwrap_or(u16::MAX));
    std::num::NonZeroU16::new(by_half_life.or_else(by_window)?)
}

/// The longest window of the goals that have one.
pub(super) fn window_hours(goals: &[SlotGoal]) -> Option<u32> {
    goals.iter().filter_map(|goal| goal.window_hours).max()
}

/// What is believed of one arm.
#[derive(Debug, Clone)]
pub(super) struct ArmTerms<'t> {
    pub(super) goals: &'t [SlotGoal],
    /// Belief about the first goal's rate before anything was seen.
    pub(super) prior: BetaPosterior,
    /// What showing it costs.
    pub(super) cost: f64,
    pub(super) costs: Costs,
}

impl ArmTerms<'_> {
    /// The belief after what was learned.
    pub(super) fn belief(&self, learned: &LearnedArm) -> Belief {
        let (rates, rewarded) = self.rates(learned);
        value::belief(self.with_terms(&rates, &rewarded), self.cost, self.costs)
    }

    /// The worth before anything was learned, without its cost: what a regression starts from.
    pub(super) fn prior_worth(&self) -> Score {
        let (rates, rewarded) = self.rates(&LearnedArm::default());
        value::worth(self.with_terms(&rates, &rewarded), 0.0)
    }

    /// The belief about the first goal's rate after what was learned.
    pub(super) fn rate(&self, learned: &LearnedArm) -> BetaPosterior {
        self.rates(learned).0.first().copied().unwrap_or(self.prior)
    }

    /// The belief about each goal's rate, and its rewards.
    fn rates(&self, learned: &LearnedArm) -> (Vec<BetaPosterior>, Vec<Rewarded>) {
        let exposures = learned.weighed.unwrap_or(learned.exposures as f64);
        let first = LearnedGoal { n: learned.rewards as f64, ..LearnedGoal::default() };
        let [seen, rewarded] = learned.pooled.unwrap_or_default();
        let first_prior = self.prior.after_weighed(seen, rewarded);
        let priors = std::iter::once(first_prior).chain(std::iter::repeat(BetaPosterior::UNTOUCHED));
        let told = |nth: usize| match learned.goals.get(nth) {
            Some(goal) => *goal,
            None if nth == 0 => first,
            None => LearnedGoal::default(),
        };
        let rewarded = (0..self.goals.len()).map(told);
        let rewarded: Vec<Rewarded> =
            rewarded.map(|LearnedGoal { n, value, squares }| Rewarded { n, value, squares }).collect();
        let rates =
            priors.zip(&rewarded).map(|(prior, goal)| prior.after_weighed(exposures, goal.n)).collect();
        (rates, rewarded)
    }

    fn with_terms<'a>(
        &'a self,
        rates: &'a [BetaPosterior],
        rewarded: &'a [Rewarded],
    ) -> impl Iterator<Item = (&'a Term, &'a BetaPosterior, &'a Rewarded)> {
        self.goals
            .iter()
            .zip(rates)
            .zip(rewarded)
            .map(|((goal, rate), rewarded)| (&goal.term, rate, rewarded))
    }
}
