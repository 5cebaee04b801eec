//! The inner loops: dot products and distances of rows of bytes. Nothing else is worth a SIMD instruction here.
//!
//! Each loop is there twice: `scalar` in plain code, and in wasm with its 128-bit instructions. Both give the same bits:
//! integers are exact, and floats are added in the same order. [`differs`] compares them, natively and in wasm.
//!
//! Rows are padded with zeros to multiples of 16 bytes, so that no loop has a rest.

mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use scalar::{butterfly, dot_f32, dot_four, dot_rows, hamming};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd::{butterfly, dot_f32, dot_four, dot_rows, hamming};

use crate::seed::Generator;

/// Bytes of a row come in blocks of so many.
pub(crate) const BLOCK: usize = 16;

/// The first loop that gives other bits than its plain twin, on numbers that follow from the seed; `None` where all agree.
///
/// For tests where the wasm runs: natively the twin is compared with itself.
#[must_use]
pub fn differs(dimension: usize, seed: u64) -> Option<&'static str> {
    let mut generator = Generator::new(seed);
    let n_bytes = dimension.next_multiple_of(BLOCK);
    let rows: [Vec<u8>; 4] =
        std::array::from_fn(|_| (0..n_bytes).map(|_| generator.bits() as u8).collect::<Vec<u8>>());
    let rows = rows.each_ref().map(Vec::as_slice);
    let [first, second, ..] = rows;
    let levels = i64::from(super::quantise::n_levels(dimension));
    let query: Vec<i16> =
        (0..n_bytes).map(|_| ((generator.bits() >> 40) as i64 % (levels + 1) - levels / 2) as i16).collect();
    let signs: Vec<u64> = (0..n_bytes / 8).map(|_| generator.bits()).collect();
    let mut floats = || (0..dimension).map(|_| (generator.unit() - 0.5) as f32).collect::<Vec<f32>>();
    let (one, other) = (floats(), floats());
    let ((mut a, mut b), (mut c, mut d)) = ((one.clone(), other.clone()), (one.clone(), other.clone()));
    butterfly(&mut a, &mut b);
    scalar::butterfly(&mut c, &mut d);
    let checks = [
        ("dot_four", dot_four(&query, rows) == scalar::dot_four(&query, rows)),
        ("dot_rows", dot_rows(first, second) == scalar::dot_rows(first, second)),
        ("hamming", hamming(&signs, first) == scalar::hamming(&signs, first)),
        ("dot_f32", dot_f32(&one, &other).to_bits() == scalar::dot_f32(&one, &other).to_bits()),
        ("butterfly", a == c && b == d),
    ];
    checks.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMENSIONS: [usize; 12] = [1, 2, 7, 15, 16, 17, 31, 33, 383, 384, 1536, 4096];

    #[test]
    fn the_loops_agree_with_their_twins() {
        for dimension in DIMENSIONS {
            for seed in 0..8 {
                assert_eq!(differs(dimension, seed), None, "{dimension}");
            }
        }
    }

    #[test]
    fn the_loops_are_the_sums_they_stand_for() {
        let mut generator = Generator::new(7);
        for dimension in DIMENSIONS {
            let n_bytes = dimension.next_multiple_of(BLOCK);
            let mut row = || (0..n_bytes).map(|_| generator.bits() as u8).collect::<Vec<u8>>();
            let (a, b, c, d) = (row(), row(), row(), row());
            let levels = super::super::quantise::n_levels(dimension) as i16;
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
            let signs: Vec<u64> =
                b.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect();
            let bits: u32 = a.iter().zip(&b).map(|(x, y)| (x ^ y).count_ones()).sum();
            assert_eq!(hamming(&signs, &a), bits);
        }
    }

    #[test]
    fn floats_are_added_close_to_their_exact_sum() {
        let mut generator = Generator::new(9);
        for dimension in DIMENSIONS {
            let mut floats = || (0..dimension).map(|_| (generator.unit() - 0.5) as f32).collect::<Vec<f32>>();
            let (a, b) = (floats(), floats());
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            assert!((f64::from(dot_f32(&a, &b)) - exact).abs() < 1e-4, "{dimension}");
        }
    }
}
