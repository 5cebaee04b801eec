//! The nearest items of one piece: rough where its kind is, then fine. How pieces are put together is the catalogue's business.

use super::bits::Bits;
use super::format::{Exact, Kind};
use super::piece::Index;
use super::query::Query;
use crate::kernel::{Levels, Rows, Scored, Top, dot_f32, nearest_signs, scan, scan_at};

/// A rough search pays where it leaves out most: below so many candidates for each it hands on, all are compared.
const LEAST_GAIN: usize = 4;

/// The best `k` of a piece, of those allowed where that is said. As many as there are, up to `k`.
pub(super) fn nearest(index: &Index, query: &Query, k: usize, allowed: Option<&Bits>) -> Vec<Scored> {
    let n_allowed = allowed.map_or(index.len(), Bits::count);
    // What was compared by bytes is off by some 0.0005: a few more are compared by floats, where there are any.
    let k_rows = if index.exact() == Exact::None { k } else { k.saturating_mul(2).saturating_add(32) };
    let k_rows = k_rows.min(n_allowed);
    let mut top = Top::new(k_rows);
    let levels = Levels { levels: &query.levels, scale: query.scale };
    let rows = Rows { bytes: index.rows(), scales: index.scales() };
    match (rough(index, query, k_rows, (allowed, n_allowed)), allowed) {
        (Some(found), _) => scan_at(levels, rows, &found, &mut top),
        (None, Some(allowed)) => scan_at(levels, rows, &allowed.positions(), &mut top),
        (None, None) => scan(levels, rows, &mut top),
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
        Kind::Sketch => {
            let positions = allowed.map(Bits::positions);
            Some(nearest_signs(&query.signs, index.signs(), positions.as_deref(), depth))
        }
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

/// Compares the best by their floats, and keeps the best `k` of them.
fn exactly(index: &Index, query: &Query, k: usize, found: Vec<Scored>) -> Vec<Scored> {
    let mut top = Top::new(k);
    for (rough, position) in found {
        let floats = index.floats(position);
        top.offer((floats.map_or(rough, |floats| dot_f32(query.plain.values(), &floats)), position));
    }
    top.into_sorted()
}
