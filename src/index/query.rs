//! What is looked for, prepared once for all pieces and kinds.

use super::format::Kind;
use super::quantise::{bytes_of, levels_of, signs_of};
use super::rotation::rotate;
use crate::embedding::Embedding;
use std::fmt;

/// An embedding ready to be compared with those of one catalogue; see [`Catalogue::query`](super::Catalogue::query).
#[derive(Debug, Clone)]
pub struct Query {
    /// As it came.
    pub(super) plain: Embedding,
    /// Rotated, with thousands of levels: for rows.
    pub(super) levels: Vec<i16>,
    /// Scale of the levels.
    pub(super) scale: f32,
    /// Signs of the rotated.
    pub(super) signs: Vec<u64>,
    /// Rotated, as a row and its scale: for graphs, which compare rows with one another; nothing where there is none.
    pub(super) row: (Vec<u8>, f32),
}

impl Query {
    /// Prepares an embedding for pieces of some kinds.
    pub(super) fn new(embedding: &Embedding, mut kinds: impl Iterator<Item = Kind>) -> Self {
        let rotated = rotate(embedding.values());
        let (levels, scale) = levels_of(&rotated);
        let row = kinds.any(|kind| kind == Kind::Graph).then(|| bytes_of(&rotated));
        let (plain, signs) = (embedding.clone(), signs_of(&rotated));
        Self { plain, levels, scale, signs, row: row.unwrap_or_default() }
    }

    /// The embedding it was made of.
    #[must_use]
    pub const fn embedding(&self) -> &Embedding {
        &self.plain
    }
}

/// What keeps an embedding from being compared with a catalogue's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryError {
    /// Another model made it: its numbers mean something else.
    Model {
        /// The catalogue's.
        expected: String,
        /// The embedding's.
        found: String,
    },
    /// It has more or fewer numbers.
    Dimension {
        /// The catalogue's.
        expected: usize,
        /// The embedding's.
        found: usize,
    },
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { expected, found } => write!(
                f,
                "the embedding is of model `{found}`, the index of `{expected}`\nhint: embed both with the same model"
            ),
            Self::Dimension { expected, found } => write!(
                f,
                "the embedding has {found} numbers, those of the index {expected}\nhint: embed both with the same model and the same number of dimensions"
            ),
        }
    }
}

impl std::error::Error for QueryError {}
