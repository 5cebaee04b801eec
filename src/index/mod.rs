//! Nearest neighbours among thousands of embeddings, in a read-only form that opens in milliseconds.
//!
//! ```text
//! build::build(items) ─▶ bytes ─▶ KV ─▶ Index::open(bytes) ─┐ one piece: checked once, read in place
//!                                       Index::open(bytes) ─┤ shards, and changes since
//!                                                           ▼
//!                                        Catalogue::new(pieces) ── query, allow, nearest ─▶ Vec<Hit>
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`Index`] | one piece: vectors, ids, fields and columns of items |
//! | [`Catalogue`] | pieces as one: later ones replace items of earlier ones; what is asked |
//! | [`Filter`] | which items may come back; tested before a distance is computed |
//! | [`build`] | from items to bytes, the same for the same items in any order |
//! | [`budget`], [`quality`] | what fits into an isolate; which kind to choose, and what it finds |
//! | [`diversify`] | hits that differ from one another |
//!
//! # Three kinds
//!
//! All vectors are rotated (by one fixed rotation, a part of the form) and kept as signed bytes, one scale each: a quarter of the
//! memory, and the answer differs from that of `f32` in one of 200 neighbours.
//!
//! * [`Kind::Flat`] compares all. Right up to some 2,000 items, and where nothing may be missed.
//! * [`Kind::Sketch`] looks at one bit of each number, then at the bytes of the best some hundred: less than half the time at
//!   10,000 items, and 99 of 100 neighbours.
//! * [`Kind::Graph`] (crate `instant-distance`) touches few items, but each with a jump in memory and 256 bytes of
//!   neighbours: it pays from some 150,000 items on, which is more than an isolate holds of most models.
//!
//! Whatever the kind, [`Catalogue::nearest`] gives as many hits as were asked for and are allowed: where the rough search finds too
//! few, or a filter leaves little to look at, what is allowed is compared as flat.

mod bits;
pub mod budget;
pub mod build;
mod catalogue;
mod columns;
pub mod diversify;
mod filter;
mod format;
#[cfg(feature = "graph")]
mod graph;
mod piece;
mod plan;
pub mod quality;
mod quantise;
mod query;
mod rotation;
mod search;
mod shard;
#[cfg(test)]
mod tests;
mod texts;

pub use catalogue::{Allowed, Catalogue, CatalogueError, Hit, ItemRef};
pub use filter::{Filter, Missing, Test};
pub use format::{Exact, IndexError, Kind};
pub use piece::{Index, short_id};
pub use query::{Query, QueryError};
