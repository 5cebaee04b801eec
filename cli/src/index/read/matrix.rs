//! A matrix of numbers, one row an item, and how numbers of several widths become the `f32` of an index.

use half::{bf16, f16};

/// Rows of equal length.
#[derive(Debug, PartialEq)]
pub struct Matrix {
    numbers: Vec<f32>,
    dimension: usize,
    /// What the file says its rows come from.
    pub model: Option<String>,
}

/// How a number is stored, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// IEEE 754, 64 bits.
    F64,
    /// 32 bits.
    F32,
    /// 16 bits.
    F16,
    /// The upper half of 32 bits.
    Bf16,
}

impl Width {
    const fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl Matrix {
    /// A matrix from its bytes, row after row.
    ///
    /// # Errors
    /// Bytes that are not as many as the shape says.
    pub fn new(shape: [usize; 2], width: Width, bytes: &[u8]) -> Result<Self, String> {
        let [rows, dimension] = shape;
        let wanted = rows.checked_mul(dimension).and_then(|n| n.checked_mul(width.bytes()));
        if wanted != Some(bytes.len()) || dimension == 0 {
            let message = format!("{rows} × {dimension} numbers do not fit {} bytes", bytes.len());
            return Err(format!("{message}; hint: the file broke off, or has no columns"));
        }
        let numbers = match width {
            // What is too large for 32 bits becomes infinite, and is then refused with its row.
            Width::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Width::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Width::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Width::Bf16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        };
        Ok(Self { numbers, dimension, model: None })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.numbers.len() / self.dimension
    }

    /// The rows, in their order.
    pub fn vectors(&self) -> impl Iterator<Item = Vec<f32>> {
        self.numbers.chunks_exact(self.dimension).map(<[f32]>::to_vec)
    }
}
