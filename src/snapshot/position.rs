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
use super::wire::Config;
use crate::event::Treatment;
use crate::id::{GoalId, SlotId};
use crate::sorted::SortedMap;
use crate::statistics::{Counts, Statistics};

/// Rewards that a belief from elsewhere is worth at most: enough for a start, and soon outweighed by what is seen here.
const MOST_REWARDS: f64 = 10.0;
/// Cells that a fit looks at, in all its rounds: tables that hang together take some ten rounds, those that hardly do some
/// thousands, and the largest of all 200.
const MOST_LOOKS: usize = 10_000_000;
/// A round that moves no attention by more than this part of it was the last.
const STILL: f64 = 1e-9;

/// What is counted of one block in one slot; both by their places in the lists of [`Positions`].
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    slot: usize,
    block: usize,
    exposures: f64,
    rewards: f64,
}

/// The places of a site that share what they learn.
#[derive(Debug, Clone, Default)]
pub(super) struct Positions<'c> {
    slots: SortedMap<&'c str, usize>,
    /// Blocks by the goal that they are judged by: what brings orders need not bring readers.
    blocks: SortedMap<(&'c str, &'c str), usize>,
    cells: Vec<Cell>,
    /// Of each slot, relative to the first of those with its goal.
    attention: Vec<f64>,
    /// Of each block: exposures as far as they were looked at, and rewards.
    totals: Vec<[f64; 2]>,
    /// Rewards of an exposure, everywhere.
    usual: f64,
}

impl<'c> Positions<'c> {
    /// All places of a configuration that ask for it.
    pub(super) fn of(config: &'c Config, statistics: &Statistics) -> Self {
        let mut positions = Self::default();
        let mut firsts: SortedMap<&str, usize> = SortedMap::new();
        let mut first_of = Vec::new();
        for slot in config.slots.iter().filter(|slot| slot.pooled.unwrap_or(false)) {
            let (Ok(id), Ok(goal)) = (SlotId::new(&slot.id), GoalId::new(&slot.goal)) else { continue };
            if positions.slots.contains_key(slot.id.as_str()) {
                continue;
            }
            let place = positions.slots.len();
            positions.slots.insert(&slot.id, place);
            if !firsts.contains_key(slot.goal.as_str()) {
                firsts.insert(&slot.goal, place);
            }
            first_of.push(firsts.get(slot.goal.as_str()).copied().unwrap_or(place));
            for arm in slot.arms.iter().filter(|arm| arm.enabled.unwrap_or(true)) {
                let (Some(block), Ok(name)) = (arm.block.as_deref(), arm_id(arm)) else { continue };
                let counts = statistics.counts(&id, &Treatment::Arm(name));
                let rewards = counts.and_then(|counts| counts.goals.get(&goal)).map_or(0, |goal| goal.n);
                let key = (slot.goal.as_str(), block);
                let next = positions.blocks.len();
                let block = match positions.blocks.get(&key) {
                    Some(block) => *block,
                    None => {
                        positions.blocks.insert(key, next);
                        next
                    }
                };
                let exposures = counts.map_or(0.0, Counts::exposures_left);
                positions.cells.push(Cell { slot: place, block, exposures, rewards: rewards as f64 });
            }
        }
        positions.fit(&first_of);
        positions
    }

    /// How much a slot is looked at, relative to the first that shares with it; `None` where it does not share. Where two have no
    /// block in common, nothing tells them apart but their rates.
    pub(super) fn attention(&self, slot: &str) -> Option<f64> {
        self.attention.get(*self.slots.get(slot)?).copied()
    }

    /// Exposures and rewards that a slot may believe to have had of a block, from its appeal in the other slots with the same goal.
    pub(super) fn elsewhere(&self, (slot, goal): (&str, &str), block: &str) -> Option<[f64; 2]> {
        let own = self.attention(slot)?;
        let (place, block) = (*self.slots.get(slot)?, *self.blocks.get(&(goal, block))?);
        let [mut seen, mut rewards] = *self.totals.get(block)?;
        for cell in self.cells.iter().filter(|cell| cell.slot == place && cell.block == block) {
            seen -= cell.exposures * own;
            rewards -= cell.rewards;
        }
        // So many exposures here would be looked at as much.
        let exposures = seen / own;
        // Many views without a reward say as much as the rewards that were to be expected in them.
        let weight = rewards.max(exposures * own * self.usual);
        let share = if weight > MOST_REWARDS { MOST_REWARDS / weight } else { 1.0 };
        // Half an exposure is what rounding leaves of none.
        let is_sound = exposures > 0.5 && exposures >= rewards && exposures.is_finite();
        is_sound.then_some([exposures * share, rewards * share])
    }

    /// Attention of each slot and totals of each block: aₛ = Σ r / Σ n·p over its blocks, p_b = Σ r / Σ n·a over the block's slots.
    /// With one reward more, in as many exposures as it takes everywhere, a slot or block without any is like all.
    fn fit(&mut self, first_of: &[usize]) {
        let total = |of: fn(&Cell) -> f64| self.cells.iter().map(of).sum::<f64>();
        let usual = (total(|cell| cell.rewards) + 1.0) / (total(|cell| cell.exposures) + 2.0);
        let mut attention = vec![1.0; self.slots.len()];
        let mut totals = vec![[0.0; 2]; self.blocks.len()];
        for _ in 0..MOST_LOOKS / self.cells.len().max(1_000) {
            totals = self.totals(&attention);
            let mut sums = vec![[0.0; 2]; attention.len()];
            for cell in &self.cells {
                let [seen, rewards] = totals.get(cell.block).copied().unwrap_or_default();
                let appeal = (rewards + 1.0) / (seen + 1.0 / usual);
                if let Some([expected, found]) = sums.get_mut(cell.slot) {
                    *expected += cell.exposures * appeal;
                    *found += cell.rewards;
                }
            }
            let mut moved = 0.0_f64;
            for (own, [expected, found]) in attention.iter_mut().zip(sums) {
                let next = (found + 1.0) / (expected + 1.0);
                moved = moved.max((next - *own).abs() / next);
                *own = next;
            }
            if moved < STILL {
                break;
            }
        }
        let firsts: Vec<f64> =
            first_of.iter().map(|first| attention.get(*first).copied().unwrap_or(1.0)).collect();
        attention.iter_mut().zip(firsts).for_each(|(own, first)| *own /= first);
        totals.clone_from(&self.totals(&attention));
        (self.attention, self.totals, self.usual) = (attention, totals, usual);
    }

    fn totals(&self, attention: &[f64]) -> Vec<[f64; 2]> {
        let mut totals = vec![[0.0; 2]; self.blocks.len()];
        for cell in &self.cells {
            if let Some([seen, rewards]) = totals.get_mut(cell.block) {
                *seen += cell.exposures * attention.get(cell.slot).copied().unwrap_or(1.0);
                *rewards += cell.rewards;
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::BetaPosterior;
    use crate::snapshot::wire;

    /// Slots with one goal, and what was counted: slot, block, exposures and rate.
    fn positions(cells: &'static [(&'static str, &'static str, f64, f64)]) -> Positions<'static> {
        let mut found = Positions::default();
        for (slot, block, exposures, rate) in cells {
            for (place, name) in [(found.slots.len(), slot)] {
                if !found.slots.contains_key(name) {
                    found.slots.insert(name, place);
                }
            }
            let next = found.blocks.len();
            if !found.blocks.contains_key(&("order", *block)) {
                found.blocks.insert(("order", block), next);
            }
            let (slot, block) =
                (found.slots.get(slot).copied(), found.blocks.get(&("order", *block)).copied());
            let rewards = (exposures * rate).round();
            let cell = Cell { slot: slot.unwrap(), block: block.unwrap(), exposures: *exposures, rewards };
            found.cells.push(cell);
        }
        let first_of = vec![0; found.slots.len()];
        found.fit(&first_of);
        found
    }

    fn slot(id: &str, goal: &str, blocks: &[&str]) -> wire::Slot {
        let arm = |block: &&str| wire::Arm { block: Some((*block).into()), ..wire::Arm::default() };
        let arms = blocks.iter().map(arm).collect();
        wire::Slot { id: id.into(), goal: goal.into(), pooled: Some(true), arms, ..wire::Slot::default() }
    }

    #[test]
    fn attention_is_told_from_blocks_that_stood_in_both_places() {
        // The good block stands mostly in the first place: plain rates would call the second 0.33 as good instead of 0.5.
        let found = positions(&[
            ("hero", "good", 90_000.0, 0.06),
            ("hero", "poor", 10_000.0, 0.02),
            ("footer", "good", 10_000.0, 0.03),
            ("footer", "poor", 90_000.0, 0.01),
        ]);
        assert!((found.attention("footer").unwrap() - 0.5).abs() < 0.01, "{found:?}");
        assert_eq!(found.attention("hero"), Some(1.0));
        assert_eq!(found.attention("elsewhere"), None);
    }

    #[test]
    fn a_block_is_believed_to_earn_what_its_appeal_says_for_the_place() {
        let found = positions(&[
            ("hero", "good", 20_000.0, 0.06),
            ("hero", "poor", 20_000.0, 0.02),
            ("footer", "poor", 20_000.0, 0.01),
            ("footer", "good", 0.0, 0.0),
        ]);
        let [exposures, rewards] = found.elsewhere(("footer", "order"), "good").unwrap();
        assert_eq!(rewards, MOST_REWARDS);
        let belief = BetaPosterior::UNTOUCHED.after_weighed(exposures, rewards);
        assert!((belief.mean() - 0.03).abs() < 0.004, "{}", belief.mean());
        // Of what was never shown elsewhere there is nothing to believe.
        let alone = positions(&[("hero", "good", 500.0, 0.1), ("footer", "poor", 500.0, 0.1)]);
        assert_eq!(alone.elsewhere(("footer", "order"), "poor"), None);
    }

    #[test]
    fn places_without_rewards_are_like_all() {
        let found = positions(&[("hero", "a", 0.0, 0.0), ("footer", "a", 0.0, 0.0)]);
        assert!((found.attention("footer").unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(found.elsewhere(("footer", "order"), "a"), None);
    }

    #[test]
    fn slots_of_one_goal_share_and_the_largest_site_is_no_trouble() {
        let names: Vec<String> = (0..1_000).map(|n| format!("b{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let goal = |n: usize| if n.is_multiple_of(2) { "order" } else { "signup" };
        let mut slots: Vec<wire::Slot> = (0..50).map(|n| slot(&format!("s{n}"), goal(n), &names)).collect();
        slots.push(wire::Slot { pooled: None, ..slot("own", "order", &names) });
        let config = Config { slots, ..Config::default() };
        let found = Positions::of(&config, &Statistics::default());
        assert_eq!((found.cells.len(), found.blocks.len(), found.slots.len()), (50_000, 2_000, 50));
        assert_eq!((found.attention("s1"), found.attention("own")), (Some(1.0), None));
    }
}
