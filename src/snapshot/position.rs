//! How much the places of a site are looked at, from what the same blocks earn in several of them, and what a place may believe of
//! a block that was shown elsewhere.
//!
//! ```text
//! rate of a block in a slot = attention of the slot · appeal of the block
//! ```
//!
//! The position-based model (Craswell et al. 2008, doi:10.1145/1341531.1341545), for slots that ask for it (`pooled`) and have
//! the same goal. It is fitted by maximum likelihood for Poisson counts, whose two equations are solved in turn: a fit of a table
//! with few numbers, the same on every machine.

use super::compile::arm_id;
use super::wire::{Config, Slot};
use crate::event::Treatment;
use crate::id::{GoalId, SlotId};
use crate::statistics::Statistics;

/// Rewards that a belief from elsewhere is worth at most: enough for a start, and soon outweighed by what is seen here.
const MOST_REWARDS: f64 = 10.0;
/// Rounds of the fit; each at least halves the distance in tables that hang together.
const ROUNDS: usize = 200;

/// What is counted of one block in one slot.
#[derive(Debug, Clone, PartialEq)]
struct Cell<'c> {
    slot: &'c str,
    block: &'c str,
    exposures: f64,
    rewards: f64,
}

/// The places that share what they learn, with one goal.
#[derive(Debug, Clone, Default)]
pub(super) struct Positions<'c> {
    cells: Vec<Cell<'c>>,
    /// Relative to the first slot.
    attention: Vec<(&'c str, f64)>,
}

impl<'c> Positions<'c> {
    /// The places that share with a slot.
    pub(super) fn of(slot: &Slot, config: &'c Config, statistics: &Statistics) -> Self {
        let Ok(goal) = GoalId::new(&slot.goal) else { return Self::default() };
        let shares = |other: &&Slot| other.pooled.unwrap_or(false) && other.goal == slot.goal;
        let mut cells = Vec::new();
        for slot in config.slots.iter().filter(shares).filter(|_| slot.pooled.unwrap_or(false)) {
            let Ok(id) = SlotId::new(&slot.id) else { continue };
            for arm in slot.arms.iter().filter(|arm| arm.enabled.unwrap_or(true)) {
                let (Some(block), Ok(name)) = (arm.block.as_deref(), arm_id(arm)) else { continue };
                let counts = statistics.counts(&id, &Treatment::Arm(name));
                let rewards =
                    counts.and_then(|counts| counts.goals.get(&goal)).map_or(0.0, |goal| goal.n as f64);
                let exposures = counts.map_or(0.0, crate::statistics::Counts::exposures_left);
                cells.push(Cell { slot: &slot.id, block, exposures, rewards });
            }
        }
        let attention = attention(&cells);
        Self { cells, attention }
    }

    /// How much a slot is looked at, relative to the first that shares; `None` where it does not share or nothing tells.
    pub(super) fn attention(&self, slot: &str) -> Option<f64> {
        self.attention.iter().find(|(name, _)| *name == slot).map(|(_, attention)| *attention)
    }

    /// Exposures and rewards that a slot may believe to have had of a block, from its appeal in the other slots.
    pub(super) fn elsewhere(&self, slot: &str, block: &str) -> Option<[f64; 2]> {
        let own = self.attention(slot)?;
        let others = self.cells.iter().filter(|cell| cell.block == block && cell.slot != slot);
        let (mut seen, mut rewards) = (0.0, 0.0);
        for cell in others {
            seen += cell.exposures * self.attention(cell.slot)?;
            rewards += cell.rewards;
        }
        // So many exposures here would be looked at as much.
        let exposures = seen / own;
        let share = if rewards > MOST_REWARDS { MOST_REWARDS / rewards } else { 1.0 };
        let is_sound = exposures >= rewards && exposures.is_finite() && exposures > 0.0;
        is_sound.then_some([exposures * share, rewards * share])
    }
}

/// Attention of each slot, the first one's 1: aₛ = Σ r / Σ n·p over its blocks, p_b = Σ r / Σ n·a over the block's slots.
fn attention<'c>(cells: &[Cell<'c>]) -> Vec<(&'c str, f64)> {
    let mut slots: Vec<(&str, f64)> = Vec::new();
    let mut blocks: Vec<(&str, f64)> = Vec::new();
    for cell in cells {
        if !slots.iter().any(|(name, _)| *name == cell.slot) {
            slots.push((cell.slot, 1.0));
        }
        if !blocks.iter().any(|(name, _)| *name == cell.block) {
            blocks.push((cell.block, 0.0));
        }
    }
    let value = |list: &[(&str, f64)], name: &str| {
        list.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, value)| *value)
    };
    // One reward in as many exposures as it takes on average everywhere: a slot without any is like all.
    let total = |of: fn(&Cell<'_>) -> f64| cells.iter().map(of).sum::<f64>();
    let usual = (total(|cell| cell.rewards) + 1.0) / (total(|cell| cell.exposures) + 2.0);
    for _ in 0..ROUNDS {
        for (name, appeal) in &mut blocks {
            let own = || cells.iter().filter(|cell| cell.block == *name);
            let rewards: f64 = own().map(|cell| cell.rewards).sum();
            let seen: f64 = own().map(|cell| cell.exposures * value(&slots, cell.slot)).sum();
            *appeal = (rewards + 1.0) / (seen + 1.0 / usual);
        }
        for (name, attention) in &mut slots {
            let own = || cells.iter().filter(|cell| cell.slot == *name);
            let rewards: f64 = own().map(|cell| cell.rewards).sum();
            let expected: f64 = own().map(|cell| cell.exposures * value(&blocks, cell.block)).sum();
            *attention = (rewards + 1.0) / (expected + 1.0);
        }
    }
    let first = slots.first().map_or(1.0, |(_, attention)| *attention);
    slots.into_iter().map(|(name, attention)| (name, attention / first)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::BetaPosterior;

    fn cell(slot: &'static str, block: &'static str, exposures: f64, rate: f64) -> Cell<'static> {
        Cell { slot, block, exposures, rewards: (exposures * rate).round() }
    }

    fn positions(cells: Vec<Cell<'static>>) -> Positions<'static> {
        let attention = attention(&cells);
        Positions { cells, attention }
    }

    #[test]
    fn attention_is_told_from_blocks_that_stood_in_both_places() {
        // The good block stands mostly in the first place: plain rates would call the second 0.33 as good instead of 0.5.
        let found = positions(vec![
            cell("hero", "good", 90_000.0, 0.06),
            cell("hero", "poor", 10_000.0, 0.02),
            cell("footer", "good", 10_000.0, 0.03),
            cell("footer", "poor", 90_000.0, 0.01),
        ]);
        assert!((found.attention("footer").unwrap() - 0.5).abs() < 0.01, "{found:?}");
        assert_eq!(found.attention("hero"), Some(1.0));
        assert_eq!(found.attention("elsewhere"), None);
    }

    #[test]
    fn a_block_is_believed_to_earn_what_its_appeal_says_for_the_place() {
        let found = positions(vec![
            cell("hero", "good", 20_000.0, 0.06),
            cell("hero", "poor", 20_000.0, 0.02),
            cell("footer", "poor", 20_000.0, 0.01),
            cell("footer", "good", 0.0, 0.0),
        ]);
        let [exposures, rewards] = found.elsewhere("footer", "good").unwrap();
        assert_eq!(rewards, MOST_REWARDS);
        let belief = BetaPosterior::UNTOUCHED.after_weighed(exposures, rewards);
        assert!((belief.mean() - 0.03).abs() < 0.004, "{}", belief.mean());
        // Of what was never shown elsewhere there is nothing to believe.
        let alone = positions(vec![cell("hero", "good", 500.0, 0.1), cell("footer", "poor", 500.0, 0.1)]);
        assert_eq!(alone.elsewhere("footer", "poor"), None);
    }

    #[test]
    fn places_without_rewards_are_like_all() {
        let found = positions(vec![cell("hero", "a", 0.0, 0.0), cell("footer", "a", 0.0, 0.0)]);
        assert!((found.attention("footer").unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(found.elsewhere("footer", "a"), None);
    }
}
