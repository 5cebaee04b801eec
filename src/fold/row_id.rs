//! Where the ledger keeps what it knows of a decision; what that is, [`super::Tokens`] tells.

use crate::event::Event;
use crate::id::DecisionId;
use crate::seed::{HOUR_MILLIS, Purpose, hash};

/// Bits of the hash. Beside them 2^20 hours have room in the 53 bits that are exact in every JSON number and double: until 2089.
const HASH_BITS: u32 = 33;
/// After all hours of the clock.
const UNDATED: u64 = (1 << 20) - 1;

/// Number of a row of the ledger: the hour of a decision, then bits of a hash of it.
///
/// The hour comes first, so that forgetting takes from one end of the table, and what a commit writes lies close together:
/// new rows are of this hour, and a page of SQLite holds dozens. No finer, because shared receipts tell no more either. A
/// hash, so that a row can't be matched with a receipt by reading alone. A number, because it is SQLite's own key: no index
/// beside the table, which would be written, and paid, again.
///
/// Decisions may meet in a row, which then holds the tokens of both: of a million an hour, 58 pairs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(u64);

impl RowId {
    /// The row of an event's decision.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self::at((event.time_millis / HOUR_MILLIS).min(UNDATED - 1), &event.decision)
    }

    /// Its row where nothing is ever forgotten, and times don't matter: behind all that have one.
    #[must_use]
    pub fn undated(event: &Event) -> Self {
        Self::at(UNDATED, &event.decision)
    }

    fn at(hour: u64, decision: &DecisionId) -> Self {
        Self(hour << HASH_BITS | hash(Purpose::Event, &[b"row", &decision.0]) >> (64 - HASH_BITS))
    }

    /// The first there can be of the hour of a time; decisions of earlier hours have smaller ones.
    #[must_use]
    pub const fn first_of(time_millis: u64) -> Self {
        let hour = time_millis / HOUR_MILLIS;
        Self(if hour < UNDATED { hour } else { UNDATED } << HASH_BITS)
    }

    /// As a number below 2^53.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The inverse of [`RowId::number`].
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}
