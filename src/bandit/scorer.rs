//! Scoring a context by a regression: one product with the mean, one with a factor of the covariance, both in blocks of four
//! that compile to vector instructions; and a bound that spares the second. Where the belief comes from is the business of
//! `regression`.

use crate::bandit::score::Score;
use crate::bandit::triangle::Triangle;

/// Numbers that are multiplied at once.
const LANES: usize = 4;

/// Features of one context (or of a context and an action), the intercept included; each a small number around 0.
///
/// Filled up with zeros to a multiple of four, so that loops over it have no rest.
/// ```
/// use edgeloom::bandit::FeatureVector;
///
/// let x = FeatureVector::new(&[1.0, 0.5, -2.0]);
/// assert_eq!((x.len(), x.as_slice()), (3, &[1.0, 0.5, -2.0][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureVector {
    blocks: Vec<[f64; LANES]>,
    len: usize,
}

impl FeatureVector {
    /// A vector of these numbers; what is no finite number counts as 0.
    #[must_use]
    pub fn new(features: &[f64]) -> Self {
        let mut vector = Self::default();
        vector.fill(features.iter().copied());
        vector
    }

    /// Takes these numbers in the place of its own.
    pub(super) fn fill(&mut self, features: impl ExactSizeIterator<Item = f64>) {
        self.len = features.len();
        self.blocks.clear();
        self.blocks.resize(self.len.div_ceil(LANES), [0.0; LANES]);
        for (own, number) in self.blocks.as_flattened_mut().iter_mut().zip(features) {
            *own = if number.is_finite() { number } else { 0.0 };
        }
    }

    /// All products of a feature of this vector with one of the other, x ⊗ y: for one regression over contexts and actions, where an
    /// action's worth shall depend on the context. With intercepts in both, each vector is a part of the result.
    /// ```
    /// use edgeloom::bandit::FeatureVector;
    ///
    /// let (context, action) = (FeatureVector::new(&[1.0, 0.5]), FeatureVector::new(&[1.0, 3.0, -1.0]));
    /// assert_eq!(context.crossed(&action).as_slice(), [1.0, 3.0, -1.0, 0.5, 1.5, -0.5]);
    /// ```
    #[must_use]
    pub fn crossed(&self, other: &Self) -> Self {
        let (ours, theirs) = (self.as_slice(), other.as_slice());
        let products: Vec<f64> = ours.iter().flat_map(|a| theirs.iter().map(move |b| a * b)).collect();
        Self::new(&products)
    }

    /// Number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no feature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The features, without what was filled up.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        self.blocks.as_flattened().get(..self.len).unwrap_or_default()
    }
}

/// A normal belief about coefficients made ready: its mean, and a factor G of its covariance Gᵀ G.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorer {
    mean: FeatureVector,
    factor: Factor,
    most: FeatureVector,
}

impl Scorer {
    /// From the mean and the inverse of the precision's Cholesky factor.
    pub(super) fn new(mean: &[f64], inverse: &Triangle) -> Self {
        let most = FeatureVector::new(&diagonal_above(&inverse.gram()));
        Self { mean: FeatureVector::new(mean), factor: Factor::new(inverse), most }
    }

    /// From what was stored: the mean, and the rows of the factor one after the other, of one to as many entries as there are
    /// coefficients. `None` where the lengths don't fit or something is no finite number.
    #[must_use]
    pub fn of_parts(mean: &[f64], factor: &[f64]) -> Option<Self> {
        let fits = factor.len() == mean.len() * (mean.len() + 1) / 2;
        let is_finite = mean.iter().chain(factor).all(|number| number.is_finite());
        (fits && is_finite).then(|| Self::new(mean, &Triangle::of_rows(factor)))
    }

    /// Expected coefficients, intercept first.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The score of a context: mean xᵀμ, variance xᵀΣx. Features that are missing count as 0, surplus ones are left out.
    #[must_use]
    #[inline]
    pub fn score(&self, features: &FeatureVector) -> Score {
        Score::new(self.expected(features), self.factor.square(&features.blocks).sqrt())
    }

    /// The same mean with a deviation that is at least the score's: one product with a vector instead of one with a matrix. For
    /// regressions that have learned it is some 1.5 times as large.
    #[must_use]
    pub fn at_most(&self, features: &FeatureVector) -> Score {
        let mut lanes = [0.0; LANES];
        for (most, x) in self.most.blocks.iter().zip(&features.blocks) {
            for (lane, (most, x)) in lanes.iter_mut().zip(most.iter().zip(x)) {
                *lane += most * (x * x);
            }
        }
        Score::new(self.expected(features), total(lanes).sqrt())
    }

    /// xᵀμ.
    #[inline]
    fn expected(&self, features: &FeatureVector) -> f64 {
        let mut lanes = [0.0; LANES];
        for (a, b) in self.mean.blocks.iter().zip(&features.blocks) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += a * b;
            }
        }
        total(lanes)
    }
}

/// A diagonal D with xᵀΣx ≤ xᵀDx for all x, from the lower half of Σ: its own, times the largest sum of correlations in a row,
/// which no eigenvalue of the correlations exceeds (Gershgorin 1931).
fn diagonal_above(covariance: &Triangle) -> Vec<f64> {
    let own: Vec<f64> = covariance.rows().map(|row| row.last().copied().unwrap_or(0.0)).collect();
    let scales: Vec<f64> = own.iter().map(|variance| 1.0 / variance.sqrt()).collect();
    let mut sums = vec![0.0; own.len()];
    for (i, (row, scale)) in covariance.rows().zip(&scales).enumerate() {
        for (j, (entry, other)) in row.iter().zip(&scales).enumerate() {
            let correlation = (entry * scale * other).abs();
            // An entry below the diagonal stands for the one above it, too.
            for at in if i == j { [Some(i), None] } else { [Some(i), Some(j)] }.into_iter().flatten() {
                if let Some(sum) = sums.get_mut(at) {
                    *sum += correlation;
                }
            }
        }
    }
    let largest = sums.iter().copied().fold(1.0, f64::max);
    // Rounding must not make it less: 64 columns lose some 1e-13. What is beyond computing with bounds nothing.
    let above = |variance: &f64| match variance * largest * (1.0 + 1e-9) {
        above if above > 0.0 && sums.iter().all(|sum| sum.is_finite()) => above.min(f64::MAX),
        _ => f64::MAX,
    };
    own.iter().map(above).collect()
}

/// A lower triangle in blocks of 4 × 4: row blocks one after the other, each up to the diagonal.
///
/// Within a block the columns follow each other, so that four rows are computed at once without a sum over lanes.
#[derive(Debug, Clone, PartialEq)]
struct Factor(Vec<[[f64; LANES]; LANES]>);

impl Factor {
    fn new(triangle: &Triangle) -> Self {
        let rows: Vec<&[f64]> = triangle.rows().collect();
        let mut blocks = Vec::new();
        for (group, rows) in (1..).zip(rows.chunks(LANES)) {
            for first in (0..group).map(|block| block * LANES) {
                let mut block = [[0.0; LANES]; LANES];
                for (column, at) in block.iter_mut().zip(first..) {
                    for (entry, row) in column.iter_mut().zip(rows) {
                        *entry = row.get(at).copied().unwrap_or(0.0);
                    }
                }
                blocks.push(block);
            }
        }
        Self(blocks)
    }

    /// |G x|².
    #[inline]
    fn square(&self, x: &[[f64; LANES]]) -> f64 {
        let mut squares = [0.0; LANES];
        let mut rest = self.0.as_slice();
        let mut n_blocks = 0;
        while !rest.is_empty() {
            n_blocks += 1;
            let (row, after) = rest.split_at_checked(n_blocks).unwrap_or((rest, &[]));
            rest = after;
            let mut sums = [0.0; LANES];
            for ([c0, c1, c2, c3], [x0, x1, x2, x3]) in row.iter().zip(x) {
                let columns = c0.iter().zip(c1).zip(c2.iter().zip(c3));
                for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(columns) {
                    *sum += (a * x0 + b * x1) + (c * x2 + d * x3);
                }
            }
            for (square, sum) in squares.iter_mut().zip(sums) {
                *square += sum * sum;
            }
        }
        total(squares)
    }
}

/// The sum of all lanes, in one order.
fn total([a, b, c, d]: [f64; LANES]) -> f64 {
    (a + b) + (c + d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vector_is_as_long_as_what_it_was_made_of() {
        for n in 0..9 {
            let numbers: Vec<f64> = (0..n).map(f64::from).collect();
            let vector = FeatureVector::new(&numbers);
            assert_eq!(vector.as_slice(), numbers);
            assert_eq!(vector.is_empty(), n == 0);
        }
        assert_eq!(FeatureVector::new(&[f64::NAN, f64::INFINITY, 2.0]).as_slice(), [0.0, 0.0, 2.0]);
    }

    proptest! {
        #[test]
        fn blocks_give_what_rows_give(
            entries in prop::collection::vec(-2.0..2.0_f64, 66), x in prop::collection::vec(-2.0..2.0_f64, 1..12)
        ) {
            let mut triangle = Triangle::diagonal(&vec![0.0; x.len()]);
            triangle.add(entries.iter().copied());
            let mean: Vec<f64> = entries.iter().copied().take(x.len()).collect();
            let score = Scorer::new(&mean, &triangle).score(&FeatureVector::new(&x));
            let expected: f64 = mean.iter().zip(&x).map(|(a, b)| a * b).sum();
            let square: f64 = triangle.times(&x).iter().map(|y| y * y).sum();
            let scorer = Scorer::new(&mean, &triangle);
            let above = scorer.at_most(&FeatureVector::new(&x));
            prop_assert!(above.mean() == score.mean() && above.sd() >= score.sd());
            prop_assert!((score.mean() - expected).abs() < 1e-12);
            prop_assert!((score.sd() * score.sd() - square).abs() < 1e-11 * (1.0 + square));
        }
    }
}
