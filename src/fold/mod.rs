//! (what is known of a decision, an event) → what changes: order does not matter, repeats do not count. It stores nothing.
//!
//! The rule: of `n` exposures and `m` reward keys of a goal, `min(n, m)` rewards count, and their values are those
//! of the smallest keys. That is a function of the *sets* of keys, so every order, repetition and split into
//! batches ends in the same counts:
//!
//! - a reward that arrives before its exposure waits in its token and counts when the exposure comes;
//! - a visitor's decision has one exposure, hence one reward per goal;
//! - a shared decision (contextual mode) never has more rewards than views, however often a link is replayed.
//!
//! Counted is the *difference* an event makes, so a displaced value is taken back in the same [`Delta`].

mod origin;
mod row_id;
mod token;
mod tokens;

pub use origin::Origin;
pub use row_id::RowId;
pub use token::Token;
pub use tokens::{MAX_ROW_BYTES, Tokens, TokensError};

use crate::event::{Event, Refusal, Treatment};
use crate::id::SlotId;
use crate::statistics::Counts;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken and counted.
    New,
    /// A reward taken, which counts when one more exposure arrives.
    Waiting,
    /// Taken before; nothing changes.
    Repeat,
    /// A known reward with a smaller value, which stands, so that a repeat can never raise what was counted; or a known event that
    /// tells the unit, which a link does not.
    Revised,
    /// Not taken: the row might grow beyond [`MAX_ROW_BYTES`].
    Full,
}

impl Outcome {
    /// Whether the tokens changed and have to be stored.
    #[must_use]
    pub const fn changes_tokens(self) -> bool {
        matches!(self, Self::New | Self::Waiting | Self::Revised)
    }
}

/// What one event adds to the statistics of its shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta<'e> {
    /// The slot.
    pub slot: &'e SlotId,
    /// What the slot got.
    pub treatment: &'e Treatment,
    /// What to add; values may be negative where a smaller key displaced another.
    pub counts: Counts,
    /// 1 for an event that had been taken before.
    pub repeats: u64,
    /// Why the event was not taken.
    pub refused: Option<Refusal>,
}

/// Puts an event into the token of its slot and treatment, among those of its decision's row ([`RowId::of`]).
///
/// Tokens and delta belong into one commit. The event must have passed [`crate::event::check`].
///
/// ```
/// # use edgeloom::{event::*, fold::*, id::*, receipt::*, statistics::Statistics};
/// # let receipt = Receipt {
/// #     decision: DecisionId([1; 16]), unit: Some(1), slot: SlotId::new("hero").unwrap(),
/// #     arm: Some(ArmId::new("a").unwrap()), propensity: 0.5, version: SnapshotVersion([0; 16]),
/// #     time_millis: 0, flags: Flags::default(), candidates: Candidates::All, shards: 1, basis: Basis::default(),
/// # };
/// let buy = GoalId::new("buy").unwrap();
/// let (mut tokens, mut statistics) = (Tokens::default(), Statistics::default());
/// let reward = Event::reward(&receipt, &buy, 9.5, None).unwrap();
/// let (outcome, delta) = fold(&mut tokens, &reward);
/// statistics.apply(&delta);
/// assert_eq!(outcome, Outcome::Waiting);
/// let exposure = Event::exposure(&receipt, None);
/// let (_, delta) = fold(&mut tokens, &exposure);
/// statistics.apply(&delta);
/// let counts = statistics.counts(&receipt.slot, &Treatment::of(&receipt)).unwrap();
/// assert_eq!((counts.exposures, counts.goals.get(&buy).unwrap().value()), (1, 9.5));
/// ```
pub fn fold<'e>(tokens: &mut Tokens, event: &'e Event) -> (Outcome, Delta<'e>) {
    let mut counts = Counts::default();
    let outcome = tokens.take(event, &mut counts);
    let delta = Delta {
        slot: &event.slot,
        treatment: &event.treatment,
        counts,
        repeats: u64::from(matches!(outcome, Outcome::Repeat | Outcome::Revised)),
        refused: (outcome == Outcome::Full).then_some(Refusal::Full),
    };
    (outcome, delta)
}

#[cfg(test)]
mod tests;
