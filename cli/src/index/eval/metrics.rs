//! How good a ranking is by what people called relevant: recall, precision, nDCG and reciprocal rank, and the interval of their mean
//! over the queries. It knows ids and grades, not where they come from.

use edgeloom::index::quality::{ndcg_at_k, recall_at_k};
use edgeloom::seed::Generator;
use std::collections::BTreeMap;

/// Resamples behind an interval.
const RESAMPLES: usize = 2_000;
/// Their seed: the same file gives the same intervals.
const SEED: u64 = 0;

/// Grades of relevant items, above 0.
pub type Grades = BTreeMap<String, f64>;

/// What one ranking is worth at k.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// Share of the relevant that are among the first k.
    pub recall: f64,
    /// Share of the first k that are relevant; places that stay empty are not.
    pub precision: f64,
    /// Discounted gain of the grades against that of the best order, as the core has it.
    pub ndcg: f64,
    /// 1/rank of the first relevant one among the first k; 0 without.
    pub reciprocal_rank: f64,
}

/// What a ranking is worth at `k`.
pub fn worth(ranking: &[String], grades: &Grades, k: usize) -> Worth {
    let first: Vec<f64> = ranking.iter().take(k).map(|id| grades.get(id).copied().unwrap_or(0.0)).collect();
    let hits = first.iter().filter(|grade| **grade > 0.0).count() as f64;
    let ideal: Vec<f64> = grades.values().copied().collect();
    let rank = first.iter().position(|grade| *grade > 0.0);
    Worth {
        recall: recall_at_k(&first, grades.len(), k),
        precision: hits / k.max(1) as f64,
        ndcg: ndcg_at_k(&first, &ideal, k),
        reciprocal_rank: rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
    }
}

/// A mean over queries with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The mean of some numbers and, by resampling them (Efron 1981, doi:10.2307/3314608), where it would lie with other queries.
pub fn mean(values: &[f64]) -> Mean {
    let n = values.len().max(1) as f64;
    let value = values.iter().sum::<f64>() / n;
    let mut generator = Generator::new(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = |_: &f64| {
                let place = ((u128::from(generator.bits()) * values.len() as u128) >> 64) as usize;
                values.get(place).copied().unwrap_or(0.0)
            };
            values.iter().map(draw).sum::<f64>() / n
        })
        .collect();
    means.sort_by(f64::total_cmp);
    // Definition 6 of Hyndman & Fan 1996, as in the core; the ends of 2,000 lie far from the edge.
    let at = |share: f64| {
        let place = ((RESAMPLES + 1) as f64 * share).round() as usize;
        means.get(place.saturating_sub(1)).copied().unwrap_or(value)
    };
    Mean { value, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_ranking_is_worth_what_the_textbook_says() {
        let grades = Grades::from([("a".into(), 2.0), ("b".into(), 1.0), ("z".into(), 1.0)]);
        let worth = worth(&ids("x a b y"), &grades, 3);
        assert_eq!((worth.recall, worth.precision, worth.reciprocal_rank), (2.0 / 3.0, 2.0 / 3.0, 0.5));
        // (2/log₂3 + 1/log₂4) / (2/log₂2 + 1/log₂3 + 1/log₂4)
        let wanted = (2.0 / 3.0_f64.log2() + 0.5) / (2.0 + 1.0 / 3.0_f64.log2() + 0.5);
        assert!((worth.ndcg - wanted).abs() < 1e-12, "{}", worth.ndcg);
    }

    #[test]
    fn the_best_order_is_worth_one_and_none_is_worth_nothing() {
        let grades = Grades::from([("a".into(), 2.0), ("b".into(), 1.0)]);
        assert_eq!(
            worth(&ids("a b"), &grades, 2),
            Worth { recall: 1.0, precision: 1.0, ndcg: 1.0, reciprocal_rank: 1.0 }
        );
        assert_eq!(
            worth(&[], &grades, 2),
            Worth { recall: 0.0, precision: 0.0, ndcg: 0.0, reciprocal_rank: 0.0 }
        );
        // A relevant item beyond k counts for none of them.
        assert_eq!(worth(&ids("x y a"), &grades, 2).reciprocal_rank, 0.0);
    }

    #[test]
    fn an_interval_is_as_wide_as_the_normal_one_and_always_the_same() {
        // 400 values of 0 and 1: standard error 0.025, so 95 % within ±0.049.
        let values: Vec<f64> = (0..400).map(|n| f64::from(n % 2)).collect();
        let found = mean(&values);
        assert!((found.value, mean(&values)) == (0.5, found));
        assert!((found.low - 0.451).abs() < 0.008 && (found.high - 0.549).abs() < 0.008, "{found:?}");
        assert_eq!(mean(&[1.0]), Mean { value: 1.0, low: 1.0, high: 1.0 });
    }
}
