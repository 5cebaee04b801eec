//! The only place that combines the parts: who is held out, who is eligible, which arm, with which chance.
//! It is total: whatever the snapshot and the context are, every slot of the page gets an answer.

use crate::bandit::{Pick, Prepared};
use crate::context::Context;
use crate::id::{BlockId, DecisionId, SnapshotVersion};
use crate::receipt::Candidates;
use crate::seed::{Purpose, Seed, hash};
use crate::snapshot::{Arm, Slot, Snapshot};

/// Why a slot got what it got; OpenFeature's words where they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Chosen by the policy with the propensity given.
    Split,
    /// There was only one way: one candidate, or a fixed arm.
    Static,
    /// Not in the audience, the roll-out or the part of the layer, or no candidate left: the page as it is.
    Default,
    /// In the holdout: the page as it is.
    Holdout,
}

impl Reason {
    /// The word that logs and the page carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "SPLIT",
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::Holdout => "HOLDOUT",
        }
    }
}

/// The outcome for one slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Position of the slot in the snapshot.
    pub slot: usize,
    /// Position of the arm in the slot; `None` is the page as it is.
    pub arm: Option<usize>,
    /// P(this arm, given context and snapshot), in (0, 1].
    pub propensity: f64,
    /// Why.
    pub reason: Reason,
    /// The arms that were eligible.
    pub candidates: Candidates,
}

/// The outcome for one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The snapshot it was made from.
    pub version: SnapshotVersion,
    /// Whether the visit is in the holdout.
    pub held_out: bool,
    /// One choice per slot that may be on the page, in the order of the snapshot.
    pub choices: Vec<Choice>,
}

/// Decides for every slot that may be on the page.
///
/// The same snapshot, context and seed give the same decision on every machine.
#[must_use]
pub fn decide(snapshot: &Snapshot, context: &Context, seed: &Seed) -> Decision {
    let held_out = is_held_out(snapshot, seed);
    let facts = snapshot.audiences.facts(context);
    let mut shown: Vec<&BlockId> = Vec::new();
    let mut choices = Vec::new();
    for (position, slot) in snapshot.slots_on(&context.path) {
        let in_audience = |audience: Option<_>| audience.is_none_or(|a| snapshot.audiences.matches(a, &facts));
        if !in_audience(slot.audience) || !takes_part(slot, seed) {
            choices.push(untouched(position, Reason::Default));
            continue;
        }
        if held_out {
            choices.push(untouched(position, Reason::Holdout));
            continue;
        }
        let candidates = if slot.partial {
            let eligible = |arm: &Arm| {
                in_audience(arm.audience) && arm.block.as_ref().is_none_or(|block| !shown.contains(&block))
            };
            Candidates::of(slot.arms.iter().map(eligible))
        } else {
            Candidates::All
        };
        let choice = choose(position, slot, candidates, seed);
        if let Some(block) = choice.arm.and_then(|a| slot.arms.get(a)).and_then(|arm| arm.block.as_ref()) {
            shown.push(block);
        }
        choices.push(choice);
    }
    Decision { id: seed.decision, version: snapshot.version, held_out, choices }
}

/// Whether a seed falls into the snapshot's holdout.
pub(crate) fn is_held_out(snapshot: &Snapshot, seed: &Seed) -> bool {
    snapshot.holdout.as_ref().is_some_and(|holdout| holdout.holds(seed.unit))
}

fn takes_part(slot: &Slot, seed: &Seed) -> bool {
    slot.rollout.as_ref().is_none_or(|rollout| rollout.includes(seed.unit))
        && slot.layer.as_ref().is_none_or(|part| part.includes(seed.unit))
}

const fn untouched(slot: usize, reason: Reason) -> Choice {
    Choice { slot, arm: None, propensity: 1.0, reason, candidates: Candidates::All }
}

/// The choice among some candidates: a function of slot, candidates and seed alone, so that it can be replayed.
///
/// All arms: prepared with the snapshot, nanoseconds. A part of them: the chance to be best is computed anew for
/// just these (some 0.1 ms for four arms), so that the propensity stays exact.
pub(crate) fn choose(position: usize, slot: &Slot, candidates: Candidates, seed: &Seed) -> Choice {
    let view = hash(Purpose::Draw, &[&seed.decision.0, slot.id.as_str().as_bytes()]);
    let picked = match &candidates {
        Candidates::All => Some(slot.prepared.choose(seed.unit, view)),
        some => {
            let members: Vec<usize> = (0..slot.arms.len()).filter(|arm| some.contains(*arm)).collect();
            prepared_for(slot, &members).and_then(|prepared| {
                let pick = prepared.choose(seed.unit, view);
                Some(Pick { arm: members.get(pick.arm).copied()?, propensity: pick.propensity })
            })
        }
    };
    match picked {
        Some(Pick { arm, propensity }) => {
            let reason = if propensity < 1.0 { Reason::Split } else { Reason::Static };
            Choice { slot: position, arm: Some(arm), propensity, reason, candidates }
        }
        None => Choice { candidates, ..untouched(position, Reason::Default) },
    }
}

/// The slot's rule over a part of its arms; `None` when none is left, or when the fixed one is not among them.
fn prepared_for(slot: &Slot, members: &[usize]) -> Option<Prepared> {
    let options: Vec<_> = members.iter().filter_map(|m| slot.arms.get(*m)).map(Arm::as_option).collect();
    let (kind, shape) = slot.policy.among(members)?;
    Prepared::new(kind, &shape, &options, None).ok()
}
