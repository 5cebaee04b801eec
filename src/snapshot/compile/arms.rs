//! The arms of a slot, from their stored form: names, blocks, priors and costs checked. Part of compiling.

use super::super::warning::{Item, Warning};
use super::super::{Arm, wire};
use super::{Compiler, MAX_ARMS, arm_id, out_of_range, twice};
use crate::bandit::{Belief, BetaPosterior};
use crate::id::{BlockId, SlotId};
use crate::seed::{Purpose, hash};
use crate::sorted::sort_by;

impl Compiler {
    /// Arms sorted by name: their positions then depend on the configuration's content, not on its order.
    pub(super) fn arms(
        &mut self,
        wire: &wire::Slot,
        known: &[wire::LearnedArm],
        slot: &SlotId,
        at: &str,
    ) -> Item<Vec<Arm>> {
        if wire.arms.len() > MAX_ARMS {
            let message = format!("{} arms; hint: {MAX_ARMS} at most", wire.arms.len());
            return Err(Warning::error(format!("{at}/arms"), message));
        }
        let mut arms: Vec<Arm> = Vec::new();
        for (i, arm) in wire.arms.iter().enumerate().filter(|(_, arm)| arm.enabled.unwrap_or(true)) {
            let made = self.arm(arm, known, slot, &format!("{at}/arms/{i}"), &arms);
            let made = self.note(made);
            arms.extend(made);
        }
        sort_by(&mut arms, |a, b| a.id.cmp(&b.id));
        if arms.is_empty() {
            return Err(Warning::error(
                format!("{at}/arms"),
                "no arm is left; hint: give the slot an enabled arm",
            ));
        }
        Ok(arms)
    }

    fn arm(
        &self,
        wire: &wire::Arm,
        known: &[wire::LearnedArm],
        slot: &SlotId,
        at: &str,
        before: &[Arm],
    ) -> Item<Arm> {
        let id = arm_id(wire).map_err(|e| Warning::error(format!("{at}/id"), e))?;
        if before.iter().any(|arm| arm.id == id) {
            return Err(Warning::error(format!("{at}/id"), twice("arm", id.as_str())));
        }
        let audience = self.audience(wire.audience.as_ref(), at)?;
        let block = wire.block.as_ref().map(|name| {
            self.blocks.ready.get(name).cloned().ok_or_else(|| {
                Warning::error(
                    format!("{at}/block"),
                    format_args!("there is no usable block '{name}'; hint: define it under blocks"),
                )
            })
        });
        let ready = block.transpose()?;
        let [alpha, beta] = wire.prior.unwrap_or([1.0, 1.0]);
        let prior = BetaPosterior::new(alpha, beta).map_err(|e| Warning::error(format!("{at}/prior"), e))?;
        let cost = wire.cost.unwrap_or(0.0);
        if !(cost.is_finite() && cost.abs() <= crate::event::MAX_VALUE) {
            return Err(out_of_range(&format!("{at}/cost"), cost, crate::event::MAX_VALUE));
        }
        let learned = known.iter().find(|l| l.arm == id.as_str());
        let (exposures, rewards) = learned.map_or((0, 0), |l| (l.exposures, l.rewards));
        let salt = hash(Purpose::Assign, &[slot.as_str().as_bytes(), id.as_str().as_bytes()]);
        let block = wire.block.as_deref().and_then(|name| BlockId::new(name).ok());
        Ok(Arm {
            posterior: prior,
            belief: Belief::Rate(prior),
            cost,
            cap: ready.as_ref().and_then(|ready| ready.cap),
            fading: ready.as_ref().and_then(|ready| ready.fading),
            combinations: ready.as_ref().map(|ready| ready.combinations.clone()).unwrap_or_default(),
            is_shadow: wire.shadow.unwrap_or(false),
            drops_out: false,
            id,
            block,
            markup: ready.map(|ready| ready.markup),
            audience,
            salt,
            exposures,
            rewards,
        })
    }
}
