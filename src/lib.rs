//! Personalization next to the visitor: decide, learn and measure as a pure library.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod assemble;
pub mod audience;
pub mod bandit;
pub mod block;
mod bytes;
pub mod context;
pub mod crawler;
pub mod decide;
pub mod event;
pub mod fold;
pub mod id;
pub mod pattern;
pub mod receipt;
pub mod replay;
pub mod seed;
mod selector;
pub mod slot;
pub mod snapshot;
pub mod split;
pub mod statistics;
pub mod wire;

pub use serde_json::Value;
