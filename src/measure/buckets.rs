//! Counts by time bucket: exact integers that merge in any order. How long a bucket is, is the caller's business.

use crate::sorted::SortedMap;

/// Exposures and how many of them were rewarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Exposures.
    pub exposures: u64,
    /// Exposures that were rewarded; more than there are exposures count as that many.
    pub rewards: u64,
}

impl Tally {
    /// Share of the exposures that were rewarded, in [0, 1]; `None` without exposures.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.exposures > 0).then(|| self.rewarded() as f64 / self.exposures as f64)
    }

    /// Rewards, at most one per exposure.
    pub(super) fn rewarded(&self) -> u64 {
        self.rewards.min(self.exposures)
    }

    /// What was counted after an earlier tally of the same kind.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            exposures: self.exposures.saturating_sub(earlier.exposures),
            rewards: self.rewards.saturating_sub(earlier.rewards),
        }
    }

    /// Adds other counts; saturates where 2^64 would not fit.
    pub(super) fn add(&mut self, other: Self) {
        self.exposures = self.exposures.saturating_add(other.exposures);
        self.rewards = self.rewards.saturating_add(other.rewards);
    }
}

/// Tallies by time bucket, such as hours or days since the epoch.
///
/// Adding and merging are commutative and associative, so events, batches and shards can come in any order.
/// ```
/// use edgeloom::measure::buckets::{Buckets, Tally};
///
/// let day = |exposures, rewards| Tally { exposures, rewards };
/// let (mut one, mut other) = (Buckets::default(), Buckets::default());
/// one.add(20_417, day(100, 3));
/// other.add(20_416, day(80, 1));
/// other.add(20_417, day(10, 1));
/// one.merge(&other);
/// assert_eq!(one.iter().collect::<Vec<_>>(), [(20_416, day(80, 1)), (20_417, day(110, 4))]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buckets(SortedMap<u64, Tally>);

impl Buckets {
    /// Adds counts of one bucket. Empty ones leave no trace, so that equal counts are equal in form.
    pub fn add(&mut self, bucket: u64, tally: Tally) {
        if tally != Tally::default() {
            self.0.or_default(bucket).add(tally);
        }
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, tally) in other.iter() {
            self.add(bucket, tally);
        }
    }

    /// The buckets in which something was counted, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Tally)> {
        self.0.iter().map(|(bucket, tally)| (*bucket, *tally))
    }

    /// Number of buckets in which something was counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything together.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.0.values().for_each(|tally| total.add(*tally));
        total
    }

    /// Forgets the buckets that a question says no to.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) {
        self.0.retain(|bucket, _| keep(*bucket));
    }
}

impl FromIterator<(u64, Tally)> for Buckets {
    fn from_iter<I: IntoIterator<Item = (u64, Tally)>>(tallies: I) -> Self {
        let mut buckets = Self::default();
        tallies.into_iter().for_each(|(bucket, tally)| buckets.add(bucket, tally));
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_exposures_and_stays_below_one() {
        assert_eq!(Tally::default().rate(), None);
        assert_eq!(Tally { exposures: 4, rewards: 1 }.rate(), Some(0.25));
        assert_eq!(Tally { exposures: 4, rewards: 9 }.rate(), Some(1.0));
    }

    #[test]
    fn nothing_leaves_no_trace() {
        let mut buckets = Buckets::default();
        buckets.add(3, Tally::default());
        assert_eq!((buckets.len(), buckets.is_empty(), buckets.total()), (0, true, Tally::default()));
    }
}
