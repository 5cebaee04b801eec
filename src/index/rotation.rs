//! One fixed random rotation of the space: it spreads what a vector has to say evenly over its numbers, so that signs and
//! bytes of them say as much as they can. It changes no angle, and is a part of the stored format.
//!
//! Real embeddings have a few numbers that are large throughout and many that hardly matter; the signs alone then find nine
//! of ten neighbours where after a rotation they find 99 of 100. Random signs and a Hadamard transform, some rounds of both,
//! are as good as a random matrix and cost d·log d additions instead of d² (Ailon & Chazelle 2009, doi:10.1137/060673096;
//! for quantisation: Gao & Long 2024, doi:10.1145/3654970).
//!
//! The transform wants a power of two. The rounds take turns with the first and the last 2^j numbers, the largest power of
//! two there is room for: both halves overlap, so that after two rounds each number depends on each, and none is added.

use crate::kernel::transform;
use crate::seed::Generator;

/// Seed of the signs. Stored pieces were rotated with it.
const SEED: u64 = 0x726f_7461_7469_6f6e;
/// Rounds: twice the front, twice the back.
const ROUNDS: usize = 4;

/// Rotates.
pub(crate) fn rotate(values: &[f32]) -> Vec<f32> {
    let mut rotated = values.to_vec();
    let signs = signs(rotated.len());
    for (round, signs) in signs.iter().enumerate() {
        flip(&mut rotated, signs);
        transform(part(&mut rotated, round));
    }
    rotated
}

/// Rotates back.
pub(crate) fn rotate_back(values: &[f32]) -> Vec<f32> {
    let mut plain = values.to_vec();
    let signs = signs(plain.len());
    for (round, signs) in signs.iter().enumerate().rev() {
        transform(part(&mut plain, round));
        flip(&mut plain, signs);
    }
    plain
}

/// A list of sign bits for each round.
fn signs(dimension: usize) -> [Vec<u64>; ROUNDS] {
    let mut generator = Generator::new(SEED);
    std::array::from_fn(|_| (0..dimension.div_ceil(64)).map(|_| generator.bits()).collect())
}

/// Changes the sign of the numbers whose bit is set.
fn flip(values: &mut [f32], signs: &[u64]) {
    for (values, signs) in values.chunks_mut(64).zip(signs) {
        for (position, value) in values.iter_mut().enumerate() {
            *value = f32::from_bits(value.to_bits() ^ ((signs >> position & 1) as u32) << 31);
        }
    }
}

/// The numbers that a round transforms.
fn part(values: &mut [f32], round: usize) -> &mut [f32] {
    let (all, most) = (values.len(), values.len().checked_ilog2().map_or(0, |power| 1 << power));
    let range = if round.is_multiple_of(2) { 0..most } else { all - most..all };
    values.get_mut(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn it_keeps_every_angle_and_can_be_undone() {
        let mut generator = Generator::new(1);
        for dimension in [1, 2, 3, 7, 16, 48, 383, 384, 1536, 4096] {
            let mut random = || (0..dimension).map(|_| generator.unit() as f32 - 0.5).collect::<Vec<_>>();
            let (a, b) = (random(), random());
            let (rotated_a, rotated_b) = (rotate(&a), rotate(&b));
            let tolerance = 1e-6 * dimension as f64;
            assert!((dot(&a, &b) - dot(&rotated_a, &rotated_b)).abs() < tolerance, "{dimension}");
            let back = rotate_back(&rotated_a);
            assert!(a.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-5), "{dimension}");
        }
    }

    #[test]
    fn it_is_orthonormal() {
        let dimension = 24;
        let columns: Vec<Vec<f32>> = (0..dimension)
            .map(|place| rotate(&(0..dimension).map(|at| f32::from(at == place)).collect::<Vec<_>>()))
            .collect();
        for (i, one) in columns.iter().enumerate() {
            for (j, other) in columns.iter().enumerate() {
                assert!((dot(one, other) - f64::from(i == j)).abs() < 1e-6, "{i} {j}");
            }
        }
    }

    #[test]
    fn one_large_number_is_spread_over_all() {
        for dimension in [48, 384, 1000] {
            for place in [0, dimension / 2, dimension - 1] {
                let rotated = rotate(&(0..dimension).map(|at| f32::from(at == place)).collect::<Vec<_>>());
                let largest = rotated.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                // As in a random direction: the largest of d normal numbers of variance 1/d is below 5/√d.
                assert!(largest < 5.0 / (dimension as f32).sqrt(), "{dimension} {place}: {largest}");
            }
        }
    }

    #[test]
    fn it_never_changes() {
        // Part of the stored format: these constants may not be edited.
        let rotated = rotate(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let bits: Vec<u32> = rotated.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, EXPECTED, "{bits:x?}");
    }
    const EXPECTED: [u32; 6] = [0x3e80_0000, 0x3e80_0000, 0, 0x3f40_0000, 0x3f00_0000, 0x3e80_0000];
}
