//! Numbers by bytes, found with one comparison. What is looked up comes from visitors, what is in it from the site alone, so
//! nobody outside can make it slow and a plain hash will do.

/// Keys with their numbers: open addressing, at most half full.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    entries: Vec<(Box<[u8]>, u32)>,
    /// Position in `entries` plus one, or 0; a power of two of them.
    buckets: Vec<u32>,
}

impl Table {
    /// Number of keys.
    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<u32> {
        let mask = self.buckets.len().checked_sub(1)?;
        let mut at = hash(key) & mask;
        loop {
            let entry = self.buckets.get(at)?.checked_sub(1)?;
            let (own, number) = self.entries.get(entry as usize)?;
            if **own == *key {
                return Some(*number);
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a key; a new one gets the number given.
    pub(super) fn get_or_insert(&mut self, key: &[u8], new: u32) -> u32 {
        if let Some(known) = self.get(key) {
            return known;
        }
        self.entries.push((key.into(), new));
        if self.entries.len() * 2 > self.buckets.len() {
            self.buckets = vec![0; self.entries.len().next_power_of_two() * 4];
            for entry in 0..self.entries.len() {
                self.place(entry);
            }
        } else {
            self.place(self.entries.len() - 1);
        }
        new
    }

    /// Puts an entry into the first free bucket of its key.
    fn place(&mut self, entry: usize) {
        let (Some((key, _)), Some(mask)) = (self.entries.get(entry), self.buckets.len().checked_sub(1))
        else {
            return;
        };
        let mut at = hash(key) & mask;
        while self.buckets.get(at).is_some_and(|bucket| *bucket != 0) {
            at = (at + 1) & mask;
        }
        if let Some(bucket) = self.buckets.get_mut(at) {
            // A key has a byte of configuration: four billion do not fit in memory.
            *bucket = u32::try_from(entry + 1).unwrap_or(0);
        }
    }
}

/// Eight bytes at a time through the multiplication of SplitMix64's finaliser; the upper half, which depends on all of them.
fn hash(key: &[u8]) -> usize {
    let mut hash = key.len() as u64;
    for chunk in key.chunks(8) {
        let word = chunk.iter().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
        hash = (hash ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 32;
    }
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_table_is_a_map(keys in prop::collection::vec(prop::collection::vec(0_u8..3, 0..12), 0..200)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (key, number) in keys.iter().zip(0..) {
                prop_assert_eq!(table.get(key), map.get(key).copied());
                let expected = *map.entry(key.clone()).or_insert(number);
                prop_assert_eq!(table.get_or_insert(key, number), expected);
            }
            prop_assert_eq!(table.len(), map.len());
            prop_assert!(map.iter().all(|(key, number)| table.get(key) == Some(*number)));
        }
    }

    #[test]
    fn counted_keys_do_not_crowd() {
        let mut table = Table::default();
        for n in 0..10_000_u32 {
            table.get_or_insert(&f64::from(n).to_bits().to_le_bytes(), n);
        }
        // Half full at most and well spread, a key is a step or two from its bucket: 100 in a row never happen.
        assert!(table.buckets.split(|bucket| *bucket == 0).all(|crowd| crowd.len() < 100));
    }
}
