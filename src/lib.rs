//! Personalization next to the visitor: decide, learn and measure as a pure library.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod bandit;
pub mod context;
pub mod crawler;
pub mod id;
pub mod seed;
pub mod snapshot;

pub use serde_json::Value;
