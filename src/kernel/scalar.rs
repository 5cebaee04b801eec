//! The loops in plain code: what the 128-bit ones are compared with, and what runs natively, where the compiler makes vectors
//! of them. Each is written in the order of additions of its twin.

use super::normal::{Line, NODES, Table};

/// Dot products of a query with four rows of signed bytes, as long as it. Four, since each part of the query is then loaded once for all.
#[inline(always)]
pub(crate) fn dot_four(query: &[i16], rows: [&[u8]; 4]) -> [i32; 4] {
    rows.map(|row| {
        let products = query.iter().zip(row).map(|(q, byte)| i32::from(*q) * i32::from(*byte as i8));
        products.fold(0, i32::wrapping_add)
    })
}

/// Dot product of two rows of signed bytes: at most 4,096 · 2^14 = 2^26.
#[must_use]
#[inline(never)]
pub fn dot_rows(one: &[u8], other: &[u8]) -> i32 {
    let products = one.iter().zip(other).map(|(a, b)| i32::from(*a as i8) * i32::from(*b as i8));
    products.fold(0, i32::wrapping_add)
}

/// Dot product of floats, in 16 sums that are added as a tree.
#[must_use]
#[inline(never)]
pub fn dot_f32(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let ((a, a_rest), (b, b_rest)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    if a.len() == b.len() {
        for (sum, (a, b)) in sums.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *sum += a * b;
        }
    }
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = sums;
    let [c0, c1, c2, c3] = [a0 + b0, a1 + b1, a2 + b2, a3 + b3];
    let [d0, d1, d2, d3] = [a4 + b4, a5 + b5, a6 + b6, a7 + b7];
    ((c0 + d0) + (c2 + d2)) + ((c1 + d1) + (c3 + d3))
}

/// Sums and differences of two lists, in place: one step of the Hadamard transform.
#[inline(always)]
pub(crate) fn butterfly(one: &mut [f32], other: &mut [f32]) {
    for (a, b) in one.iter_mut().zip(other) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}

/// Multiplies each value by Φ of the line at its point.
#[inline(always)]
pub(crate) fn multiply_by(table: &Table, line: &Line, values: &mut [f64; NODES], points: &[f64; NODES]) {
    for (value, u) in values.iter_mut().zip(points) {
        *value *= table.cdf(line.offset + line.slope * u);
    }
}
