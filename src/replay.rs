//! From a snapshot and a receipt back to the choice: the proof that a receipt tells what really was decided.

use crate::assortment::Assortment;
use crate::bandit::Codes;
use crate::context::Action;
use crate::decide::{Asked, Choice, View, choose, is_held_out, is_held_out_of};
use crate::id::SnapshotVersion;
use crate::receipt::{Candidates, Receipt};
use crate::seed::{Seed, unit_of_view};
use crate::snapshot::{ListPlace, Sight, Snapshot};
use std::fmt;
use std::sync::Arc;

/// A receipt that its snapshot does not bear out.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplayError {
    /// The receipt was made from another snapshot.
    OtherSnapshot {
        /// The one it names.
        wanted: SnapshotVersion,
    },
    /// The snapshot has no such slot.
    UnknownSlot,
    /// The receipt was not made by a decision but imported from a log.
    Imported,
    /// The request brought actions, and these are others.
    Actions,
    /// The replayed choice has another arm.
    OtherArm {
        /// Name of the arm the snapshot gives; `None` is the page as it is.
        replayed: Option<String>,
    },
    /// The replayed choice has another propensity.
    OtherPropensity {
        /// The propensity the snapshot gives.
        replayed: f64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSnapshot { wanted } => {
                write!(f, "receipt belongs to snapshot {wanted}; hint: fetch that one and replay again")
            }
            Self::UnknownSlot => write!(f, "the snapshot has no slot of that name"),
            Self::Imported => write!(f, "the receipt stands for an imported log line; nothing was decided"),
            Self::Actions => write!(
                f,
                "the request brought actions, and not these; hint: give those of the request, in their order"
            ),
            Self::OtherArm { replayed: Some(arm) } => write!(f, "the snapshot gives arm '{arm}' instead"),
            Self::OtherArm { replayed: None } => write!(f, "the snapshot leaves the page as it is"),
            Self::OtherPropensity { replayed } => {
                write!(f, "the snapshot gives propensity {replayed} instead")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// Makes the choice of a receipt again.
///
/// The receipt holds what the visit gave: who (or which view), which arms were eligible, when. The snapshot holds the rest. The
/// same code chooses again, and arm and propensity must agree to the last bit; that they do on every machine is what the one
/// math path and the one hash are for.
///
/// What a receipt can't prove is that these arms were the eligible ones: that needs the visit's facts, which nobody keeps.
///
/// # Errors
/// Every cause of [`ReplayError`]: another snapshot, an unknown slot, an imported receipt, or another result.
pub fn replay(snapshot: &Snapshot, receipt: &Receipt) -> Result<Choice, ReplayError> {
    replay_with(snapshot, receipt, &[])
}

/// Makes the choice of a receipt again whose request brought actions, given in the same order. For a place of a list these are all
/// candidates: what the places before it show follows from the same receipt.
///
/// # Errors
/// Every cause of [`ReplayError`]; [`ReplayError::Actions`] where these are not the actions.
pub fn replay_with(
    snapshot: &Snapshot,
    receipt: &Receipt,
    actions: &[Action],
) -> Result<Choice, ReplayError> {
    if receipt.version != snapshot.version {
        return Err(ReplayError::OtherSnapshot { wanted: receipt.version });
    }
    if receipt.flags.imported() {
        return Err(ReplayError::Imported);
    }
    let (position, slot) = snapshot.slot(&receipt.slot).ok_or(ReplayError::UnknownSlot)?;
    let seed = Seed {
        unit: receipt.unit.unwrap_or_else(|| unit_of_view(&receipt.decision)),
        decision: receipt.decision,
        shared: receipt.flags.shared(),
    };
    let basis = &receipt.basis;
    // Where an action was chosen, its features hold those of the visit.
    let of_visit = basis.features.as_ref().and_then(|codes| slot.chooser.visit_in(codes));
    let codes = of_visit.or_else(|| basis.features.clone());
    let offers = basis.offers.and_then(|_| {
        let assortment = Arc::new(slot.assortment(actions)?);
        let above = basis.lookup.as_ref().map(|lookup| lookup.above.clone()).unwrap_or_default();
        let taken = match &slot.list {
            Some(own) => before(snapshot, own, above, (&seed, codes.as_ref(), &assortment)),
            None => Vec::new(),
        };
        slot.offers(&assortment, codes.as_ref(), &taken)
    });
    if offers.as_ref().map(|offers| offers.fingerprint) != basis.offers {
        return Err(ReplayError::Actions);
    }
    let faded = slot.faded(receipt.basis.fatigue.as_ref());
    let view = View {
        seed: &seed,
        sight: Sight { codes: codes.as_ref(), faded: &faded, offers: offers.as_ref() },
        is_held_out: is_held_out(snapshot, &seed) || is_held_out_of(slot, &seed),
        asked: Asked::Propensity,
    };
    let choice = choose(position, slot, receipt.candidates.clone(), view);
    let arm = choice.arm.or(choice.ghost).and_then(|a| slot.arms.get(a)).map(|arm| &arm.id);
    if arm != receipt.arm.as_ref() {
        return Err(ReplayError::OtherArm { replayed: arm.map(ToString::to_string) });
    }
    let action = choice.action.and_then(|action| offers.as_ref()?.id(usize::from(action)));
    if action != receipt.basis.action.as_ref() {
        return Err(ReplayError::OtherArm { replayed: action.map(ToString::to_string) });
    }
    if choice.propensity.to_bits() != receipt.propensity.to_bits() {
        return Err(ReplayError::OtherPropensity { replayed: choice.propensity });
    }
    Ok(choice)
}

/// Short names of what stands in the places of a list before one of them, as the same decision chose it, with what stood above.
fn before(
    snapshot: &Snapshot,
    own: &ListPlace,
    mut taken: Vec<u32>,
    (seed, codes, assortment): (&Seed, Option<&Codes>, &Arc<Assortment>),
) -> Vec<u32> {
    for (position, slot) in snapshot.slots.iter().enumerate() {
        let is_before = |other: &ListPlace| other.list.id == own.list.id && other.place < own.place;
        if !slot.list.as_ref().is_some_and(is_before) {
            continue;
        }
        let Some(offers) = slot.offers(assortment, codes, &taken) else { break };
        let items = (0..slot.arms.len()).map(|arm| slot.chooser.stands_for_actions(arm));
        let view = View {
            seed,
            sight: Sight { codes, faded: &[], offers: Some(&offers) },
            is_held_out: false,
            asked: Asked::Propensity,
        };
        let choice = choose(position, slot, Candidates::of(items), view);
        taken.extend(choice.action.and_then(|action| offers.item(usize::from(action))));
    }
    taken
}
