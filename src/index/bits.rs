//! A set of positions as one bit each: asked before a distance is computed, counted and cut in words of 64.

/// A set of positions below `len`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// No position.
    pub(crate) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// Every position.
    pub(crate) fn all(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        let spare = bits.words.len() * 64 - len;
        if let Some(last) = bits.words.last_mut() {
            *last >>= spare;
        }
        bits
    }

    /// Those positions that a question says yes to.
    pub(crate) fn of(len: usize, mut is_in: impl FnMut(usize) -> bool) -> Self {
        let words = (0..len).step_by(64).map(|start| {
            let positions = start..len.min(start + 64);
            positions.rev().fold(0, |word, position| word << 1 | u64::from(is_in(position)))
        });
        Self { words: words.collect(), len }
    }

    /// Whether a position is in it.
    pub(crate) fn contains(&self, position: usize) -> bool {
        self.words.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Adds a position; beyond the end there is nothing to add.
    pub(crate) fn insert(&mut self, position: usize) {
        if let Some(word) = self.words.get_mut(position / 64).filter(|_| position < self.len) {
            *word |= 1 << (position % 64);
        }
    }

    /// Takes a position out.
    pub(crate) fn remove(&mut self, position: usize) {
        if let Some(word) = self.words.get_mut(position / 64) {
            *word &= !(1 << (position % 64));
        }
    }

    /// Keeps what is in the other as well.
    pub(crate) fn intersect(&mut self, other: &Self) {
        for (position, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(position).copied().unwrap_or(0);
        }
    }

    /// How many positions are in it.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The positions, ascending, as a list: for loops that can't wait for an iterator.
    pub(crate) fn positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.count());
        for (start, word) in (0..).step_by(64).zip(&self.words) {
            let mut rest = *word;
            while rest != 0 {
                positions.push(start + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        positions
    }

    /// The positions, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let lowest = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(place * 64 + lowest)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_set_it_stands_for(len in 0_usize..200, inserted: Vec<u8>, removed: Vec<u8>) {
            let mut bits = Bits::none(len);
            inserted.iter().for_each(|position| bits.insert(usize::from(*position)));
            removed.iter().for_each(|position| bits.remove(usize::from(*position)));
            let is_in = |position: usize| {
                let is = |list: &[u8]| list.iter().any(|own| usize::from(*own) == position);
                is(&inserted) && !is(&removed)
            };
            let expected: Vec<usize> = (0..len).filter(|position| is_in(*position)).collect();
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert!(bits.positions().iter().map(|position| *position as usize).eq(bits.iter()));
            prop_assert_eq!(bits.count(), expected.len());
            prop_assert_eq!(&bits, &Bits::of(len, is_in));
            prop_assert!((0..300).all(|position| bits.contains(position) == expected.contains(&position)));
            let mut all = Bits::all(len);
            prop_assert_eq!(all.count(), len);
            all.intersect(&bits);
            prop_assert_eq!(all, bits);
        }
    }
}
