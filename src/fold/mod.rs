//! (what is known of a decision, an event) → what changes: order does not matter, repeats do not count. It stores nothing.
//!
//! The rule: of `n` exposures and `m` reward keys of a goal, `min(n, m)` rewards count, and their values are those
//! of the smallest keys. That is a function of the *sets* of keys, so every order, repetition and split into
//! batches ends in the same counts:
//!
//! - a reward that arrives before its exposure waits in the token and counts when the exposure comes;
//! - a visitor's decision has one exposure, hence one reward per goal;
//! - a shared decision (contextual mode) never has more rewards than views, however often a link is replayed.
//!
//! Counted is the *difference* an event makes, so a displaced value is taken back in the same [`Delta`].

mod token;

pub use token::{MAX_KEYS, Token, TokenError};

use crate::event::{Event, Kind, Refusal, Treatment};
use crate::id::{DecisionId, SlotId};
use crate::seed::{Purpose, hash};
use crate::statistics::Counts;
use std::fmt;

/// Name of a [`Token`] in the ledger: one decision, slot and treatment.
///
/// A hash, so that a row of the ledger can't be matched with a receipt by reading alone. 128 bits: among 10^9 tokens of
/// a window two meet with a chance of 10^-21.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 16]);

impl TokenId {
    /// The token an event belongs to.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self::new(&event.decision, &event.slot, &event.treatment)
    }

    /// The token of a decision, slot and treatment.
    #[must_use]
    pub fn new(decision: &DecisionId, slot: &SlotId, treatment: &Treatment) -> Self {
        // An identifier is never empty nor a sign, so no arm can pass for the holdout.
        let treatment = match treatment {
            Treatment::Arm(arm) => arm.as_str(),
            Treatment::Holdout => "!",
            Treatment::Untouched => "",
        };
        let mut id = [0_u8; 16];
        for (half, side) in id.chunks_exact_mut(8).zip([b"token a", b"token b"]) {
            let parts: [&[u8]; 4] = [side, &decision.0, slot.as_str().as_bytes(), treatment.as_bytes()];
            half.copy_from_slice(&hash(Purpose::Event, &parts).to_le_bytes());
        }
        Self(id)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken and counted.
    New,
    /// A reward taken, which counts when one more exposure arrives.
    Waiting,
    /// Taken before; nothing changes.
    Repeat,
    /// A known reward with a smaller value. The smaller one stands, so that a repeat can never raise what was counted.
    Revised,
    /// Not taken: the token has [`MAX_KEYS`] keys.
    Full,
}

impl Outcome {
    /// Whether the token changed and has to be stored.
    #[must_use]
    pub const fn changes_token(self) -> bool {
        matches!(self, Self::New | Self::Waiting | Self::Revised)
    }
}

/// What one event adds to the statistics of its shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// The slot.
    pub slot: SlotId,
    /// What the slot got.
    pub treatment: Treatment,
    /// What to add; values may be negative where a smaller key displaced another.
    pub counts: Counts,
    /// 1 for an event that had been taken before.
    pub repeats: u64,
    /// Why the event was not taken.
    pub refused: Option<Refusal>,
}

/// Puts an event into the token of its decision, slot and treatment ([`TokenId::of`]).
///
/// Token and delta belong into one commit. The event must have passed [`crate::event::check`].
///
/// ```
/// # use edgeloom::{event::*, fold::*, id::*, receipt::*, statistics::Statistics};
/// # let receipt = Receipt {
/// #     decision: DecisionId([1; 16]), unit: Some(1), slot: SlotId::new("hero").unwrap(),
/// #     arm: Some(ArmId::new("a").unwrap()), propensity: 0.5, version: SnapshotVersion([0; 16]),
/// #     time_millis: 0, flags: Flags::default(), candidates: Candidates::All, shards: 1,
/// # };
/// let buy = GoalId::new("buy").unwrap();
/// let (mut token, mut statistics) = (Token::default(), Statistics::default());
/// let reward = Event::reward(&receipt, &buy, 9.5, None).unwrap();
/// let (outcome, delta) = fold(&mut token, &reward);
/// statistics.apply(&delta);
/// assert_eq!(outcome, Outcome::Waiting);
/// let (_, delta) = fold(&mut token, &Event::exposure(&receipt, None));
/// statistics.apply(&delta);
/// let counts = statistics.counts(&receipt.slot, &Treatment::of(&receipt)).unwrap();
/// assert_eq!((counts.exposures, counts.goals.get(&buy).unwrap().value()), (1, 9.5));
/// ```
pub fn fold(token: &mut Token, event: &Event) -> (Outcome, Delta) {
    let mut counts = Counts::default();
    let outcome = match &event.kind {
        Kind::Exposure => token.expose(event.key, event.propensity, &mut counts),
        Kind::Reward { goal, value_micros } => token.reward(event.key, goal, *value_micros, &mut counts),
    };
    let delta = Delta {
        slot: event.slot.clone(),
        treatment: event.treatment.clone(),
        counts,
        repeats: u64::from(matches!(outcome, Outcome::Repeat | Outcome::Revised)),
        refused: (outcome == Outcome::Full).then_some(Refusal::Full),
    };
    (outcome, delta)
}

#[cfg(test)]
mod tests;
