//! What one slot added for one goal, from the counts of a ledger: everything that was shown against the holdout. How it is
//! estimated is the business of [`super::uplift`].
//!
//! Only decisions that nobody shares are compared ([`Counts::own`]). The unit is an exposure: a ledger keeps no visitors. Where visitors come often, intervals are too narrow by their design
//! effect; the log tells units, and [`super::uplift`] takes them.

use super::uplift::{Conversions, RateUplift, UpliftError, ValueUplift, Values, rates, values};
use crate::bandit::BetaPosterior;
use crate::event::Treatment;
use crate::id::{GoalId, SlotId};
use crate::statistics::{Counts, Statistics};

/// Probability that an interval holds the truth.
pub const LEVEL: f64 = 0.95;

/// Counts of one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Side {
    /// Exposures; in the holdout, views on which something would have been shown.
    pub exposures: u64,
    /// Those that were rewarded with the goal.
    pub rewards: u64,
    /// Sum of the rewards' values, in the site's currency.
    pub value: f64,
}

/// What personalization added.
#[derive(Debug, Clone, PartialEq)]
pub struct Increment {
    /// What was personalised.
    pub shown: Side,
    /// The control group.
    pub held_out: Side,
    /// Difference of the rates.
    pub rate: RateUplift,
    /// Difference of the values per exposure, in the site's currency.
    pub value: ValueUplift,
}

/// Compares what a slot showed with its holdout, by one goal.
///
/// # Errors
/// A side with fewer than two exposures.
pub fn increment(statistics: &Statistics, slot: &SlotId, goal: &GoalId) -> Result<Increment, UpliftError> {
    let of = |is_in: fn(&Treatment) -> bool| {
        let (mut side, mut sums) = (Side::default(), Values::default());
        for (own, treatment, counts) in statistics.iter() {
            if own == slot && is_in(treatment) {
                add(&mut side, &mut sums, counts, goal);
            }
        }
        (side, sums)
    };
    let (shown, shown_values) = of(|treatment| matches!(treatment, Treatment::Arm(_)));
    let (held_out, held_out_values) = of(Treatment::is_held_out);
    let converted = |side: Side| Conversions { visitors: side.exposures, converted: side.rewards };
    Ok(Increment {
        value: values(&shown_values, &held_out_values, LEVEL)?,
        rate: rates(converted(shown), converted(held_out), &BetaPosterior::UNTOUCHED, LEVEL)?,
        shown,
        held_out,
    })
}

fn add(side: &mut Side, sums: &mut Values, counts: &Counts, goal: &GoalId) {
    let rewards = counts.own.goals.get(goal).copied().unwrap_or_default();
    side.exposures = side.exposures.saturating_add(counts.own.exposures);
    side.rewards = side.rewards.saturating_add(rewards.n);
    side.value += rewards.value();
    sums.merge(&Values::of_sums(counts.own.exposures, rewards.value_micros, rewards.square_micros));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::fold::{Tokens, fold};
    use crate::id::DecisionId;
    use crate::receipt::Receipt;
    use crate::receipt::tests::sample;
    use crate::seed::Generator;

    #[test]
    fn ghosts_are_compared_with_what_was_shown() {
        let (goal, mut generator) = (GoalId::new("order").unwrap(), Generator::new(9));
        let mut statistics = Statistics::default();
        for n in 0..20_000_u128 {
            let held_out = generator.unit() < 0.25;
            let flags = sample().flags.with_held_out(held_out);
            let receipt = Receipt { decision: DecisionId(n.to_le_bytes()), flags, ..sample() };
            let mut tokens = Tokens::default();
            let rewarded = generator.unit() < if held_out { 0.04 } else { 0.06 };
            let value = 10.0 + 20.0 * generator.unit();
            let reward = rewarded.then(|| Event::reward(&receipt, &goal, value, None).unwrap());
            for event in std::iter::once(Event::exposure(&receipt, None)).chain(reward) {
                statistics.apply(&fold(&mut tokens, &event).1);
            }
        }
        let found = increment(&statistics, &sample().slot, &goal).unwrap();
        assert_eq!(found.shown.exposures + found.held_out.exposures, 20_000);
        assert!(found.rate.difference_interval.contains(0.02) && found.rate.p_positive > 0.999, "{found:?}");
        // Each reward is worth 20 on average.
        assert!(found.value.difference.interval.contains(0.4) && found.value.p_positive > 0.999, "{found:?}");
        assert!((found.shown.value / found.shown.rewards as f64 - 20.0).abs() < 1.0);
    }

    #[test]
    fn without_a_holdout_there_is_no_increment() {
        let mut statistics = Statistics::default();
        let mut tokens = Tokens::default();
        statistics.apply(&fold(&mut tokens, &Event::exposure(&sample(), None)).1);
        let goal = GoalId::new("order").unwrap();
        assert!(increment(&statistics, &sample().slot, &goal).is_err());
    }
}
