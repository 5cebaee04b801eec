//! What fits: bytes of an index, values it takes up in KV, and what an isolate can hold. Arithmetic alone, so that a build is refused
//! before it is published, not when it is loaded.

use super::format::{Exact, Kind, SECTIONS, n_bytes};
use super::quantise::sign_bytes;
use crate::kernel::BLOCK;
use std::fmt;

/// Most bytes of a piece: a value of KV has at most 25 MiB, and what a publisher adds needs a little room.
pub const MAX_PIECE_BYTES: usize = 24 << 20;

/// Most bytes of all pieces in an isolate. It has 128 MB. A piece is there twice while it is loaded, as what was fetched and as what the
/// wasm keeps; memory of the wasm that was given back stays reserved; and an isolate loads a new index before it lets go of
/// the old. So 64 MiB of pieces, and 24 MiB of the one that is on its way, leave 40 MB for pages and all else.
pub const MAX_ISOLATE_BYTES: usize = 64 << 20;

/// What an index is going to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How it is searched.
    pub kind: Kind,
    /// Floats kept beside the bytes.
    pub exact: Exact,
    /// Number of items.
    pub n_items: usize,
    /// How many numbers an embedding has.
    pub dimension: usize,
    /// Bytes of ids, fields and columns of an item, on average; some 200 where little is known of each.
    pub item_bytes: usize,
}

impl Size {
    /// Bytes of an item in memory:
    ///
    /// | what | bytes | of |
    /// |---|---|---|
    /// | row | d, in whole blocks of 16 | all |
    /// | scale, short id, starts of id and fields | 4 + 8 + 8 | all |
    /// | signs | d/8, in whole blocks of 16 | sketches |
    /// | neighbours | 2·(64 + 1) stored, 256 and more in memory | graphs |
    /// | floats | 2·d or 4·d | those that keep them |
    #[must_use]
    pub const fn bytes_of_item(&self) -> usize {
        let signs = match self.kind {
            Kind::Sketch => sign_bytes(self.dimension),
            Kind::Flat | Kind::Graph => 0,
        };
        let neighbours = match self.kind {
            Kind::Graph => GRAPH_BYTES,
            Kind::Flat | Kind::Sketch => 0,
        };
        let row = self.dimension.next_multiple_of(BLOCK) + 20;
        row + signs + neighbours + self.dimension * self.exact.n_bytes() + self.item_bytes
    }

    /// Bytes of the whole.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        n_bytes([BLOCK; SECTIONS]).saturating_add(self.n_items.saturating_mul(self.bytes_of_item()))
    }

    /// How many pieces of at most [`MAX_PIECE_BYTES`] it takes.
    #[must_use]
    pub fn n_pieces(&self) -> usize {
        self.n_bytes().div_ceil(MAX_PIECE_BYTES)
    }

    /// Whether an isolate can hold it.
    ///
    /// # Errors
    /// More than [`MAX_ISOLATE_BYTES`]; the message has the arithmetic.
    pub fn check(&self) -> Result<(), TooMuch> {
        if self.n_bytes() <= MAX_ISOLATE_BYTES { Ok(()) } else { Err(TooMuch { size: *self }) }
    }
}

/// Bytes of an item of a graph, stored and in memory: a list of 64 neighbours of 4 bytes, and of 32 for one in 3.5 of them
/// again for each layer above (the crate's `1/ln 32`), some 13 for a point; the stored list has 2 or 4 bytes for each.
const GRAPH_BYTES: usize = 256 + 51 + 13 + 260;

/// An index that an isolate can't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch {
    /// What it would be.
    pub size: Size,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = &self.size;
        write!(
            f,
            "{} items of {} bytes ({} numbers, {}) are {:.1} MiB, an isolate can hold {} MiB\nhint: at most {} items, ",
            size.n_items,
            size.bytes_of_item(),
            size.dimension,
            size.kind.name(),
            size.n_bytes() as f64 / f64::from(1 << 20),
            MAX_ISOLATE_BYTES >> 20,
            MAX_ISOLATE_BYTES / size.bytes_of_item().max(1),
        )?;
        match (size.exact, size.kind) {
            (Exact::F16 | Exact::F32, _) => f.write_str("or none of the floats"),
            (Exact::None, Kind::Graph) => f.write_str("or kind `sketch`"),
            (Exact::None, _) => f.write_str("or a model with fewer numbers"),
        }
    }
}

impl std::error::Error for TooMuch {}

#[cfg(test)]
mod tests {
    use super::super::build::{Options, build};
    use super::super::tests::items;
    use super::*;

    #[test]
    fn ten_thousand_usual_items_are_some_megabytes_and_one_piece() {
        let size =
            Size { kind: Kind::Sketch, exact: Exact::None, n_items: 10_000, dimension: 384, item_bytes: 200 };
        assert_eq!(size.bytes_of_item(), 384 + 20 + 48 + 200);
        assert_eq!((size.n_pieces(), size.check()), (1, Ok(())));
    }

    #[test]
    fn what_is_too_much_is_refused_with_the_arithmetic() {
        let size =
            Size { kind: Kind::Flat, exact: Exact::F32, n_items: 50_000, dimension: 1536, item_bytes: 100 };
        assert_eq!(
            size.check().unwrap_err().to_string(),
            "50000 items of 7800 bytes (1536 numbers, flat) are 371.9 MiB, an isolate can hold 64 MiB\n\
             hint: at most 8603 items, or none of the floats"
        );
        assert_eq!(size.n_pieces(), 16);
    }

    #[test]
    fn the_arithmetic_is_that_of_what_is_built() {
        for kind in [Kind::Flat, Kind::Sketch] {
            for exact in Exact::ALL {
                let mut items = items(500, 50, 1);
                items.iter_mut().for_each(|item| item.fields.clear());
                let size = Size { kind, exact, n_items: 500, dimension: 50, item_bytes: 10 + 2 };
                let built = build(items, &Options { exact, ..Options::new("m", kind) }).unwrap();
                assert!(built.len().abs_diff(size.n_bytes()) < 200, "{} {}", built.len(), size.n_bytes());
            }
        }
    }
}
