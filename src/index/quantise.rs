//! Vectors as few bytes: a signed byte, a sign or half a float for each number. What is lost is stated and tested.
//!
//! A vector v is kept as bytes a and one scale s = max|v| / 127, so that v = s·a + e with |eᵢ| ≤ s/2. A query q is kept finer,
//! as levels b and a scale t, q = t·b + f with |fᵢ| ≤ t/2. With ‖·‖₁ the sum of absolute values the dot product is off by
//!
//! ```text
//! |q·v − t·s·(a·b)| = |q·e + s·(f·a)| ≤ (s/2)·‖q‖₁ + (t/2)·s·‖a‖₁
//! ```
//!
//! For 384 numbers after the rotation s is near 0.2/127 and the errors are independent: some 0.0005 instead of the bound's 0.015.

use crate::kernel::{BLOCK, n_levels};

/// A number as the nearest of the levels; of two the even one. One instruction in wasm, and exact everywhere.
fn level(value: f32, scale: f32, levels: i32) -> i32 {
    if scale > 0.0 { ((value / scale).round_ties_even() as i32).clamp(-levels, levels) } else { 0 }
}

fn scale(values: &[f32], levels: i32) -> f32 {
    values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / levels as f32
}

/// Signed bytes, padded with zeros to whole blocks, and their scale.
pub(super) fn bytes_of(values: &[f32]) -> (Vec<u8>, f32) {
    let scale = scale(values, 127);
    let mut row: Vec<u8> = values.iter().map(|value| level(*value, scale, 127) as i8 as u8).collect();
    row.resize(values.len().next_multiple_of(BLOCK), 0);
    (row, scale)
}

/// The numbers that bytes stand for.
pub(super) fn values_of(row: &[u8], scale: f32) -> Vec<f32> {
    row.iter().map(|byte| f32::from(*byte as i8) * scale).collect()
}

/// A query's levels, padded as the rows are, and their scale.
pub(super) fn levels_of(values: &[f32]) -> (Vec<i16>, f32) {
    let levels = n_levels(values.len());
    let scale = scale(values, levels);
    let mut query: Vec<i16> = values.iter().map(|value| level(*value, scale, levels) as i16).collect();
    query.resize(values.len().next_multiple_of(BLOCK), 0);
    (query, scale)
}

/// A bit for each number, set where it is negative; padded with zeros to pairs of words.
pub(super) fn signs_of(values: &[f32]) -> Vec<u64> {
    let word =
        |values: &[f32]| values.iter().rev().fold(0, |word, value| word << 1 | u64::from(*value < 0.0));
    let mut signs: Vec<u64> = values.chunks(64).map(word).collect();
    signs.resize(sign_bytes(values.len()) / 8, 0);
    signs
}

/// Bytes of a row of signs: whole blocks.
pub(super) const fn sign_bytes(dimension: usize) -> usize {
    dimension.div_ceil(8).next_multiple_of(BLOCK)
}

/// The half float nearest to a number of at most 1 (IEEE 754 binary16: 10 bits of fraction, smallest exponent −14); ties to even.
pub(super) fn half_of(value: f32) -> u16 {
    let sign = (value.to_bits() >> 16 & 0x8000) as u16;
    let size = value.abs().min(65_504.0);
    // Below 2^-14 all are multiples of 2^-24. Adding 0.5, whose last bit is worth 2^-24, rounds to them.
    if size < 6.103_515_6e-5 {
        return sign | ((size + 0.5).to_bits() - 0.5_f32.to_bits()) as u16;
    }
    // 13 bits of fraction are cut; half of the last one kept, less one if that is even, rounds.
    let bits = size.to_bits();
    let rounded = bits + 0x0fff + (bits >> 13 & 1);
    sign | ((rounded >> 13) - (112 << 10)) as u16
}

/// The number that a half float stands for; infinite or no number where it says so.
pub(super) fn value_of_half(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let size = u32::from(half & 0x7fff);
    let bits = match size >> 10 {
        0 => (size as f32 * 5.960_464_5e-8).to_bits(),
        31 => 0x7f80_0000 | (size & 0x3ff) << 13,
        _ => (size << 13) + (112 << 23),
    };
    f32::from_bits(sign | bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Levels, Rows, Top, scan};
    use proptest::prelude::*;

    fn vector() -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec(-1.0_f32..1.0, 40)
    }

    proptest! {
        #[test]
        fn a_dot_product_of_bytes_is_off_by_no_more_than_the_bound(q in vector(), v in vector()) {
            let ((query, t), (row, s)) = (levels_of(&q), bytes_of(&v));
            let mut top = Top::new(1);
            let rows = Rows { bytes: &row, scales: &[s.to_le_bytes()] };
            scan(Levels { levels: &query, scale: t }, rows, &mut top);
            let [(found, 0)] = top.into_sorted()[..] else { panic!("one row, one similarity") };
            let exact: f64 = q.iter().zip(&v).map(|(q, v)| f64::from(*q) * f64::from(*v)).sum();
            let norm_q: f64 = q.iter().map(|q| f64::from(q.abs())).sum();
            let norm_a: f64 = row.iter().map(|a| f64::from((*a as i8).unsigned_abs())).sum();
            let (s, t) = (f64::from(s), f64::from(t));
            let bound = s / 2.0 * norm_q + t / 2.0 * s * norm_a;
            // One part in a million for rounding the scales and quotients to `f32`.
            prop_assert!((exact - f64::from(found)).abs() <= bound * (1.0 + 1e-4) + 1e-6);
        }

        #[test]
        fn a_half_is_the_nearest_there_is(value in -1.0_f32..1.0, small in -1e-4_f32..1e-4) {
            for value in [value, small] {
                let half = half_of(value);
                let distance = |half: u16| (f64::from(value_of_half(half)) - f64::from(value)).abs();
                prop_assert!(distance(half) <= distance(half + 1), "{} {}", value, half);
                prop_assert!(half & 0x7fff == 0 || distance(half) <= distance(half - 1), "{} {}", value, half);
            }
        }
    }

    #[test]
    fn halves_come_back() {
        for half in (0..=0x7bff).chain(0x8000..=0xfbff) {
            assert_eq!(half_of(value_of_half(half)), half);
        }
        assert!(value_of_half(0x7c00).is_infinite() && value_of_half(0x7c01).is_nan());
    }

    #[test]
    fn a_row_of_zeros_stays_one() {
        assert_eq!(bytes_of(&[0.0; 3]), (vec![0; 16], 0.0));
        assert_eq!(levels_of(&[0.0; 3]), (vec![0; 16], 0.0));
    }
}
