//! Rows of signs whose bits differ least from a query's: the rough half of a search.

/// The positions of the `depth` rows whose signs differ least from the query's, ascending; of those that differ equally the
/// first. `rows` are as long as the query each; with `positions`, ascending, only those are looked at.
#[must_use]
#[inline(never)]
pub fn nearest_signs(query: &[u64], rows: &[u8], positions: Option<&[u32]>, depth: usize) -> Vec<u32> {
    // A loop whose length is known when it is compiled is unrolled. These are the dimensions that models have.
    match query.len() {
        4 => of_words::<4>(query, rows, positions, depth),
        6 => of_words::<6>(query, rows, positions, depth),
        8 => of_words::<8>(query, rows, positions, depth),
        12 => of_words::<12>(query, rows, positions, depth),
        16 => of_words::<16>(query, rows, positions, depth),
        24 => of_words::<24>(query, rows, positions, depth),
        n_words => {
            let mut best = Best::new(n_words, depth);
            let rows = rows.as_chunks::<8>().0;
            let row = |position: usize| rows.get(position * n_words..(position + 1) * n_words);
            each(rows.len().checked_div(n_words).unwrap_or(0), positions, |position| {
                if let Some(row) = row(position as usize) {
                    best.offer(differing(query, row), position);
                }
            });
            best.taken()
        }
    }
}

fn of_words<const N: usize>(query: &[u64], rows: &[u8], positions: Option<&[u32]>, depth: usize) -> Vec<u32> {
    let mut best = Best::new(N, depth);
    let Some(query) = query.first_chunk::<N>() else { return Vec::new() };
    let rows = rows.as_chunks::<8>().0.as_chunks::<N>().0;
    match positions {
        None => {
            for (position, row) in (0..).zip(rows) {
                best.offer(differing(query, row), position);
            }
        }
        Some(positions) => {
            for position in positions {
                if let Some(row) = rows.get(*position as usize) {
                    best.offer(differing(query, row), *position);
                }
            }
        }
    }
    best.taken()
}

fn each(n: usize, positions: Option<&[u32]>, mut visit: impl FnMut(u32)) {
    match positions {
        None => (0..n as u32).for_each(visit),
        Some(positions) => positions.iter().for_each(|position| visit(*position)),
    }
}

/// How many bits differ. The same in wasm: its count of 64 bits is one instruction of the processor, that of 16 bytes a dozen.
#[inline(always)]
fn differing(query: &[u64], row: &[[u8; 8]]) -> u32 {
    query.iter().zip(row).map(|(own, other)| (own ^ u64::from_le_bytes(*other)).count_ones()).sum()
}

/// The nearest so far. Distances are small integers, so counting how often each occurs says from where on nothing is needed.
struct Best {
    depth: usize,
    /// How many of those kept differ by so much.
    counts: Vec<usize>,
    /// What differs by so much or more is not needed: of the `depth` nearest, the farthest differ by this.
    limit: u32,
    /// How many of those kept differ by less.
    n_nearer: usize,
    kept: Vec<(u32, u32)>,
}

impl Best {
    fn new(n_words: usize, depth: usize) -> Self {
        let most = 64 * n_words;
        let limit = if depth == 0 { 0 } else { most as u32 + 1 };
        Self { depth, counts: vec![0; most + 1], limit, n_nearer: 0, kept: Vec::with_capacity(4 * depth) }
    }

    #[inline(always)]
    fn offer(&mut self, distance: u32, position: u32) {
        if distance < self.limit {
            self.keep(distance, position);
        }
    }

    #[inline(never)]
    fn keep(&mut self, distance: u32, position: u32) {
        self.kept.push((distance, position));
        if let Some(count) = self.counts.get_mut(distance as usize) {
            *count += 1;
        }
        self.n_nearer += 1;
        while self.n_nearer >= self.depth {
            self.limit -= 1;
            self.n_nearer -= self.counts.get(self.limit as usize).copied().unwrap_or(0);
        }
    }

    fn taken(self) -> Vec<u32> {
        let mut n_at_limit = self.depth - self.n_nearer;
        let mut taken = Vec::with_capacity(self.depth);
        for (distance, position) in self.kept {
            if distance < self.limit {
                taken.push(position);
            } else if distance == self.limit && n_at_limit > 0 {
                n_at_limit -= 1;
                taken.push(position);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_the_first_of_all_when_sorted(
            n_words in prop_oneof![Just(2_usize), Just(4), Just(6), Just(10), Just(24)],
            // Few bits, so that many differ equally.
            bytes in proptest::collection::vec(0_u8..4, 0..4_000),
            query in proptest::collection::vec(0_u64..4, 24),
            depth in 0_usize..30,
            every in 1_usize..4,
        ) {
            let query = &query[..n_words];
            let n = bytes.len() / (8 * n_words);
            let rows = &bytes[..n * 8 * n_words];
            for positions in [None, Some((0..n as u32).step_by(every).collect::<Vec<_>>())] {
                let mut all: Vec<u32> = positions.clone().unwrap_or_else(|| (0..n as u32).collect());
                let distance = |position: &u32| {
                    let start = *position as usize * 8 * n_words;
                    differing(query, rows[start..start + 8 * n_words].as_chunks().0)
                };
                all.sort_by_key(distance);
                all.truncate(depth);
                all.sort_unstable();
                prop_assert_eq!(nearest_signs(query, rows, positions.as_deref(), depth), all);
            }
        }
    }
}
