//! Sums over contexts: what a linear regression of the rewards on the features needs of one arm. Exact integers that merge in any
//! order; what they say is the business of [`crate::bandit::linear`].

use super::GoalCounts;
use crate::bandit::codes::{Codes, ONE};
use crate::bandit::linear::Moments;
use crate::id::GoalId;
use crate::sorted::SortedMap;

/// Sums over the exposures of one arm with features of one set, in units of a code (2^-10) and of a millionth.
///
/// No sum of ordinary features (±8) overflows before 10^11 exposures, none at all before 8·10^9; from there it stays at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextSums {
    /// Number of columns, the intercept included.
    pub(super) columns: usize,
    /// Exposures.
    pub(super) exposures: u64,
    /// Lower half of Σ x xᵀ over the exposures, row by row.
    pub(super) squares: Vec<i64>,
    /// Sums over rewarded exposures, by goal.
    pub(super) goals: SortedMap<GoalId, GoalSums>,
}

/// Sums over the exposures that were rewarded with one goal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GoalSums {
    /// How many, the sum of their values and that of their squares.
    pub(super) counts: GoalCounts,
    /// Σ x.
    pub(super) rewarded: Vec<i64>,
    /// Σ value · x.
    pub(super) valued: Vec<i128>,
}

/// What a regression predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Whether the goal is reached: 1 or 0.
    Rate,
    /// What the goal is worth per exposure, in the site's currency.
    Value,
}

impl ContextSums {
    /// The sums of the exposures and rewards in some counts that all have these features.
    pub(super) fn of<'g>(
        codes: &Codes,
        exposures: u64,
        goals: impl IntoIterator<Item = (&'g GoalId, &'g GoalCounts)>,
    ) -> Self {
        let x = codes.as_slice();
        let times = |factor: i64| x.iter().map(move |code| i64::from(*code) * factor).collect();
        let n = i64::try_from(exposures).unwrap_or(i64::MAX);
        let pairs = x.iter().enumerate().flat_map(|(row, a)| x.iter().take(row + 1).map(move |b| (*a, *b)));
        let squares = pairs.map(|(a, b)| (i64::from(a) * i64::from(b)).saturating_mul(n)).collect();
        let sums = |counts: &GoalCounts| GoalSums {
            counts: *counts,
            rewarded: times(counts.n.cast_signed()),
            valued: x.iter().map(|code| i128::from(*code) * counts.value_micros).collect(),
        };
        let goals = goals.into_iter().map(|(goal, counts)| (goal.clone(), sums(counts))).collect();
        Self { columns: x.len(), exposures, squares, goals }
    }

    /// Adds what others counted with the same set of features; sums of another width, which only a damaged set could have, are
    /// left out.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.columns != other.columns {
            return;
        }
        self.exposures = self.exposures.saturating_add(other.exposures);
        for (sum, more) in self.squares.iter_mut().zip(&other.squares) {
            *sum = sum.saturating_add(*more);
        }
        for (goal, more) in &other.goals {
            let own = self.goals.or_default(goal.clone());
            own.counts.add(more.counts);
            own.rewarded.resize(self.columns, 0);
            own.valued.resize(self.columns, 0);
            for (sum, more) in own.rewarded.iter_mut().zip(&more.rewarded) {
                *sum = sum.saturating_add(*more);
            }
            for (sum, more) in own.valued.iter_mut().zip(&more.valued) {
                *sum = sum.saturating_add(*more);
            }
        }
        // Zero entries are dropped, so that equal sums are equal bytes.
        self.goals.retain(|_, sums| !sums.is_nothing());
    }

    /// Takes away what is a part of these sums.
    pub(crate) fn take(&mut self, part: &Self) {
        if self.columns != part.columns {
            return;
        }
        self.exposures = self.exposures.saturating_sub(part.exposures);
        self.squares.iter_mut().zip(&part.squares).for_each(|(sum, less)| *sum = sum.saturating_sub(*less));
        for (goal, less) in &part.goals {
            let Some(own) = self.goals.get_mut(goal) else { continue };
            own.counts = own.counts.without(less.counts);
            own.rewarded
                .iter_mut()
                .zip(&less.rewarded)
                .for_each(|(sum, less)| *sum = sum.saturating_sub(*less));
            own.valued.iter_mut().zip(&less.valued).for_each(|(sum, less)| *sum = sum.saturating_sub(*less));
        }
    }

    /// Whether nothing is counted.
    pub(super) fn is_nothing(&self) -> bool {
        self.exposures == 0 && self.squares.iter().all(|sum| *sum == 0) && self.goals.is_empty()
    }

    /// Exposures.
    #[must_use]
    pub const fn exposures(&self) -> u64 {
        self.exposures
    }

    /// What a regression of the worth on the features learns from: of each goal a factor and what it counts. The squares of two
    /// goals' rewards are added up as if no exposure had both, which only the noise depends on.
    #[must_use]
    pub fn moments<'g>(&self, goals: impl IntoIterator<Item = (&'g GoalId, f64, Outcome)>) -> Moments {
        let squares: Vec<f64> = self.squares.iter().map(|sum| *sum as f64 / (ONE * ONE)).collect();
        let (mut products, mut rewards) = (vec![0.0; self.columns], 0.0);
        for (goal, factor, outcome) in goals {
            let Some(sums) = self.goals.get(goal) else { continue };
            let (more, squares): (Vec<f64>, f64) = match outcome {
                Outcome::Rate => {
                    (sums.rewarded.iter().map(|sum| *sum as f64 / ONE).collect(), sums.counts.n as f64)
                }
                Outcome::Value => {
                    let products = sums.valued.iter().map(|sum| *sum as f64 / (ONE * 1e6)).collect();
                    (products, sums.counts.squares())
                }
            };
            for (sum, more) in products.iter_mut().zip(more) {
                *sum += factor * more;
            }
            rewards += factor * factor * squares;
        }
        Moments::of_sums(self.exposures, &squares, &products, rewards)
    }
}

impl GoalSums {
    fn is_nothing(&self) -> bool {
        self.counts == GoalCounts::default()
            && self.rewarded.iter().all(|sum| *sum == 0)
            && self.valued.iter().all(|sum| *sum == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::linear::Noise;
    use crate::bandit::{FeatureVector, NormalPosterior};
    use crate::seed::Generator;

    fn goal() -> GoalId {
        GoalId::new("order").unwrap()
    }

    /// Sums of some exposures, and the same rows for a regression that sees each of them.
    fn simulated(n: u64) -> (ContextSums, Moments, Moments) {
        let mut generator = Generator::new(3);
        let (mut rates, mut values) = (Moments::new(3), Moments::new(3));
        let mut sums = ContextSums { columns: 3, squares: vec![0; 6], ..ContextSums::default() };
        for _ in 0..n {
            let codes =
                Codes::new(1, &[1.0, 4.0 * generator.unit() - 2.0, generator.unit().round()]).unwrap();
            let x = FeatureVector::new(codes.vector().as_slice());
            let value = (generator.unit() < 0.2).then(|| (generator.unit() * 5e7) as i64);
            let counts = value.map(GoalCounts::of);
            let goal = goal();
            sums.merge(&ContextSums::of(&codes, 1, counts.as_ref().map(|counts| (&goal, counts))));
            rates.add(&x, if value.is_some() { 1.0 } else { 0.0 }, 1.0).unwrap();
            values.add(&x, value.unwrap_or(0) as f64 / 1e6, 1.0).unwrap();
        }
        (sums, rates, values)
    }

    #[test]
    fn a_regression_from_sums_is_that_from_the_rows() {
        let (sums, rates, values) = simulated(2_000);
        let prior = NormalPosterior::new(&[0.0; 3], &[1.0; 3]).unwrap();
        for (outcome, rows) in [(Outcome::Rate, rates), (Outcome::Value, values)] {
            let noise = Noise::Learned { shape: 1.5, scale: 0.5 };
            let found = sums.moments([(&goal(), 1.0, outcome)]).update(&prior, noise).unwrap();
            let expected = rows.update(&prior, noise).unwrap();
            for (a, b) in found.mean().iter().zip(expected.mean()) {
                assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{outcome:?} {a} {b}");
            }
            let variances = [&found, &expected].map(|belief| belief.covariance().unwrap()[2][2]);
            assert!((variances[0] / variances[1] - 1.0).abs() < 1e-9, "{outcome:?} {variances:?}");
        }
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let codes = Codes::new(1, &[1.0, 2.0]).unwrap();
        let goal = goal();
        let before = ContextSums::of(&codes, 1, [(&goal, &GoalCounts::of(7))]);
        let revised = GoalCounts::of(3).instead_of(7);
        let mut after = before.clone();
        after.merge(&ContextSums::of(&codes, 0, [(&goal, &revised)]));
        assert_eq!(after, ContextSums::of(&codes, 1, [(&goal, &GoalCounts::of(3))]));
        assert_ne!(after, before);
    }
}
