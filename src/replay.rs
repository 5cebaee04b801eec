//! From a snapshot and a receipt back to the choice: the proof that a receipt tells what really was decided.

use crate::decide::{Asked, Choice, View, choose, is_held_out, is_held_out_of};
use crate::id::SnapshotVersion;
use crate::receipt::Receipt;
use crate::seed::{Seed, unit_of_view};
use crate::snapshot::Snapshot;
use std::fmt;

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
    let view = View {
        seed: &seed,
        codes: receipt.basis.features.as_ref(),
        is_held_out: is_held_out(snapshot, &seed) || is_held_out_of(slot, &seed),
        asked: Asked::Propensity,
    };
    let choice = choose(position, slot, receipt.candidates.clone(), view);
    let arm = choice.arm.or(choice.ghost).and_then(|a| slot.arms.get(a)).map(|arm| &arm.id);
    if arm != receipt.arm.as_ref() {
        return Err(ReplayError::OtherArm { replayed: arm.map(ToString::to_string) });
    }
    if choice.propensity.to_bits() != receipt.propensity.to_bits() {
        return Err(ReplayError::OtherPropensity { replayed: choice.propensity });
    }
    Ok(choice)
}
