//! What a visitor is shown on a page, as a part of its entity tag (RFC 9110, 8.8.3). Pure, and it knows nothing of the page
//! around the slots: `page.mjs` adds that.
//!
//! A tag is weak: pages that show the same are one, whatever their receipts. It stands for one hour, so that a receipt in a
//! page that is shown again is never much older. In contextual mode it also names the bucket of the decision, which
//! 1 / 4,096 of all visitors share and which ends with the hour: a page that is asked for again keeps its decision, so that
//! it can be the same, and a click on it is counted for the decision that was seen.

use crate::visitor::Facts;
use edgeloom::decide::{Choice, Decision};
use edgeloom::seed::{CONTEXTUAL_BUCKETS, HOUR_MILLIS, Purpose, hash};
use edgeloom::snapshot::wire::Mode;
use edgeloom::snapshot::{Slot, Snapshot};

/// How our tags begin: `W/"el.<page>.<variant>.<bucket>"`, all of it hexadecimal.
const PREFIX: &str = "\"el.";

/// The bucket of the page the visitor has already, if it is one of ours.
pub fn known_bucket(facts: &Facts) -> Option<u64> {
    let (_, tag) = facts.known.split_once(PREFIX)?;
    let bucket = tag.split('"').next()?.split('.').nth(2)?;
    u64::from_str_radix(bucket, 16).ok().filter(|bucket| *bucket < u64::from(CONTEXTUAL_BUCKETS))
}

/// The part of a tag that stands for what is shown: the same text means the same slots, arms and contents.
pub fn variant(
    snapshot: &Snapshot,
    decision: &Decision,
    mode: Mode,
    now_millis: u64,
    bucket: Option<u64>,
) -> String {
    let hour = (now_millis / HOUR_MILLIS).to_le_bytes();
    let mut all = vec![hour.as_slice(), mode.as_str().as_bytes()];
    let contents: Vec<[u8; 8]> =
        decision.choices.iter().map(|choice| content(snapshot, choice).to_le_bytes()).collect();
    for (choice, content) in decision.choices.iter().zip(&contents) {
        let slot = snapshot.slots.get(choice.slot);
        let arm = choice.arm.and_then(|arm| slot?.arms.get(arm));
        all.push(slot.map_or("", |slot: &Slot| slot.css.as_str()).as_bytes());
        all.push(arm.map_or("", |arm| arm.id.as_str()).as_bytes());
        all.push(choice.reason.as_str().as_bytes());
        all.push(content);
    }
    let mut text = format!("{:016x}.", hash(Purpose::Content, &all));
    if let Some(bucket) = bucket {
        text.push_str(&format!("{bucket:x}"));
    }
    text
}

/// What a slot shows; 0 is what the page has there itself.
fn content(snapshot: &Snapshot, choice: &Choice) -> u64 {
    let arm = choice.arm.and_then(|arm| snapshot.slots.get(choice.slot)?.arms.get(arm));
    arm.and_then(|arm| arm.markup.as_ref()).map_or(0, |markup| markup.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket_in(header: &str) -> Option<u64> {
        known_bucket(&Facts { known: header, ..Facts::default() })
    }

    #[test]
    fn a_bucket_is_read_from_our_tags_only() {
        assert_eq!(bucket_in("W/\"el.00ff.0123.1a\""), Some(26));
        assert_eq!(bucket_in("\"abc\", W/\"el.00ff.0123.fff\", \"def\""), Some(4095));
        for foreign in [
            "",
            "*",
            "\"abc\"",
            "W/\"el.a.b\"",
            "W/\"el.a.b.\"",
            "W/\"el.a.b.1000\"",
            "W/\"el.a.b.-1\"",
            "W/\"el",
            "\"el.\"a.b.1",
        ] {
            assert_eq!(bucket_in(foreign), None, "{foreign}");
        }
    }
}
