//! Which arms of a slot were eligible: by position, small enough to travel in a receipt.

/// Longest bitmap in bytes. 512 bytes are 4,096 arms; with all else a receipt then fills some 1,410 characters,
/// which still fits a URL everywhere.
pub const MAX_BITMAP_BYTES: usize = 512;

/// The arms that were eligible, by position in the snapshot's slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Candidates {
    /// Every arm of the slot: the common case, which costs nothing in a receipt.
    #[default]
    All,
    /// Only these.
    Only(ArmSet),
}

impl Candidates {
    /// The candidates among arms given in order; [`Candidates::All`] when none drops out.
    ///
    /// An arm at position 4,096 or beyond is no candidate when others drop out ([`MAX_BITMAP_BYTES`]).
    ///
    /// ```
    /// use edgeloom::receipt::Candidates;
    /// let some = Candidates::of([true, false, true].into_iter());
    /// assert!(some.contains(2) && !some.contains(1));
    /// assert_eq!(Candidates::of([true, true].into_iter()), Candidates::All);
    /// ```
    #[must_use]
    pub fn of(eligible: impl Iterator<Item = bool>) -> Self {
        let mut bytes = Vec::new();
        let mut all = true;
        for (position, eligible) in eligible.enumerate() {
            all &= eligible;
            if !eligible || position / 8 >= MAX_BITMAP_BYTES {
                continue;
            }
            bytes.resize(position / 8 + 1, 0);
            if let Some(last) = bytes.last_mut() {
                *last |= 1 << (position % 8);
            }
        }
        if all { Self::All } else { Self::Only(ArmSet(bytes.into())) }
    }

    /// Whether the arm at a position was eligible.
    #[must_use]
    pub fn contains(&self, position: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(set) => set.contains(position),
        }
    }
}

/// A set of positions: bit `i % 8` of byte `i / 8`, without trailing zero bytes, so that equal sets are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmSet(Box<[u8]>);

impl ArmSet {
    /// The set of a bitmap; `None` where it is too long or ends in a zero byte.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX_BITMAP_BYTES && bytes.last() != Some(&0)).then(|| Self(bytes.into()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn contains(&self, position: usize) -> bool {
        self.0.get(position / 8).is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nobody_eligible_is_not_everybody() {
        let none = Candidates::of([false, false].into_iter());
        assert_ne!(none, Candidates::All);
        assert!(!none.contains(0) && !none.contains(1));
    }

    #[test]
    fn positions_that_do_not_fit_are_no_candidates() {
        let many = Candidates::of((0..5_000).map(|i| i != 0));
        assert!(many.contains(4_095));
        assert!(!many.contains(4_096) && !many.contains(0));
    }

    proptest! {
        #[test]
        fn a_set_contains_what_was_put_in(eligible in proptest::collection::vec(any::<bool>(), 0..300)) {
            let candidates = Candidates::of(eligible.iter().copied());
            for (position, expected) in eligible.iter().enumerate() {
                prop_assert_eq!(candidates.contains(position), *expected);
            }
            if let Candidates::Only(set) = &candidates {
                prop_assert_eq!(ArmSet::read(set.as_bytes()), Some(set.clone()));
                prop_assert!(!candidates.contains(eligible.len()));
            }
        }
    }
}
