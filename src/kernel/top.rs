//! The best few of many: kept sorted while they come in. For some hundreds of them at most; the order is total, so that the same
//! candidates in any order leave the same.

use std::cmp::Ordering;

/// A similarity and where it was found.
pub type Scored = (f32, usize);

/// The more similar first; of equals the one with the smaller position, which is that with the smaller id.
fn order(one: &Scored, other: &Scored) -> Ordering {
    other.0.total_cmp(&one.0).then(one.1.cmp(&other.1))
}

/// The best `k` so far.
#[derive(Debug)]
pub struct Top {
    k: usize,
    best: Vec<Scored>,
    /// What is less similar is not among them; no bound while there is room.
    least: f32,
}

impl Top {
    /// None yet.
    #[must_use]
    pub const fn new(k: usize) -> Self {
        Self { k, best: Vec::new(), least: if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY } }
    }

    /// Takes a candidate in where it is among the best. Few of many are, so the rest costs a comparison.
    #[inline]
    pub fn offer(&mut self, candidate: Scored) {
        if candidate.0 >= self.least {
            self.insert(candidate);
        }
    }

    #[inline(never)]
    fn insert(&mut self, candidate: Scored) {
        let place = self.best.partition_point(|own| order(own, &candidate).is_lt());
        self.best.insert(place, candidate);
        self.best.truncate(self.k);
        if let Some((least, _)) = self.best.last().filter(|_| self.best.len() == self.k) {
            self.least = *least;
        }
    }

    /// The best, in order.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Scored> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_the_first_of_all_when_sorted(scores in proptest::collection::vec(0_u8..20, 0..60), k in 0_usize..20) {
            let mut all: Vec<Scored> =
                scores.iter().enumerate().map(|(position, score)| (f32::from(*score), position)).collect();
            let mut top = Top::new(k);
            all.iter().rev().for_each(|candidate| top.offer(*candidate));
            all.sort_by(order);
            all.truncate(k);
            prop_assert_eq!(top.into_sorted(), all);
        }
    }
}
