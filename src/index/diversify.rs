//! Hits that differ from one another: of two that say the same the second is worth little. What is worth how much else is the
//! caller's business.
//!
//! Maximal marginal relevance (Carbonell & Goldstein 1998, doi:10.1145/290941.291025): one after the other, the hit with the largest
//!
//! ```text
//! λ·sim(hit, query) − (1 − λ)·max sim(hit, taken)      max of nothing taken is 0
//! ```

use super::catalogue::{Catalogue, Hit};

/// The best `k` hits in the order of their marginal relevance; of equals the earlier one. `lambda` in [0, 1] is the weight of the query: 1
/// changes nothing, 0 looks at differences alone. Some 0.7 is usual.
///
/// Takes k · n comparisons of bytes, some 10 ns each for 384 numbers: give it some dozens of hits, not all.
#[must_use]
pub fn diversify(catalogue: &Catalogue, hits: &[Hit], k: usize, lambda: f32) -> Vec<Hit> {
    let lambda = lambda.clamp(0.0, 1.0);
    // Each with the similarity to the nearest one taken; a hit that is taken leaves the list.
    let mut rest: Vec<(Hit, Option<f32>)> = hits.iter().map(|hit| (*hit, None)).collect();
    let mut taken = Vec::with_capacity(k.min(hits.len()));
    while taken.len() < k {
        let worth = |(hit, nearest): &(Hit, Option<f32>)| {
            lambda * hit.similarity - (1.0 - lambda) * nearest.unwrap_or(0.0)
        };
        // `max_by` takes the last of equals; from the back that is the first.
        let best =
            rest.iter().enumerate().rev().max_by(|(_, one), (_, other)| worth(one).total_cmp(&worth(other)));
        let Some((place, _)) = best else { break };
        let (hit, _) = rest.remove(place);
        for (other, nearest) in &mut rest {
            let similarity = catalogue.similarity(hit.item, other.item);
            *nearest = Some(nearest.map_or(similarity, |nearest| nearest.max(similarity)));
        }
        taken.push(hit);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::format::Kind;
    use super::super::tests::{clustered, items, one_piece};
    use super::*;

    fn hits() -> (Catalogue, Vec<Hit>) {
        let catalogue = one_piece(items(200, 32, 1), Kind::Flat);
        let query = catalogue.query(None, &clustered(1, 32, 2)[0]).unwrap();
        let hits = catalogue.nearest(&query, 30, None, &[]);
        (catalogue, hits)
    }

    #[test]
    fn the_query_alone_changes_nothing() {
        let (catalogue, hits) = hits();
        assert_eq!(diversify(&catalogue, &hits, 30, 1.0), hits);
        assert_eq!(diversify(&catalogue, &hits, 5, 1.0), hits[..5]);
        assert_eq!(diversify(&catalogue, &[], 5, 0.5), []);
    }

    #[test]
    fn the_best_stays_and_the_others_differ_more() {
        let (catalogue, hits) = hits();
        let closest = |hits: &[Hit]| {
            let pairs =
                hits.iter().enumerate().flat_map(|(n, one)| hits[..n].iter().map(move |other| (one, other)));
            pairs.map(|(one, other)| catalogue.similarity(one.item, other.item)).fold(-1.0, f32::max)
        };
        let diverse = diversify(&catalogue, &hits, 8, 0.5);
        assert_eq!(diverse[0], hits[0]);
        assert!(closest(&diverse) < closest(&hits[..8]));
    }
}
