//! The Hadamard transform: sums and differences of all numbers, which a rotation is made of.

use super::butterfly;

/// The Hadamard transform of 2^j numbers, scaled by 2^(-j/2) so that it keeps lengths; its own inverse.
#[inline(never)]
pub fn transform(values: &mut [f32]) {
    let fours = values.as_chunks_mut::<4>().0;
    let mut half = if fours.is_empty() { 1 } else { 4 };
    for four in fours {
        let [a, b, c, d] = *four;
        let [a, b, c, d] = [a + b, a - b, c + d, c - d];
        *four = [a + c, b + d, a - c, b - d];
    }
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (one, other) = pair.split_at_mut(half);
            butterfly(one, other);
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}
