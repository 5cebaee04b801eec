//! Personalization next to the visitor: decide, learn and measure as a pure library.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod assemble;
pub mod bandit;
pub mod block;
pub mod context;
pub mod crawler;
pub mod id;
pub mod pattern;
pub mod seed;
mod selector;
pub mod slot;
pub mod snapshot;

pub use serde_json::Value;
