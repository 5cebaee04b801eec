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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::receipt::tests::sample;

    #[test]
    fn rows_are_in_the_order_of_their_hours() {
        let row = |time_millis| RowId::of(&Event::exposure(&Receipt { time_millis, ..sample() }, None));
        let undated = RowId::undated(&Event::exposure(&sample(), None));
        for hour in [0, 1, 500_000, 1_048_573] {
            let (start, end) = (hour * HOUR_MILLIS, (hour + 1) * HOUR_MILLIS);
            assert_eq!(row(start), row(end - 1));
            assert!(RowId::first_of(start) <= row(start) && row(end - 1) < RowId::first_of(end), "{hour}");
            assert!(row(end) < undated && undated.number() < 1 << 53);
        }
        for time_millis in [u64::MAX, 1_048_574 * HOUR_MILLIS] {
            assert!(row(time_millis) < undated && RowId::first_of(time_millis) <= undated);
        }
        assert_eq!(RowId::from_number(undated.number()), undated);
    }

    #[test]
    fn decisions_spread_over_the_rows_of_their_hour() {
        // Chi-square over the upper 6 bits of the hash, 63 degrees of freedom: above 115 once in 15,000 salts; the ids are fixed.
        let mut counts = [0_u32; 64];
        let first = RowId::first_of(sample().time_millis).number();
        for i in 0..64_000_u64 {
            let decision = DecisionId(u128::from(i).to_le_bytes());
            let row = RowId::of(&Event::exposure(&Receipt { decision, ..sample() }, None));
            counts[usize::try_from((row.number() - first) >> 27).unwrap()] += 1;
        }
        let chi: f64 = counts.iter().map(|n| f64::from(n.abs_diff(1000))).map(|d| d * d / 1000.0).sum();
        assert!(chi < 115.0, "{chi}");
    }
}
