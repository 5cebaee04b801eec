//! The loops with wasm's 128-bit instructions; each gives the bits of its plain twin.

use super::BLOCK;
use super::normal::{CELLS, DENSITY, END, LAST, Line, NODES, TWO_52, Table};
use bytemuck::must_cast;
use core::arch::wasm32::{
    f32x4_add, f32x4_mul, f32x4_splat, f32x4_sub, f64x2_add, f64x2_floor, f64x2_mul, f64x2_pmax, f64x2_pmin,
    f64x2_splat, f64x2_sub, i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i32x4_add, i32x4_dot_i16x8,
    i32x4_extract_lane, i32x4_splat, i64x2_extract_lane, i64x2_shuffle, v128,
};

/// The sum of four numbers, in wrapping arithmetic as the lanes have.
#[inline(always)]
fn sum(lanes: v128) -> i32 {
    let low = i32x4_extract_lane::<0>(lanes).wrapping_add(i32x4_extract_lane::<1>(lanes));
    low.wrapping_add(i32x4_extract_lane::<2>(lanes).wrapping_add(i32x4_extract_lane::<3>(lanes)))
}

/// Adds the products of sixteen levels, as two registers, with sixteen bytes.
#[inline(always)]
fn add_products(sum: v128, (low, high): (v128, v128), row: &[u8; BLOCK]) -> v128 {
    let row: v128 = must_cast(*row);
    let products = i32x4_dot_i16x8(low, i16x8_extend_low_i8x16(row));
    i32x4_add(i32x4_add(sum, products), i32x4_dot_i16x8(high, i16x8_extend_high_i8x16(row)))
}

/// See [`scalar::dot_four`](super::scalar::dot_four).
#[inline(always)]
pub(crate) fn dot_four(query: &[i16], rows: [&[u8]; 4]) -> [i32; 4] {
    let [a, b, c, d] = rows;
    let (mut sum_a, mut sum_b, mut sum_c, mut sum_d) =
        (i32x4_splat(0), i32x4_splat(0), i32x4_splat(0), i32x4_splat(0));
    let (a, b) = (a.as_chunks::<BLOCK>().0, b.as_chunks::<BLOCK>().0);
    let (c, d) = (c.as_chunks::<BLOCK>().0, d.as_chunks::<BLOCK>().0);
    for ((((query, a), b), c), d) in query.as_chunks::<BLOCK>().0.iter().zip(a).zip(b).zip(c).zip(d) {
        let [low, high] = must_cast::<[i16; BLOCK], [v128; 2]>(*query);
        sum_a = add_products(sum_a, (low, high), a);
        sum_b = add_products(sum_b, (low, high), b);
        sum_c = add_products(sum_c, (low, high), c);
        sum_d = add_products(sum_d, (low, high), d);
    }
    [sum(sum_a), sum(sum_b), sum(sum_c), sum(sum_d)]
}

/// See [`scalar::dot_rows`](super::scalar::dot_rows).
#[must_use]
#[inline(never)]
pub fn dot_rows(one: &[u8], other: &[u8]) -> i32 {
    let mut sums = i32x4_splat(0);
    for (one, other) in one.as_chunks::<BLOCK>().0.iter().zip(other.as_chunks::<BLOCK>().0) {
        let one: v128 = must_cast(*one);
        sums = add_products(sums, (i16x8_extend_low_i8x16(one), i16x8_extend_high_i8x16(one)), other);
    }
    sum(sums)
}

/// See [`scalar::dot_f32`](super::scalar::dot_f32).
#[must_use]
#[inline(never)]
pub fn dot_f32(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [f32x4_splat(0.0); 4];
    let ((a, a_rest), (b, b_rest)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    let mut add = |a: &[f32; 16], b: &[f32; 16]| {
        let [a0, a1, a2, a3] = must_cast::<[f32; 16], [v128; 4]>(*a);
        let [b0, b1, b2, b3] = must_cast::<[f32; 16], [v128; 4]>(*b);
        let [s0, s1, s2, s3] = sums;
        sums = [
            f32x4_add(s0, f32x4_mul(a0, b0)),
            f32x4_add(s1, f32x4_mul(a1, b1)),
            f32x4_add(s2, f32x4_mul(a2, b2)),
            f32x4_add(s3, f32x4_mul(a3, b3)),
        ];
    };
    a.iter().zip(b).for_each(|(a, b)| add(a, b));
    if a.len() == b.len() {
        // Products of what only one of them has are 0, and a sum that begins as 0 is never −0.
        let mut rests = [[0.0; 16]; 2];
        let [a, b] = &mut rests;
        for ((a, b), (own, other)) in a.iter_mut().zip(b.iter_mut()).zip(a_rest.iter().zip(b_rest)) {
            (*a, *b) = (*own, *other);
        }
        add(a, b);
    }
    let [s0, s1, s2, s3] = sums;
    let folded = f32x4_add(f32x4_add(s0, s2), f32x4_add(s1, s3));
    let [c0, c1, c2, c3] = must_cast::<v128, [f32; 4]>(folded);
    (c0 + c2) + (c1 + c3)
}

/// See [`scalar::butterfly`](super::scalar::butterfly).
#[inline(always)]
pub(crate) fn butterfly(one: &mut [f32], other: &mut [f32]) {
    let ((a, a_rest), (b, b_rest)) = (one.as_chunks_mut::<4>(), other.as_chunks_mut::<4>());
    for (a, b) in a.iter_mut().zip(b) {
        let (x, y): (v128, v128) = (must_cast(*a), must_cast(*b));
        (*a, *b) = (must_cast(f32x4_add(x, y)), must_cast(f32x4_sub(x, y)));
    }
    super::scalar::butterfly(a_rest, b_rest);
}

/// See [`scalar::multiply_by`](super::scalar::multiply_by): two points at a time, each with the steps of [`Table::cdf`].
#[inline(always)]
pub(crate) fn multiply_by(table: &Table, line: &Line, values: &mut [f64; NODES], points: &[f64; NODES]) {
    let (offset, slope) = (f64x2_splat(line.offset), f64x2_splat(line.slope));
    let cell = |at: i64| {
        let cell = table.cells.get(at as usize % CELLS).unwrap_or(&[0.0; 8]);
        must_cast::<[f64; 8], [v128; 4]>(*cell)
    };
    for (value, u) in values.as_chunks_mut::<2>().0.iter_mut().zip(points.as_chunks::<2>().0) {
        let z = f64x2_add(offset, f64x2_mul(slope, must_cast(*u)));
        let t = f64x2_mul(f64x2_add(z, f64x2_splat(END)), f64x2_splat(DENSITY));
        let t = f64x2_pmin(f64x2_splat(CELLS as f64), f64x2_pmax(f64x2_splat(0.0), t));
        let k = f64x2_pmin(f64x2_splat(LAST), f64x2_floor(t));
        let d = f64x2_sub(t, f64x2_add(k, f64x2_splat(0.5)));
        let places = f64x2_add(k, f64x2_splat(TWO_52));
        let [a01, a23, a45, a67] = cell(i64x2_extract_lane::<0>(places));
        let [b01, b23, b45, b67] = cell(i64x2_extract_lane::<1>(places));
        let mut sum = i64x2_shuffle::<1, 3>(a67, b67);
        let lower = [
            i64x2_shuffle::<0, 2>(a67, b67),
            i64x2_shuffle::<1, 3>(a45, b45),
            i64x2_shuffle::<0, 2>(a45, b45),
            i64x2_shuffle::<1, 3>(a23, b23),
            i64x2_shuffle::<0, 2>(a23, b23),
            i64x2_shuffle::<1, 3>(a01, b01),
            i64x2_shuffle::<0, 2>(a01, b01),
        ];
        for coefficient in lower {
            sum = f64x2_add(coefficient, f64x2_mul(d, sum));
        }
        *value = must_cast(f64x2_mul(must_cast(*value), sum));
    }
}
