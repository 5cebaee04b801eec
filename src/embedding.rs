//! Unit vectors that stand for a meaning: checked once, compared by their dot product. Which model made them, and how they are
//! stored, is the business of others.

use crate::kernel;
use std::fmt;

/// Most numbers of an embedding. Models in use have 256 to 3,072.
pub const MAX_DIMENSION: usize = 4096;

/// A vector of unit length.
///
/// ```
/// use edgeloom::embedding::Embedding;
///
/// let embedding = Embedding::new(&[3.0, 4.0])?;
/// assert_eq!(embedding.values(), [0.6, 0.8]);
/// assert!((embedding.dot(&embedding) - 1.0).abs() < 1e-6);
/// # Ok::<(), edgeloom::embedding::EmbeddingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Box<[f32]>);

impl Embedding {
    /// The direction of some numbers: they are divided by their length.
    ///
    /// # Errors
    /// No numbers or more than [`MAX_DIMENSION`], one that is not finite, or nothing but zeros, which has no direction.
    pub fn new(numbers: &[f32]) -> Result<Self, EmbeddingError> {
        if numbers.is_empty() || numbers.len() > MAX_DIMENSION {
            return Err(EmbeddingError::Dimension { n_numbers: numbers.len() });
        }
        if let Some(position) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(EmbeddingError::NotFinite { position });
        }
        Self::of_sums(numbers.iter().map(|number| f64::from(*number))).ok_or(EmbeddingError::Zero)
    }

    /// The direction of finite numbers. The squares of what `f32` holds, 10^-90 to 10^77, fit into `f64`.
    fn of_sums(sums: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let length = sums.clone().map(|sum| sum * sum).sum::<f64>().sqrt();
        let is_direction = length > 0.0 && length.is_finite();
        is_direction.then(|| Self(sums.map(|sum| (sum / length) as f32).collect()))
    }

    /// The numbers; the sum of their squares is 1 but for rounding.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// How many numbers there are, 1 to [`MAX_DIMENSION`].
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// The cosine of the angle between two, −1 to 1 but for rounding. Added up in a fixed order: the same bits natively and in
    /// wasm. Of vectors of two dimensions only the numbers that both have count.
    #[must_use]
    pub fn dot(&self, other: &Self) -> f32 {
        kernel::dot_f32(&self.0, &other.0)
    }

    /// The direction of a weighted sum: what a visitor liked, as one vector. `None` where there is none: no parts, parts of
    /// several dimensions, weights that are not finite, or parts that cancel out.
    ///
    /// ```
    /// use edgeloom::embedding::Embedding;
    ///
    /// let (tea, cups) = (Embedding::new(&[1.0, 0.0])?, Embedding::new(&[0.0, 1.0])?);
    /// let both = Embedding::blend([(3.0, &tea), (4.0, &cups)]).unwrap();
    /// assert_eq!(both.values(), [0.6, 0.8]);
    /// assert!(Embedding::blend([(1.0, &tea), (-1.0, &tea)]).is_none());
    /// # Ok::<(), edgeloom::embedding::EmbeddingError>(())
    /// ```
    #[must_use]
    pub fn blend<'e>(parts: impl IntoIterator<Item = (f32, &'e Self)>) -> Option<Self> {
        let mut sums: Vec<f64> = Vec::new();
        for (weight, part) in parts {
            if sums.is_empty() {
                sums.resize(part.dimension(), 0.0);
            }
            if sums.len() != part.dimension() {
                return None;
            }
            for (sum, value) in sums.iter_mut().zip(part.values()) {
                *sum += f64::from(weight) * f64::from(*value);
            }
        }
        Self::of_sums(sums.iter().copied())
    }
}

/// What keeps numbers from being an embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingError {
    /// None, or too many.
    Dimension {
        /// How many there are.
        n_numbers: usize,
    },
    /// One is infinite or no number.
    NotFinite {
        /// Which one, counted from 0.
        position: usize,
    },
    /// All of them are zero.
    Zero,
}

impl fmt::Display for EmbeddingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimension { n_numbers } => {
                write!(f, "an embedding has 1 to {MAX_DIMENSION} numbers, this one has {n_numbers}")
            }
            Self::NotFinite { position } => write!(f, "number {position} of the embedding is not finite"),
            Self::Zero => f.write_str("the embedding is zero throughout, so it has no direction"),
        }
    }
}

impl std::error::Error for EmbeddingError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_no_direction_is_refused_by_name() {
        assert_eq!(Embedding::new(&[]), Err(EmbeddingError::Dimension { n_numbers: 0 }));
        assert_eq!(Embedding::new(&[1.0; 4097]), Err(EmbeddingError::Dimension { n_numbers: 4097 }));
        assert_eq!(Embedding::new(&[1.0, f32::NAN]), Err(EmbeddingError::NotFinite { position: 1 }));
        assert_eq!(Embedding::new(&[f32::INFINITY]), Err(EmbeddingError::NotFinite { position: 0 }));
        assert_eq!(Embedding::new(&[0.0, -0.0]), Err(EmbeddingError::Zero));
    }

    #[test]
    fn the_smallest_and_the_largest_numbers_have_a_direction() {
        for number in [f32::from_bits(1), f32::MAX] {
            let embedding = Embedding::new(&[number, number]).unwrap();
            assert!((embedding.dot(&embedding) - 1.0).abs() < 1e-6, "{number:e}");
        }
    }

    #[test]
    fn a_blend_of_several_dimensions_is_none() {
        let (flat, deep) = (Embedding::new(&[1.0]).unwrap(), Embedding::new(&[1.0, 1.0]).unwrap());
        assert_eq!(Embedding::blend([(1.0, &flat), (1.0, &deep)]), None);
        assert_eq!(Embedding::blend([(f32::NAN, &flat)]), None);
        assert_eq!(Embedding::blend([]), None);
    }

    proptest! {
        #[test]
        fn every_embedding_has_unit_length(numbers in proptest::collection::vec(-1e20_f32..1e20, 1..200)) {
            if let Ok(embedding) = Embedding::new(&numbers) {
                prop_assert!((embedding.dot(&embedding) - 1.0).abs() < 1e-5);
                prop_assert_eq!(Embedding::blend([(2.0, &embedding)]).map(|e| e.dimension()), Some(numbers.len()));
            }
        }
    }
}
