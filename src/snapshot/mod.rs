//! Everything a decision reads.
pub mod wire;
