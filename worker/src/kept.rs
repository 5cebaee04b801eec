//! What is made again and again, kept while there is room: in groups, so that looking one up compares a few keys.

/// Entries of a group; the one that was not asked for the longest gives way.
const WAYS: usize = 8;

/// Values by key, of which some may be forgotten.
pub struct Kept<K, V> {
    groups: Vec<Vec<(K, V)>>,
}

impl<K, V: Clone> Kept<K, V> {
    /// Room for so many, at least a group of them.
    pub fn new(n: usize) -> Self {
        Self { groups: (0..(n / WAYS).max(1)).map(|_| Vec::new()).collect() }
    }

    /// What is kept of a key with this hash.
    pub fn get(&mut self, hash: u64, is_key: impl Fn(&K) -> bool) -> Option<V> {
        let group = self.group(hash)?;
        let at = group.iter().position(|(key, _)| is_key(key))?;
        let entry = group.remove(at);
        let value = entry.1.clone();
        group.push(entry);
        Some(value)
    }

    /// Keeps a value of a key that is not here.
    pub fn put(&mut self, hash: u64, key: K, value: V) {
        let Some(group) = self.group(hash) else { return };
        if group.len() >= WAYS {
            group.remove(0);
        }
        group.push((key, value));
    }

    fn group(&mut self, hash: u64) -> Option<&mut Vec<(K, V)>> {
        let place = hash.checked_rem(self.groups.len() as u64)?;
        self.groups.get_mut(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_stays() {
        let mut kept = Kept::new(WAYS);
        for n in 0..WAYS {
            kept.put(7, n, n * 10);
        }
        assert_eq!(kept.get(7, |key| *key == 0), Some(0));
        kept.put(7, WAYS, 80);
        assert_eq!(kept.get(7, |key| *key == 0), Some(0));
        assert_eq!(kept.get(7, |key| *key == 1), None);
        assert_eq!(kept.get(7, |key| *key == WAYS), Some(80));
    }

    #[test]
    fn groups_share_nothing() {
        let mut kept = Kept::new(4 * WAYS);
        for hash in 0..4_u64 {
            kept.put(hash, hash, hash);
        }
        for hash in 0..4_u64 {
            assert_eq!(kept.get(hash, |key| *key == hash), Some(hash));
            assert_eq!(kept.get(hash + 1, |key| *key == hash), None);
        }
    }
}
