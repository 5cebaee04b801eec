//! Lines of a trusted log: decisions made elsewhere, with the propensity they were made with.

use super::read::{Kind, Known, goal, number};
use crate::json;
use edgeloom::event::{Event, Refusal};
use edgeloom::id::{ArmId, DecisionId, SlotId};
use edgeloom::receipt::{Basis, Candidates, Flags, Receipt};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest text that names a decision, bytes.
const MAX_DECISION_BYTES: usize = 128;

/// The event of a line: `decision` is any text that names it in its log, `slot` and `arm` what was shown, `propensity`
/// (of an exposure) the probability with which that was chosen, `goal` and `value` those of a reward, `at` the time of
/// the decision in milliseconds since the epoch.
///
/// # Errors
/// Slot, arm or goal that the published configuration does not have, numbers out of range.
pub fn event(line: &Value, kind: Kind, known: &Known) -> Result<Event, Refusal> {
    let snapshot = known.snapshot;
    let text = |name| json::text(line, name).ok_or(Refusal::Malformed);
    let slot = SlotId::new(text("slot")?).map_err(|_| Refusal::Malformed)?;
    let arm = ArmId::new(text("arm")?).map_err(|_| Refusal::Malformed)?;
    let name = text("decision")?;
    let (_, configured) = snapshot.slot(&slot).ok_or(Refusal::UnknownSlot)?;
    if !configured.arms.iter().any(|own| own.id == arm) {
        return Err(Refusal::UnknownArm);
    }
    if name.is_empty() || name.len() > MAX_DECISION_BYTES {
        return Err(Refusal::Malformed);
    }
    let propensity = match (kind, number(line, "propensity")?) {
        (Kind::Exposure, Some(p)) if p > 0.0 && p <= 1.0 => p,
        (Kind::Exposure, _) => return Err(Refusal::Malformed),
        // Only exposures are counted with it.
        (Kind::Reward, _) => 1.0,
    };
    let receipt = Receipt {
        decision: decision(&known.settings.site, name),
        unit: None,
        slot,
        arm: Some(arm),
        propensity,
        version: snapshot.version,
        time_millis: line.get("at").and_then(Value::as_u64).unwrap_or(known.now_millis),
        flags: Flags::default().with_imported(true),
        candidates: Candidates::All,
        shards: 1,
        basis: Basis::default(),
    };
    match kind {
        Kind::Exposure => Ok(Event::exposure(&receipt, None)),
        Kind::Reward => {
            let goal = goal(line, snapshot)?;
            Event::reward(&receipt, &goal.id, number(line, "value")?.unwrap_or(goal.value), None)
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
