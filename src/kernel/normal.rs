//! The standard normal distribution: density, distribution function, and a table of the latter for quadratures that
//! ask for it a thousand times per decision.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Beyond ±8 the distribution function is 0 or 1 to 7e-16.
pub(crate) const END: f64 = 8.0;

/// Cells per unit of z.
pub(crate) const DENSITY: f64 = 8.0;

/// The last cell.
pub(crate) const LAST: f64 = CELLS as f64 - 1.0;

/// 2^52, from where on floats are whole numbers.
pub(crate) const TWO_52: f64 = 4_503_599_627_370_496.0;

/// Number of cells: 2 · END · DENSITY.
pub(crate) const CELLS: usize = 128;

/// Points that are looked at at once.
pub const NODES: usize = 16;

/// Coefficients per cell; eight of them fill a cache line.
const TERMS: usize = 8;

/// φ(z) = exp(−z²/2) / √(2π).
#[must_use]
pub fn density(z: f64) -> f64 {
    libm::exp(-0.5 * z * z) / (2.0 * PI).sqrt()
}

/// Φ(z) = P(Z ≤ z), relative error some 1e-16 · (1 + z²).
#[must_use]
pub fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Φ as Taylor polynomials of degree 7 around 128 centres; absolute error below 1e-12.
///
/// The n-th derivative of φ is (−1)^n He_n φ (Abramowitz & Stegun 1964, 26.2.31). With |d| ≤ 1/16 the first term left out
/// is at most max |He_7 φ| · d^8 / 8! < 30 · 2.4e-10 / 40320. A look-up multiplies, adds and compares: no branch, no
/// exponential, and the same bits on every machine.
#[derive(Debug)]
pub struct Table {
    pub(crate) cells: Box<[[f64; TERMS]; CELLS]>,
}

/// A variable seen from another that is standard normal: where that one is u, it is compared at z = `offset` + `slope` · u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// z where u is 0.
    pub offset: f64,
    /// How much z grows with u; ≥ 0.
    pub slope: f64,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    /// Fills the table; some ten microseconds, so callers make one and keep it.
    #[must_use]
    pub fn new() -> Self {
        Self { cells: Box::new(std::array::from_fn(|k| cell((k as f64 + 0.5) / DENSITY - END))) }
    }

    /// Φ(z) for any number.
    #[must_use]
    #[inline]
    pub fn cdf(&self, z: f64) -> f64 {
        // Comparisons, not `max` and `min`: those are calls in wasm. What is no number becomes 0.
        let t = (z + END) * DENSITY;
        let t = if t > 0.0 { t } else { 0.0 };
        let t = if t < CELLS as f64 { t } else { CELLS as f64 };
        let k = t.floor();
        let k = if k < LAST { k } else { LAST };
        // Distance from the centre, in cells.
        let d = t - (k + 0.5);
        // Whole numbers are the last bits of their sum with 2^52: a conversion is a dozen instructions in wasm.
        let place = (k + TWO_52).to_bits() as usize % CELLS;
        let Some([c0, c1, c2, c3, c4, c5, c6, c7]) = self.cells.get(place) else { return 0.0 };
        c0 + d * (c1 + d * (c2 + d * (c3 + d * (c4 + d * (c5 + d * (c6 + d * c7))))))
    }

    /// Multiplies each value by Π Φ over the lines at its point. Points ascend; beyond `reach` Φ counts as 1.
    #[inline(never)]
    pub fn multiply(&self, values: &mut [f64; NODES], lines: &[Line], points: &[f64; NODES], reach: f64) {
        let [leftmost, ..] = *points;
        for line in lines {
            if line.offset + line.slope * leftmost < reach {
                super::multiply_by(self, line, values, points);
            }
        }
    }
}

/// Coefficients of Φ around `centre`, in powers of the distance in cells.
fn cell(centre: f64) -> [f64; TERMS] {
    let mut coefficients = [cdf(centre); TERMS];
    // Term n is φ · (−1)^(n−1) · He_{n−1}(z) / n! · (1/8)^n; He_{n+1} = z·He_n − n·He_{n−1}.
    let (mut hermite, mut before, mut scale) = (1.0, 0.0, density(centre) / DENSITY);
    for (coefficient, n) in coefficients.iter_mut().skip(1).zip(1_u8..) {
        let n = f64::from(n);
        *coefficient = scale * hermite;
        (hermite, before) = (centre * hermite - (n - 1.0) * before, hermite);
        scale *= -1.0 / (DENSITY * (n + 1.0));
    }
    coefficients
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_agrees_with_the_complementary_error_function() {
        let table = Table::new();
        let mut worst = 0.0_f64;
        for k in -100_000..=100_000 {
            let z = f64::from(k) * 1e-4;
            worst = worst.max((table.cdf(z) - cdf(z)).abs());
        }
        println!("largest error of the table: {worst:.1e}");
        assert!(worst < 1e-12, "{worst:e}");
    }

    #[test]
    fn known_values_and_symmetry_hold() {
        assert_eq!(cdf(0.0), 0.5);
        assert!((cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-15);
        // Abramowitz & Stegun 1964, table 26.2: Q(5) = 2.86652e-7.
        assert!((cdf(-5.0) / 2.866_515_718_791_939e-7 - 1.0).abs() < 1e-13);
        assert!((density(0.0) - 0.398_942_280_401_432_7).abs() < 1e-16);
    }

    proptest! {
        #[test]
        fn any_number_has_a_probability(bits: u64) {
            let found = Table::new().cdf(f64::from_bits(bits));
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&found), "{found}");
        }
    }
}
