//! Lower triangular matrices, row by row: Cholesky's factor, its inverse, and what regressions need of them; symmetric
//! matrices are kept as their lower half.

/// Row i has i + 1 entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Triangle(Vec<Vec<f64>>);

impl Triangle {
    /// The matrix with this diagonal and nothing beside it.
    pub(super) fn diagonal(entries: &[f64]) -> Self {
        let row = |(i, entry): (usize, &f64)| {
            let mut row = vec![0.0; i];
            row.push(*entry);
            row
        };
        Self(entries.iter().enumerate().map(row).collect())
    }

    /// From the entries row by row; what is left over of the last row is dropped.
    pub(super) fn of_rows(entries: &[f64]) -> Self {
        let (mut rows, mut rest) = (Vec::new(), entries);
        while let Some((row, after)) = rest.split_at_checked(rows.len() + 1) {
            rows.push(row.to_vec());
            rest = after;
        }
        Self(rows)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The rows, from the shortest to the longest.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &[f64]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Adds entries, row by row.
    pub(super) fn add(&mut self, entries: impl IntoIterator<Item = f64>) {
        for (own, entry) in self.0.iter_mut().flatten().zip(entries) {
            *own += entry;
        }
    }

    /// Adds `weight` · v vᵀ.
    pub(super) fn add_outer(&mut self, weight: f64, v: &[f64]) {
        for (row, a) in self.0.iter_mut().zip(v) {
            add_scaled(row, weight * a, v);
        }
    }

    /// C with C Cᵀ = this symmetric matrix, or `None` where it is not positive definite.
    pub(super) fn factor(&self) -> Option<Self> {
        let mut done: Vec<Vec<f64>> = Vec::with_capacity(self.len());
        for entries in &self.0 {
            let mut row = Vec::with_capacity(entries.len());
            // One row of C is shorter by one than the entries: the last of them is the diagonal's.
            for (above, entry) in done.iter().zip(entries) {
                row.push((entry - dot(&row, above)) / above.last()?);
            }
            let square = entries.last()? - dot(&row, &row);
            if square.is_nan() || square <= 0.0 || square.is_infinite() {
                return None;
            }
            row.push(square.sqrt());
            done.push(row);
        }
        Some(Self(done))
    }

    /// G with G C = 1 for this triangle C, whose diagonal is above 0.
    pub(super) fn inverse(&self) -> Self {
        let mut done: Vec<Vec<f64>> = Vec::with_capacity(self.len());
        for entries in &self.0 {
            let Some((diagonal, before)) = entries.split_last() else { continue };
            let mut row = vec![0.0; before.len()];
            for (above, entry) in done.iter().zip(before) {
                add_scaled(&mut row, -entry, above);
            }
            row.push(1.0);
            for entry in &mut row {
                *entry /= diagonal;
            }
            done.push(row);
        }
        Self(done)
    }

    /// T v for this triangle T.
    pub(super) fn times(&self, v: &[f64]) -> Vec<f64> {
        self.rows().map(|row| dot(row, v)).collect()
    }

    /// Tᵀ v for this triangle T.
    pub(super) fn transposed_times(&self, v: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        for (row, a) in self.rows().zip(v) {
            add_scaled(&mut sums, *a, row);
        }
        sums
    }

    /// S v for the symmetric matrix S of which this is the lower half.
    pub(super) fn symmetric_times(&self, v: &[f64]) -> Vec<f64> {
        let mut sums = self.times(v);
        for (row, a) in self.rows().zip(v) {
            if let Some((_, before)) = row.split_last() {
                add_scaled(&mut sums, *a, before);
            }
        }
        sums
    }

    /// The lower half of Tᵀ T for this triangle T.
    pub(super) fn gram(&self) -> Self {
        let mut sums = Self::diagonal(&vec![0.0; self.len()]);
        for row in self.rows() {
            sums.add_outer(1.0, row);
        }
        sums
    }

    /// Every entry multiplied.
    pub(super) fn scaled(mut self, factor: f64) -> Self {
        for entry in self.0.iter_mut().flatten() {
            *entry *= factor;
        }
        self
    }
}

/// Σ a_i b_i over the shorter length, in this order.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// a + factor · b, over the shorter length.
pub(super) fn add_scaled(a: &mut [f64], factor: f64, b: &[f64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x += factor * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_factor() {
        for entries in [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [f64::NAN, 0.0, 1.0]] {
            let mut matrix = Triangle::diagonal(&[0.0, 0.0]);
            matrix.add(entries);
            assert_eq!(matrix.factor(), None);
        }
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + b.abs()))
    }

    proptest! {
        #[test]
        fn factor_and_inverse_undo_each_other(
            vectors in prop::collection::vec(prop::collection::vec(-2.0..2.0_f64, 5), 1..9),
            v in prop::collection::vec(-2.0..2.0_f64, 5)
        ) {
            let mut matrix = Triangle::diagonal(&[0.5; 5]);
            for vector in &vectors {
                matrix.add_outer(0.7, vector);
            }
            let factor = matrix.factor().unwrap();
            let inverse = factor.inverse();
            prop_assert!(close(&factor.times(&factor.transposed_times(&v)), &matrix.symmetric_times(&v)));
            prop_assert!(close(&inverse.times(&factor.times(&v)), &v));
            prop_assert!(close(&inverse.gram().symmetric_times(&matrix.symmetric_times(&v)), &v));
        }
    }
}
