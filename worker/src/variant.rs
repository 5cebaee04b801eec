//! What a visitor is shown on a page, as a part of its entity tag (RFC 9110, 8.8.3). Pure, and it knows nothing of the page
//! around the slots: `page.mjs` adds that.
//!
//! A tag is weak: pages that show the same are one, whatever their receipts. It tells what is shown and nothing of who looks, and
//! ends with the hour, so that a receipt in a page that is shown again is never much older. Where each view is drawn anew
//! and counted by the visitor's own receipt it is another at each view: a page shown again would keep the receipt of the
//! view before, and only views of other arms would be counted.

use edgeloom::decide::Decision;
use edgeloom::seed::{HOUR_MILLIS, Purpose, Seed, hash};
use edgeloom::snapshot::Snapshot;
use edgeloom::snapshot::wire::Mode;

/// Who is shown something, and when.
#[derive(Debug, Clone, Copy)]
pub struct Showing<'s> {
    /// What may be remembered of the visit.
    pub mode: Mode,
    /// Whether the view counts: pages of views that don't carry no receipts.
    pub is_watched: bool,
    /// Milliseconds since the epoch.
    pub now: u64,
    /// What each choice shows, told from what others do; 0 is what the page has there itself.
    pub contents: &'s [u64],
}

/// The part of a tag that stands for what is shown: the same text means the same slots, arms and contents.
pub fn variant(snapshot: &Snapshot, decision: &Decision, seed: &Seed, showing: Showing<'_>) -> String {
    let hour = (showing.now / HOUR_MILLIS).to_le_bytes();
    let watched = [u8::from(showing.is_watched)];
    let mut all: Vec<&[u8]> = vec![&hour, showing.mode.as_str().as_bytes(), &watched];
    let contents: Vec<[u8; 8]> = showing.contents.iter().map(|content| content.to_le_bytes()).collect();
    for (choice, content) in decision.choices.iter().zip(&contents) {
        let Some(slot) = snapshot.slots.get(choice.slot) else { continue };
        let arm = choice.arm.and_then(|arm| slot.arms.get(arm));
        all.push(slot.css.as_bytes());
        all.push(arm.map_or("", |arm| arm.id.as_str()).as_bytes());
        all.push(choice.reason.as_str().as_bytes());
        all.push(content);
        if !seed.shared && slot.chooser.is_per_view() {
            all.push(&decision.id.0);
        }
    }
    format!("{:016x}", hash(Purpose::Content, &all))
}
