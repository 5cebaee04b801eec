//! One index as several pieces, none too large to be stored.

use super::build::{BuildError, Item, Options, piece, prepare, sections};
use super::format::{Kind, n_bytes};
use super::plan::Plan;

/// Builds as few pieces as can be of at most `max_piece_bytes` each ([`budget::MAX_PIECE_BYTES`](super::budget::MAX_PIECE_BYTES)), about
/// equally large and split by the order of ids. What is deleted is in the first. No items are one piece without any.
///
/// # Errors
/// See [`BuildError`]; one item alone may be too large.
pub fn build_sharded(
    items: Vec<Item>,
    options: &Options,
    max_piece_bytes: usize,
) -> Result<Vec<Vec<u8>>, BuildError> {
    let (items, plan) = prepare(items, options)?;
    let later = Options { deleted: Vec::new(), ..options.clone() };
    let of_piece = |number: usize| if number == 0 { options } else { &later };
    let mut n_pieces = 1;
    let shards: Vec<&[Item]> = loop {
        let shards: Vec<&[Item]> = match items.len().div_ceil(n_pieces) {
            0 => vec![&items],
            n_items => items.chunks(n_items).collect(),
        };
        let mut largest = 0;
        for (number, shard) in shards.iter().enumerate() {
            let n_bytes = n_bytes_of(shard, &plan, of_piece(number))?;
            if let ([item], true) = (shard, n_bytes > max_piece_bytes) {
                return Err(BuildError::TooLargeItem {
                    id: item.id.clone(),
                    n_bytes,
                    max_bytes: max_piece_bytes,
                });
            }
            largest = largest.max(n_bytes);
        }
        if largest <= max_piece_bytes || items.is_empty() {
            break shards;
        }
        // At least one more, and as many as the largest one says.
        n_pieces =
            (n_pieces + 1).max(n_pieces.saturating_mul(largest) / max_piece_bytes.max(1)).min(items.len());
    };
    shards.into_iter().enumerate().map(|(number, shard)| piece(shard, &plan, of_piece(number))).collect()
}

/// Bytes of a piece, before its graph is built: what the largest one there can be would take up.
fn n_bytes_of(items: &[Item], plan: &Plan, options: &Options) -> Result<usize, BuildError> {
    let (_, sections) = sections(items, plan, options).ok_or(BuildError::TooLarge)?;
    let graph = match options.kind {
        // The point, 64 neighbours, and 32 for each of the layers above, which have a third of the items together at most.
        Kind::Graph => 64 + items.len() * (4 + 1 + 64 * 4 + 65),
        Kind::Flat | Kind::Sketch => 0,
    };
    Ok(n_bytes(sections.iter().map(Vec::len)) + graph)
}
