//! A graph of neighbours (HNSW: Malkov & Yashunin 2020, doi:10.1109/TPAMI.2018.2889473), built and walked along by `instant-distance`, and
//! stored in a form of our own.
//!
//! The crate's own stored form is unchecked and panics at a search where it is damaged. Here every list is checked before the
//! crate sees it, and vectors stay where they are: points of the graph are places in the piece's rows.

#[cfg(not(target_family = "wasm"))]
mod build;
mod stored;

#[cfg(not(target_family = "wasm"))]
pub(super) use build::build;

use super::format::{Head, Section, Sections};
use super::query::Query;
use super::texts::number_at;
use crate::kernel::{BLOCK, dot_rows};
use instant_distance::{Hnsw, Search};
use std::sync::{Arc, OnceLock};

/// Most neighbours in the lowest layer; a constant of the crate.
const NEIGHBOURS: usize = 64;
/// Most neighbours in the layers above.
const UPPER_NEIGHBOURS: usize = 32;

/// Where the rows of a piece are, and their scales.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Arc<Vec<u8>>,
    rows: usize,
    scales: usize,
    stride: usize,
}

impl Rows {
    /// The rows of a piece.
    pub(super) fn new(bytes: &Arc<Vec<u8>>, sections: &Sections, dimension: usize) -> Self {
        let start = |section| sections.range(section).start;
        let stride = dimension.next_multiple_of(BLOCK);
        let (rows, scales) = (start(Section::Rows), start(Section::Scales));
        Self { bytes: Arc::clone(bytes), rows, scales, stride }
    }

    fn at(&self, position: u32) -> Option<(&[u8], f32)> {
        let position = position as usize;
        let start = self.rows + position * self.stride;
        let scale = number_at(&self.bytes, self.scales + 4 * position).map(f32::from_bits)?;
        Some((self.bytes.get(start..start + self.stride)?, scale))
    }
}

/// What the crate compares.
#[derive(Debug, Clone)]
enum Point {
    /// An item. Where its row is becomes known when the graph is there: what reads a graph can't say it to each point.
    Item { position: u32, rows: OnceLock<Arc<Rows>> },
    /// A query.
    Query { row: Vec<u8>, scale: f32 },
}

impl Point {
    fn row(&self) -> Option<(&[u8], f32)> {
        match self {
            Self::Item { position, rows } => rows.get()?.at(*position),
            Self::Query { row, scale } => Some((row, *scale)),
        }
    }
}

impl instant_distance::Point for Point {
    fn distance(&self, other: &Self) -> f32 {
        let (one, scale) = self.row().unwrap_or_default();
        let (other, other_scale) = other.row().unwrap_or_default();
        1.0 - dot_rows(one, other) as f32 * (scale * other_scale)
    }
}

/// A graph that can be walked along.
pub(super) struct Graph {
    hnsw: Hnsw<Point>,
    n_bytes: usize,
}

impl Graph {
    /// Checks and reads a stored graph; `None` where it is broken.
    pub(super) fn open(section: &[u8], rows: Rows, head: &Head) -> Option<Self> {
        let stored = stored::Stored::open(section, head)?;
        let n_bytes = stored.n_bytes();
        let hnsw = stored.read()?;
        let rows = Arc::new(rows);
        for (_, point) in hnsw.iter() {
            if let Point::Item { rows: place, .. } = point {
                place.get_or_init(|| Arc::clone(&rows));
            }
        }
        Some(Self { hnsw, n_bytes })
    }

    /// What it takes up in memory beside the stored form.
    pub(super) const fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The positions of the items that a walk towards a query ends at, as many as the depth.
    pub(super) fn walk(&self, query: &Query) -> Vec<u32> {
        let (row, scale) = query.row.clone();
        let mut search = Search::default();
        let found = self.hnsw.search(&Point::Query { row, scale }, &mut search);
        let position = |point: &Point| match point {
            Point::Item { position, .. } => Some(*position),
            Point::Query { .. } => None,
        };
        found.filter_map(|item| position(item.point)).collect()
    }
}
