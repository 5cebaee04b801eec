//! Building a graph: natively only, and with one thread, so that the same items are the same graph.

use super::super::format::Head;
use super::stored;
use super::{Point, Rows};
use crate::kernel::BLOCK;
use instant_distance::{Builder, Hnsw};
use serde::{Serialize, Serializer};
use std::sync::{Arc, OnceLock};

/// Seed of the layers that items are on.
const SEED: u64 = 0x6772_6170_6873_6565;
/// How many candidates for a neighbour are looked at; the crate's own choice, and more finds hardly more.
const CANDIDATES: usize = 100;

/// The stored form of the graph of some rows and scales; `None` where it can't be built.
pub(in super::super) fn build(vectors: impl Iterator<Item = (Vec<u8>, f32)>, head: &Head) -> Option<Vec<u8>> {
    let (mut bytes, mut scales) = (Vec::new(), Vec::new());
    for (row, scale) in vectors {
        bytes.extend(row);
        scales.extend(scale.to_le_bytes());
    }
    let (rows, stride) = (bytes.len(), head.dimension.next_multiple_of(BLOCK));
    bytes.extend(scales);
    let rows = Arc::new(Rows { bytes: Arc::new(bytes), rows: 0, scales: rows, stride });
    let point = |position| Point::Item { position, rows: OnceLock::from(Arc::clone(&rows)) };
    let points: Vec<Point> = (0..u32::try_from(head.n_items).ok()?).map(point).collect();
    // Several threads insert in an order of their own, and each order is another graph.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let builder = Builder::default().seed(SEED).ef_construction(CANDIDATES).ef_search(head.depth);
    let (hnsw, _): (Hnsw<Point>, _) = alone.install(|| builder.build_hnsw(points));
    stored::write(&serde_json::to_value(&hnsw).ok()?, head.n_items)
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Item { position, .. } => serializer.serialize_u32(*position),
            Self::Query { .. } => Err(serde::ser::Error::custom("a query is not stored")),
        }
    }
}
