//! The inner loops: of the index dot products and distances of rows of bytes, of quadratures the normal distribution function.
//!
//! Most are there twice: `scalar` in plain code, and in wasm with its 128-bit instructions. Both give the same bits:
//! integers are exact, and floats are added in the same order. [`differs`] compares them, natively and in wasm.
//!
//! Rows are padded with zeros to multiples of 16 bytes, so that no loop has a rest.
//!
//! The Worker is built for size, where a compiler neither unrolls loops nor makes vectors of them, and calls iterators by name. So
//! whole loops are here, in a crate that is built for speed; what is generic would be compiled where it is used.

mod hadamard;
pub mod normal;
mod scalar;
mod scan;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd;
mod sketch;
mod top;

pub use hadamard::transform;
use normal::{Line, NODES, Table};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use scalar::{butterfly, dot_four, multiply_by};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use scalar::{dot_f32, dot_rows};
pub use scan::{Levels, Rows, scan, scan_at};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd::{butterfly, dot_four, multiply_by};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd::{dot_f32, dot_rows};
pub use sketch::nearest_signs;
pub use top::{Scored, Top};

/// Bytes of a row come in blocks of so many.
pub const BLOCK: usize = 16;

/// Levels of a query's numbers on each side of zero: as many as keep the sum of `dimension` products with bytes below 2^31,
/// `dimension` · 128 · levels < 2^31, and fit into 16 bits: 32,767 up to 511 numbers, 4,095 for 4,096.
#[must_use]
pub fn n_levels(dimension: usize) -> i32 {
    i32::try_from(0x7fff_ffff / (128 * dimension.max(1))).unwrap_or(i32::MAX).min(32_767)
}

/// The first loop that gives other bits than its plain twin, on numbers made of random bits; `None` where all agree.
///
/// For tests where the wasm runs: natively the twin is compared with itself.
#[must_use]
pub fn differs(dimension: usize, mut bits: impl FnMut() -> u64) -> Option<&'static str> {
    let n_bytes = dimension.next_multiple_of(BLOCK);
    let rows: [Vec<u8>; 4] = std::array::from_fn(|_| (0..n_bytes).map(|_| bits() as u8).collect::<Vec<u8>>());
    let rows = rows.each_ref().map(Vec::as_slice);
    let [first, second, ..] = rows;
    let levels = i64::from(n_levels(dimension));
    let query: Vec<i16> =
        (0..n_bytes).map(|_| ((bits() >> 40) as i64 % (levels + 1) - levels / 2) as i16).collect();
    let unit = |bits: u64| (bits >> 40) as f32 / (1 << 24) as f32 - 0.5;
    let mut floats = || (0..dimension).map(|_| unit(bits())).collect::<Vec<f32>>();
    let (one, other) = (floats(), floats());
    let ((mut a, mut b), (mut c, mut d)) = ((one.clone(), other.clone()), (one.clone(), other.clone()));
    butterfly(&mut a, &mut b);
    scalar::butterfly(&mut c, &mut d);
    // Some beyond the table's ends, and lines of any bits and of no number; each for itself, since a product of many is 0.
    let points: [f64; NODES] = std::array::from_fn(|_| 24.0 * f64::from(unit(bits())));
    let offsets = [0.5, f64::from(unit(bits())), f64::from_bits(bits()), f64::NAN];
    let table = Table::new();
    let by_line = offsets.iter().zip([1.0, 0.3, 0.0, 1.0]).all(|(offset, slope)| {
        let (line, mut one, mut other) = (Line { offset: *offset, slope }, [0.7; NODES], [0.7; NODES]);
        multiply_by(&table, &line, &mut one, &points);
        scalar::multiply_by(&table, &line, &mut other, &points);
        one.map(f64::to_bits) == other.map(f64::to_bits)
    });
    let checks = [
        ("dot_four", dot_four(&query, rows) == scalar::dot_four(&query, rows)),
        ("dot_rows", dot_rows(first, second) == scalar::dot_rows(first, second)),
        ("dot_f32", dot_f32(&one, &other).to_bits() == scalar::dot_f32(&one, &other).to_bits()),
        ("butterfly", a == c && b == d),
        ("multiply_by", by_line),
    ];
    checks.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMENSIONS: [usize; 12] = [1, 2, 7, 15, 16, 17, 31, 33, 383, 384, 1536, 4096];

    /// Random bits (Steele, Lea & Flood 2014, SplitMix64, doi:10.1145/2714064.2660195).
    fn random(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        }
    }

    #[test]
    fn the_loops_are_the_sums_they_stand_for() {
        let mut bits = random(7);
        for dimension in DIMENSIONS {
            let n_bytes = dimension.next_multiple_of(BLOCK);
            let mut row = || (0..n_bytes).map(|_| bits() as u8).collect::<Vec<u8>>();
            let (a, b, c, d) = (row(), row(), row(), row());
            let levels = n_levels(dimension) as i16;
            // The largest numbers there can be: no sum leaves 32 bits.
            let query: Vec<i16> = (0..n_bytes).map(|at| if at >= dimension { 0 } else { -levels }).collect();
            let worst = vec![0x80_u8; n_bytes];
            let expected = |row: &[u8]| -> i64 {
                query.iter().zip(row).map(|(q, byte)| i64::from(*q) * i64::from(*byte as i8)).sum()
            };
            let rows = [&a[..], &b[..], &c[..], &worst[..]];
            assert_eq!(dot_four(&query, rows).map(i64::from), rows.map(expected));
            let pairs: i64 = a.iter().zip(&d).map(|(x, y)| i64::from(*x as i8) * i64::from(*y as i8)).sum();
            assert_eq!(i64::from(dot_rows(&a, &d)), pairs);
        }
    }

    #[test]
    fn floats_are_added_close_to_their_exact_sum() {
        let mut bits = random(9);
        for dimension in DIMENSIONS {
            let mut floats = || {
                (0..dimension).map(|_| (bits() >> 40) as f32 / (1 << 24) as f32 - 0.5).collect::<Vec<f32>>()
            };
            let (a, b) = (floats(), floats());
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            assert!((f64::from(dot_f32(&a, &b)) - exact).abs() < 1e-4, "{dimension}");
        }
    }

    #[test]
    fn natively_the_loops_are_their_twins() {
        assert!(DIMENSIONS.iter().all(|dimension| differs(*dimension, random(1)).is_none()));
    }
}
