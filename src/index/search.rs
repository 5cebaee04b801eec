//! The nearest items of one piece: rough where its kind is, then fine. How pieces are put together is the catalogue's business.

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
    let depth = index.depth().max(k_rows.saturating_mul(2));
    let mut top = Top::new(k_rows.min(n_allowed));
    match index.kind() {
        Kind::Sketch if n_allowed > depth.saturating_mul(LEAST_GAIN) => {
            let found = match allowed {
                Some(bits) => sketch(index, query, depth, n_allowed, bits.iter()),
                None => sketch(index, query, depth, n_allowed, 0..index.len()),
            };
            scan(index, query, found.into_iter(), &mut top);
        }
        #[cfg(feature = "graph")]
        Kind::Graph if let Some(found) = walk(index, query, k_rows, (allowed, n_allowed)) => {
            scan(index, query, found.into_iter(), &mut top);
        }
        _ => match allowed {
            Some(bits) => scan(index, query, bits.iter(), &mut top),
            None => scan(index, query, 0..index.len(), &mut top),
        },
    }
    let found = top.into_sorted();
    if index.exact() == Exact::None { found } else { exactly(index, query, k, found) }
}

/// Compares some rows with the query.
fn scan(index: &Index, query: &Query, mut positions: impl Iterator<Item = usize>, top: &mut Top) {
    let (rows, stride) = (index.rows(), index.stride());
    let row = |position: usize| rows.get(position * stride..(position + 1) * stride).unwrap_or_default();
    while let Some(first) = positions.next() {
        let mut four = [first; 4];
        let mut n = 1;
        for (place, position) in four.iter_mut().skip(1).zip(positions.by_ref()) {
            *place = position;
            n += 1;
        }
        let sums = dot_four(&query.levels, four.map(row));
        for (position, sum) in four.into_iter().zip(sums).take(n) {
            let scale = index.scale(position).unwrap_or(0.0) * query.scale;
            top.offer((sum as f32 * scale, position));
        }
    }
}

/// The `depth` whose signs differ least from the query's, ascending by position; of those that differ equally the first.
///
/// Distances are small integers, so counting how often each occurs says which is the largest to be taken.
fn sketch(
    index: &Index,
    query: &Query,
    depth: usize,
    n: usize,
    positions: impl Iterator<Item = usize>,
) -> Vec<usize> {
    let (signs, stride) = (index.signs(), query.signs.len() * 8);
    let mut counts = vec![0_usize; stride * 8 + 1];
    let mut distances: Vec<(u32, u32)> = Vec::with_capacity(n);
    for position in positions {
        let row = signs.get(position * stride..(position + 1) * stride).unwrap_or_default();
        let distance = hamming(&query.signs, row);
        if let Some(count) = counts.get_mut(distance as usize) {
            *count += 1;
        }
        distances.push((distance, position as u32));
    }
    let mut n_nearer = 0;
    let mut farthest = 0;
    for count in counts {
        if n_nearer + count > depth {
            break;
        }
        n_nearer += count;
        farthest += 1;
    }
    let mut n_equal = depth - n_nearer;
    let mut is_taken = |distance: u32| {
        let is_equal = distance == farthest && n_equal > 0;
        n_equal -= usize::from(is_equal);
        distance < farthest || is_equal
    };
    let taken = distances.into_iter().filter(|(distance, _)| is_taken(*distance));
    taken.map(|(_, position)| position as usize).collect()
}

/// What a walk along the graph finds of what is allowed; `None` where it would be too little.
#[cfg(feature = "graph")]
fn walk(index: &Index, query: &Query, k: usize, allowed: (Option<&Bits>, usize)) -> Option<Vec<usize>> {
    let (allowed, n_allowed) = allowed;
    // The share that is allowed of what a walk finds is about that of all.
    let expected = index.depth().saturating_mul(n_allowed) / index.len().max(1);
    if expected < k.saturating_mul(2) || n_allowed <= index.depth().saturating_mul(LEAST_GAIN) {
        return None;
    }
    let mut found = index.graph()?.walk(query);
    found.retain(|position| allowed.is_none_or(|bits| bits.contains(*position)));
    (found.len() >= k).then_some(found)
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
