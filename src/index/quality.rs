//! What a search finds of what there is, and which kind of index to choose by that. Time is measured by the caller: there is no
//! clock here.

use super::budget::Size;
use super::catalogue::Catalogue;
use super::format::Kind;
use crate::embedding::Embedding;
use crate::kernel::{Top, dot_f32};
use std::collections::BTreeSet;

/// The share of the `k` truly nearest that a catalogue finds, on average over some queries; 1 where there is nothing to be
/// found. The truth is an exact search of `f32` among the embeddings it was built of, by id.
#[must_use]
pub fn recall(catalogue: &Catalogue, truth: &[(String, Embedding)], queries: &[Embedding], k: usize) -> f64 {
    let k = k.min(truth.len());
    let of_query = |embedding: &Embedding| {
        let mut top = Top::new(k);
        for (place, (_, own)) in truth.iter().enumerate() {
            top.offer((dot_f32(own.values(), embedding.values()), place));
        }
        let best = top.into_sorted().into_iter();
        let nearest: BTreeSet<&str> =
            best.filter_map(|(_, place)| Some(truth.get(place)?.0.as_str())).collect();
        let hits = catalogue.query(None, embedding).map(|query| catalogue.nearest(&query, k, None, &[]));
        let hits = hits.unwrap_or_default();
        let n_found = hits.iter().filter(|hit| catalogue.id(hit.item).is_some_and(|id| nearest.contains(id)));
        n_found.count() as f64 / k.max(1) as f64
    };
    if k == 0 || queries.is_empty() {
        return 1.0;
    }
    queries.iter().map(of_query).sum::<f64>() / queries.len() as f64
}

/// What was measured of one way to build an index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// How it is searched.
    pub kind: Kind,
    /// How many the rough search hands on; 0 where there is none.
    pub depth: u32,
    /// See [`recall`].
    pub recall: f64,
    /// Time of a query, microseconds; the median of many.
    pub query_micros: f64,
    /// Bytes in memory.
    pub n_bytes: usize,
}

/// The quickest of those that find at least `least_recall` of what there is and fit into an isolate; where none does, the one of those that
/// fit that finds most. `None` where none fits.
///
/// A tenth of the time is no reason to take what is harder to understand: flat goes before sketch, sketch before graph, where
/// they take about the same time.
#[must_use]
pub fn recommend(measured: &[Measured], least_recall: f64) -> Option<Measured> {
    let fits = |one: &&Measured| one.n_bytes <= super::budget::MAX_ISOLATE_BYTES;
    let good = || measured.iter().filter(fits).filter(|one| one.recall >= least_recall);
    let Some(quickest) = good().min_by(|one, other| one.query_micros.total_cmp(&other.query_micros)) else {
        let fitting = measured.iter().filter(fits);
        return fitting.max_by(|one, other| one.recall.total_cmp(&other.recall)).copied();
    };
    let about_as_quick = good().filter(|one| one.query_micros <= 1.1 * quickest.query_micros);
    about_as_quick.min_by_key(|one| (one.kind, one.depth)).copied()
}

/// The kind to begin with where nothing was measured: flat up to 2,000 items, then sketch. A graph only where somebody has
/// measured that it pays.
#[must_use]
pub const fn usual(size: &Size) -> Kind {
    if size.n_items <= 2_000 { Kind::Flat } else { Kind::Sketch }
}

/// Normalised discounted cumulative gain of the first `k` of a list, 0 to 1; 1 where nothing is relevant.
///
/// `gains` are the grades of the list's items in their order, 0 for what is not relevant; `ideal` are the grades of all relevant items, in any order.
/// With a logarithm to the base 2 (Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418, with the discount log₂(rank + 1)
/// that became usual, which discounts the second, too):
///
/// ```text
/// DCG@k = Σ  gainᵢ / log₂(i + 1), i = 1 … k        nDCG@k = DCG@k of the list / DCG@k of the ideal one
/// ```
///
/// ```
/// use edgeloom::index::quality::ndcg_at_k;
///
/// assert_eq!(ndcg_at_k(&[3.0, 2.0, 0.0], &[2.0, 3.0], 3), 1.0);
/// assert!(ndcg_at_k(&[0.0, 2.0, 3.0], &[2.0, 3.0], 3) < 0.7);
/// ```
#[must_use]
pub fn ndcg_at_k(gains: &[f64], ideal: &[f64], k: usize) -> f64 {
    let dcg = |gains: &[f64]| -> f64 {
        let ranks = (0..k).map(|rank| libm::log2(rank as f64 + 2.0));
        gains.iter().zip(ranks).map(|(gain, discount)| gain / discount).sum()
    };
    let mut best = ideal.to_vec();
    best.sort_by(|one, other| other.total_cmp(one));
    let best = dcg(&best);
    if best > 0.0 { dcg(gains) / best } else { 1.0 }
}

/// The share of all `n_relevant` that are among the first `k` of a list, 0 to 1; 1 where nothing is relevant. Whatever has a grade
/// above 0 is relevant.
#[must_use]
pub fn recall_at_k(gains: &[f64], n_relevant: usize, k: usize) -> f64 {
    let n_found = gains.iter().take(k).filter(|gain| **gain > 0.0).count();
    if n_relevant == 0 { 1.0 } else { n_found as f64 / n_relevant as f64 }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Item, Options, build};
    use super::super::piece::Index;
    use super::super::tests::{clustered, kinds};
    use super::*;

    #[test]
    fn a_sketch_finds_98_of_100_neighbours() {
        let embeddings = clustered(3_200, 128, 5);
        let (queries, embeddings) = embeddings.split_at(200);
        let truth: Vec<(String, Embedding)> = embeddings
            .iter()
            .enumerate()
            .map(|(number, own)| (format!("{number:05}"), own.clone()))
            .collect();
        for kind in kinds() {
            // Building a graph takes its time.
            let truth = if kind == Kind::Graph { &truth[..700] } else { &truth[..] };
            let item =
                |(id, embedding): (String, Embedding)| Item { id, fields: serde_json::Map::new(), embedding };
            let items = truth.iter().cloned().map(item).collect();
            let index = Index::open(build(items, &Options::new("m", kind)).unwrap()).unwrap();
            let found = recall(&Catalogue::new(vec![index]).unwrap(), truth, queries, 10);
            assert!(found > if kind == Kind::Flat { 0.985 } else { 0.98 }, "{kind:?}: {found}");
        }
    }

    fn measured(kind: Kind, depth: u32, recall: f64, query_micros: f64) -> Measured {
        Measured { kind, depth, recall, query_micros, n_bytes: 1 << 20 }
    }

    #[test]
    fn the_quickest_that_finds_enough_is_recommended() {
        let flat = measured(Kind::Flat, 0, 0.995, 147.0);
        let (few, many) = (measured(Kind::Sketch, 100, 0.97, 40.0), measured(Kind::Sketch, 400, 0.992, 52.0));
        let graph = measured(Kind::Graph, 100, 0.993, 50.0);
        let all = [graph, flat, few, many];
        assert_eq!(recommend(&all, 0.99), Some(many), "the graph is hardly quicker");
        assert_eq!(recommend(&all, 0.9), Some(few));
        assert_eq!(recommend(&all, 0.994), Some(flat));
        assert_eq!(recommend(&all, 0.999), Some(flat), "none is good enough: the best");
        assert_eq!(recommend(&[Measured { n_bytes: 1 << 30, ..flat }], 0.5), None);
    }

    #[test]
    fn gains_are_discounted_by_rank() {
        // By hand: 3/1 + 2/1.58496 + 3/2 + 0 + 1/2.58496 + 2/2.80735 = 6.86113, ideal 8.74.
        let gains = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
        let ideal = [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0];
        let dcg = 3.0 + 2.0 / 1.584_962_5 + 1.5 + 1.0 / 2.584_962_5 + 2.0 / 2.807_354_9;
        let best = 3.0 + 3.0 / 1.584_962_5 + 1.5 + 2.0 / 2.321_928_1 + 2.0 / 2.584_962_5 + 2.0 / 2.807_354_9;
        assert!((ndcg_at_k(&gains, &ideal, 6) - dcg / best).abs() < 1e-7);
        assert_eq!((ndcg_at_k(&[], &[], 5), ndcg_at_k(&[0.0], &[1.0], 5)), (1.0, 0.0));
        assert_eq!(recall_at_k(&gains, 7, 3), 3.0 / 7.0);
        assert_eq!(recall_at_k(&[], 0, 3), 1.0);
    }
}
