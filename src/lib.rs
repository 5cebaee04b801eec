//! Personalization next to the visitor: decide, learn and measure as a pure library.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod bytes;
pub mod context;
pub mod crawler;
pub mod event;
pub mod fold;
pub mod id;
pub mod receipt;
pub mod seed;
pub mod snapshot;
pub mod statistics;

pub use serde_json::Value;
