//! The core's index for JavaScript, for the bench alone: opened from its bytes, asked with the numbers of a query. Natively the same
//! code is what wasm is compared with.

use edgeloom::embedding::Embedding;
use edgeloom::index::{Catalogue, Index};
use std::error::Error;
use wasm_bindgen::prelude::*;

/// An index of one piece.
#[wasm_bindgen]
pub struct Vectors(Catalogue);

impl Vectors {
    /// Opens a piece.
    ///
    /// # Errors
    /// Bytes that are no piece.
    pub fn open(bytes: Vec<u8>) -> Result<Self, Box<dyn Error>> {
        Ok(Self(Catalogue::new(vec![Index::open(bytes)?])?))
    }

    /// The ids of the `k` nearest; those of the bench are numbers.
    ///
    /// # Errors
    /// Numbers without a direction, or of another dimension.
    pub fn ids(&self, numbers: &[f32], k: usize) -> Result<Vec<u32>, Box<dyn Error>> {
        let query = self.0.query(None, &Embedding::new(numbers)?)?;
        let hits = self.0.nearest(&query, k, None, &[]);
        let id = |hit: &edgeloom::index::Hit| self.0.id(hit.item)?.parse().ok();
        Ok(hits.iter().filter_map(id).collect())
    }
}

#[wasm_bindgen]
impl Vectors {
    /// For JavaScript; see [`Vectors::open`].
    ///
    /// # Errors
    /// See there.
    #[wasm_bindgen(constructor)]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, JsError> {
        Self::open(bytes).map_err(failed)
    }

    /// For JavaScript; see [`Vectors::ids`].
    ///
    /// # Errors
    /// See there.
    pub fn nearest(&self, numbers: &[f32], k: usize) -> Result<Vec<u32>, JsError> {
        self.ids(numbers, k).map_err(failed)
    }
}

fn failed(error: Box<dyn Error>) -> JsError {
    JsError::new(&error.to_string())
}
