//! Lines of a trusted log: decisions made elsewhere, with the propensity they were made with.

use super::read::{Kind, Known, goal};
use edgeloom::event::{Event, Refusal};
use edgeloom::id::{ArmId, DecisionId, SlotId};
use edgeloom::receipt::{Candidates, Flags, Receipt};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Longest text that names a decision, bytes.
const MAX_DECISION_BYTES: usize = 128;

/// One line.
#[derive(Deserialize)]
pub struct Line {
    kind: Kind,
    /// Any text that names the decision in its log.
    decision: String,
    slot: String,
    arm: String,
    /// Of an exposure: the probability with which the arm was chosen, in (0, 1].
    propensity: Option<f64>,
    /// Of a reward.
    goal: Option<String>,
    /// Of a reward; default the value of the goal.
    value: Option<f64>,
    /// When it was decided, milliseconds since the epoch; default now.
    at: Option<u64>,
}

/// The event of a line.
///
/// # Errors
/// Slot, arm or goal that the published configuration does not have, numbers out of range.
pub fn event(line: &Line, known: &Known) -> Result<Event, Refusal> {
    let snapshot = known.snapshot;
    let slot = SlotId::new(&line.slot).map_err(|_| Refusal::Malformed)?;
    let arm = ArmId::new(&line.arm).map_err(|_| Refusal::Malformed)?;
    let (_, configured) = snapshot.slot(&slot).ok_or(Refusal::UnknownSlot)?;
    if !configured.arms.iter().any(|own| own.id == arm) {
        return Err(Refusal::UnknownArm);
    }
    if line.decision.is_empty() || line.decision.len() > MAX_DECISION_BYTES {
        return Err(Refusal::Malformed);
    }
    let propensity = match (line.kind, line.propensity) {
        (Kind::Exposure, Some(p)) if p > 0.0 && p <= 1.0 => p,
        (Kind::Exposure, _) => return Err(Refusal::Malformed),
        // Only exposures are counted with it.
        (Kind::Reward, _) => 1.0,
    };
    let receipt = Receipt {
        decision: decision(&known.settings.site, &line.decision),
        unit: Some(0),
        slot,
        arm: Some(arm),
        propensity,
        version: snapshot.version,
        time_millis: line.at.unwrap_or(known.now_millis),
        flags: Flags::default().with_imported(true),
        candidates: Candidates::All,
        shards: 1,
    };
    match line.kind {
        Kind::Exposure => Ok(Event::exposure(&receipt, None)),
        Kind::Reward => {
            let goal = goal(line.goal.as_deref(), snapshot)?;
            Event::reward(&receipt, &goal.id, line.value.unwrap_or(goal.value), None)
        }
    }
}

/// The same text is the same decision, so that a log sent again holds repeats only.
fn decision(site: &str, text: &str) -> DecisionId {
    let digest = Sha256::new()
        .chain_update(b"edgeloom import v1\0")
        .chain_update(site)
        .chain_update(b"\0")
        .chain_update(text)
        .finalize();
    let mut id = [0_u8; 16];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    DecisionId(id)
}

#[cfg(test)]
mod tests {
    use super::decision;

    #[test]
    fn a_decision_is_named_by_site_and_text() {
        assert_eq!(decision("shop", "1"), decision("shop", "1"));
        assert_ne!(decision("shop", "1"), decision("shop", "2"));
        assert_ne!(decision("shop", "1"), decision("blog", "1"));
    }
}
