//! From counts to what is published: posterior counts and P(best) of every slot. Runs once per publication.

use super::compile::arm_id;
use super::wire::{Config, LearnedArm, LearnedSlot, Slot};
use crate::bandit::{BetaPosterior, p_best};
use crate::event::Treatment;
use crate::id::{ArmId, GoalId, SlotId};
use crate::sorted::{SortedMap, sort_by};
use crate::statistics::Statistics;

/// What the statistics say about the slots of a configuration; slots and arms that can't be used are left out, and
/// so are statistics of slots and arms that are no longer there (they stay in the ledger).
/// Each arm's posterior is its prior after the exposures and rewards of the slot's own goal; its weight is the exact P(best) among
/// the slot's enabled arms ([`p_best`]), before floors and caps, which belong to compiling.
///
/// ```
/// use edgeloom::snapshot::{learn, wire::{Arm, Config, Goal, Slot}};
/// use edgeloom::statistics::Statistics;
///
/// let arm = |id: &str| Arm { id: Some(id.into()), ..Arm::default() };
/// let slot = Slot { id: "hero".into(), goal: "order".into(), arms: vec![arm("a"), arm("b")], ..Slot::default() };
/// let goal = Goal { id: "order".into(), path: None, value: None };
/// let config = Config { site: "shop".into(), goals: vec![goal], slots: vec![slot], ..Config::default() };
///
/// // Nothing counted: both are as likely to be the best.
/// let learned = learn(&config, &Statistics::default());
/// assert!(learned[0].arms.iter().all(|arm| (arm.weight - 0.5).abs() < 1e-9));
/// ```
#[must_use]
pub fn learn(config: &Config, statistics: &Statistics) -> Vec<LearnedSlot> {
    let mut slots: Vec<LearnedSlot> =
        config.slots.iter().filter_map(|slot| learn_slot(slot, statistics)).collect();
    sort_by(&mut slots, |a, b| a.slot.cmp(&b.slot));
    slots
}

/// `None` where slot or goal have no usable name; an arm named twice counts for its first.
fn learn_slot(slot: &Slot, statistics: &Statistics) -> Option<LearnedSlot> {
    let id = SlotId::new(&slot.id).ok()?;
    let goal = GoalId::new(&slot.goal).ok()?;
    let enabled = slot.arms.iter().filter(|arm| arm.enabled.unwrap_or(true));
    let mut priors: SortedMap<ArmId, BetaPosterior> = SortedMap::new();
    for arm in enabled {
        let [alpha, beta] = arm.prior.unwrap_or([1.0, 1.0]);
        if let (Ok(arm), Ok(prior)) = (arm_id(arm), BetaPosterior::new(alpha, beta))
            && !priors.contains_key(&arm)
        {
            priors.insert(arm, prior);
        }
    }
    let counts = |arm: &ArmId| {
        let counts = statistics.counts(&id, &Treatment::Arm(arm.clone()));
        counts.map_or((0, 0), |c| (c.exposures, c.goals.get(&goal).map_or(0, |g| g.n)))
    };
    let posteriors: Vec<BetaPosterior> = priors
        .iter()
        .map(|(arm, prior)| {
            let (exposures, rewards) = counts(arm);
            prior.after(exposures, rewards)
        })
        .collect();
    let weights = p_best(&posteriors);
    let arms = priors.keys().zip(weights).map(|(arm, weight)| {
        let (exposures, rewards) = counts(arm);
        LearnedArm { arm: arm.to_string(), exposures, rewards, weight }
    });
    Some(LearnedSlot { slot: slot.id.clone(), arms: arms.collect() })
}
