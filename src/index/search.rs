//! The nearest items of one piece: rough where its kind is, then fine. How pieces are put together is the catalogue's business.
//!
//! The loops are written for a compiler that saves space: over slices, without closures and iterators of its own.

use super::bits::Bits;
use super::format::{Exact, Kind};
use super::kernel::{dot_f32, dot_four, hamming};
use super::piece::Index;
use super::query::Query;
use super::top::{Scored, Top};

/// A rough search pays where it leaves out most: below so many candidates for each it hands on, all are compared.
const LEAST_GAIN: usize = 4;

/// The best `k` of a piece, of those allowed where that is said. As many as there are, up to `k`.
pub(super) fn nearest(index: &Index, query: &Query, k: usize, allowed: Option<&Bits>) -> Vec<Scored> {
    let n_allowed = allowed.map_or(index.len(), Bits::count);
    // What was compared by bytes is off by some 0.0005: a few more are compared by floats, where there are any.
    let k_rows = if index.exact() == Exact::None { k } else { k.saturating_mul(2).saturating_add(32) };
    let k_rows = k_rows.min(n_allowed);
    let mut top = Top::new(k_rows);
    match rough(index, query, k_rows, (allowed, n_allowed)) {
        Some(found) => scan(index, query, &found, &mut top),
        None => match allowed {
            Some(bits) => scan(index, query, &bits.positions(), &mut top),
            None => scan_all(index, query, &mut top),
        },
    }
    let found = top.into_sorted();
    if index.exact() == Exact::None { found } else { exactly(index, query, k, found) }
}

/// What a rough search hands on, at least `k`; `None` where there is none for the kind, or it would not pay.
fn rough(index: &Index, query: &Query, k: usize, allowed: (Option<&Bits>, usize)) -> Option<Vec<u32>> {
    let (allowed, n_allowed) = allowed;
    let depth = index.depth().max(k.saturating_mul(2));
    if n_allowed <= depth.saturating_mul(LEAST_GAIN) {
        return None;
    }
    match index.kind() {
        Kind::Flat => None,
        Kind::Sketch => Some(sketch(index, query, depth, allowed)),
        #[cfg(not(feature = "graph"))]
        Kind::Graph => None,
        #[cfg(feature = "graph")]
        Kind::Graph => {
            // The share that is allowed of what a walk finds is about that of all.
            let expected = index.depth().saturating_mul(n_allowed) / index.len().max(1);
            if expected < k.saturating_mul(2) {
                return None;
            }
            let mut found = index.graph()?.walk(query);
            found.retain(|position| allowed.is_none_or(|bits| bits.contains(*position as usize)));
            (found.len() >= k).then_some(found)
        }
    }
}

/// Compares all rows with the query.
fn scan_all(index: &Index, query: &Query, top: &mut Top) {
    let stride = index.stride();
    let blocks = index.rows().chunks_exact(4 * stride);
    let (scales, last_scales) = index.scales().as_chunks::<4>();
    let last = blocks.remainder();
    let mut position = 0;
    for (block, scales) in blocks.zip(scales) {
        let (front, back) = block.split_at(2 * stride);
        let ((a, b), (c, d)) = (front.split_at(stride), back.split_at(stride));
        offer_four(query, [a, b, c, d], scales, [position, position + 1, position + 2, position + 3], top);
        position += 4;
    }
    for (row, scale) in last.chunks_exact(stride).zip(last_scales) {
        let [sum, ..] = dot_four(&query.levels, [row, &[], &[], &[]]);
        top.offer((sum as f32 * (f32::from_le_bytes(*scale) * query.scale), position as usize));
        position += 1;
    }
}

/// Compares some rows with the query.
fn scan(index: &Index, query: &Query, positions: &[u32], top: &mut Top) {
    let (rows, stride, scales) = (index.rows(), index.stride(), index.scales());
    let row = |position: u32| {
        let start = position as usize * stride;
        rows.get(start..start + stride).unwrap_or_default()
    };
    let scale = |position: u32| scales.get(position as usize).copied().unwrap_or_default();
    let (fours, last) = positions.as_chunks::<4>();
    for four in fours {
        let [a, b, c, d] = *four;
        let rows = [row(a), row(b), row(c), row(d)];
        offer_four(query, rows, &[scale(a), scale(b), scale(c), scale(d)], *four, top);
    }
    for position in last {
        let [sum, ..] = dot_four(&query.levels, [row(*position), &[], &[], &[]]);
        top.offer((sum as f32 * (f32::from_le_bytes(scale(*position)) * query.scale), *position as usize));
    }
}

#[inline(always)]
fn offer_four(query: &Query, rows: [&[u8]; 4], scales: &[[u8; 4]; 4], positions: [u32; 4], top: &mut Top) {
    let [sum_a, sum_b, sum_c, sum_d] = dot_four(&query.levels, rows);
    let [scale_a, scale_b, scale_c, scale_d] = *scales;
    let [a, b, c, d] = positions;
    top.offer((sum_a as f32 * (f32::from_le_bytes(scale_a) * query.scale), a as usize));
    top.offer((sum_b as f32 * (f32::from_le_bytes(scale_b) * query.scale), b as usize));
    top.offer((sum_c as f32 * (f32::from_le_bytes(scale_c) * query.scale), c as usize));
    top.offer((sum_d as f32 * (f32::from_le_bytes(scale_d) * query.scale), d as usize));
}

/// The `depth` whose signs differ least from the query's, ascending by position; of those that differ equally the first.
///
/// Distances are small integers, so counting how often each occurs says which is the largest to be taken.
fn sketch(index: &Index, query: &Query, depth: usize, allowed: Option<&Bits>) -> Vec<u32> {
    let (signs, stride) = (index.signs(), query.signs.len() * 8);
    let mut counts = vec![0_u32; stride * 8 + 1];
    let positions = allowed.map(Bits::positions);
    let n = positions.as_ref().map_or(index.len(), Vec::len);
    // At most 4,096 bits differ.
    let mut distances = vec![0_u16; n];
    match &positions {
        None => {
            for (place, row) in distances.iter_mut().zip(signs.chunks_exact(stride)) {
                note(place, hamming(&query.signs, row), &mut counts);
            }
        }
        Some(positions) => {
            for (place, position) in distances.iter_mut().zip(positions) {
                let start = *position as usize * stride;
                let row = signs.get(start..start + stride).unwrap_or_default();
                note(place, hamming(&query.signs, row), &mut counts);
            }
        }
    }
    let (mut farthest, mut n_equal) = (0_u16, depth as u32);
    for count in counts {
        if count > n_equal {
            break;
        }
        n_equal -= count;
        farthest += 1;
    }
    let mut taken = Vec::with_capacity(depth);
    for (place, distance) in (0_u32..).zip(&distances) {
        if *distance > farthest || (*distance == farthest && n_equal == 0) {
            continue;
        }
        n_equal -= u32::from(*distance == farthest);
        match &positions {
            None => taken.push(place),
            Some(positions) => taken.extend(positions.get(place as usize)),
        }
    }
    taken
}

#[inline(always)]
fn note(place: &mut u16, distance: u32, counts: &mut [u32]) {
    *place = distance as u16;
    if let Some(count) = counts.get_mut(distance as usize) {
        *count += 1;
    }
}

/// Compares the best by their floats, and keeps the best `k` of them.
fn exactly(index: &Index, query: &Query, k: usize, found: Vec<Scored>) -> Vec<Scored> {
    let mut top = Top::new(k);
    for (rough, position) in found {
        let floats = index.floats(position);
        top.offer((floats.map_or(rough, |floats| dot_f32(query.plain.values(), &floats)), position));
    }
    top.into_sorted()
}
